"""What to do about one pod: `sync(pod, observed, memory, now) -> Decision`. Pure; the worker does the rest.

The order of a pod's life: one sandbox; init containers one after the other (a sidecar counts as passed once it has
started); then the main containers side by side. Ephemeral containers start as soon as they are there. A finished
container starts again as the restart policy says, once its crash back-off is over. A sandbox that died is replaced, and
its pod begins again with the init containers. A pod that has ended, is being deleted or is past its deadline is stopped
as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from sampan_api.clock import parse_time

from sampan_agent.memory import Memory, crash_wait
from sampan_agent.observed import Observed, ObservedContainer, State
from sampan_agent.podspec import Container, Pod, RestartPolicy, Role


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    attempt: int


@dataclass(frozen=True, slots=True)
class StartContainer:
    name: str
    attempt: int
    after: ObservedContainer | None = None
    """The finished container it replaces, if any."""


@dataclass(frozen=True, slots=True)
class KillContainer:
    id: str
    name: str
    reason: str
    grace: int | None = None
    """Seconds, when it is not the pod's own."""


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    id: str


@dataclass(frozen=True, slots=True)
class RemoveSandbox:
    id: str


@dataclass(frozen=True, slots=True)
class StopPod:
    """Stop every container and the sandbox; `remove` also everything the pod left on the node."""

    remove: bool


@dataclass(frozen=True, slots=True)
class ResizePod:
    """The pod's cgroup and the named running containers (id, name) get the sizes the spec has."""

    containers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ResizePending:
    """Why a resize is not made: Infeasible (never on this node) or Deferred (not now)."""

    reason: str
    message: str


Action: TypeAlias = (
    CreateSandbox | StartContainer | KillContainer | RemoveContainer | RemoveSandbox | ResizePod | StopPod
)


@dataclass(slots=True)
class Decision:
    """`wake_at`: look again then even if nothing happens. `crash_looping`: seconds left, by container."""

    actions: list[Action] = field(default_factory=list)
    wake_at: float | None = None
    crash_looping: dict[str, float] = field(default_factory=dict)
    initialized: bool = False
    ended: bool = False
    """Nothing of this pod will run again."""
    deadline_exceeded: bool = False
    resizing: bool = False
    """Some running container has not the size its spec has."""
    resize_pending: ResizePending | None = None

    def wake(self, at: float) -> None:
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)


def sync(pod: Pod, observed: Observed, memory: Memory, now: float) -> Decision:
    decision = Decision()
    if pod.deleting:
        decision.ended = True
        decision.actions.append(StopPod(remove=True))
        return decision
    if (end := deadline(pod, memory)) is not None:
        decision.wake(end)
        decision.deadline_exceeded = now >= end
    if pod.ended or decision.deadline_exceeded:
        decision.wake_at = None
        return _stop(observed, decision)
    sandbox = observed.sandbox
    if sandbox is None or not sandbox.ready:
        return _without_sandbox(pod, observed, memory, decision, now)
    _sync_containers(pod, observed, memory, decision, now)
    if decision.ended:
        return _stop(observed, decision)
    _collect(observed, decision)
    return decision


def _stop(observed: Observed, decision: Decision) -> Decision:
    """Containers stay for their logs; the sandbox goes down."""
    decision.ended = True
    decision.actions = []
    if observed.running() or any(s.ready for s in observed.sandboxes):
        decision.actions.append(StopPod(remove=False))
    return decision


def deadline(pod: Pod, memory: Memory) -> float | None:
    """When the pod has been active for activeDeadlineSeconds."""
    limit, start = pod.spec.get("activeDeadlineSeconds"), pod.status.get("startTime")
    if limit is None:
        return None
    return (parse_time(start) if start else memory.since) + float(limit)


def _without_sandbox(pod: Pod, observed: Observed, memory: Memory, decision: Decision, now: float) -> Decision:
    old = observed.sandbox
    if old is not None and _all_over(pod, observed):
        decision.initialized = True
        return _stop(observed, decision)
    failure = memory.sandbox_failure
    if failure and failure.retry_at > now:
        decision.wake(failure.retry_at)
        return decision
    if old is not None:
        decision.actions.append(StopPod(remove=False))
    decision.actions.append(CreateSandbox(old.attempt + 1 if old else 0))
    return decision


def _all_over(pod: Pod, observed: Observed) -> bool:
    """Every main container has ended for good, or an init container has failed for good."""
    for container in pod.init_containers:
        latest = observed.latest(container.name)
        if latest and latest.finished and latest.exit_code != 0 and not _restarts(pod, container, latest):
            return True
    ends = [(c, observed.latest(c.name)) for c in pod.main_containers]
    return all(end is not None and end.finished and not _restarts(pod, c, end) for c, end in ends)


def _restarts(pod: Pod, container: Container, end: ObservedContainer) -> bool:
    if container.role is Role.SIDECAR:
        return True
    if container.role is Role.INIT:
        return end.exit_code != 0 and pod.restart_policy is not RestartPolicy.NEVER
    if pod.restart_policy is RestartPolicy.ALWAYS:
        return True
    return pod.restart_policy is RestartPolicy.ON_FAILURE and end.exit_code != 0


def _sync_containers(pod: Pod, observed: Observed, memory: Memory, decision: Decision, now: float) -> None:
    assert observed.sandbox is not None
    for container in pod.ephemeral_containers:
        _sync_ephemeral(container, observed, memory, decision, now)
    current = {c.id for c in observed.containers if c.sandbox_id == observed.sandbox.id}
    begun = any((latest := observed.latest(c.name)) and latest.id in current for c in pod.main_containers)
    passed = True
    for container in pod.init_containers:
        if not passed and not begun:
            return
        passed = _sync_init(pod, container, observed, current, begun, memory, decision, now) and passed
        if decision.ended:
            return
    if not passed and not begun:
        return
    decision.initialized = True
    over = True
    for container in pod.main_containers:
        over = _sync_main(pod, container, observed, current, memory, decision, now) and over
    decision.ended = over


def _sync_ephemeral(container: Container, observed: Observed, memory: Memory, decision: Decision, now: float) -> None:
    """Started once, whatever the others do, and never again."""
    latest = observed.latest(container.name)
    if latest is None:
        _start(container, None, memory, decision, now)
    elif latest.state is State.CREATED:
        _restart_unstarted(container, latest, memory, decision, now)


def _sync_init(
    pod: Pod,
    container: Container,
    observed: Observed,
    current: set[str],
    begun: bool,
    memory: Memory,
    decision: Decision,
    now: float,
) -> bool:
    """True: the next container may start. `begun`: the main containers already run, only sidecars matter."""
    latest = observed.latest(container.name)
    here = latest if latest and latest.id in current else None
    if begun and container.role is Role.INIT:
        return True
    if here is None:
        _start(container, latest, memory, decision, now, at_once=True)
        return False
    if here.state is State.CREATED:
        _restart_unstarted(container, here, memory, decision, now)
        return False
    if here.alive:
        if _must_die(container, here, memory, decision):
            return False
        return container.role is Role.SIDECAR and has_started(container, here, memory)
    if container.role is Role.INIT and here.exit_code == 0 and here.state is State.EXITED:
        return True
    if not _restarts(pod, container, here):
        decision.ended = True
        return False
    _start(container, here, memory, decision, now)
    return False


def _sync_main(
    pod: Pod,
    container: Container,
    observed: Observed,
    current: set[str],
    memory: Memory,
    decision: Decision,
    now: float,
) -> bool:
    """True: this container has ended for good."""
    latest = observed.latest(container.name)
    if latest is None:
        _start(container, None, memory, decision, now)
        return False
    if latest.state is State.CREATED:
        _restart_unstarted(container, latest, memory, decision, now)
        return False
    if latest.alive:
        _must_die(container, latest, memory, decision)
        return False
    if not _restarts(pod, container, latest):
        return True
    _start(container, latest, memory, decision, now, at_once=latest.id not in current)
    return False


def _start(
    container: Container,
    after: ObservedContainer | None,
    memory: Memory,
    decision: Decision,
    now: float,
    *,
    at_once: bool = False,
) -> None:
    failure = memory.failures.get(container.name)
    if failure and failure.retry_at > now:
        decision.wake(failure.retry_at)
        return
    if after is not None and not at_once:
        ran = after.finished_at - (after.started_at or after.finished_at)
        backoff = memory.backoffs.get(container.name)
        wait = crash_wait(backoff, after.attempt, ran, after.finished_at, now)
        if wait > 0:
            decision.crash_looping[container.name] = backoff.delay if backoff else wait + now - after.finished_at
            decision.wake(now + wait)
            return
    attempt = 0 if after is None else after.attempt + 1
    decision.actions.append(StartContainer(container.name, attempt, after))


def _restart_unstarted(
    container: Container, latest: ObservedContainer, memory: Memory, decision: Decision, now: float
) -> None:
    """Created and never started: the start failed, or the agent died in between. Made anew, as the same attempt."""
    failure = memory.failures.get(container.name)
    if failure and failure.retry_at > now:
        decision.wake(failure.retry_at)
        return
    decision.actions.append(RemoveContainer(latest.id))
    decision.actions.append(StartContainer(container.name, latest.attempt))


def _must_die(container: Container, here: ObservedContainer, memory: Memory, decision: Decision) -> bool:
    reason, grace = "", None
    if here.digest and here.digest != container.digest:
        reason = f"Container {container.name} definition changed, will be restarted"
    elif (probe := memory.probes.get(here.id)) and probe.unhealthy:
        reason, grace = probe.unhealthy, probe.grace
    if reason:
        decision.actions.append(KillContainer(here.id, container.name, reason, grace))
    return bool(reason)


def has_started(container: Container, here: ObservedContainer, memory: Memory) -> bool:
    if not here.alive:
        return False
    if container.probe("startup") is None:
        return True
    probe = memory.probes.get(here.id)
    return bool(probe and probe.started)


def _collect(observed: Observed, decision: Decision) -> None:
    """Of each name the latest and one dead before it are kept; old sandboxes go when nothing of theirs is left."""
    kept: dict[str, int] = {}
    used = {observed.sandbox.id} if observed.sandbox else set()
    for container in observed.containers:
        kept[container.name] = kept.get(container.name, 0) + 1
        if kept[container.name] > 2 and not container.alive:
            decision.actions.append(RemoveContainer(container.id))
        else:
            used.add(container.sandbox_id)
    for sandbox in observed.sandboxes:
        if sandbox.id not in used:
            decision.actions.append(RemoveSandbox(sandbox.id))
