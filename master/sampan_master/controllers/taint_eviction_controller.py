"""Eviction by NoExecute taints, the loop: node by node, again when the next pod's time is up.

The cache says whose time is up; before anybody is evicted the node is read live, and each pod is written as it was
judged (uid and resourceVersion), so a taint taken back or a toleration added in time saves it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from sampan_api import meta
from sampan_api.client import NODES, PODS, Client, DeleteOptions, EventType, PatchType
from sampan_api.clock import Clock
from sampan_api.errors import NotFound
from sampan_api.meta import Key, Object
from sampan_api.recorder import EventRecorder

from sampan_master.controllers import taint_eviction as decide
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.pod_facts import node_name
from sampan_master.controllers.try_all import try_all
from sampan_master.controllers.workqueue import WorkQueue, work
from sampan_master.scheduler.signature import Taint

_WORKERS = 8


class _Marked(NamedTuple):
    """A pod whose time runs."""

    pod: Object
    due: float


class TaintEvictionController:
    def __init__(self, client: Client, clock: Clock, informers: Informers) -> None:
        self._client, self._clock = client, clock
        self._nodes, self._pods = informers.nodes, informers.pods
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._recorder = EventRecorder(client, clock, "taint-eviction-controller")
        self._first_seen: dict[str, dict[Taint, float]] = {}
        self._marked: dict[str, dict[Key, _Marked]] = {}
        self._nodes.subscribe(self._on_node)
        self._pods.subscribe(self._on_pod)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(work("taint eviction", self._queue, self.sync, _WORKERS))

    def _on_node(self, event: EventType, node: Object, _old: Object | None) -> None:
        name = meta.name(node)
        if event is EventType.DELETED:
            self._first_seen.pop(name, None)
        if decide.evicts(node) or name in self._marked:
            self._queue.add(name)

    def _on_pod(self, event: EventType, pod: Object, _old: Object | None) -> None:
        name = node_name(pod)
        if event is EventType.DELETED:
            self._cancel(name, meta.key(pod))
            return
        node = self._nodes.get(name)
        if node is not None and decide.evicts(node):
            self._queue.add(name)

    async def sync(self, name: str) -> float | None:
        """Evicts what is due on the node; returns the seconds until the next pod is."""
        node = self._nodes.get(name)
        present = self._standing(node) if node is not None else []
        now = self._clock.now()
        waiting: dict[Key, _Marked] = {}
        due: list[Object] = []
        for pod in self._pods.by_index("node", name):
            at = decide.eviction_time(pod, present) if not meta.is_deleting(pod) else None
            if at is None:
                continue
            if at > now:
                waiting[meta.key(pod)] = _Marked(pod, at)
            else:
                due.append(pod)
        self._mark(name, waiting, due, now)
        if due:
            await self._evict_all(name, due)
        return min((at for _, at in waiting.values()), default=now) - now if waiting else None

    def _standing(self, node: Object) -> list[decide.Standing]:
        name = meta.name(node)
        present = decide.standing(node, self._first_seen.setdefault(name, {}), self._clock.now())
        if not self._first_seen[name]:
            del self._first_seen[name]
        return present

    def _mark(self, node: str, waiting: dict[Key, _Marked], due: list[Object], now: float) -> None:
        """Notes whose time runs, and tells those whose time does not run any more, without being up."""
        before = self._marked.pop(node, {})
        if waiting:
            self._marked[node] = waiting
        ended = {meta.key(pod) for pod in due}
        for key, marked in before.items():
            if key not in waiting and not (key in ended and marked.due <= now):
                self._tell(marked.pod, f"Cancelling deletion of Pod {key}")

    def _cancel(self, node: str, key: Key) -> None:
        marked = self._marked.get(node, {}).pop(key, None)
        if marked is not None:
            self._tell(marked.pod, f"Cancelling deletion of Pod {key}")

    async def _evict_all(self, name: str, due: list[Object]) -> None:
        """Whom the node as it is now does not evict stays. Raises the first failure, when all have been tried."""
        try:
            live = await self._client.get(NODES, name)
        except NotFound:
            return
        present, now = self._standing(live), self._clock.now()
        ends = [(pod, decide.eviction_time(pod, present)) for pod in due]
        await try_all(self._evict, [pod for pod, at in ends if at is not None and at <= now], _WORKERS)

    async def _evict(self, pod: Object) -> None:
        with suppress(NotFound):
            await self._mark_and_delete(pod)

    async def _mark_and_delete(self, pod: Object) -> None:
        name, namespace = meta.name(pod), meta.namespace(pod)
        condition = decide.disruption(pod, self._clock.now())
        if condition is not None:
            self._tell(pod, f"Marking for deletion Pod {meta.key(pod)}")
            fence = {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)}
            patch = {"metadata": fence, "status": {"conditions": [condition]}}
            pod = await self._client.patch(PODS, name, patch, namespace, type=PatchType.STRATEGIC, subresource="status")
        options = DeleteOptions(uid=meta.uid(pod), resource_version=meta.resource_version(pod))
        await self._client.delete(PODS, name, namespace, options)

    def _tell(self, pod: Object, message: str) -> None:
        self._recorder.record(PODS, pod, "Normal", "TaintManagerEviction", message)
