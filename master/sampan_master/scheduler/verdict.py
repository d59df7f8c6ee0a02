"""Why a pod fits nowhere: the refusal of every node, as data and in Kubernetes' words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.plugins.plugin import Refusal
from sampan_master.scheduler.signature import Signature

NEVER_PREEMPTS = "not eligible due to preemptionPolicy=Never."
WAITS_FOR_VICTIMS = "not eligible due to a terminating pod on the nominated node."
NO_VICTIMS = "No preemption victims found for incoming pod"
NOT_HELPFUL = "Preemption is not helpful for scheduling"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One attempt that failed. `nodes` is how many were looked at; every one of them is in some refusal."""

    nodes: int
    refusals: tuple[Refusal, ...]

    def hopeless(self) -> Ints:
        """The rows that no eviction would open."""
        return np.flatnonzero(self._seen(only_hopeless=True))

    def hopeful(self) -> Ints:
        """The rows that the eviction of other pods might open."""
        return np.flatnonzero(self._seen() & ~self._seen(only_hopeless=True))

    def _seen(self, *, only_hopeless: bool = False) -> Bools:
        """Which rows are in some refusal."""
        seen = np.zeros(max((int(r.rows.max(initial=-1)) + 1 for r in self.refusals), default=0), np.bool_)
        for refusal in self.refusals:
            seen[refusal.rows[refusal.hopeless] if only_hopeless else refusal.rows] = True
        return seen

    def message(self, preemption: str = "") -> str:
        """The text of the PodScheduled condition and the FailedScheduling event; `preemption` says how that went."""
        if not self.nodes:
            return "no nodes available to schedule pods"
        counts: Counter[str] = Counter()
        for refusal in self.refusals:
            counts[refusal.reason] += int(refusal.rows.size)
        told = f"{_available(self.nodes)}{_counted(counts.items())}."
        return f"{told} preemption: {preemption}" if preemption else told

    def no_preemption(self, against: Mapping[str, int]) -> str:
        """What preemption says when it found nobody to evict; `against` are its reasons for the hopeful rows."""
        counts = [*against.items(), (NOT_HELPFUL, int(self.hopeless().size))]
        return f"{_available(self.nodes)}{_counted(pair for pair in counts if pair[1])}."


def explain(engine: Engine, pod: Signature, *, uid: str = "", priority: int = 0) -> Verdict:
    """Asks every plug-in again, in order; each node's reasons are those of the first that refuses it."""
    refusals = engine.refusals(pod, uid=uid, priority=priority)
    return Verdict(engine.nodes.live_count, tuple(refusals))


def _available(nodes: int) -> str:
    return f"0/{nodes} nodes are available: "


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(sorted(f"{count} {text}" for text, count in counts))
