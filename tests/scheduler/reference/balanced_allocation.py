"""NodeResourcesBalancedAllocation: 100 less the standard deviation of the used shares (by real requests).

A pod that requests nothing of the balanced resources is not scored."""

import math

from reference import amounts
from reference.node_resources_fit import fullness


def score(world, pod, node, feasible):
    resources = [resource["name"] for resource in world["config"]["balancedResources"]]
    if not any(amounts.requests(pod).get(resource, 0) for resource in resources):
        return 0
    pairs = [fullness(world, pod, node, resource, amounts.requests) for resource in resources]
    shares = [min(1.0, requested / capacity) for capacity, requested in pairs if capacity]
    return int((1 - _deviation(shares)) * 100)


def _deviation(shares):
    if len(shares) < 2:
        return 0.0
    if len(shares) == 2:
        return abs((shares[0] - shares[1]) / 2)
    mean = sum(shares) / len(shares)
    return math.sqrt(sum((share - mean) * (share - mean) for share in shares) / len(shares))
