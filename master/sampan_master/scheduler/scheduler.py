"""The scheduling loop: reads what happens, asks the planner what to do, does it.

    informers ──► planner ──► Bind    a Binding, an event
                          ├─► Evict   the pod's condition and nominated node, then its victims, an event for each
                          └─► Refuse  the pod's condition, an event

Deciding is synchronous and touches nothing but memory; all writes are tasks of their own, bounded in number. Whatever
goes wrong about one pod is told on that pod, which is tried again after a while: it never keeps the others waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

from sampan_api import meta
from sampan_api.client import NAMESPACES, NODES, PODDISRUPTIONBUDGETS, PODS, Client, EventType, Resource, Selection
from sampan_api.clock import Clock
from sampan_api.errors import ApiError
from sampan_api.informer import Callback, Informer
from sampan_api.meta import Object
from sampan_api.recorder import EventRecorder

from sampan_master.scheduler.answers import Answers
from sampan_master.scheduler.binding import Outcome, bind, evict, report_unschedulable, withdraw_nomination
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.metrics import Result, SchedulerMetrics
from sampan_master.scheduler.planner import Bind, Decision, Evict, Planner, Refuse
from sampan_master.scheduler.queue import Waiting
from sampan_master.scheduler.workloads import WATCHED

log = logging.getLogger(__name__)

_BATCH = 32
"""Pods placed before other tasks of the process get their turn."""
_NOT_ENDED = Selection(field_selector="status.phase!=Succeeded,status.phase!=Failed")
_ERROR = "SchedulerError"
"""The reason of PodScheduled=False when it was not for want of a node."""


async def run(
    client: Client,
    clock: Clock,
    config: SchedulerConfig,
    metrics: SchedulerMetrics | None = None,
    answers: Answers | None = None,
) -> None:
    """Schedules pods until cancelled, and meanwhile can be asked through `answers`. `metrics` may outlive it."""
    await Scheduler(client, clock, config, metrics or SchedulerMetrics(), answers or Answers()).run()


class Scheduler:
    def __init__(
        self, client: Client, clock: Clock, config: SchedulerConfig, metrics: SchedulerMetrics, answers: Answers
    ) -> None:
        self._client, self._clock, self._config = client, clock, config
        self._metrics, self._answers = metrics, answers
        self.planner = Planner(config)
        self.planner.queue.incoming = metrics.incoming
        self._recorders = {name: EventRecorder(client, clock, name, series=True) for name in self.planner.engines}
        self._wake = asyncio.Event()
        self._writes: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        watched: dict[Resource, Callback] = {
            NAMESPACES: self._on_namespace,
            NODES: self._on_node,
            PODDISRUPTIONBUDGETS: self._on_budget,
            PODS: self._on_pod,
        }
        watched |= {resource: partial(self._on_workload, resource) for resource in WATCHED}
        informers = [
            Informer(self._client, resource, self._clock, _NOT_ENDED if resource is PODS else Selection())
            for resource in watched
        ]
        for informer in informers:
            informer.subscribe(watched[informer.resource])
        async with asyncio.TaskGroup() as tasks:
            for informer in informers:
                tasks.create_task(informer.run())
            for recorder in self._recorders.values():
                tasks.create_task(recorder.run())
            for informer in informers:
                await informer.synced()
            try:
                sizes = self._metrics.sizes(self.planner.queue.sizes, self.planner.cluster.sizes)
                with sizes, self._answers.at_work(self.planner, self._config):
                    await self._loop()
            finally:
                for write in self._writes:
                    write.cancel()

    def _on_node(self, event: EventType, node: Object, _old: Object | None) -> None:
        if event is EventType.DELETED:
            self.planner.remove_node(meta.name(node))
        else:
            self.planner.put_node(node)
        self._wake.set()

    def _on_namespace(self, event: EventType, namespace: Object, _old: Object | None) -> None:
        labels = None if event is EventType.DELETED else meta.labels(namespace)
        self.planner.put_namespace(meta.name(namespace), labels)
        self._wake.set()

    def _on_budget(self, event: EventType, budget: Object, _old: Object | None) -> None:
        if event is EventType.DELETED:
            self.planner.budgets.remove(budget)
        else:
            self.planner.budgets.put(budget)

    def _on_workload(self, resource: Resource, event: EventType, obj: Object, _old: Object | None) -> None:
        workloads = self.planner.cluster.workloads
        if event is EventType.DELETED:
            workloads.remove(resource, obj)
        else:
            workloads.put(resource, obj)

    def _on_pod(self, event: EventType, pod: Object, _old: Object | None) -> None:
        if event is EventType.DELETED:
            self.planner.remove_pod(meta.uid(pod))
        else:
            self.planner.put_pod(pod, self._clock.monotonic())
        self._wake.set()

    async def _loop(self) -> None:
        while True:
            self._wake.clear()
            self.planner.requeue(self._clock.monotonic())
            self._schedule_some()
            busy = self.planner.checks_left or self.planner.queue.has_some()
            if busy and len(self._writes) < self._config.binds_in_flight:
                await asyncio.sleep(0)
            else:
                await self._wait()

    async def _wait(self) -> None:
        """Until something happens, a write ends, or the queue has something to do."""
        seconds = self.planner.queue.next_tick(self._clock.monotonic())
        woken = asyncio.ensure_future(self._wake.wait())
        waiting: set[asyncio.Future[Any]] = {woken}
        if seconds is not None:
            waiting.add(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()

    def _schedule_some(self) -> None:
        for _ in range(min(_BATCH, self._config.binds_in_flight - len(self._writes))):
            began = self._clock.monotonic()
            waiting = self.planner.queue.pop()
            if waiting is None:
                return
            self._start(waiting, self._schedule(waiting, began))

    def _schedule(self, waiting: Waiting, began: float) -> Coroutine[Any, Any, None]:
        """Decides; what is left to be done is to be awaited."""
        try:
            decision = self.planner.decide(waiting, began)
        except Exception as error:  # Any other pod may fare better: one must not keep all from being scheduled.
            log.exception("scheduling %s", waiting.key)
            return self._report_error(waiting, began, f"{type(error).__name__}: {error}")
        self._tell_failures(waiting)
        return self._perform(decision, began)

    def _tell_failures(self, waiting: Waiting) -> None:
        """What went wrong in policies while this pod was decided about."""
        recorder = self._recorder(waiting.pod)
        for policy in self.planner.engines[waiting.kind.profile].profile.policies:
            for failure in policy.guard.untold():
                self._metrics.policy_failed(failure.policy, failure.function)
                recorder.record(PODS, waiting.pod, "Warning", "PolicyFailed", failure.message, action="Scheduling")

    def _perform(self, decision: Decision, began: float) -> Coroutine[Any, Any, None]:
        profile, seconds = decision.waiting.kind.profile, self._clock.monotonic() - began
        match decision:
            case Bind():
                self._metrics.chose(seconds)
                return self._bind(decision, began)
            case Evict():
                self._metrics.refused(profile, seconds, len(decision.victims))
                return self._evict(decision)
            case Refuse():
                self._metrics.refused(profile, seconds)
                return self._refuse(decision)

    async def _bind(self, decision: Bind, began: float) -> None:
        waiting, pod = decision.waiting, decision.waiting.pod
        chosen = self._clock.monotonic()
        outcome, against = await bind(self._client, self._clock, pod, decision.node)
        now, bound = self._clock.monotonic(), outcome is Outcome.BOUND
        self._metrics.binding(waiting.kind.profile, now - chosen, now - began, bound)
        if bound:
            self._metrics.bound(waiting.attempts, now - (waiting.first_active or began))
            self.planner.bound(waiting)
            message = f"Successfully assigned {meta.namespace(pod)}/{meta.name(pod)} to {decision.node}"
            self._recorder(pod).record(PODS, pod, "Normal", "Scheduled", message, action="Binding")
        elif outcome is Outcome.ELSEWHERE:
            self.planner.elsewhere(waiting)
        else:
            self.planner.not_bound(waiting, now)
            if against:
                await self._tell_error(waiting, f'running Bind plugin "DefaultBinder": {against}')

    async def _report_error(self, waiting: Waiting, began: float, message: str) -> None:
        now = self._clock.monotonic()
        self._metrics.attempt(Result.ERROR, waiting.kind.profile, now - began)
        self.planner.failed(waiting, now)
        await self._tell_error(waiting, message)

    async def _tell_error(self, waiting: Waiting, message: str) -> None:
        pod = waiting.pod
        self._recorder(pod).record(PODS, pod, "Warning", "FailedScheduling", message, action="Scheduling")
        await report_unschedulable(self._client, self._clock, pod, message, reason=_ERROR)

    async def _refuse(self, decision: Refuse) -> None:
        pod, message = decision.waiting.pod, decision.message
        self._recorder(pod).record(PODS, pod, "Warning", "FailedScheduling", message, action="Scheduling")
        await report_unschedulable(self._client, self._clock, pod, message, "" if decision.gave_up else None)

    async def _evict(self, decision: Evict) -> None:
        """The nomination is stored before anybody goes: a scheduler that starts anew then knows for whom they went."""
        pod, message = decision.waiting.pod, decision.message
        self._recorder(pod).record(PODS, pod, "Warning", "FailedScheduling", message, action="Scheduling")
        try:
            await report_unschedulable(self._client, self._clock, pod, message, decision.node)
            await self._evict_victims(decision)
        except ApiError:
            self.planner.queue.met_with_error(meta.uid(pod), self._clock.monotonic())
            raise

    async def _evict_victims(self, decision: Evict) -> None:
        pod = decision.waiting.pod
        for placed in decision.victims:
            if await evict(self._client, self._clock, placed.pod, decision.waiting.kind.profile):
                told = f"Preempted by pod {meta.uid(pod)} on node {decision.node}"
                self._recorder(pod).record(PODS, placed.pod, "Normal", "Preempted", told, action="Preempting")
        for nominated in decision.displaced:
            other = self.planner.queue.get(nominated.uid)
            if other is not None:
                namespace, name = other.key
                await withdraw_nomination(self._client, namespace, name, nominated.uid)

    def _recorder(self, pod: Object) -> EventRecorder:
        return self._recorders[pod["spec"]["schedulerName"]]

    def _start(self, waiting: Waiting, write: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(self._contained(waiting, write))
        self._writes.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._writes.discard(task)
        self._wake.set()

    async def _contained(self, waiting: Waiting, write: Coroutine[Any, Any, None]) -> None:
        """A write that fails is told and left: the pod's next attempt repeats it."""
        try:
            await write
        except ApiError as error:
            log.warning("scheduling write failed: %s", error.message)
        except Exception:  # As in `_schedule`.
            log.exception("scheduling %s", waiting.key)
            self.planner.failed(waiting, self._clock.monotonic())
