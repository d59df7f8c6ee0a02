"""Signs of life: Leases are renewed and node statuses reported in turn, evenly over the period, so that thousands of
nodes make a steady trickle of writes and no burst.

Renewals have a few writers of their own: however many pods wait to be written, no node falls silent for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sampan_api import meta
from sampan_api.client import LEASES, NODES, Client, EventType, PatchType
from sampan_api.clock import Clock, rfc3339_micro
from sampan_api.errors import ApiError, NotFound
from sampan_api.meta import Object

from sampan_sim.config import Config
from sampan_sim.counters import Counters
from sampan_sim.nodes import conditions, conditions_of, is_ready, lease
from sampan_sim.outbox import Outbox
from sampan_sim.registration import LEASE_NAMESPACE, SimNode

log = logging.getLogger(__name__)

_WRITERS = 8
_PAUSE = 1.0


class Heartbeats:
    def __init__(
        self, client: Client, clock: Clock, config: Config, nodes: dict[str, SimNode], counters: Counters
    ) -> None:
        """`nodes` loses those that somebody deletes."""
        self._client, self._clock, self._config = client, clock, config
        self._nodes, self._counters = nodes, counters
        self._leases = Outbox(self._renew)
        self._reports = Outbox(self._report)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._leases.run(_WRITERS))
            tasks.create_task(self._reports.run(_WRITERS))
            tasks.create_task(self._in_turn(self._config.lease.renew, self._leases.put))
            tasks.create_task(self._in_turn(self._config.node_status, self._reports.put))

    def on_node(self, event: EventType, node: Object, _old: Object | None) -> None:
        """Of one of our nodes: somebody else's word, such as that it is silent, is answered at once."""
        known = self._nodes.get(meta.name(node))
        if known is None:
            return
        if event is EventType.DELETED or meta.uid(node) != meta.uid(known.object):
            log.warning('node "%s" was deleted: it is simulated no more', known.name)
            del self._nodes[known.name]
            return
        known.object = node
        if not is_ready(node):
            self._reports.put(known.name)

    async def _in_turn(self, period: float, put: Callable[[str], None]) -> None:
        due = self._clock.monotonic()
        while True:
            names = list(self._nodes)
            for name in names:
                due += period / len(names)
                ahead = due - self._clock.monotonic()
                if ahead > 0:
                    await self._clock.sleep(ahead)
                put(name)
            if not names:
                await self._clock.sleep(_PAUSE)
            # What was missed while the machine slept is not made up for.
            due = max(due, self._clock.monotonic() - period)

    async def _renew(self, name: str) -> None:
        node = self._nodes.get(name)
        if node is None:
            return
        renewed = rfc3339_micro(self._clock.now())
        try:
            await self._client.patch(LEASES, name, {"spec": {"renewTime": renewed}}, LEASE_NAMESPACE)
        except NotFound:
            made = lease(node.object, self._config.lease.duration, renewed)
            await self._tried(self._leases, name, self._client.create(LEASES, made, LEASE_NAMESPACE))
        except ApiError as error:
            await self._failed(self._leases, name, error)
        else:
            self._counters.lease_renewals += 1

    async def _report(self, name: str) -> None:
        node = self._nodes.get(name)
        if node is None:
            return
        said = {"status": {"conditions": conditions(self._clock.now(), conditions_of(node.object))}}
        writing = self._client.patch(NODES, name, said, type=PatchType.STRATEGIC, subresource="status")
        if await self._tried(self._reports, name, writing):
            self._counters.node_reports += 1

    async def _tried(self, outbox: Outbox[str], name: str, writing: Awaitable[Any]) -> bool:
        try:
            await writing
        except ApiError as error:
            await self._failed(outbox, name, error)
            return False
        return True

    async def _failed(self, outbox: Outbox[str], name: str, error: ApiError) -> None:
        """The writer waits: a server that is away is not asked by all at once."""
        if isinstance(error, NotFound):
            return
        log.warning('node "%s": %s', name, error.message)
        self._counters.retries += 1
        await self._clock.sleep(_PAUSE)
        outbox.put(name)
