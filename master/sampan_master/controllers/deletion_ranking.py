"""Which pods of a ReplicaSet go first when there are too many.

Order: not yet on a node; Pending, then Unknown, then Running; not ready; lower pod-deletion-cost; on a node with
more pods of the same owner; ready more recently; more restarts; created more recently. Times are compared by
their order of magnitude (KEP-2185), then by uid, so that the choice among pods of like age is arbitrary.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.controllers.pod_facts import created_at, most_restarts, node_name, phase, ready_since

COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def first_to_delete(pods: Iterable[Object], count: int, related: Iterable[Object], now: float) -> list[Object]:
    """`related` are all active pods of the owner and of its siblings; they are what crowds a node."""
    crowd = Counter(node_name(pod) for pod in related)
    return sorted(pods, key=lambda pod: rank(pod, crowd, now))[:count]


def rank(pod: Object, crowd: Counter[str], now: float) -> tuple[Any, ...]:
    since = ready_since(pod)
    return (
        bool(node_name(pod)),
        _PHASES.get(phase(pod), 0),
        since is not None,
        deletion_cost(pod),
        -crowd[node_name(pod)],
        _magnitude(now - since) if since is not None else 0,
        -most_restarts(pod),
        _magnitude(now - created_at(pod)),
        meta.uid(pod),
    )


def deletion_cost(pod: Object) -> int:
    try:
        return int((pod["metadata"].get("annotations") or {}).get(COST, "0"))
    except ValueError:
        return 0


def _magnitude(age: float) -> int:
    """Younger first: 0 for less than two seconds, then one more each time the age doubles."""
    return int(math.log2(age)) if age >= 1 else 0
