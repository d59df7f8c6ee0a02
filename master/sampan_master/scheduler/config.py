from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan_master.scheduler.profile import Profile


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """Defaults are those of kube-scheduler. `seed` makes ties between equal nodes repeatable. `process` is what a
    configuration says of a scheduler that is a process of its own, by the names of its flags."""

    profiles: tuple[Profile, ...] = field(default_factory=lambda: (Profile(),))
    seed: int = 0
    binds_in_flight: int = 100
    initial_backoff_seconds: float = 1.0
    max_backoff_seconds: float = 10.0
    unschedulable_flush_seconds: float = 300.0
    process: Mapping[str, Any] = field(default_factory=dict)
