"""Why a pod fits nowhere: the refusal of every node, as data and in Kubernetes' words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sampan_master.scheduler.columns import Ints, NodeColumns
from sampan_master.scheduler.plugins import FILTERS
from sampan_master.scheduler.signature import Signature


@dataclass(frozen=True, slots=True)
class Refusal:
    """One plug-in's reason and the nodes (rows) it holds for."""

    plugin: str
    reason: str
    rows: Ints


@dataclass(frozen=True, slots=True)
class Verdict:
    """`hopeless` counts the nodes that no eviction would open; the rest of `nodes` might be opened by one."""

    nodes: int
    refusals: tuple[Refusal, ...]
    hopeless: int

    def message(self, *, never_preempts: bool = False) -> str:
        """The text of the PodScheduled condition and the FailedScheduling event."""
        if not self.nodes:
            return "no nodes available to schedule pods"
        available = f"0/{self.nodes} nodes are available: "
        counts: dict[str, int] = {}
        for refusal in self.refusals:
            counts[refusal.reason] = counts.get(refusal.reason, 0) + int(refusal.rows.size)
        reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
        return f"{available}{reasons}. preemption: {self._preemption(available, never_preempts)}"

    def _preemption(self, available: str, never_preempts: bool) -> str:
        if never_preempts:
            return "not eligible due to preemptionPolicy=Never."
        counts = {
            "No preemption victims found for incoming pod": self.nodes - self.hopeless,
            "Preemption is not helpful for scheduling": self.hopeless,
        }
        return available + ", ".join(sorted(f"{count} {text}" for text, count in counts.items() if count)) + "."


def explain(nodes: NodeColumns, pod: Signature) -> Verdict:
    """Asks every filter again, in order; each node's reasons are those of the first that refuses it."""
    rows = np.flatnonzero(nodes.live[: nodes.size])
    total, hopeless = int(rows.size), 0
    refusals: list[Refusal] = []
    for plugin in FILTERS:
        passes = plugin.mask(nodes, pod, rows)
        refused = rows[~passes]
        if refused.size:
            for reason, where in plugin.reasons(nodes, pod, refused).items():
                refusals.append(Refusal(plugin.name, reason, where))
            hopeless += int(plugin.hopeless(nodes, pod, refused).sum())
        rows = rows[passes]
    return Verdict(total, tuple(refusals), hopeless)
