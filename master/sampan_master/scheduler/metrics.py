"""What the scheduler counts about itself, with the names, labels and buckets of kube-scheduler (pkg/scheduler/metrics).

The scheduling loop tells what it did; sizes are looked at when somebody asks. Labels are profiles, results and queues,
never words of a pod, so their number is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import TypeAlias

from sampan_master.prometheus import Histogram, exponential, head, shown

_ATTEMPT_BOUNDS = exponential(0.001, 2, 15)
_SLI_BOUNDS = exponential(0.01, 2, 20)
_POINT_BOUNDS = exponential(0.0001, 2, 12)
_MANY = 15
"""From so many attempts on they are told together."""


Sizes: TypeAlias = Callable[[], Mapping[str, int]]


class Result(StrEnum):
    SCHEDULED = "scheduled"
    UNSCHEDULABLE = "unschedulable"
    ERROR = "error"


class SchedulerMetrics:
    def __init__(self) -> None:
        self._pending: Sizes = dict
        self._cached: Sizes = dict
        self._attempts: dict[tuple[str, str], Histogram] = {}
        self._algorithm = Histogram(_ATTEMPT_BOUNDS)
        self._sli: dict[str, Histogram] = {}
        self._tries = Histogram(exponential(1, 2, 5))
        self._incoming: Counter[tuple[str, str]] = Counter()
        self._points: dict[tuple[str, str, str], Histogram] = {}
        self._policy_failures: Counter[tuple[str, str]] = Counter()
        self._preemptions = 0
        self._victims = Histogram(exponential(1, 2, 7))

    @contextmanager
    def sizes(self, pending: Sizes, cached: Sizes) -> Iterator[None]:
        """Inside the block a scheduler is at work, whose queues and whose picture of the cluster these are."""
        self._pending, self._cached = pending, cached
        try:
            yield
        finally:
            self._pending = self._cached = dict

    @property
    def at_work(self) -> bool:
        return self._cached is not dict

    def attempt(self, result: Result, profile: str, seconds: float) -> None:
        """One attempt, from the pod's leaving the queue to its binding, or to the certainty that there is none."""
        key = (result.value, profile)
        if key not in self._attempts:
            self._attempts[key] = Histogram(_ATTEMPT_BOUNDS)
        self._attempts[key].add(seconds)

    def refused(self, profile: str, seconds: float, victims: int = 0) -> None:
        """An attempt that found no node; `victims` must leave to make room."""
        self.attempt(Result.UNSCHEDULABLE, profile, seconds)
        self._algorithm.add(seconds)
        self._preemptions += 1
        if victims:
            self._victims.add(victims)

    def chose(self, seconds: float) -> None:
        """The choice of a node alone; where there is none, the search for victims is part of it."""
        self._algorithm.add(seconds)

    def binding(self, profile: str, seconds: float, since_began: float, bound: bool) -> None:
        """One binding and, with it, the end of the attempt."""
        self.point("Bind", profile, seconds, "Success" if bound else "Error")
        self.attempt(Result.SCHEDULED if bound else Result.ERROR, profile, since_began)

    def bound(self, attempts: int, seconds: float) -> None:
        """A pod has its node, `seconds` after it came into the queue."""
        self._tries.add(attempts)
        label = f"{_MANY}+" if attempts >= _MANY else str(attempts)
        if label not in self._sli:
            self._sli[label] = Histogram(_SLI_BOUNDS)
        self._sli[label].add(seconds)

    def incoming(self, queue: str, event: str) -> None:
        self._incoming[queue, event] += 1

    def point(self, extension_point: str, profile: str, seconds: float, status: str = "Success") -> None:
        key = (extension_point, status, profile)
        if key not in self._points:
            self._points[key] = Histogram(_POINT_BOUNDS)
        self._points[key].add(seconds)

    def policy_failed(self, policy: str, function: str) -> None:
        self._policy_failures[policy, function] += 1

    def lines(self) -> Iterable[str]:
        yield from self._of_attempts()
        yield from self._of_queues()
        name = "scheduler_preemption_attempts_total"
        yield from head(name, "counter", "Attempts to make room by preemption.")
        yield f"{name} {self._preemptions}"
        name = "scheduler_preemption_victims"
        yield from head(name, "histogram", "Pods that had to leave for one pod.")
        yield from self._victims.lines(name, {})
        name = "scheduler_framework_extension_point_duration_seconds"
        yield from head(name, "histogram", "Seconds of all plug-ins of an extension point.")
        for (point, status, profile), seconds in sorted(self._points.items()):
            yield from seconds.lines(name, {"extension_point": point, "status": status, "profile": profile})
        name = "scheduler_cache_size"
        yield from head(name, "gauge", "Nodes, pods and assumed pods in the scheduler's picture of the cluster.")
        for kind, count in self._cached().items():
            yield f"{name}{shown({'type': kind})} {count}"

        name = "sampan_scheduler_policy_failures_total"
        yield from head(name, "counter", "Calls of policies' functions that failed.")
        for (policy, function), count in sorted(self._policy_failures.items()):
            yield f"{name}{shown({'policy': policy, 'function': function})} {count}"

    def _of_attempts(self) -> Iterable[str]:
        name = "scheduler_schedule_attempts_total"
        yield from head(name, "counter", "Attempts to schedule a pod, by their result.")
        for (result, profile), seconds in sorted(self._attempts.items()):
            yield f"{name}{shown({'result': result, 'profile': profile})} {sum(seconds.counts)}"
        name = "scheduler_scheduling_attempt_duration_seconds"
        yield from head(name, "histogram", "Seconds of an attempt, the binding included.")
        for (result, profile), seconds in sorted(self._attempts.items()):
            yield from seconds.lines(name, {"result": result, "profile": profile})
        name = "scheduler_scheduling_algorithm_duration_seconds"
        yield from head(name, "histogram", "Seconds of choosing a node.")
        yield from self._algorithm.lines(name, {})
        name = "scheduler_pod_scheduling_sli_duration_seconds"
        yield from head(name, "histogram", "Seconds from a pod's coming into the queue to its binding.")
        for attempts, seconds in sorted(self._sli.items()):
            yield from seconds.lines(name, {"attempts": attempts})
        name = "scheduler_pod_scheduling_attempts"
        yield from head(name, "histogram", "Attempts that a pod needed.")
        yield from self._tries.lines(name, {})

    def _of_queues(self) -> Iterable[str]:
        name = "scheduler_pending_pods"
        yield from head(name, "gauge", "Pods that wait, by queue.")
        for queue, count in self._pending().items():
            yield f"{name}{shown({'queue': queue})} {count}"
        name = "scheduler_queue_incoming_pods_total"
        yield from head(name, "counter", "Pods that came into a queue, by what brought them.")
        for (queue, event), count in sorted(self._incoming.items()):
            yield f"{name}{shown({'queue': queue, 'event': event})} {count}"
