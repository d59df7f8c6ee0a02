"""NodeResourcesFit: what a pod requests must be free; the strategy says how fullness scores.

Scoring counts cpu and memory with a usual amount for containers that name none; ephemeral storage and extended
resources as they are, and extended ones only where the pod asks for them."""

from reference import amounts
from reference.reason import Reason
from reference.world import go_quotient, go_round, name, placed_on


def filter(world, pod, node):
    pods = placed_on(world, name(node))
    found = []
    if len(pods) + 1 > amounts.allocatable(node, "pods"):
        found.append(Reason("Too many pods"))
    for resource, asked in sorted(amounts.requests(pod).items()):
        capacity = amounts.allocatable(node, resource)
        if asked > 0 and not _ignored(world, resource) and asked > capacity - amounts.used(pods, resource):
            found.append(Reason(f"Insufficient {resource}", eviction_may_help=asked <= capacity))
    return found


def _ignored(world, resource):
    """Only extended resources can be ignored, by name or by the domain in front of the slash."""
    config = world["config"]
    if "/" not in resource or "kubernetes.io/" in resource or resource.startswith("requests."):
        return False
    return resource in config["ignoredResources"] or resource.split("/")[0] in config["ignoredResourceGroups"]


def score(world, pod, node, feasible):
    strategy = world["config"]["scoringStrategy"]
    rate = {"LeastAllocated": _least, "MostAllocated": _most, "RequestedToCapacityRatio": _ratio}[strategy["type"]]
    parts = []
    for resource in strategy["resources"]:
        capacity, requested = fullness(world, pod, node, resource["name"], amounts.requests_for_scoring)
        if capacity:
            parts.append((rate(requested, capacity, strategy), resource.get("weight") or 1))
    if strategy["type"] == "RequestedToCapacityRatio":
        parts = [(value, weight) for value, weight in parts if value > 0]
        weights = sum(weight for _, weight in parts)
        return go_round(sum(value * weight for value, weight in parts) / weights) if weights else 0
    weights = sum(weight for _, weight in parts)
    return sum(value * weight for value, weight in parts) // weights if weights else 0


def fullness(world, pod, node, resource, of):
    """(allocatable, requested with the pod); (0, 0) for what does not count on this node or for this pod."""
    asked = of(pod).get(resource, 0)
    if amounts.is_extended(resource) and not asked:
        return 0, 0
    capacity = amounts.allocatable(node, resource)
    if not capacity:
        return 0, 0
    return capacity, amounts.used(placed_on(world, name(node)), resource, of) + asked


def _least(requested, capacity, strategy):
    return 0 if requested > capacity else (capacity - requested) * 100 // capacity


def _most(requested, capacity, strategy):
    return min(requested, capacity) * 100 // capacity


def _ratio(requested, capacity, strategy):
    """A line through the points of the shape; their scores go to 10 and are stretched to 100."""
    shape = [(p["utilization"], p["score"] * 10) for p in strategy["requestedToCapacityRatio"]["shape"]]
    utilization = 100 if requested > capacity else requested * 100 // capacity
    for i, (x, y) in enumerate(shape):
        if utilization <= x:
            if i == 0:
                return y
            x0, y0 = shape[i - 1]
            return y0 + go_quotient((y - y0) * (utilization - x0), x - x0)
    return shape[-1][1]
