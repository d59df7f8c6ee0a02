"""TaintToleration: NoSchedule and NoExecute taints refuse a pod that does not tolerate them; each PreferNoSchedule
taint it does not tolerate lowers the score.

Nodes with equal taints are one class, so the question is asked once per class and looked up per node.
"""

from __future__ import annotations

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Filter, Normalise, Plugin, Refusal, Scope, Score
from sampan_master.scheduler.signature import Signature, Taint, Toleration

NAME = "TaintToleration"
REASON = "node(s) had untolerated taint(s)"
"""As since Kubernetes 1.35; which taint it is, is among the facts."""
_HARD = ("NoSchedule", "NoExecute")


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    tolerated = [untolerated(taints, pod.placement.tolerations) is None for taints in nodes.taint_classes]
    return np.array(tolerated, np.bool_)[nodes.taint_class[rows]]


def refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
    by_taint: dict[Taint, list[Ints]] = {}
    classes = nodes.taint_class[rows]
    for taint_class in np.unique(classes):
        taint = untolerated(nodes.taint_classes[taint_class], pod.placement.tolerations)
        if taint is not None:
            by_taint.setdefault(taint, []).append(rows[classes == taint_class])
    return [_refusal(taint, np.concatenate(parts)) for taint, parts in by_taint.items()]


def _refusal(taint: Taint, rows: Ints) -> Refusal:
    have, hopeless = np.zeros(rows.size, np.int64), np.ones(rows.size, np.bool_)
    return Refusal(NAME, REASON, rows, hopeless, f"a toleration of {str_of(taint)}", have, (str_of(taint),))


def str_of(taint: Taint) -> str:
    """As kubectl writes it: key=value:effect."""
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    counts = [count_preferred(taints, pod.placement.tolerations) for taints in nodes.taint_classes]
    return np.array(counts, np.int64)[nodes.taint_class[rows]]


def untolerated(taints: tuple[Taint, ...], tolerations: tuple[Toleration, ...]) -> Taint | None:
    """The first hard taint that nothing tolerates."""
    return next((t for t in taints if t.effect in _HARD and not any(a.tolerates(t) for a in tolerations)), None)


def count_preferred(taints: tuple[Taint, ...], tolerations: tuple[Toleration, ...]) -> int:
    soft = [t for t in taints if t.effect == "PreferNoSchedule"]
    return sum(1 for t in soft if not any(a.tolerates(t) for a in tolerations))


PLUGIN = Plugin(NAME, Filter(Scope.NODE, mask, refuse), Score(vector, Scope.NODE, Normalise.REVERSED_SHARE))
