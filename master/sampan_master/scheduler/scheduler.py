"""The scheduling loop.

    informers ──► cluster (columns), queue
    loop:  tick, move what an event can help ──► pop ──► engine.choose ──► assume ──► bind (a task, many at once)
                                                          └─ None ──► verdict ──► condition, event, unschedulable

Choosing is synchronous and touches nothing but memory; all writes are tasks of their own, bounded in number.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from sampan_api import meta
from sampan_api.client import NAMESPACES, NODES, PODS, Client, EventType
from sampan_api.clock import Clock
from sampan_api.errors import ApiError
from sampan_api.informer import Informer
from sampan_api.meta import Object
from sampan_api.recorder import EventRecorder

from sampan_master.scheduler.binding import Outcome, bind, report_unschedulable
from sampan_master.scheduler.cluster import Cluster, has_ended, node_of
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.queue import Kind, SchedulingQueue, Waiting, kind_of
from sampan_master.scheduler.verdict import NEVER_PREEMPTS, Verdict, explain

log = logging.getLogger(__name__)

_BATCH = 32
"""Pods placed before other tasks of the process get their turn."""


async def run(client: Client, clock: Clock, config: SchedulerConfig) -> None:
    """Schedules pods until cancelled."""
    await Scheduler(client, clock, config).run()


class Scheduler:
    def __init__(self, client: Client, clock: Clock, config: SchedulerConfig) -> None:
        self._client, self._clock, self._config = client, clock, config
        self.cluster = Cluster()
        self.queue = SchedulingQueue(config)
        self.engines = {p.scheduler_name: Engine(self.cluster, p, config.seed) for p in config.profiles}
        self._recorder = EventRecorder(client, clock, config.profiles[0].scheduler_name, series=True)
        self._wake = asyncio.Event()
        self._may_help = False
        self._writes: set[asyncio.Task[None]] = set()
        self._verdicts: dict[Kind, tuple[tuple[int, int], Verdict]] = {}

    async def run(self) -> None:
        nodes = Informer(self._client, NODES, self._clock)
        pods = Informer(self._client, PODS, self._clock)
        namespaces = Informer(self._client, NAMESPACES, self._clock)
        namespaces.subscribe(self.on_namespace)
        nodes.subscribe(self.on_node)
        pods.subscribe(self.on_pod)
        async with asyncio.TaskGroup() as tasks:
            for informer in (namespaces, nodes, pods):
                tasks.create_task(informer.run())
            tasks.create_task(self._recorder.run())
            for informer in (namespaces, nodes, pods):
                await informer.synced()
            try:
                await self._loop()
            finally:
                for write in self._writes:
                    write.cancel()

    def on_node(self, event: EventType, node: Object, _old: Object | None) -> None:
        if event is EventType.DELETED:
            self.cluster.nodes.remove_node(meta.name(node))
        elif self.cluster.nodes.put_node(node):
            self._may_help = True
            self._wake.set()

    def on_namespace(self, event: EventType, namespace: Object, _old: Object | None) -> None:
        labels = None if event is EventType.DELETED else meta.labels(namespace)
        if self.cluster.put_namespace(meta.name(namespace), labels):
            self._may_help = True
            self._wake.set()

    def on_pod(self, event: EventType, pod: Object, _old: Object | None) -> None:
        uid = meta.uid(pod)
        if event is EventType.DELETED or has_ended(pod):
            self.queue.remove(uid)
            if self.cluster.remove(uid):
                self._may_help = True
        elif node_of(pod):
            self.queue.remove(uid)
            if self.cluster.saw_bound(pod):
                self._may_help = True
        elif meta.is_deleting(pod) or pod["spec"].get("schedulerName") not in self.engines:
            self.queue.remove(uid)
        elif not self.cluster.is_placed(uid):
            self.queue.put(pod, kind_of(pod), self._clock.monotonic())
        self._wake.set()

    async def _loop(self) -> None:
        while True:
            self._wake.clear()
            self._requeue()
            self.schedule_some()
            if self.queue.has_active() and len(self._writes) < self._config.binds_in_flight:
                await asyncio.sleep(0)
            else:
                await self._wait()

    async def _wait(self) -> None:
        """Until something happens, a write ends, or the queue has something to do."""
        seconds = self.queue.next_tick(self._clock.monotonic())
        woken = asyncio.ensure_future(self._wake.wait())
        waiting: set[asyncio.Future[Any]] = {woken}
        if seconds is not None:
            waiting.add(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()

    def _requeue(self) -> None:
        now = self._clock.monotonic()
        if self._may_help:
            self._may_help = False
            helped = [kind for kind in self.queue.unschedulable_kinds() if self._feasible(kind)]
            self.queue.move(helped, now)
        self.queue.tick(now)

    def schedule_some(self) -> None:
        for _ in range(min(_BATCH, self._config.binds_in_flight - len(self._writes))):
            waiting = self.queue.pop()
            if waiting is None:
                return
            engine = self.engines[waiting.kind.profile]
            row = engine.choose(waiting.kind.signature, uid=meta.uid(waiting.pod), priority=waiting.kind.priority)
            if row is None:
                self._unschedulable(waiting)
                continue
            node = self.cluster.assume(waiting.pod, waiting.kind.signature, row)
            self._start(self._bind(waiting, node))

    def _feasible(self, kind: Kind) -> bool:
        return self.engines[kind.profile].feasible(kind.signature, priority=kind.priority)

    def _verdict(self, waiting: Waiting) -> Verdict:
        """Why this pod fits nowhere now; the same for all of its kind until something changes."""
        kind = waiting.kind
        position = (self.cluster.nodes.changes.position, self.cluster.namespace_position)
        known = self._verdicts.get(kind)
        if known is None or known[0] != position:
            if len(self._verdicts) > 1000:
                self._verdicts.clear()
            uid = meta.uid(waiting.pod)
            verdict = explain(self.engines[kind.profile], kind.signature, uid=uid, priority=kind.priority)
            known = self._verdicts[kind] = (position, verdict)
        return known[1]

    def _unschedulable(self, waiting: Waiting) -> None:
        pod = waiting.pod
        verdict = self._verdict(waiting)
        never = pod["spec"].get("preemptionPolicy") == "Never"
        message = verdict.message(NEVER_PREEMPTS if never else verdict.no_preemption())
        self.queue.no_node_fits(waiting, self._clock.monotonic())
        self._recorder.record(PODS, pod, "Warning", "FailedScheduling", message, action="Scheduling")
        self._start(report_unschedulable(self._client, self._clock, pod, message))

    async def _bind(self, waiting: Waiting, node: str) -> None:
        pod, uid = waiting.pod, meta.uid(waiting.pod)
        outcome = await bind(self._client, self._clock, pod, node)
        if outcome is Outcome.BOUND:
            self.queue.remove(uid)
            message = f"Successfully assigned {meta.namespace(pod)}/{meta.name(pod)} to {node}"
            self._recorder.record(PODS, pod, "Normal", "Scheduled", message, action="Binding")
            return
        self.cluster.forget(uid)
        self._may_help = True
        if outcome is Outcome.ELSEWHERE:
            self.queue.remove(uid)
        else:
            self.queue.retry_later(waiting, self._clock.monotonic())

    def _start(self, write: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(self._contained(write))
        self._writes.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._writes.discard(task)
        self._wake.set()

    async def _contained(self, write: Coroutine[Any, Any, None]) -> None:
        """A write that fails is told and left: the pod's next attempt repeats it."""
        try:
            await write
        except ApiError as error:
            log.warning("scheduling write failed: %s", error.message)
