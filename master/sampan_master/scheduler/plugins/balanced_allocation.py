"""NodeResourcesBalancedAllocation: prefers nodes whose resources would be used to the same share.

score = (1 - standard deviation of the used shares) * 100; with two resources the deviation is half their distance.
Pods that ask for none of them are not scored, they would all flock to one node (kubernetes/kubernetes#129138).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sampan_master.scheduler.columns import CPU, MEMORY, Ints, NodeColumns, Rows, at, only_row
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Plugin, Scope, Score
from sampan_master.scheduler.plugins.resource_scoring import counts_for
from sampan_master.scheduler.signature import Signature

NAME = "NodeResourcesBalancedAllocation"
_USUAL = ("cpu", "memory")


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    """The usual two resources at once: it is asked for every pod that is placed."""
    row = only_row(rows)
    if row is not None:
        return np.array([_balance_there(nodes, pod, row)], np.int64)
    capacity = at(nodes.allocatable[CPU : MEMORY + 1], rows)
    used = (at(nodes.requested[CPU : MEMORY + 1], rows) + _column(pod.load.requests)) / np.maximum(capacity, 1)
    share = np.minimum(used, 1.0)
    both = np.minimum(capacity[0], capacity[1]) > 0
    deviation = np.abs(share[0] - share[1]) / 2 * both
    score: Ints = ((1 - deviation) * MAX_SCORE).astype(np.int64)
    return score


def _balance_there(nodes: NodeColumns, pod: Signature, row: int) -> int:
    capacities, used = (
        nodes.allocatable[CPU : MEMORY + 1, row].tolist(),
        nodes.requested[CPU : MEMORY + 1, row].tolist(),
    )
    if min(capacities) <= 0:
        return MAX_SCORE
    wanted = dict(pod.load.requests)
    cpu, memory = (
        min((there + wanted.get(name, 0)) / capacity, 1.0)
        for name, there, capacity in zip(_USUAL, used, capacities, strict=True)
    )
    return int((1 - abs(cpu - memory) / 2) * MAX_SCORE)


@lru_cache(maxsize=4096)
def _column(requests: tuple[tuple[str, int], ...]) -> Ints:
    wanted = dict(requests)
    return np.array([[wanted.get(name, 0)] for name in _USUAL], np.int64)


def vector_of(resources: tuple[str, ...], nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    wanted = dict(pod.load.requests)
    counted = [name for name in resources if counts_for(name, wanted.get(name, 0))]
    if not counted:
        return np.full(nodes.live[rows].shape, MAX_SCORE, np.int64)
    index = [nodes.resource(name) for name in counted]
    asked = np.array([[wanted.get(name, 0)] for name in counted], np.int64)
    capacity, used = at(nodes.allocatable[index], rows), at(nodes.requested[index], rows) + asked
    there = capacity > 0
    number = there.sum(axis=0)
    share = np.minimum(used / np.maximum(capacity, 1), 1.0) * there
    mean = share.sum(axis=0) / np.maximum(number, 1)
    squares = ((share - mean) ** 2 * there).sum(axis=0)
    deviation = np.sqrt(squares / np.maximum(number, 1))
    if len(counted) > 1:
        # Of two shares the distance is exact where the root of squares is not.
        top = np.max(np.where(there, share, 0.0), axis=0)
        bottom = np.min(np.where(there, share, 1.0), axis=0)
        deviation = np.where(number == 2, (top - bottom) / 2, deviation)
    score: Ints = ((1 - np.where(number > 1, deviation, 0.0)) * MAX_SCORE).astype(np.int64)
    return score


def plugin(resources: tuple[str, ...]) -> Plugin:
    def applies(pod: Signature) -> bool:
        return any(name in resources for name, _ in pod.load.requests)

    if set(resources) == set(_USUAL):
        return Plugin(NAME, score=Score(vector, Scope.ROW, applies=applies))
    return Plugin(NAME, score=Score(lambda *asked: vector_of(resources, *asked), Scope.ROW, applies=applies))


PLUGIN = plugin(_USUAL)
