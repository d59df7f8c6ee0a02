"""TaintToleration: NoSchedule and NoExecute taints refuse a pod that does not tolerate them; each PreferNoSchedule
taint it does not tolerate lowers the score.

Nodes with equal taints are asked about once.
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
    tolerations = pod.placement.tolerations
    return nodes.taints.look_up(rows, lambda taints: untolerated(taints, tolerations) is None, True, np.bool_)


def refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
    by_taint: dict[Taint, list[Ints]] = {}
    codes = nodes.taints.codes[rows]
    for taints, code in nodes.taints.values.items():
        taint, there = untolerated(taints, pod.placement.tolerations), codes == code
        if taint is not None and there.any():
            by_taint.setdefault(taint, []).append(rows[there])
    return [_refusal(taint, np.concatenate(parts)) for taint, parts in by_taint.items()]


def _refusal(taint: Taint, rows: Ints) -> Refusal:
    have, hopeless = np.zeros(rows.size, np.int64), np.ones(rows.size, np.bool_)
    return Refusal(NAME, REASON, rows, hopeless, f"a toleration of {str_of(taint)}", have, (str_of(taint),))


def str_of(taint: Taint) -> str:
    """As kubectl writes it: key=value:effect."""
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    tolerations = pod.placement.tolerations
    return nodes.taints.look_up(rows, lambda taints: count_preferred(taints, tolerations), 0, np.int64)


def untolerated(taints: tuple[Taint, ...], tolerations: tuple[Toleration, ...]) -> Taint | None:
    """The first hard taint that nothing tolerates."""
    return next((t for t in taints if t.effect in _HARD and not any(a.tolerates(t) for a in tolerations)), None)


def count_preferred(taints: tuple[Taint, ...], tolerations: tuple[Toleration, ...]) -> int:
    soft = [t for t in taints if t.effect == "PreferNoSchedule"]
    return sum(1 for t in soft if not any(a.tolerates(t) for a in tolerations))


PLUGIN = Plugin(NAME, Filter(Scope.NODE, mask, refuse), Score(vector, Scope.NODE, Normalise.REVERSED_SHARE))
