"""How many pods a selector selects in each domain of a topology, kept true one pod at a time.

A domain is one value of a node label. Rows where a node takes no part (it lacks a topology key, or the pod's node
affinity or tolerations keep it away and the constraint honours that) belong to their domain, but are not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import Bools, Ints, NodeColumns
from sampan_master.scheduler.plugins import node_affinity, taint_toleration
from sampan_master.scheduler.pod_terms import LabelSelector, SpreadConstraint, matches
from sampan_master.scheduler.signature import Relations, Signature

PodsPerRow: TypeAlias = Callable[[LabelSelector], Ints]
"""How many pods a selector counts on each row."""


class DomainCounts:
    """`counts[of_row[row]]` is what `row` shares with the others of its domain; the last entry is for rows that have
    no such label. Only rows that are `counted` add to it."""

    def __init__(self, selector: LabelSelector, of_row: Ints, counted: Bools, counts: Ints) -> None:
        self.of_row, self.counts, self._counted, self._selector = of_row, counts, counted, selector

    def selects(self, pod: Relations) -> bool:
        return selects(self._selector, pod)

    def add(self, row: int, sign: int) -> None:
        if self._counted[row]:
            self.counts[self.of_row[row]] += sign


def selects(selector: LabelSelector, pod: Relations) -> bool:
    """A selector without requirements would select all pods, but counts none (upstream's countPodsMatchSelector)."""
    return bool(selector) and not pod.terminating and matches(selector, dict(pod.labels))


def pods_per_row(cluster: Cluster, namespace: str, selector: LabelSelector) -> Ints:
    total = np.zeros(cluster.nodes.size, np.int64)
    if not selector:
        return total
    for group, rows in cluster.groups.items():
        if group.namespace == namespace and selects(selector, group):
            where = np.fromiter(rows.keys(), np.int64, len(rows))
            total[where] += np.fromiter(rows.values(), np.int64, len(rows))
    return total


def domain_of_row(nodes: NodeColumns, key: str) -> tuple[Ints, list[str]]:
    """The number of each row's domain, and what the domains are called. The number after the last one stands for
    rows without the label, or without a node."""
    column = nodes.label_column(key)
    names = list(column.values)
    codes = column.codes[: nodes.size]
    return np.where(nodes.live[: nodes.size] & (codes >= 0), codes, len(names)), names


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


def sum_by(domain: Ints, counted: Bools, pods: Ints, domains: int) -> Ints:
    return np.bincount(domain[counted], weights=pods[counted], minlength=domains).astype(np.int64)
