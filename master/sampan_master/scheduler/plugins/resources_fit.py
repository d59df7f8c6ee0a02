"""NodeResourcesFit: what the pod requests must be free; the emptier the node (LeastAllocated), the better."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sampan_master.scheduler.columns import CPU, MEMORY, PODS, Bools, Ints, NodeColumns, Rows, at
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Filter, Score
from sampan_master.scheduler.signature import Signature


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    result: Bools = nodes.requested[PODS][rows] < nodes.allocatable[PODS][rows]
    for name, amount in pod.requests:
        resource = nodes.resource(name)
        result &= nodes.requested[resource][rows] + amount <= nodes.allocatable[resource][rows]
    return result


def reasons(nodes: NodeColumns, pod: Signature, rows: Ints) -> dict[str, Ints]:
    found: dict[str, Ints] = {}
    crowded = rows[nodes.requested[PODS, rows] >= nodes.allocatable[PODS, rows]]
    if crowded.size:
        found["Too many pods"] = crowded
    for name, amount in pod.requests:
        resource = nodes.resource(name)
        short = rows[nodes.requested[resource, rows] + amount > nodes.allocatable[resource, rows]]
        if short.size:
            found[f"Insufficient {name}"] = short
    return found


def hopeless(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    """Even the empty node is too small."""
    result: Bools = nodes.allocatable[PODS, rows] < 1
    for name, amount in pod.requests:
        result = result | (nodes.allocatable[nodes.resource(name), rows] < amount)
    return result


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    """The mean over cpu and memory of the share left free; a resource the node does not have does not count."""
    capacity = at(nodes.allocatable[CPU : MEMORY + 1], rows)
    free = capacity - at(nodes.scoring_requested, rows) - _column(pod.scoring_requests)
    share = np.maximum(free, 0) * MAX_SCORE // np.maximum(capacity, 1)
    counted = capacity > 0
    total: Ints = (share[0] + share[1]) // np.maximum(counted[0].astype(np.int64) + counted[1], 1)
    return total


@lru_cache(maxsize=4096)
def _column(amounts: tuple[int, int]) -> Ints:
    return np.array(amounts, np.int64).reshape(2, 1)


FILTER = Filter("NodeResourcesFit", False, mask, reasons, hopeless)
SCORE = Score("NodeResourcesFit", vector)
