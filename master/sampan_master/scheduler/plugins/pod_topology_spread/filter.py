"""Hard constraints: a domain may have at most maxSkew more pods than the one that has least.

The least is taken over the domains with a node that takes part; while there are fewer of them than minDomains it is 0
(KEP-3022). The pod itself counts where its own labels are selected.
"""

from __future__ import annotations

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Refusal
from sampan_master.scheduler.plugins.pod_topology_spread.counting import (
    DomainCounts,
    PodsPerRow,
    domain_of_row,
    has_all,
    included,
    sum_by,
)
from sampan_master.scheduler.pod_terms import SpreadConstraint, matches
from sampan_master.scheduler.signature import Signature

NAME = "PodTopologySpread"
REASON = "node(s) didn't match pod topology spread constraints"
NO_LABEL = f"{REASON} (missing required label)"


class HardConstraint:
    """Domains are numbered so that the `_known` ones, with a node that takes part, come first; then one number for
    all others, and the last for rows without the label."""

    def __init__(
        self, constraint: SpreadConstraint, counts: DomainCounts, known: int, names: list[str], self_match: bool
    ) -> None:
        self.counts, self._constraint, self._known, self._names = counts, constraint, known, names
        self._most = constraint.max_skew - self_match

    @property
    def _without_label(self) -> int:
        return self._known + 1

    def _least(self) -> int:
        if self._known < self._constraint.min_domains:
            return 0
        return int(self.counts.counts[: self._known].min())

    def _open(self) -> Bools:
        """Which domains have room."""
        result: Bools = self.counts.counts <= self._least() + self._most
        result[self._without_label] = False
        return result

    def mask(self, rows: Rows) -> Bools:
        return self._open().take(self.counts.of_row[rows])

    def refuse(self, rows: Ints) -> list[Refusal]:
        """Of some rows, why those without room have none."""
        domains = self.counts.of_row[rows]
        unlabelled = domains == self._without_label
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
        constraint, known = self._constraint, self._known
        few = f" while there are fewer than {constraint.min_domains} domains" if known < constraint.min_domains else ""
        key, skew = constraint.topology_key, constraint.max_skew
        need = f"{key}: at most {skew} more than the least, {self._least()}{few}"
        numbers, have = np.unique(domains, return_inverse=True)
        words = [f"{key} {self._names[number]} has {self.counts.counts[number]}" for number in numbers.tolist()]
        return Refusal(NAME, REASON, rows, np.zeros(rows.size, np.bool_), need, have.astype(np.int64), tuple(words))


def hard_constraints(
    nodes: NodeColumns, pod: Signature, constraints: tuple[SpreadConstraint, ...], pods: PodsPerRow
) -> list[HardConstraint]:
    labelled = has_all(nodes, constraints)
    return [_hard_constraint(nodes, pod, constraint, labelled, pods) for constraint in constraints]


def _hard_constraint(
    nodes: NodeColumns, pod: Signature, constraint: SpreadConstraint, labelled: Bools, pods: PodsPerRow
) -> HardConstraint:
    counted = labelled & included(nodes, pod, constraint)
    domain, names = domain_of_row(nodes, constraint.topology_key)
    known = np.flatnonzero(np.bincount(domain[counted], minlength=len(names)))
    renumbered = np.full(len(names) + 1, known.size, np.int64)
    renumbered[known] = np.arange(known.size)
    renumbered[-1] = known.size + 1
    domain, selector = renumbered[domain], constraint.selector
    counts = DomainCounts(selector, domain, counted, sum_by(domain, counted, pods(selector), known.size + 2))
    self_match = matches(selector, dict(pod.relations.labels))
    return HardConstraint(constraint, counts, known.size, [names[number] for number in known], self_match)
