from __future__ import annotations

from dataclasses import dataclass, field

from sampan_master.scheduler.profile import Profile


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """Defaults are those of kube-scheduler. `seed` makes ties between equal nodes repeatable."""

    profiles: tuple[Profile, ...] = field(default_factory=lambda: (Profile(),))
    seed: int = 0
    binds_in_flight: int = 100
    initial_backoff_seconds: float = 1.0
    max_backoff_seconds: float = 10.0
    unschedulable_flush_seconds: float = 300.0
