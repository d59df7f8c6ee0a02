"""TaintToleration: NoSchedule and NoExecute taints refuse a pod that does not tolerate them; each PreferNoSchedule
taint it does not tolerate lowers the score.

Nodes with equal taints are one class, so the question is asked once per class and looked up per node.
"""

from __future__ import annotations

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Filter, Normalise, Score, always_hopeless
from sampan_master.scheduler.signature import Signature, Taint, Toleration

_HARD = ("NoSchedule", "NoExecute")


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    tolerated = [untolerated(taints, pod.placement.tolerations) is None for taints in nodes.taint_classes]
    return np.array(tolerated, np.bool_)[nodes.taint_class[rows]]


def reasons(nodes: NodeColumns, pod: Signature, rows: Ints) -> dict[str, Ints]:
    by_text: dict[str, list[Ints]] = {}
    classes = nodes.taint_class[rows]
    for taint_class in np.unique(classes):
        taint = untolerated(nodes.taint_classes[taint_class], pod.placement.tolerations)
        if taint is not None:
            text = f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
            by_text.setdefault(text, []).append(rows[classes == taint_class])
    return {text: np.concatenate(parts) for text, parts in by_text.items()}


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    counts = [count_preferred(taints, pod.placement.tolerations) for taints in nodes.taint_classes]
    return np.array(counts, np.int64)[nodes.taint_class[rows]]


def untolerated(taints: tuple[Taint, ...], tolerations: tuple[Toleration, ...]) -> Taint | None:
    """The first hard taint that nothing tolerates."""
    return next((t for t in taints if t.effect in _HARD and not any(a.tolerates(t) for a in tolerations)), None)


def count_preferred(taints: tuple[Taint, ...], tolerations: tuple[Toleration, ...]) -> int:
    soft = [t for t in taints if t.effect == "PreferNoSchedule"]
    return sum(1 for t in soft if not any(a.tolerates(t) for a in tolerations))


FILTER = Filter("TaintToleration", True, mask, reasons, always_hopeless)
SCORE = Score("TaintToleration", vector, Normalise.REVERSED_SHARE)
