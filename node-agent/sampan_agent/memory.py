"""What a pod's worker remembers between two looks at the pod; lost at an agent restart, and rebuilt or done without."""

from __future__ import annotations

from dataclasses import dataclass, field

CRASH_FIRST_SECONDS = 10.0
CRASH_MAX_SECONDS = 300.0
CRASH_RESET_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """No start before `delay` seconds after the last exit. `since` is when the delay was last raised."""

    delay: float
    since: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a container is not there, in the words of its waiting state; not tried again before `retry_at`."""

    reason: str
    message: str
    retry_at: float
    delay: float


@dataclass(slots=True)
class ProbeState:
    """What the probes of one container (by id) say. None of `started`: its startup probe has not decided."""

    started: bool | None = None
    ready: bool | None = None
    unhealthy: str = ""
    """Set when the container must be killed; the text of the Killing event."""
    grace: int | None = None
    """The failed probe's own terminationGracePeriodSeconds."""


@dataclass(slots=True)
class Memory:
    backoffs: dict[str, Backoff] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    probes: dict[str, ProbeState] = field(default_factory=dict)
    sandbox_failure: Failure | None = None
    resize_failure: Failure | None = None
    since: float = 0.0
    """When this agent took the pod on."""

    def probe(self, container_id: str) -> ProbeState:
        return self.probes.setdefault(container_id, ProbeState())


def crash_wait(backoff: Backoff | None, attempt: int, ran: float, finished_at: float, now: float) -> float:
    """Seconds until a container that ended may start again; 0 or less: now.

    The first restart is at once, then 10 s doubling to 300 s after each exit; ten quiet minutes forget it all. With no
    memory (the agent is new) the delay follows from the number of attempts.
    """
    if backoff is None:
        if attempt == 0 or ran >= CRASH_RESET_SECONDS:
            return 0.0
        delay = min(CRASH_FIRST_SECONDS * 2.0 ** min(attempt - 1, 10), CRASH_MAX_SECONDS)
    elif now - backoff.since > CRASH_RESET_SECONDS:
        return 0.0
    else:
        delay = backoff.delay
    return finished_at + delay - now


def next_backoff(backoff: Backoff | None, attempt: int, now: float) -> Backoff:
    """The back-off after the restart that is being made now; `attempt` is the one that ended."""
    if backoff is not None and now - backoff.since > CRASH_RESET_SECONDS:
        return Backoff(CRASH_FIRST_SECONDS, now)
    if backoff is None:
        return Backoff(min(CRASH_FIRST_SECONDS * 2.0 ** min(attempt, 10), CRASH_MAX_SECONDS), now)
    return Backoff(min(backoff.delay * 2, CRASH_MAX_SECONDS), now)
