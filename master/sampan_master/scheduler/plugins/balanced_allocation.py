"""NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory would be used to the same share.

score = (1 - standard deviation of the used shares) * 100; with two resources the deviation is half their distance.
Pods without requests are not scored, they would all flock to one node (kubernetes/kubernetes#129138).
"""

from __future__ import annotations

import numpy as np

from sampan_master.scheduler.columns import CPU, MEMORY, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Score
from sampan_master.scheduler.signature import Signature

_BALANCED = ("cpu", "memory")


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    cpu_capacity, memory_capacity = nodes.allocatable[CPU, rows], nodes.allocatable[MEMORY, rows]
    wanted = dict(pod.requests)
    cpu = (nodes.requested[CPU, rows] + wanted.get("cpu", 0)) / np.maximum(cpu_capacity, 1)
    memory = (nodes.requested[MEMORY, rows] + wanted.get("memory", 0)) / np.maximum(memory_capacity, 1)
    deviation = np.abs((np.minimum(cpu, 1.0) - np.minimum(memory, 1.0)) / 2)
    deviation *= (cpu_capacity > 0) & (memory_capacity > 0)
    return ((1 - deviation) * MAX_SCORE).astype(np.int64)


SCORE = Score(
    "NodeResourcesBalancedAllocation",
    vector,
    applies=lambda pod: any(name in _BALANCED for name, _ in pod.requests),
)
