from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

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


class ConfigError(Exception):
    """What is wrong in which file."""


def read_config(path: Path | None) -> SchedulerConfig:
    """Raises ConfigError, OSError."""
    if path is None:
        return SchedulerConfig()
    try:
        given = yaml.safe_load(path.read_text()) or {}
        return SchedulerConfig(**given)
    except (yaml.YAMLError, TypeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
