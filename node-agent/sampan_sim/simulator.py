"""The parts put together: nodes registered, then heartbeats and pods until cancelled; the nodes removed, or left."""

from __future__ import annotations

import asyncio
import logging

from sampan_api import meta
from sampan_api.client import NODES, PODS, Client, EventType, Selection
from sampan_api.clock import Clock
from sampan_api.informer import Informer
from sampan_api.meta import Object
from sampan_api.recorder import EventRecorder

from sampan_sim.config import Config
from sampan_sim.counters import Counters
from sampan_sim.heartbeats import Heartbeats
from sampan_sim.nodes import SIMULATED_BY, plans
from sampan_sim.pods import Pods, without_owners
from sampan_sim.registration import SimNode, register, remove
from sampan_sim.telling import Teller

log = logging.getLogger(__name__)


class Simulator:
    def __init__(self, client: Client, clock: Clock, config: Config, prefix: str, total: int | None) -> None:
        """`total` None: as many nodes as the file says. `prefix` begins their names and is the simulation's own."""
        self._client, self._clock, self._config, self._prefix = client, clock, config, prefix
        self._plans = plans(config, prefix, total)
        self._recorder = EventRecorder(client, clock, "kubelet")
        self.counters = Counters()
        self.nodes: dict[str, SimNode] = {}
        self.pods = self._no_pods()
        self.ready = asyncio.Event()
        """Set when all nodes are registered and the pods that are there are taken on."""

    def _no_pods(self) -> Pods:
        teller = Teller(self._recorder, everything=self._config.events)
        return Pods(self._client, self._clock, self._config, self.nodes, self.counters, teller)

    async def run(self, workers: int) -> None:
        """Until cancelled; may be run again. Raises SimError and ApiError when the nodes cannot be registered."""
        self.nodes.clear()
        self.pods = self._no_pods()
        registered = await register(self._client, self._clock, self._config, self._plans, self._prefix)
        self.nodes.update((node.name, node) for node in registered)
        heartbeats = Heartbeats(self._client, self._clock, self._config, self.nodes, self.counters)
        ours = Selection(label_selector=f"{SIMULATED_BY}={self._prefix}")
        nodes = Informer(self._client, NODES, self._clock, ours)
        bound = Selection(field_selector="spec.nodeName!=")
        pods = Informer(self._client, PODS, self._clock, bound, keep=without_owners)
        nodes.subscribe(heartbeats.on_node)
        nodes.subscribe(self._on_node)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(nodes.run())
            tasks.create_task(heartbeats.run())
            tasks.create_task(self.pods.timers.run())
            tasks.create_task(self.pods.outbox.run(workers))
            tasks.create_task(self._recorder.run())
            tasks.create_task(pods.run())
            await pods.synced()
            self.pods.take_over(pods.items.values())
            pods.subscribe(self.pods.on_pod)
            log.info("%d nodes; %d pods are on them", len(self.nodes), len(self.pods))
            self.ready.set()

    def _on_node(self, event: EventType, node: Object, _old: Object | None) -> None:
        if event is EventType.DELETED:
            self.pods.forget_node(meta.name(node))

    async def remove(self) -> None:
        """Takes the nodes and what is on them away."""
        await remove(self._client, [plan.name for plan in self._plans])
