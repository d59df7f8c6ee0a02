"""One part of the control plane as a process: it works while it leads, and is a candidate again when it does not.

Losing the Lease stops the part, not the process (kube-scheduler ends and is started again by others): nobody need be
there who starts it again. Exit codes: 0 when it was told to stop, 1 when it could not start, 2 for wrong flags.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType
from typing import Any, TypeAlias

import uvloop
from sampan_api import kubeconfig
from sampan_api.clock import Clock, RealClock
from sampan_api.collecting import collect_seldom
from sampan_api.election import Election
from sampan_api.https import HttpsClient
from sampan_api.kubeconfig import Access, KubeconfigError

from sampan_master import leadership, prometheus
from sampan_master.keep_running import keep_running
from sampan_master.prometheus import Source, head, shown
from sampan_master.standalone.serving import Check, Post, serving
from sampan_master.standalone.settings import StandaloneSettings

log = logging.getLogger("sampan_standalone")

_EXPIRED_SECONDS = 20.0
"""How long past its lease a process that still leads counts as alive, as in Kubernetes."""

Part: TypeAlias = Callable[[HttpsClient, Clock, Access], Awaitable[None]]


class Standalone:
    """What runs: `part` is the work; `ready` and `metrics` are what it tells of itself, `posts` what it is asked."""

    def __init__(
        self,
        settings: StandaloneSettings,
        part: Part,
        ready: dict[str, Check],
        metrics: Iterable[Source],
        posts: Mapping[str, Post] = MappingProxyType({}),
    ) -> None:
        self._settings, self._part, self._ready, self._metrics = settings, part, ready, tuple(metrics)
        self._posts = posts

    def main(self) -> int:
        """Returns the process's exit code."""
        logging.basicConfig(
            level=logging.DEBUG if self._settings.verbose else logging.INFO,
            format="%(asctime)s %(levelname).1s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        collect_seldom()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._until_stopped())

    async def _until_stopped(self) -> int:
        running = asyncio.create_task(self._run(RealClock()), name=self._settings.name)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        try:
            await running
        except asyncio.CancelledError:
            log.info("stopped")
        except (OSError, KubeconfigError) as error:
            print(f"error: {self._settings.name} cannot start: {error}", file=sys.stderr)
            return 1
        return 0

    async def _run(self, clock: Clock) -> None:
        settings = self._settings
        access = _access(settings)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(HttpsClient(access, clock, settings.lease))
            work = self._work(client, clock, access)
            election = None
            if settings.leader_elect:
                # Apart, so that no renewal waits behind the part's own requests.
                voter = await stack.enter_async_context(HttpsClient(access, clock, settings.lease, connections=2))
                identity = f"{socket.gethostname()}_{secrets.token_hex(8)}"
                election = Election(voter, clock, settings.lease, identity, settings.terms)
            if settings.port:
                checks = {"ping": _fine, "leaderElection": lambda: _alive(election)}
                sources = (*self._metrics, leadership.source([election] if election else []), _requests(client))
                url = await stack.enter_async_context(
                    serving(settings, checks, self._ready, (*sources, prometheus.process), self._posts)
                )
                log.info("health and metrics: %s", url)
            print(f"{settings.name} is ready: it serves {client.server}", flush=True)
            await keep_running(settings.name, (lambda: election.lead(work)) if election else work, clock)

    def _work(self, client: HttpsClient, clock: Clock, access: Access) -> Callable[[], Coroutine[Any, Any, None]]:
        async def work() -> None:
            await self._part(client, clock, access)

        return work


def _access(settings: StandaloneSettings) -> Access:
    """Raises KubeconfigError."""
    if settings.kubeconfig is not None:
        access = kubeconfig.load(str(settings.kubeconfig), settings.context)
    else:
        found = kubeconfig.in_cluster(os.environ)
        if found is None and not settings.server:
            raise KubeconfigError("no API server is named and this is not a pod: give --kubeconfig FILE")
        access = found or Access()
    return access._replace(server=settings.server) if settings.server else access


def _fine() -> str:
    return ""


def _alive(election: Election | None) -> str:
    if election is not None and election.overdue > _EXPIRED_SECONDS:
        return f"failed election to renew leadership on lease {election.name}"
    return ""


def _requests(client: HttpsClient) -> Source:
    name = "rest_client_requests_total"
    host = client.server.partition("://")[2]

    def lines() -> Iterable[str]:
        yield from head(name, "counter", "Requests to the API server, by method and answer.")
        for (method, code), count in sorted(client.requests.items()):
            yield f"{name}{shown({'code': code, 'host': host, 'method': method})} {count}"

    return lines
