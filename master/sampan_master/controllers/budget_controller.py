"""PodDisruptionBudget, the loop: keeps each budget's status to what its pods and their owners say.

The status is written by compare-and-swap: an eviction that was granted after we looked makes the write fail, and the
next try counts with the promise it left.
"""

from __future__ import annotations

import asyncio

from sampan_api import meta
from sampan_api.client import PODDISRUPTIONBUDGETS, PODS, Client, EventType, PatchType
from sampan_api.clock import Clock, rfc3339
from sampan_api.errors import ApiError, NotFound
from sampan_api.meta import Key, Object
from sampan_api.recorder import EventRecorder
from sampan_api.selectors import LabelSelector

from sampan_master.controllers import budget as decide
from sampan_master.controllers.budget_scales import SCALABLE, Scales, Uncountable
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.workqueue import WorkQueue, work

_UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, the"
    " status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these"
    ' pods please set ".spec.minAvailable" field of the PDB to an integer value.'
)


_SEVERAL = 'Pod "{namespace}"/"{name}" matches multiple PodDisruptionBudgets.  Chose "{chosen}" arbitrarily.'

_LOOK_AGAIN = 30.0
"""Seconds after which owners that did not say how many they want are asked again."""


class BudgetController:
    def __init__(self, client: Client, clock: Clock, informers: Informers, workers: int) -> None:
        self._client, self._clock, self._workers = client, clock, workers
        self._pods, self._budgets = informers.pods, informers[PODDISRUPTIONBUDGETS]
        self._scales = Scales(client, informers)
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._disrupted: WorkQueue[Key] = WorkQueue(clock)
        self._recorder = EventRecorder(client, clock, "controllermanager")
        self._selectors: dict[Key, LabelSelector] = {}
        self._budgets.subscribe(self._on_budget)
        self._pods.subscribe(self._on_pod)
        for resource in SCALABLE:
            informers[resource].subscribe(self._on_scalable)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(work("disruption budget", self._queue, self.sync, self._workers))
            tasks.create_task(work("disrupted pods", self._disrupted, self.sync_disrupted, 1))

    def _on_budget(self, event: EventType, budget: Object, _old: Object | None) -> None:
        key = meta.key(budget)
        if event is EventType.DELETED:
            self._selectors.pop(key, None)
        else:
            self._selectors[key] = decide.selector(budget)
        self._queue.add(key)

    def _on_pod(self, event: EventType, pod: Object, old: Object | None) -> None:
        if event is not EventType.DELETED and decide.until_stale(pod, self._clock.now()) is not None:
            self._disrupted.add(meta.key(pod))
        mine: list[str] = []
        for budget in self._budgets.by_index("namespace", meta.namespace(pod)):
            matches = self._selectors[meta.key(budget)].matches
            if matches(meta.labels(pod)):
                mine.append(meta.name(budget))
                self._queue.add(meta.key(budget))
            elif old is not None and matches(meta.labels(old)):
                self._queue.add(meta.key(budget))
        if len(mine) > 1 and (old is None or meta.labels(old) != meta.labels(pod)):
            message = _SEVERAL.format(namespace=meta.namespace(pod), name=meta.name(pod), chosen=min(mine))
            self._recorder.record(PODS, pod, "Warning", "MultiplePodDisruptionBudgets", message)

    def _on_scalable(self, _event: EventType, owner: Object, old: Object | None) -> None:
        if old is not None and (old.get("spec") or {}).get("replicas") != (owner.get("spec") or {}).get("replicas"):
            for budget in self._budgets.by_index("namespace", meta.namespace(owner)):
                if decide.needs_scales(budget):
                    self._queue.add(meta.key(budget))

    async def sync(self, key: Key) -> float | None:
        budget = self._budgets.items.get(key)
        if budget is None:
            return None
        matches = self._selectors[key].matches
        pods = [pod for pod in self._pods.by_index("namespace", key.namespace) if matches(meta.labels(pod))]
        if not pods:
            self._tell(budget, "Normal", "NoPods", "No matching pods found")
        try:
            scales, unmanaged = await self._scales.of(pods) if decide.needs_scales(budget) else ({}, False)
        except (Uncountable, ApiError) as why:
            message = f"Failed to calculate the number of expected pods: {why}"
            self._tell(budget, "Warning", "CalculateExpectedPodCountFailed", message)
            await self._write(budget, decide.failed(budget, str(why), self._clock.now()))
            return _LOOK_AGAIN
        if unmanaged:
            message = _UNMANAGED.format(selector=self._selectors[key])
            self._tell(budget, "Warning", "UnmanagedPods", message)
        count = decide.count(budget, pods, scales, self._clock.now())
        for pod in pods:
            if meta.name(pod) in count.void:
                message = f"Pod was expected by PDB {key} to be deleted but it wasn't"
                self._recorder.record(PODS, pod, "Warning", "NotDeleted", message)
        await self._write(budget, count.status)
        return count.recheck

    async def sync_disrupted(self, key: Key) -> float | None:
        """Takes back what a pod says of its coming end when nobody has ended it."""
        pod = self._pods.items.get(key)
        left = decide.until_stale(pod, self._clock.now()) if pod is not None else None
        if pod is None or left is None or left > 0:
            return left
        condition = {"type": "DisruptionTarget", "status": "False", "reason": None, "message": None}
        condition["lastTransitionTime"] = rfc3339(self._clock.now())
        fence = {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)}
        patch = {"metadata": fence, "status": {"conditions": [condition]}}
        try:
            await self._client.patch(
                PODS, key.name, patch, key.namespace, type=PatchType.STRATEGIC, subresource="status"
            )
        except NotFound:
            return None
        return None

    async def _write(self, budget: Object, status: dict[str, object]) -> None:
        if budget.get("status") == status:
            return
        try:
            await self._client.update(PODDISRUPTIONBUDGETS, budget | {"status": status}, "status")
        except NotFound:
            return

    def _tell(self, budget: Object, kind: str, reason: str, message: str) -> None:
        self._recorder.record(PODDISRUPTIONBUDGETS, budget, kind, reason, message)
