"""Hard constraints: a domain may have at most maxSkew more pods than the one that has least.

The least is taken over the domains with a node that takes part; while there are fewer of them than minDomains it is 0
(KEP-3022). The pod itself counts where its own labels are selected.
"""

from __future__ import annotations

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Refusal
from sampan_master.scheduler.plugins.pod_topology_spread.counting import DomainCounts
from sampan_master.scheduler.plugins.pod_topology_spread.topology import Topology, by_counted_label, has_all, included
from sampan_master.scheduler.pod_terms import SpreadConstraint
from sampan_master.scheduler.signature import Signature

NAME = "PodTopologySpread"
REASON = "node(s) didn't match pod topology spread constraints"
NO_LABEL = f"{REASON} (missing required label)"


def hard_layout(nodes: NodeColumns, pod: Signature, constraints: tuple[SpreadConstraint, ...]) -> tuple[Topology, ...]:
    """The topology of each constraint. The first numbers are those of domains that a node takes part in."""
    labelled = has_all(nodes, constraints)
    return tuple(by_counted_label(nodes, c.topology_key, labelled & included(nodes, pod, c)) for c in constraints)


class HardConstraint:
    def __init__(self, constraint: SpreadConstraint, counts: DomainCounts, self_match: bool) -> None:
        self.counts, self._constraint, self._topology = counts, constraint, counts.topology
        self._known = len(counts.topology.names)
        self._most = constraint.max_skew - self_match

    def _least(self) -> int:
        if self._known < self._constraint.min_domains:
            return 0
        return int(self.counts.counts[: self._known].min())

    def _open(self) -> Bools:
        """Which domains have room."""
        result: Bools = self.counts.counts <= self._least() + self._most
        result[self._topology.unlabelled] = False
        return result

    def mask(self, rows: Rows) -> Bools:
        return self._open().take(self._topology.of_row[rows])

    def refuse(self, rows: Ints) -> list[Refusal]:
        """Of some rows, why those without room have none."""
        domains = self._topology.of_row[rows]
        unlabelled = domains == self._topology.unlabelled
        refusals = []
        if unlabelled.any():
            refusals.append(self._no_label(rows[unlabelled]))
        crowded = ~self._open().take(domains) & ~unlabelled
        if crowded.any():
            refusals.append(self._too_many(rows[crowded], domains[crowded]))
        return refusals

    def _no_label(self, rows: Ints) -> Refusal:
        key = self._constraint.topology_key
        have, hopeless = np.zeros(rows.size, np.int64), np.ones(rows.size, np.bool_)
        return Refusal(NAME, NO_LABEL, rows, hopeless, f"a label {key}", have, (f"no label {key}",))

    def _too_many(self, rows: Ints, domains: Ints) -> Refusal:
        constraint, known, names = self._constraint, self._known, self._topology.names
        few = f" while there are fewer than {constraint.min_domains} domains" if known < constraint.min_domains else ""
        key, skew = constraint.topology_key, constraint.max_skew
        need = f"{key}: at most {skew} more than the least, {self._least()}{few}"
        numbers, have = np.unique(domains, return_inverse=True)
        words = [f"{key} {names[number]} has {self.counts.counts[number]}" for number in numbers.tolist()]
        return Refusal(NAME, REASON, rows, np.zeros(rows.size, np.bool_), need, have.astype(np.int64), tuple(words))
