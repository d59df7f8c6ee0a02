"""Soft constraints: the fewer pods of its kind in its domains, the better a node.

A count weighs log(domains + 2), so that topologies of few domains are not outweighed by those of many, and maxSkew - 1
is added so that small differences matter less the more skew is tolerated. Domains are those of the feasible nodes;
pods on other nodes of them count too. Hostnames are special: each node is its own domain, whatever policies say.

Rows that are in the same domain of every constraint are one cell. All is computed once per cell and then looked up for
each row: with zones alone there are a handful of cells, however many nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns
from sampan_master.scheduler.plugins.plugin import MAX_SCORE
from sampan_master.scheduler.plugins.pod_topology_spread.counting import (
    DomainCounts,
    PodsPerRow,
    domain_of_row,
    has_all,
    included,
    sum_by,
)
from sampan_master.scheduler.plugins.pod_topology_spread.defaults import HOSTNAME
from sampan_master.scheduler.pod_terms import SpreadConstraint
from sampan_master.scheduler.signature import Signature

Floats: TypeAlias = "npt.NDArray[np.floating[Any]]"


class SoftConstraint:
    """`domains` is the domain of each cell in `counts`, None when each is its own; cells that are not `labelled` have
    none."""

    def __init__(self, max_skew: int, counts: DomainCounts, domains: Ints | None, labelled: Bools) -> None:
        self.counts, self._max_skew, self._domains = counts, max_skew, domains
        self._labelled = None if labelled.all() else labelled

    def among(self, cells: Ints) -> _Terms:
        """For these cells, which are all there are to score. Cells without a label are one more domain, but score
        nothing there."""
        if self._domains is None:
            domains, size = cells, cells.size
        else:
            domains = self._domains.take(cells)
            size = int(np.count_nonzero(np.bincount(domains)))
        weight = log(size + 2)
        if self._labelled is None:
            return _Terms(self.counts, domains, weight, float(self._max_skew - 1))
        labelled = self._labelled[cells]
        return _Terms(self.counts, domains, weight * labelled, (self._max_skew - 1.0) * labelled)


@dataclass(slots=True)
class _Terms:
    """What one constraint adds to the score of some cells: their counts times `weight`, plus `tolerance`."""

    counts: DomainCounts
    domains: Ints
    weight: float | Floats
    tolerance: float | Floats

    def raw(self) -> Floats:
        scores: Floats = self.counts.counts.take(self.domains) * self.weight
        scores += self.tolerance
        return scores


@dataclass(slots=True)
class _Feasible:
    """What follows from the set of feasible rows alone: it seldom changes from one pod to the next.

    `cells` are those to be scored; `cell_of_row` is None when they are the rows, one each."""

    rows: Ints
    cells: Ints
    cell_of_row: Ints | None
    terms: list[_Terms]


class SoftConstraints:
    """`cell_of_row` is None when each row is a cell. Cells that are not `scored` lack a topology key; the score there
    is 0."""

    def __init__(self, constraints: list[SoftConstraint], cell_of_row: Ints | None, scored: Bools) -> None:
        self.constraints, self._cell_of_row, self._scored = constraints, cell_of_row, scored
        self._feasible: _Feasible | None = None

    def score(self, rows: Ints) -> Ints:
        feasible = self._feasible
        if feasible is None or not np.array_equal(feasible.rows, rows):
            feasible = self._feasible = self._look_at(rows)
        score = _normalised(_raw(feasible.terms)) if feasible.cells.size else feasible.cells
        if feasible.cell_of_row is None:
            return score
        table = np.zeros(self._scored.size, np.int64)
        table[feasible.cells] = score
        return table.take(feasible.cell_of_row)

    def _look_at(self, rows: Ints) -> _Feasible:
        if self._cell_of_row is None:
            scored = self._scored[rows]
            cells, cell_of_row = (rows, None) if scored.all() else (rows[scored], rows)
        else:
            cell_of_row = self._cell_of_row.take(rows)
            there = np.bincount(cell_of_row, minlength=self._scored.size) > 0
            cells = np.flatnonzero(there & self._scored)
        return _Feasible(rows, cells, cell_of_row, [constraint.among(cells) for constraint in self.constraints])


def _raw(terms: list[_Terms]) -> Ints:
    """In the order of the constraints, as floating point would have it."""
    total = terms[0].raw()
    for term in terms[1:]:
        total += term.raw()
    total += 0.5
    return np.floor(total, out=total).astype(np.int64)


def _normalised(raw: Ints) -> Ints:
    most, least = int(raw.max()), int(raw.min())
    return MAX_SCORE * (most + least - raw) // most if most else np.full(raw.size, MAX_SCORE, np.int64)


def soft_constraints(
    nodes: NodeColumns,
    pod: Signature,
    constraints: tuple[SpreadConstraint, ...],
    pods: PodsPerRow,
    *,
    require_all: bool,
) -> SoftConstraints:
    """`require_all`: nodes that lack a topology key are not scored, nor counted."""
    scored = has_all(nodes, constraints) if require_all else np.ones(nodes.size, np.bool_)
    counts = [_counts(nodes, pod, constraint, scored, pods) for constraint in constraints]
    by_host = [constraint.topology_key == HOSTNAME for constraint in constraints]
    cell_of_row, rows = (None, nodes.row_numbers[: nodes.size]) if any(by_host) else _cells([c.of_row for c in counts])
    made = []
    for constraint, each, own in zip(constraints, counts, by_host, strict=True):
        labelled = has_all(nodes, (constraint,))[rows]
        made.append(SoftConstraint(constraint.max_skew, each, None if own else each.of_row[rows], labelled))
    return SoftConstraints(made, cell_of_row, scored[rows])


def _cells(domains: list[Ints]) -> tuple[Ints, Ints]:
    """The cell of each row, and one row of each cell."""
    combined = domains[0]
    for others in domains[1:]:
        _, combined = np.unique(combined * (others.max(initial=0) + 1) + others, return_inverse=True)
    _, rows, cell_of_row = np.unique(combined, return_index=True, return_inverse=True)
    return cell_of_row.astype(np.int64), rows


def _counts(
    nodes: NodeColumns, pod: Signature, constraint: SpreadConstraint, scored: Bools, pods: PodsPerRow
) -> DomainCounts:
    selector = constraint.selector
    if constraint.topology_key == HOSTNAME:
        rows = nodes.row_numbers[: nodes.size]
        return DomainCounts(selector, rows, np.ones(nodes.size, np.bool_), pods(selector).copy())
    domain, names = domain_of_row(nodes, constraint.topology_key)
    counted = scored & included(nodes, pod, constraint)
    return DomainCounts(selector, domain, counted, sum_by(domain, counted, pods(selector), len(names) + 1))
