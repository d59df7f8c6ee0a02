"""Node life cycle, the loop: every few seconds, and at every change of a node, brings conditions and taints in line."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from sampan_api import meta
from sampan_api.client import LEASES, NODES, PODS, Client, EventType, PatchType
from sampan_api.clock import Clock, rfc3339
from sampan_api.errors import ApiError, NotFound
from sampan_api.meta import Object, with_path
from sampan_api.recorder import EventRecorder

from sampan_master.controllers import node_health, zones
from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.node_health import Observation
from sampan_master.controllers.workqueue import WorkQueue, work

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"


class NodeController:
    def __init__(self, client: Client, clock: Clock, informers: Informers, config: ControllersConfig) -> None:
        self._client, self._clock, self._config = client, clock, config
        self._nodes, self._pods, self._leases = informers.nodes, informers.pods, informers[LEASES]
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._recorder = EventRecorder(client, clock, "node-controller")
        self._heard: dict[str, Observation] = {}
        self._budgets: defaultdict[str, zones.EvictionBudget] = defaultdict(zones.EvictionBudget)
        self._all_down = False
        self._nodes.subscribe(self._on_node)
        self._leases.subscribe(self._on_lease)
        self._pods.subscribe(self._on_pod)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(work("node lifecycle", self._queue, self.sync, 1))
            tasks.create_task(self._monitor())

    async def _monitor(self) -> None:
        period = self._config.node_monitor_period_seconds
        last = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            if now - last > 3 * period or not await self._can_see():
                self._hear_all()
            last = now
            self._assess_zones()
            for key in self._nodes.items:
                self._queue.add(key.name)
            await self._clock.sleep(period)

    async def _can_see(self) -> bool:
        try:
            await self._client.list(NODES, limit=1)
        except ApiError as error:
            log.warning("nodes are not judged while the API is out of reach: %s", error.message)
            return False
        return True

    def _hear_all(self) -> None:
        """We were blind (store away, process stopped), so nobody's silence counts: a full grace for everybody."""
        now = self._clock.monotonic()
        for observation in self._heard.values():
            observation.heard_at = now

    def _on_node(self, event: EventType, node: Object, _old: Object | None) -> None:
        name = meta.name(node)
        if event is EventType.DELETED:
            self._heard.pop(name, None)
            return
        self._listen(node)
        self._queue.add(name)

    def _on_lease(self, event: EventType, lease: Object, _old: Object | None) -> None:
        node = self._nodes.get(meta.name(lease)) if meta.namespace(lease) == LEASE_NAMESPACE else None
        if node is not None and event is not EventType.DELETED:
            self._listen(node)

    def _on_pod(self, event: EventType, pod: Object, old: Object | None) -> None:
        """A pod that becomes bound to, or reports ready on, a node that is down."""
        node = self._nodes.get(pod["spec"].get("nodeName") or "") if event is not EventType.DELETED else None
        if node is not None and node_health.ready_status(node) == "Unknown":
            self._queue.add(meta.name(node))

    def _listen(self, node: Object) -> Observation:
        name = meta.name(node)
        sign = node_health.sign_of_life(node, self._leases.get(name, LEASE_NAMESPACE))
        known = self._heard.get(name)
        if known is None or known.sign != sign:
            known = self._heard[name] = Observation(sign, self._clock.monotonic())
        return known

    def _assess_zones(self, newer: Object | None = None) -> dict[str, tuple[zones.ZoneState, int]]:
        """State of each zone; `newer` is a node fresher than the cache."""
        nodes = {meta.name(node): node for node in self._nodes.items.values()}
        if newer is not None:
            nodes[meta.name(newer)] = newer
        states = zones.states(nodes.values(), self._config)
        all_down = bool(states) and all(state is zones.ZoneState.FULL for state, _ in states.values())
        if self._all_down and not all_down:
            self._hear_all()
        self._all_down = all_down
        return states

    async def sync(self, name: str) -> float | None:
        node = self._nodes.get(name)
        if node is None:
            return None
        remaining = self._listen(node).heard_at + self._grace(node) - self._clock.monotonic()
        if remaining <= 0:
            node = await self._silence(node)
        await self._taint(node)
        if node_health.ready_status(node) == "Unknown":
            await self._unready_pods(name)
        return remaining if remaining > 0 else None

    def _grace(self, node: Object) -> float:
        if meta.condition(node, "Ready") is None:
            return self._config.node_startup_grace_seconds
        return self._config.node_monitor_grace_seconds

    async def _silence(self, node: Object) -> Object:
        conditions = node_health.silent_conditions(node, self._clock.now())
        if conditions is None:
            return node
        name = meta.name(node)
        silent = await self._client.update(NODES, with_path(node, ("status", "conditions"), conditions), "status")
        log.warning("node %s is not heard of", name)
        message = f"Node {name} status is now: NodeNotReady"
        self._recorder.record(NODES, node, "Normal", "NodeNotReady", message)
        return silent

    async def _taint(self, node: Object) -> None:
        taints = node_health.wanted_taints(node, may_evict=self._may_evict(node), now=self._clock.now())
        if self._all_down:
            taints = node_health.without_eviction(taints)
        if taints != ((node.get("spec") or {}).get("taints") or []):
            await self._client.update(NODES, with_path(node, ("spec", "taints"), taints))

    def _may_evict(self, node: Object) -> bool:
        if not node_health.wants_eviction(node):
            return False
        zone = zones.zone_of(node)
        state, size = self._assess_zones(node)[zone]
        if self._all_down:
            return False
        rate = zones.eviction_rate(state, size, self._config)
        return self._budgets[zone].take(rate, self._clock.monotonic())

    async def _unready_pods(self, node_name: str) -> None:
        """Nobody can vouch for pods on a node that is not heard of: they are not Ready."""
        for pod in self._pods.by_index("node", node_name):
            ready = meta.condition(pod, "Ready")
            if ready is None or ready.get("status") != "True":
                continue
            condition = {"type": "Ready", "status": "False", "lastTransitionTime": rfc3339(self._clock.now())}
            patch = {"metadata": {"uid": meta.uid(pod)}, "status": {"conditions": [condition]}}
            namespace = meta.namespace(pod)
            try:
                await self._client.patch(
                    PODS, meta.name(pod), patch, namespace, type=PatchType.STRATEGIC, subresource="status"
                )
            except NotFound:
                continue
            self._recorder.record(PODS, pod, "Warning", "NodeNotReady", "Node is not ready")
