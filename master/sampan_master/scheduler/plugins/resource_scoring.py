"""How full a node would be, turned into a score: the strategies of NodeResourcesFit.

    LeastAllocated            the share of each resource left free: spreads
    MostAllocated             the share of each resource used: packs
    RequestedToCapacityRatio  the share used, read off a curve given by points

A score is the mean over the resources by their weights. Resources a node does not have do not count, nor do extended
resources the pod does not ask for. For cpu and memory usual amounts are assumed where containers name none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from sampan_master.scheduler.columns import CPU, MEMORY, Bools, Ints, NodeColumns, Rows, at, only_row
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Vector
from sampan_master.scheduler.signature import Signature

Curve: TypeAlias = Callable[[Ints, Ints], Ints]
"""Of used and capacity (more than 0), amounts of one resource: 0..100."""
Weights: TypeAlias = tuple[tuple[str, int], ...]
DEFAULT_WEIGHTS: Weights = (("cpu", 1), ("memory", 1))
_NOT_SCALAR = {"cpu", "memory", "ephemeral-storage"}


def least_allocated(used: Ints, capacity: Ints) -> Ints:
    share: Ints = np.maximum(capacity - used, 0) * MAX_SCORE // capacity
    return share


def most_allocated(used: Ints, capacity: Ints) -> Ints:
    share: Ints = np.minimum(used, capacity) * MAX_SCORE // capacity
    return share


def requested_to_capacity_ratio(shape: tuple[tuple[int, int], ...]) -> Curve:
    """`shape`: points (utilization 0..100, score 0..10), joined by straight lines, level beyond the ends."""
    table = np.array([_on_curve(shape, percent) for percent in range(101)], np.int64)

    def curve(used: Ints, capacity: Ints) -> Ints:
        scores: Ints = table[np.minimum(used * 100 // capacity, 100)]
        return scores

    return curve


def _on_curve(shape: tuple[tuple[int, int], ...], percent: int) -> int:
    """Scores are given up to 10 and count tenfold; between the points is divided as in Go, towards 0."""
    points = [(utilization, 10 * score) for utilization, score in shape]
    if percent <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if percent <= right:
            rise = (high - low) * (percent - left)
            return low + (rise // (right - left) if rise >= 0 else -(-rise // (right - left)))
    return points[-1][1]


@dataclass(frozen=True, slots=True)
class Strategy:
    """`rounds`: the mean leaves out resources that score 0 and is rounded, as RequestedToCapacityRatio has it."""

    curve: Curve = least_allocated
    weights: Weights = DEFAULT_WEIGHTS
    rounds: bool = False

    def vector(self) -> Vector:
        if self.curve is least_allocated and dict(self.weights) == dict(DEFAULT_WEIGHTS):
            return _least_allocated_of_cpu_and_memory
        return self._vector

    def _vector(self, nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
        total = np.zeros(nodes.live[rows].shape, np.int64)
        weights = np.zeros_like(total)
        for name, weight in self.weights:
            found = used_and_capacity(nodes, pod, name, rows)
            if found is None:
                continue
            used, capacity, there = found
            score = self.curve(used, np.maximum(capacity, 1))
            counts = there & (score > 0) if self.rounds else there
            total += weight * score * counts
            weights += weight * counts
        mean: Ints = (2 * total + weights) // np.maximum(2 * weights, 1) if self.rounds else _divided(total, weights)
        return mean


def used_and_capacity(nodes: NodeColumns, pod: Signature, name: str, rows: Rows) -> tuple[Ints, Ints, Bools] | None:
    """What would be used with the pod there, of what, and where there is such a resource; None when it does not count
    for this pod."""
    if name in ("cpu", "memory"):
        i = 0 if name == "cpu" else 1
        used = nodes.scoring_requested[i, rows] + pod.load.scoring_requests[i]
    else:
        asked = dict(pod.load.requests).get(name, 0)
        if not counts_for(name, asked):
            return None
        used = nodes.requested[nodes.resource(name), rows] + asked
    capacity = nodes.allocatable[nodes.resource(name), rows]
    return used, capacity, capacity > 0


def counts_for(name: str, asked: int) -> bool:
    """Extended resources and huge pages count for pods that ask for them; "pods" never does."""
    return name in _NOT_SCALAR or (asked > 0 and name != "pods")


def _divided(total: Ints, weights: Ints) -> Ints:
    mean: Ints = total // np.maximum(weights, 1)
    return mean


def _least_allocated_of_cpu_and_memory(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    """The usual strategy, both resources at once: it is asked for every pod that is placed."""
    row = only_row(rows)
    if row is not None:
        return np.array([_least_allocated_there(nodes, pod, row)], np.int64)
    capacity = at(nodes.allocatable[CPU : MEMORY + 1], rows)
    free = capacity - at(nodes.scoring_requested, rows) - _column(pod.load.scoring_requests)
    share = np.maximum(free, 0) * MAX_SCORE // np.maximum(capacity, 1)
    counted = capacity > 0
    total: Ints = (share[0] + share[1]) // np.maximum(counted[0].astype(np.int64) + counted[1], 1)
    return total


def _least_allocated_there(nodes: NodeColumns, pod: Signature, row: int) -> int:
    capacities, used = nodes.allocatable[CPU : MEMORY + 1, row].tolist(), nodes.scoring_requested[:, row].tolist()
    shares = [
        max(capacity - there - asked, 0) * MAX_SCORE // capacity
        for capacity, there, asked in zip(capacities, used, pod.load.scoring_requests, strict=True)
        if capacity > 0
    ]
    return int(sum(shares) // max(len(shares), 1))


@lru_cache(maxsize=4096)
def _column(amounts: tuple[int, int]) -> Ints:
    return np.array(amounts, np.int64).reshape(2, 1)
