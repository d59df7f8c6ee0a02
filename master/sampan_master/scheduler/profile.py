"""One way to schedule, chosen by a pod's `schedulerName`: which plug-ins, in which order, with which weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sampan_master.scheduler.plugins import DEFAULT
from sampan_master.scheduler.plugins.plugin import Plugin
from sampan_master.scheduler.policies import Policy

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
class Candidates:
    """How many nodes preemption tries when it cannot know what each would cost: the greater of a share of all nodes
    and a number (DefaultPreemptionArgs minCandidateNodes*)."""

    percentage: int = 10
    absolute: int = 100


@dataclass(frozen=True, slots=True)
class Profile:
    """A plug-in without a weight does not score. `preemption` None: nobody is evicted. `policies` are those of the
    user whose plug-ins are among `plugins`, and those that could not be read."""

    scheduler_name: str = "default-scheduler"
    plugins: tuple[Plugin, ...] = DEFAULT
    weights: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
    preemption: Candidates | None = field(default_factory=Candidates)
    policies: tuple[Policy, ...] = ()
