"""NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory would be used to the same share.

score = (1 - standard deviation of the used shares) * 100; with two resources the deviation is half their distance.
Pods without requests are not scored, they would all flock to one node (kubernetes/kubernetes#129138).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sampan_master.scheduler.columns import CPU, MEMORY, Ints, NodeColumns, Rows, at
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Plugin, Scope, Score
from sampan_master.scheduler.signature import Signature

_BALANCED = ("cpu", "memory")


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    capacity = at(nodes.allocatable[CPU : MEMORY + 1], rows)
    used = (at(nodes.requested[CPU : MEMORY + 1], rows) + _column(pod.load.requests)) / np.maximum(capacity, 1)
    share = np.minimum(used, 1.0)
    both = np.minimum(capacity[0], capacity[1]) > 0
    deviation = np.abs(share[0] - share[1]) / 2 * both
    score: Ints = ((1 - deviation) * MAX_SCORE).astype(np.int64)
    return score


@lru_cache(maxsize=4096)
def _column(requests: tuple[tuple[str, int], ...]) -> Ints:
    wanted = dict(requests)
    return np.array([[wanted.get(name, 0)] for name in _BALANCED], np.int64)


PLUGIN = Plugin(
    "NodeResourcesBalancedAllocation",
    score=Score(vector, Scope.ROW, applies=lambda pod: any(name in _BALANCED for name, _ in pod.load.requests)),
)
