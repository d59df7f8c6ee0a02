"""What the name of a plug-in stands for: where it runs, its arguments, and the plug-in they make.

Some names of Kubernetes stand for what Sampan does elsewhere (the queue's order, gates, preemption, binding) or has no
use for (volumes, devices): they may be named as anywhere, and `reading` warns where that changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sampan_api.decoding import decode_json
from sampan_api.documents import DecodeError
from sampan_api.models.core_v1.placement import NodeAffinity

from sampan_master.apiserver.validation.affinity import validate_affinity
from sampan_master.scheduler.configuration import models
from sampan_master.scheduler.plugins import (
    balanced_allocation,
    image_locality,
    inter_pod_affinity,
    node_affinity,
    node_name,
    node_ports,
    node_unschedulable,
    pod_topology_spread,
    resources_fit,
    taint_toleration,
)
from sampan_master.scheduler.plugins.plugin import Plugin
from sampan_master.scheduler.plugins.resource_scoring import (
    DEFAULT_WEIGHTS,
    Strategy,
    least_allocated,
    most_allocated,
    requested_to_capacity_ratio,
)


class ArgsError(ValueError):
    """What is wrong with arguments beyond their types; each line begins with the path of a field."""


@dataclass(frozen=True, slots=True)
class Known:
    """`at`: the extension points it has in Kubernetes. `make`: from its arguments, for those that are plug-ins here.
    `args` None: it reads its arguments itself."""

    at: frozenset[str]
    make: Callable[[Any], tuple[Plugin, ...]] | None = None
    args: type[models.Args] | None = models.NoArgs
    used: bool = True


def _points(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _always(*plugins: Plugin) -> Callable[[Any], tuple[Plugin, ...]]:
    return lambda _args: plugins


def _resources_fit(args: models.NodeResourcesFitArgs) -> tuple[Plugin, ...]:
    strategy = args.scoringStrategy
    weights = tuple((one.name, one.weight or 1) for one in strategy.resources) or DEFAULT_WEIGHTS
    if strategy.type == "RequestedToCapacityRatio" and strategy.requestedToCapacityRatio is not None:
        points = tuple((point.utilization, point.score) for point in strategy.requestedToCapacityRatio.shape)
        scoring = Strategy(requested_to_capacity_ratio(points), weights, rounds=True)
    else:
        scoring = Strategy(most_allocated if strategy.type == "MostAllocated" else least_allocated, weights)
    ignored, groups = frozenset(args.ignoredResources), frozenset(args.ignoredResourceGroups)
    return (resources_fit.plugin(resources_fit.NodeResourcesFitArgs(ignored, groups, scoring)),)


def _balanced_allocation(args: models.NodeResourcesBalancedAllocationArgs) -> tuple[Plugin, ...]:
    return (balanced_allocation.plugin(tuple(one.name for one in args.resources) or ("cpu", "memory")),)


def _inter_pod_affinity(args: models.InterPodAffinityArgs) -> tuple[Plugin, ...]:
    weight, ignore = args.hardPodAffinityWeight, args.ignorePreferredTermsOfExistingPods
    return (inter_pod_affinity.plugin(inter_pod_affinity.InterPodAffinityArgs(weight, ignore)),)


def _node_affinity(args: models.NodeAffinityArgs) -> tuple[Plugin, ...]:
    if args.addedAffinity is None:
        return node_affinity.NAMED, node_affinity.PLUGIN
    try:
        added, unknown = decode_json(NodeAffinity, args.addedAffinity)
    except DecodeError as error:
        raise ArgsError(f"addedAffinity: {error}") from error
    wrong = [f"addedAffinity.{path}: unknown field" for path in unknown]
    path = "addedAffinity"
    found = validate_affinity({"nodeAffinity": added}, path)
    wrong += [str(error).replace(f"{path}.nodeAffinity", path) for error in found]
    if wrong:
        raise ArgsError("\n".join(wrong))
    return node_affinity.NAMED, node_affinity.plugin(added)


def _pod_topology_spread(args: dict[str, Any]) -> tuple[Plugin, ...]:
    try:
        return (pod_topology_spread.plugin(args),)
    except ValueError as error:
        found = str(error).removeprefix("PodTopologySpreadArgs: ")
        raise ArgsError("\n".join(found.split("; "))) from error


_SCORED = "preFilter filter preScore score"
KNOWN: dict[str, Known] = {
    "SchedulingGates": Known(_points("preEnqueue")),
    "PrioritySort": Known(_points("queueSort")),
    "NodeUnschedulable": Known(_points("filter"), _always(node_unschedulable.PLUGIN)),
    "NodeName": Known(_points("filter"), _always(node_name.PLUGIN)),
    "TaintToleration": Known(_points("filter preScore score"), _always(taint_toleration.PLUGIN)),
    "NodeAffinity": Known(_points(_SCORED), _node_affinity, models.NodeAffinityArgs),
    "NodePorts": Known(_points("preFilter filter"), _always(node_ports.PLUGIN)),
    "NodeResourcesFit": Known(_points(_SCORED), _resources_fit, models.NodeResourcesFitArgs),
    "PodTopologySpread": Known(_points(_SCORED), _pod_topology_spread, None),
    "InterPodAffinity": Known(_points(_SCORED), _inter_pod_affinity, models.InterPodAffinityArgs),
    "NodeResourcesBalancedAllocation": Known(
        _points("preScore score"), _balanced_allocation, models.NodeResourcesBalancedAllocationArgs
    ),
    "ImageLocality": Known(_points("score"), _always(image_locality.PLUGIN)),
    "DefaultPreemption": Known(_points("postFilter"), args=models.DefaultPreemptionArgs),
    "DefaultBinder": Known(_points("bind")),
    "VolumeRestrictions": Known(_points("preFilter filter"), used=False),
    "NodeVolumeLimits": Known(_points("preFilter filter"), used=False),
    "VolumeBinding": Known(
        _points("preFilter filter reserve preBind preScore score"), args=models.VolumeBindingArgs, used=False
    ),
    "VolumeZone": Known(_points("preFilter filter"), used=False),
    "DynamicResources": Known(_points("preEnqueue preFilter filter postFilter reserve preBind"), used=False),
}
POINTS_OF = {name: known.at for name, known in KNOWN.items()}
