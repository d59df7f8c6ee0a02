from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """Defaults are those of kube-scheduler. `seed` makes ties between equal nodes repeatable."""

    scheduler_name: str = "default-scheduler"
    seed: int = 0
    binds_in_flight: int = 100
    initial_backoff_seconds: float = 1.0
    max_backoff_seconds: float = 10.0
    unschedulable_flush_seconds: float = 300.0
    score_weights: dict[str, int] = field(
        default_factory=lambda: {
            "TaintToleration": 3,
            "NodeAffinity": 2,
            "NodeResourcesFit": 1,
            "NodeResourcesBalancedAllocation": 1,
        }
    )
