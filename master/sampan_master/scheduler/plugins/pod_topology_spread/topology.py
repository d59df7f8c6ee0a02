"""The domains of a topology and which rows are in them: what spreading needs to know of Node objects.

A domain is one value of a node label. Rows where a node takes no part (it lacks a topology key, or the pod's node
affinity or tolerations keep it away and the constraint honours that) belong to their domain, but are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns
from sampan_master.scheduler.plugins import node_affinity, taint_toleration
from sampan_master.scheduler.pod_terms import SpreadConstraint
from sampan_master.scheduler.signature import Signature


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """`of_row` is the number of each row's domain, `numbers` how many numbers there are, `counted` the rows whose pods
    count. `names` are what the first numbers are called; the last one stands for rows without the label or a node."""

    of_row: Ints
    numbers: int
    counted: Bools
    names: tuple[str, ...]

    @property
    def unlabelled(self) -> int:
        return self.numbers - 1


def by_label(nodes: NodeColumns, key: str, counted: Bools) -> Topology:
    """A number for each value of the label."""
    column = nodes.label_column(key)
    names = tuple(column.values)
    codes = column.codes[: nodes.size]
    of_row = np.where(nodes.live[: nodes.size] & (codes >= 0), codes, len(names))
    return Topology(of_row, len(names) + 1, counted, names)


def by_counted_label(nodes: NodeColumns, key: str, counted: Bools) -> Topology:
    """Numbers only for values that a counted row has; then one for all others."""
    every = by_label(nodes, key, counted)
    known = np.flatnonzero(np.bincount(every.of_row[counted], minlength=every.unlabelled))
    renumbered = np.full(every.numbers, known.size, np.int64)
    renumbered[known] = np.arange(known.size)
    renumbered[every.unlabelled] = known.size + 1
    names = tuple(every.names[number] for number in known.tolist())
    return Topology(renumbered[every.of_row], known.size + 2, counted, names)


def by_row(nodes: NodeColumns) -> Topology:
    """Each row is a domain, whatever its node says."""
    return Topology(nodes.row_numbers[: nodes.size], nodes.size, np.ones(nodes.size, np.bool_), ())


def has_all(nodes: NodeColumns, constraints: tuple[SpreadConstraint, ...]) -> Bools:
    """Which rows are nodes with every topology key."""
    result = nodes.live[: nodes.size].copy()
    for constraint in constraints:
        result &= nodes.label_column(constraint.topology_key).codes[: nodes.size] >= 0
    return result


def included(nodes: NodeColumns, pod: Signature, constraint: SpreadConstraint) -> Bools:
    """Which rows the node inclusion policies (KEP-3094) let take part."""
    rows = slice(0, nodes.size)
    result = nodes.live[rows].copy()
    if constraint.honor_affinity:
        result &= node_affinity.mask(nodes, pod, rows)
    if constraint.honor_taints:
        result &= taint_toleration.mask(nodes, pod, rows)
    return result
