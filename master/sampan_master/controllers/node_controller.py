"""Node life cycle, the loops.

    monitor, every few seconds   who is silent beyond the grace → conditions Unknown; then the state of the zones;
                                 then which nodes wait for a NoExecute taint
    a node (queue)               taints and labels in line with its conditions; pods of a silent node not Ready
    a zone (queue)               the next node that waits gets its NoExecute taint, at the zone's rate

A first NoExecute taint is only ever set after a whole round of judging: when all nodes fall silent at once, none of
them is emptied before the last is known to be silent too. What a cache says of silence is asked of the API once more,
since a watch that has stopped looks just like nodes that have.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace

from sampan_api import meta
from sampan_api.client import LEASES, NODES, PODS, Client, EventType, PatchType
from sampan_api.clock import Clock, rfc3339
from sampan_api.errors import ApiError, Conflict, NotFound
from sampan_api.meta import Object, with_path
from sampan_api.recorder import EventRecorder

from sampan_master.controllers import node_health, pod_facts, zones
from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.node_health import Observation
from sampan_master.controllers.try_all import try_all
from sampan_master.controllers.workqueue import WorkQueue, repeat, work

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
_WORKERS = 8


class NodeController:
    def __init__(self, client: Client, clock: Clock, informers: Informers, config: ControllersConfig) -> None:
        self._client, self._clock, self._config = client, clock, config
        self._nodes, self._pods, self._leases = informers.nodes, informers.pods, informers[LEASES]
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._evictions: WorkQueue[str] = WorkQueue(clock)
        self._recorder = EventRecorder(client, clock, "node-controller")
        self._shortest_grace = min(config.node_startup_grace_seconds, config.node_monitor_grace_seconds)
        self._heard: dict[str, Observation] = {}
        self._monitored_at: float | None = None
        self._zones: zones.Zones | None = None
        self._waiting: defaultdict[str, OrderedDict[str, None]] = defaultdict(OrderedDict)
        self._budgets: defaultdict[str, zones.EvictionBudget] = defaultdict(zones.EvictionBudget)
        self._nodes.subscribe(self._on_node)
        self._leases.subscribe(self._on_lease)
        self._pods.subscribe(self._on_pod)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(work("node lifecycle", self._queue, self.sync, _WORKERS))
            tasks.create_task(work("node eviction", self._evictions, self.sync_zone, 1))
            period = self._config.node_monitor_period_seconds
            tasks.create_task(repeat("node monitor", self._clock, period, self._monitor))

    def _on_node(self, event: EventType, node: Object, _old: Object | None) -> None:
        name = meta.name(node)
        if event is EventType.DELETED:
            self._heard.pop(name, None)
            self._tell(node, "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
            return
        if event is EventType.ADDED:
            self._tell(node, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
        self._listen(node, self._leases.get(name, LEASE_NAMESPACE))
        self._queue.add(name)

    def _on_lease(self, event: EventType, lease: Object, _old: Object | None) -> None:
        node = self._nodes.get(meta.name(lease)) if meta.namespace(lease) == LEASE_NAMESPACE else None
        if node is not None and event is not EventType.DELETED:
            self._listen(node, lease)

    def _on_pod(self, event: EventType, pod: Object, old: Object | None) -> None:
        """A pod that becomes bound to, or reports ready on, a node that is down."""
        node = self._nodes.get(pod["spec"].get("nodeName") or "") if event is not EventType.DELETED else None
        if node is not None and node_health.ready_status(node) == "Unknown":
            self._queue.add(meta.name(node))

    def _listen(self, node: Object, lease: Object | None) -> Observation:
        name = meta.name(node)
        heard = node_health.listen(self._heard.get(name), node, lease, self._clock.monotonic())
        self._heard[name] = heard
        return heard

    async def _monitor(self) -> None:
        now, last = self._clock.monotonic(), self._monitored_at
        self._monitored_at = now
        if (
            last is not None and now - last > 3 * self._config.node_monitor_period_seconds
        ) or not await self._can_see():
            self._hear_all()
        await self._judge_all()

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
        self._heard = {name: replace(heard, heard_at=now, alive=False) for name, heard in self._heard.items()}

    async def _judge_all(self) -> None:
        nodes = {meta.name(node): node for node in self._nodes.items.values()}
        limit = asyncio.Semaphore(_WORKERS)

        async def judge(node: Object) -> Object | None:
            async with limit:
                try:
                    return await self._silence(node)
                except ApiError as error:
                    log.info("node %s: %s", meta.name(node), error.message)
                    # Not written, but no reason either to think that others have failed while this one has not.
                    conditions = node_health.silent_conditions(node, self._clock.now())
                    return with_path(node, ("status", "conditions"), conditions)

        changed = await asyncio.gather(*(judge(node) for node in nodes.values() if self._is_silent(node)))
        nodes |= {meta.name(node): node for node in changed if node is not None}
        turned = self._assess(nodes)
        for name, node in nodes.items():
            if turned or node_health.ready_status(node) != "True":
                self._queue.add(name)

    def _is_silent(self, node: Object) -> bool:
        heard, now = self._heard.get(meta.name(node)), self._clock.monotonic()
        if heard is not None and now - heard.heard_at < self._shortest_grace:
            return False
        heard_at = self._listen(node, self._leases.get(meta.name(node), LEASE_NAMESPACE)).heard_at
        return heard_at + self._grace(node) < self._clock.monotonic()

    def _is_alive(self, node: Object) -> bool:
        heard = self._heard.get(meta.name(node))
        return heard is not None and heard.alive

    def _grace(self, node: Object) -> float:
        if meta.condition(node, "Ready") is None:
            return self._config.node_startup_grace_seconds
        return self._config.node_monitor_grace_seconds

    async def _silence(self, cached: Object) -> Object | None:
        """The node as written; None when nothing has to be said, or the API knows a sign of life that we do not."""
        if node_health.silent_conditions(cached, self._clock.now()) is None:
            return None
        name = meta.name(cached)
        try:
            node = await self._client.get(NODES, name)
            self._listen(node, await self._lease(name))
            conditions = node_health.silent_conditions(node, self._clock.now())
            if conditions is None or not self._is_silent(node):
                return node
            silent = await self._client.update(NODES, with_path(node, ("status", "conditions"), conditions), "status")
        except NotFound:
            return None
        log.warning("node %s is not heard of", name)
        if node_health.ready_status(node) == "True":
            self._tell(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        return silent

    async def _lease(self, name: str) -> Object | None:
        try:
            return await self._client.get(LEASES, name, LEASE_NAMESPACE)
        except NotFound:
            return None

    def _assess(self, nodes: dict[str, Object]) -> bool:
        """Takes down who waits for eviction in which zone; returns whether all zones are down since now, or no more."""
        was_down = self._zones is not None and self._zones.all_down
        before, self._zones = self._zones, zones.assess(nodes.values(), self._is_alive, self._config)
        for change in zones.changes(before, self._zones):
            log.warning("%s", change)
        if was_down and not self._zones.all_down:
            self._hear_all()
        wanting = {name: zones.zone_of(node) for name, node in nodes.items() if node_health.wants_eviction(node)}
        for zone, waiting in self._waiting.items():
            for name in [name for name in waiting if wanting.get(name) != zone]:
                del waiting[name]
        for name, zone in wanting.items():
            self._waiting[zone].setdefault(name)
            self._evictions.add(zone)
        return was_down != self._zones.all_down

    async def sync(self, name: str) -> None:
        node = self._nodes.get(name)
        if node is None:
            return
        steps: list[Callable[[Object], Awaitable[object]]] = [self._bring_in_line, self._unready_pods]
        await try_all(lambda step: step(node), steps, at_once=1)

    async def sync_zone(self, zone: str) -> float | None:
        """Marks the node that has waited longest; returns the seconds until the zone's rate allows the next."""
        waiting, budget = self._waiting[zone], self._budgets[zone]
        rate = self._zones.eviction_rate(zone) if self._zones is not None else 0.0
        wait = budget.wait(rate, self._clock.monotonic())
        if not waiting or rate <= 0:
            return None
        if wait > 0:
            return wait
        name = next(iter(waiting))
        node = self._nodes.get(name)
        if node is not None and node_health.wants_eviction(node):
            try:
                await self._bring_in_line(node, may_evict=True)
            except Conflict:
                raise
            except ApiError:
                # It may be refused for ever; those behind it need not wait for that.
                waiting.move_to_end(name)
                raise
            budget.spend()
        waiting.pop(name, None)
        return budget.wait(rate, self._clock.monotonic()) if waiting else None

    async def _bring_in_line(self, node: Object, *, may_evict: bool = False) -> Object:
        taints = node_health.wanted_taints(node, may_evict=may_evict, now=self._clock.now())
        if self._zones is not None and self._zones.all_down:
            taints = node_health.without_eviction(taints)
        wanted = node
        if taints != ((node.get("spec") or {}).get("taints") or []):
            wanted = with_path(wanted, ("spec", "taints"), taints)
        if (labels := node_health.wanted_labels(node)) != meta.labels(node):
            wanted = with_path(wanted, ("metadata", "labels"), labels)
        return await self._client.update(NODES, wanted) if wanted is not node else node

    async def _unready_pods(self, node: Object) -> None:
        """Nobody can vouch for pods on a node that is not heard of: they are not Ready."""
        if node_health.ready_status(node) != "Unknown":
            return
        pods = [pod for pod in self._pods.by_index("node", meta.name(node)) if pod_facts.is_ready(pod)]
        if not pods or not await self._is_unknown(meta.name(node)):
            return
        await try_all(self._unready, pods, _WORKERS)

    async def _unready(self, pod: Object) -> None:
        condition = {"type": "Ready", "status": "False", "lastTransitionTime": rfc3339(self._clock.now())}
        fence = {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)}
        patch = {"metadata": fence, "status": {"conditions": [condition]}}
        name, namespace = meta.name(pod), meta.namespace(pod)
        try:
            await self._client.patch(PODS, name, patch, namespace, type=PatchType.STRATEGIC, subresource="status")
        except NotFound:
            return
        self._recorder.record(PODS, pod, "Warning", "NodeNotReady", "Node is not ready")

    async def _is_unknown(self, node_name: str) -> bool:
        try:
            return node_health.ready_status(await self._client.get(NODES, node_name)) == "Unknown"
        except NotFound:
            return False

    def _tell(self, node: Object, reason: str, message: str) -> None:
        self._recorder.record(NODES, node, "Normal", reason, message)
