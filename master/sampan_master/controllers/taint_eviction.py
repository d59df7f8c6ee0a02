"""Eviction by NoExecute taints: a pod leaves its node when it does not tolerate a taint, or no longer.

The time runs from when the taint was set (`timeAdded`), so a restarted master does not start it again.
"""

from __future__ import annotations

import asyncio

from sampan_api import meta
from sampan_api.client import PODS, Client, DeleteOptions, EventType, PatchType
from sampan_api.clock import Clock, parse_time, rfc3339
from sampan_api.errors import Conflict, NotFound
from sampan_api.meta import Object
from sampan_api.recorder import EventRecorder

from sampan_master.controllers.informers import Informers
from sampan_master.controllers.pod_facts import has_ended, node_name
from sampan_master.controllers.workqueue import WorkQueue, work
from sampan_master.scheduler.signature import taints, tolerations


def eviction_time(pod: Object, node: Object, now: float) -> float | None:
    """When (Unix seconds) the pod must leave the node; None when it may stay."""
    given = pod["spec"].get("tolerations") or []
    matchers = tolerations(pod["spec"])
    deadline: float | None = None
    present = zip(taints(node), (node.get("spec") or {}).get("taints") or [], strict=True)
    for taint, raw in present:
        if taint.effect != "NoExecute":
            continue
        matching = [t for t, m in zip(given, matchers, strict=True) if m.tolerates(taint)]
        if not matching:
            return now
        limits = [t["tolerationSeconds"] for t in matching if t.get("tolerationSeconds") is not None]
        if limits:
            since = parse_time(raw["timeAdded"]) if raw.get("timeAdded") else now
            until = since + max(0, min(limits))
            deadline = until if deadline is None else min(deadline, until)
    return deadline


class TaintEvictionController:
    def __init__(self, client: Client, clock: Clock, informers: Informers) -> None:
        self._client, self._clock = client, clock
        self._nodes, self._pods = informers.nodes, informers.pods
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._recorder = EventRecorder(client, clock, "taint-eviction-controller")
        self._nodes.subscribe(self._on_node)
        self._pods.subscribe(self._on_pod)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(work("taint eviction", self._queue, self.sync, 1))

    def _on_node(self, event: EventType, node: Object, _old: Object | None) -> None:
        if event is not EventType.DELETED and _evicts(node):
            self._queue.add(meta.name(node))

    def _on_pod(self, event: EventType, pod: Object, _old: Object | None) -> None:
        node = self._nodes.get(node_name(pod)) if event is not EventType.DELETED else None
        if node is not None and _evicts(node):
            self._queue.add(meta.name(node))

    async def sync(self, name: str) -> float | None:
        """Evicts what is due on the node; returns the seconds until the next pod is."""
        node = self._nodes.get(name)
        if node is None or not _evicts(node):
            return None
        next_due: float | None = None
        for pod in self._pods.by_index("node", name):
            now = self._clock.now()
            if meta.is_deleting(pod) or has_ended(pod) or (due := eviction_time(pod, node, now)) is None:
                continue
            if due <= now:
                await self._evict(pod)
            elif next_due is None or due < next_due:
                next_due = due
        return None if next_due is None else max(0.01, next_due - self._clock.now())

    async def _evict(self, pod: Object) -> None:
        name, namespace, uid = meta.name(pod), meta.namespace(pod), meta.uid(pod)
        self._recorder.record(
            PODS, pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {namespace}/{name}"
        )
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": rfc3339(self._clock.now()),
        }
        patch = {"metadata": {"uid": uid}, "status": {"conditions": [condition]}}
        try:
            await self._client.patch(PODS, name, patch, namespace, type=PatchType.STRATEGIC, subresource="status")
            await self._client.delete(PODS, name, namespace, DeleteOptions(uid=uid))
        except (NotFound, Conflict):
            return


def _evicts(node: Object) -> bool:
    return any(t["effect"] == "NoExecute" for t in (node.get("spec") or {}).get("taints") or [])
