"""`python -m sampan_sim`: simulated nodes until SIGINT or SIGTERM. A second signal ends it without cleaning up."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sys
import time
import uuid
from contextlib import suppress
from functools import partial

import uvloop
from sampan_api.clock import RealClock
from sampan_api.collecting import collect_seldom
from sampan_api.election import Election, Terms
from sampan_api.errors import ApiError
from sampan_api.https import HttpsClient
from sampan_api.kubeconfig import KubeconfigError, load

from sampan_sim.errors import SimError
from sampan_sim.settings import Settings, parse
from sampan_sim.simulator import Simulator

log = logging.getLogger("sampan_sim")

_MANAGER = "kubelet"
"""What managedFields call the writer: tools that look for the one of a pod's status look for this name."""
_SPARE_CONNECTIONS = 24
_TERMS = Terms(lease=30.0, renew_deadline=20.0, retry=4.0)
"""Of a prefix there is one simulation at a time: a second one waits until the first has ended. After a crash that takes
less than the time for which nodes may be silent."""


def main(argv: list[str] | None = None) -> int:
    try:
        settings = parse(argv)
        logging.basicConfig(
            level=logging.DEBUG if settings.verbose else logging.INFO,
            stream=sys.stderr,
            format="%(asctime)s %(levelname).1s %(name)s: %(message)s",
        )
        collect_seldom()
        return uvloop.run(_run(settings))
    except (SimError, KubeconfigError) as error:
        print(f"sampan-sim: {error}", file=sys.stderr)
    except ApiError as error:
        print(f"sampan-sim: {error.message}", file=sys.stderr)
    return 1


async def _run(settings: Settings) -> int:
    if not settings.kubeconfig:
        raise SimError("which cluster? say --kubeconfig FILE or set $KUBECONFIG")
    access, clock = load(settings.kubeconfig, settings.context), RealClock()
    began = time.monotonic()
    async with HttpsClient(access, clock, _MANAGER, connections=settings.writers + _SPARE_CONNECTIONS) as client:
        simulator = Simulator(client, clock, settings.config, settings.prefix, settings.nodes)
        name = f"sampan-sim-{settings.prefix}"
        election = Election(client, clock, name, f"{socket.gethostname()}_{uuid.uuid4()}", _TERMS)
        working = asyncio.create_task(election.lead(partial(simulator.run, settings.writers)))
        _on_signals(working)
        with suppress(asyncio.CancelledError):
            await working
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu, seconds = used.ru_utime + used.ru_stime, time.monotonic() - began
        print(simulator.counters.line(len(simulator.nodes), len(simulator.pods), seconds, cpu), flush=True)
        if settings.keep:
            log.info("the nodes stay; start again with the same --prefix to go on with them")
        else:
            log.info("the nodes and their pods are removed")
            await simulator.remove()
    return 0


def _on_signals(working: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        working.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


if __name__ == "__main__":
    sys.exit(main())
