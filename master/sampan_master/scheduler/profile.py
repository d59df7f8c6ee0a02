"""One way to schedule, chosen by a pod's `schedulerName`: which plug-ins, in which order, with which weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sampan_master.scheduler.plugins import DEFAULT
from sampan_master.scheduler.plugins.plugin import Plugin

DEFAULT_WEIGHTS = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesFit": 1,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A plug-in without a weight does not score."""

    scheduler_name: str = "default-scheduler"
    plugins: tuple[Plugin, ...] = DEFAULT
    weights: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
