"""Which pods of a ReplicaSet go first when there are too many.

Order: not yet on a node; Pending, then Unknown, then Running; not ready; lower pod-deletion-cost; on a node with more
pods of the same owner; ready more recently; more restarts, of sidecars last; created more recently. Times are compared
by the power of two of their age in nanoseconds (KEP-2185); where those are equal and the times are not, the uid
decides, so that the choice among pods of like age is arbitrary. That is no total order (two pods ready at the very
same moment are compared by their restarts, each of them and a third by uid), so it is a comparison and not a key.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from sampan_api import meta
from sampan_api.deletion_cost import COST, parse_deletion_cost
from sampan_api.meta import Object

from sampan_master.controllers.pod_facts import created_at, is_ready, most_restarts, node_name, phase, ready_since

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class _Rank:
    pod: Object
    first: tuple[Any, ...]
    ready_since: float
    restarts: tuple[int, int]
    created: float
    uid: str


def first_to_delete(pods: list[Object], count: int, related: Iterable[Object], now: float) -> list[Object]:
    """`related` are the active pods of the owner and of its siblings: they are what crowds a node."""
    if count >= len(pods):
        return pods
    crowd = Counter(node_name(pod) for pod in related)
    ranks = [_rank(pod, crowd) for pod in pods]
    ranks.sort(key=cmp_to_key(lambda a, b: _compare(a, b, now)))
    return [rank.pod for rank in ranks[:count]]


def deletion_cost(pod: Object) -> int:
    """0 when nothing is said, or nothing that can be understood."""
    return parse_deletion_cost(meta.annotations(pod).get(COST, "")) or 0


def _rank(pod: Object, crowd: Counter[str]) -> _Rank:
    node, ready = node_name(pod), is_ready(pod)
    return _Rank(
        pod=pod,
        first=(bool(node), _PHASES.get(phase(pod), 0), ready, deletion_cost(pod), -crowd[node]),
        ready_since=ready_since(pod) or 0.0,
        restarts=most_restarts(pod),
        created=created_at(pod),
        uid=meta.uid(pod),
    )


def _compare(a: _Rank, b: _Rank, now: float) -> int:
    if a.first != b.first:
        return -1 if a.first < b.first else 1
    if a.ready_since != b.ready_since:
        return _by_time(a, b, a.ready_since, b.ready_since, now)
    if a.restarts != b.restarts:
        return -1 if a.restarts > b.restarts else 1
    if a.created != b.created:
        return _by_time(a, b, a.created, b.created, now)
    return 0


def _by_time(a: _Rank, b: _Rank, time_a: float, time_b: float, now: float) -> int:
    """The younger first, one whose time is not known (0) before all."""
    if not time_a or not time_b:
        return -1 if not time_a else 1
    difference = _magnitude(now - time_a) - _magnitude(now - time_b)
    if difference:
        return difference
    return -1 if a.uid < b.uid else 1


def _magnitude(age: float) -> int:
    nanoseconds = age * 1e9
    return int(math.log2(nanoseconds)) if nanoseconds >= 1 else -1
