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
from sampan_master.scheduler.plugins.pod_topology_spread.counting import DomainCounts
from sampan_master.scheduler.plugins.pod_topology_spread.defaults import HOSTNAME
from sampan_master.scheduler.plugins.pod_topology_spread.topology import Topology, by_label, has_all, included
from sampan_master.scheduler.pod_terms import SpreadConstraint
from sampan_master.scheduler.signature import Signature

Floats: TypeAlias = "npt.NDArray[np.floating[Any]]"


@dataclass(frozen=True, slots=True)
class _Domains:
    """One constraint's part in a layout: the domain of each cell, None when each is its own, and which cells have one,
    None when all have."""

    topology: Topology
    max_skew: int
    of_cell: Ints | None
    labelled: Bools | None

    def among(self, cells: Ints) -> _Terms:
        """For these cells, which are all there are to score. Cells without a label are one more domain, but score
        nothing there."""
        if self.of_cell is None:
            numbers, size = cells, cells.size
        else:
            numbers = self.of_cell.take(cells)
            size = int(np.count_nonzero(np.bincount(numbers)))
        weight = log(size + 2)
        if self.labelled is None:
            return _Terms(numbers, weight, float(self.max_skew - 1))
        labelled = self.labelled[cells]
        return _Terms(numbers, weight * labelled, (self.max_skew - 1.0) * labelled)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What one constraint adds to the score of some cells: the counts of their domains times `weight`, and
    `tolerance`."""

    numbers: Ints
    weight: float | Floats
    tolerance: float | Floats

    def raw(self, counts: DomainCounts) -> Floats:
        scores: Floats = counts.counts.take(self.numbers) * self.weight
        scores += self.tolerance
        return scores


@dataclass(frozen=True, slots=True)
class _Feasible:
    """What follows from the set of feasible rows alone: it seldom changes from one pod to the next.

    `cells` are those to be scored; `cell_of_row` is None when they are the rows, one each."""

    rows: Ints
    cells: Ints
    cell_of_row: Ints | None
    terms: list[_Terms]


class SoftLayout:
    """`cell_of_row` is None when each row is a cell. Cells that are not `scored` lack a topology key; the score there
    is 0."""

    def __init__(self, domains: list[_Domains], cell_of_row: Ints | None, scored: Bools) -> None:
        self._domains, self._cell_of_row, self._scored = domains, cell_of_row, scored
        self._feasible: _Feasible | None = None

    @property
    def topologies(self) -> list[Topology]:
        return [domains.topology for domains in self._domains]

    def score(self, rows: Ints, counts: list[DomainCounts]) -> Ints:
        """By the counts of each topology."""
        feasible = self._feasible
        if feasible is None or not np.array_equal(feasible.rows, rows):
            feasible = self._feasible = self._look_at(rows)
        score = _normalised(_raw(feasible.terms, counts)) if feasible.cells.size else feasible.cells
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
        return _Feasible(rows, cells, cell_of_row, [domains.among(cells) for domains in self._domains])


def _raw(terms: list[_Terms], counts: list[DomainCounts]) -> Ints:
    """In the order of the constraints, as floating point would have it."""
    total = terms[0].raw(counts[0])
    for term, each in zip(terms[1:], counts[1:], strict=True):
        total += term.raw(each)
    total += 0.5
    return np.floor(total, out=total).astype(np.int64)


def _normalised(raw: Ints) -> Ints:
    most, least = int(raw.max()), int(raw.min())
    return MAX_SCORE * (most + least - raw) // most if most else np.full(raw.size, MAX_SCORE, np.int64)


def soft_layout(
    nodes: NodeColumns, pod: Signature, constraints: tuple[SpreadConstraint, ...], rows: Topology, *, require_all: bool
) -> SoftLayout:
    """`rows` is the topology `by_row`. `require_all`: nodes that lack a topology key are not scored, nor counted."""
    scored = has_all(nodes, constraints) if require_all else np.ones(nodes.size, np.bool_)
    by_host = [constraint.topology_key == HOSTNAME for constraint in constraints]
    topologies = [
        rows if own else by_label(nodes, c.topology_key, scored & included(nodes, pod, c))
        for c, own in zip(constraints, by_host, strict=True)
    ]
    each_its_own = any(by_host)
    cell_of_row, row_of_cell = (None, rows.of_row) if each_its_own else _cells(topologies)
    made = []
    for constraint, topology, own in zip(constraints, topologies, by_host, strict=True):
        labelled = has_all(nodes, (constraint,))[row_of_cell]
        of_cell = None if own else topology.of_row[row_of_cell]
        made.append(_Domains(topology, constraint.max_skew, of_cell, None if labelled.all() else labelled))
    return SoftLayout(made, cell_of_row, scored[row_of_cell])


def _cells(topologies: list[Topology]) -> tuple[Ints, Ints]:
    """The cell of each row, and one row of each cell."""
    combined = topologies[0].of_row
    for topology in topologies[1:]:
        _, combined = np.unique(combined * topology.numbers + topology.of_row, return_inverse=True)
    _, rows, cell_of_row = np.unique(combined, return_index=True, return_inverse=True)
    return cell_of_row.astype(np.int64), rows
