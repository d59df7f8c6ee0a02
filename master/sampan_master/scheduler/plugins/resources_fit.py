"""NodeResourcesFit: what the pod requests must be free; the emptier the node (LeastAllocated), the better."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sampan_master.scheduler.columns import CPU, MEMORY, PODS, Bools, Ints, NodeColumns, Rows, at
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Filter, Plugin, Refusal, Scope, Score
from sampan_master.scheduler.signature import Signature

NAME = "NodeResourcesFit"


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    result: Bools = nodes.requested[PODS][rows] < nodes.allocatable[PODS][rows]
    for name, amount in pod.load.requests:
        resource = nodes.resource(name)
        result &= nodes.requested[resource][rows] + amount <= nodes.allocatable[resource][rows]
    return result


def refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
    found: list[Refusal] = []
    wanted = [("pods", 1), *pod.load.requests]
    for name, amount in wanted:
        resource = nodes.resource(name)
        capacity = nodes.allocatable[resource, rows]
        free = capacity - nodes.requested[resource, rows]
        short = free < amount
        if short.any():
            reason = "Too many pods" if name == "pods" else f"Insufficient {name}"
            # As upstream: even a node that takes no pods at all counts as one that evictions might open.
            hopeless = (capacity[short] < amount) & (name != "pods")
            need = f"{name}: {quantity_text(name, amount)}"
            found.append(Refusal(NAME, reason, rows[short], hopeless, need, free[short], unit=unit_of(name)))
    return found


def unit_of(resource: str) -> str:
    if resource == "cpu":
        return "m"
    return "B" if resource in ("memory", "ephemeral-storage") or resource.startswith("hugepages-") else ""


def quantity_text(resource: str, amount: int) -> str:
    """An amount as a manifest would have it: 1500m, 2Gi, 3."""
    unit = unit_of(resource)
    if unit == "m":
        return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
    if unit == "B":
        for power, suffix in ((3, "Gi"), (2, "Mi"), (1, "Ki")):
            if amount and amount % 1024**power == 0:
                return f"{amount // 1024**power}{suffix}"
    return str(amount)


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    """The mean over cpu and memory of the share left free; a resource the node does not have does not count."""
    capacity = at(nodes.allocatable[CPU : MEMORY + 1], rows)
    free = capacity - at(nodes.scoring_requested, rows) - _column(pod.load.scoring_requests)
    share = np.maximum(free, 0) * MAX_SCORE // np.maximum(capacity, 1)
    counted = capacity > 0
    total: Ints = (share[0] + share[1]) // np.maximum(counted[0].astype(np.int64) + counted[1], 1)
    return total


@lru_cache(maxsize=4096)
def _column(amounts: tuple[int, int]) -> Ints:
    return np.array(amounts, np.int64).reshape(2, 1)


PLUGIN = Plugin(NAME, Filter(Scope.ROW, mask, refuse), Score(vector, Scope.ROW))
