"""Soft constraints: the fewer pods of its kind in its domains, the better a node.

A count weighs log(domains + 2), so that topologies of few domains are not outweighed by those of many, and maxSkew - 1
is added so that small differences matter less the more skew is tolerated. Domains are those of the feasible nodes;
pods on other nodes of them count too. Hostnames are special: each node is its own domain, whatever policies say.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import Bools, Ints
from sampan_master.scheduler.plugins.plugin import MAX_SCORE
from sampan_master.scheduler.plugins.pod_topology_spread.counting import (
    DomainCounts,
    domain_of_row,
    has_all,
    included,
    pods_per_row,
    sum_by,
)
from sampan_master.scheduler.plugins.pod_topology_spread.defaults import HOSTNAME
from sampan_master.scheduler.pod_terms import SpreadConstraint
from sampan_master.scheduler.signature import Signature


@dataclass(slots=True)
class SoftConstraint:
    """`per_row` is so for hostnames: each row is a domain. `unlabelled` are the domains of rows without the label."""

    max_skew: int
    counts: DomainCounts
    per_row: bool
    unlabelled: Ints

    def weight(self, rows: Ints) -> float:
        """`rows` are all that are scored."""
        if self.per_row:
            return log(rows.size + 2)
        domains = np.bincount(self.counts.of_row[rows], minlength=1)
        return log(np.count_nonzero(domains) + 2)


@dataclass(slots=True)
class _Feasible:
    """What follows from the set of feasible rows alone: it seldom changes from one pod to the next."""

    rows: Ints
    scored: Bools | None
    """None when all of them are."""
    domains: list[Ints]
    weights: list[float]


class SoftConstraints:
    """Rows that are not `scored` lack a topology key; their score is 0."""

    def __init__(self, constraints: list[SoftConstraint], scored: Bools) -> None:
        self.constraints, self._scored = constraints, scored
        self._feasible: _Feasible | None = None

    def score(self, rows: Ints) -> Ints:
        feasible = self._feasible
        if feasible is None or not np.array_equal(feasible.rows, rows):
            feasible = self._feasible = self._look_at(rows)
        raw = self._raw(feasible)
        if not raw.size:
            return np.zeros(rows.size, np.int64)
        most, least = int(raw.max()), int(raw.min())
        score = MAX_SCORE * (most + least - raw) // most if most else np.full(raw.size, MAX_SCORE, np.int64)
        if feasible.scored is None:
            return score
        result = np.zeros(rows.size, np.int64)
        result[feasible.scored] = score
        return result

    def _look_at(self, rows: Ints) -> _Feasible:
        scored = self._scored[rows]
        looked_at = rows[scored]
        domains = [c.counts.of_row[looked_at] for c in self.constraints]
        weights = [c.weight(looked_at) for c in self.constraints]
        return _Feasible(rows, None if scored.all() else scored, domains, weights)

    def _raw(self, feasible: _Feasible) -> Ints:
        """Sums of weighted counts, in the order of the constraints as floating point would have it."""
        total: npt.NDArray[np.float64] = np.zeros(feasible.domains[0].size)
        for constraint, domains, weight in zip(self.constraints, feasible.domains, feasible.weights, strict=True):
            part = constraint.counts.counts * weight + float(constraint.max_skew - 1)
            part[constraint.unlabelled] = 0
            total += part.take(domains)
        return np.floor(total + 0.5).astype(np.int64)


def soft_constraints(
    cluster: Cluster, pod: Signature, constraints: tuple[SpreadConstraint, ...], require_all: bool
) -> SoftConstraints:
    """`require_all`: nodes that lack a topology key are not scored, nor counted."""
    nodes = cluster.nodes
    scored = has_all(nodes, constraints) if require_all else np.ones(nodes.size, np.bool_)
    made = [_soft_constraint(cluster, pod, constraint, scored) for constraint in constraints]
    return SoftConstraints(made, scored)


def _soft_constraint(cluster: Cluster, pod: Signature, constraint: SpreadConstraint, scored: Bools) -> SoftConstraint:
    nodes, selector = cluster.nodes, constraint.selector
    domain, names = domain_of_row(nodes, constraint.topology_key)
    pods = pods_per_row(cluster, pod.relations.namespace, selector)
    if constraint.topology_key == HOSTNAME:
        rows = nodes.row_numbers[: nodes.size]
        counts = DomainCounts(selector, rows, np.ones(nodes.size, np.bool_), pods)
        return SoftConstraint(constraint.max_skew, counts, True, np.flatnonzero(domain == len(names)))
    counted = scored & included(nodes, pod, constraint)
    counts = DomainCounts(selector, domain, counted, sum_by(domain, counted, pods, len(names) + 1))
    return SoftConstraint(constraint.max_skew, counts, False, np.array([len(names)]))
