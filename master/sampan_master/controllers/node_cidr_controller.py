"""Ranges of pod addresses, the loop: each node without one gets one, whichever way it joined.

The one that gives them is this controller: the node link waits for it, and so does whoever makes Node objects through
the API. A range stays the node's while it is not known that the node has another or is gone, so an unclear answer is
tried again with the same range. Who finds none free waits until one is given back.
"""

from __future__ import annotations

import asyncio

from sampan_api import meta
from sampan_api.client import NODES, Client, EventType
from sampan_api.clock import Clock
from sampan_api.errors import Invalid, NotFound
from sampan_api.meta import Object
from sampan_api.recorder import EventRecorder

from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.node_cidrs import CidrPool, cidrs_of
from sampan_master.controllers.workqueue import WorkQueue, work


class NodeCidrController:
    def __init__(self, client: Client, clock: Clock, informers: Informers, config: ControllersConfig) -> None:
        self._client = client
        self._nodes = informers.nodes
        self._pool = CidrPool(config.cluster_cidr, config.node_cidr_mask)
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._without: set[str] = set()
        self._recorder = EventRecorder(client, clock, "cidrAllocator")
        self._nodes.subscribe(self._on_node)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(work("node CIDRs", self._queue, self.sync, 1))

    def _on_node(self, event: EventType, node: Object, _old: Object | None) -> None:
        name = meta.name(node)
        if event is EventType.DELETED:
            self._without.discard(name)
            self._pool.release(name)
            self._wake_the_waiting()
        elif cidrs := cidrs_of(node):
            self._without.discard(name)
            if self._pool.of(name) != tuple(cidrs):
                self._pool.occupy(name, cidrs)
                self._wake_the_waiting()
        elif name not in self._without:
            self._queue.add(name)

    def _wake_the_waiting(self) -> None:
        for name in self._without:
            self._queue.add(name)

    async def sync(self, name: str) -> None:
        node = self._nodes.get(name)
        if node is None or cidrs_of(node):
            return
        cidr = next(iter(self._pool.of(name)), None) or self._pool.allot(name)
        if cidr is None:
            if name not in self._without:
                self._without.add(name)
                message = f"Node {name} status is now: CIDRNotAvailable"
                self._recorder.record(NODES, node, "Normal", "CIDRNotAvailable", message)
            return
        self._without.discard(name)
        patch = {"metadata": {"uid": meta.uid(node)}, "spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}
        try:
            await self._client.patch(NODES, name, patch)
        except (NotFound, Invalid):
            # It is gone, or somebody else has given it one: the cache will say which.
            return
