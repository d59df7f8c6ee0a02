"""How many pods a selector selects in each domain of a topology, for all pods that ask for it at once.

    pod (topology, selector) ──► DomainCounts, one for all that ask for the same
    each pod that moves      ──► the few counts whose selectors select it, found once per group of equal pods

So a placement costs the counts it changes, however many kinds of pods are spread. What follows from Node objects alone
(`layout`) is kept beside them; all of it is made anew when a Node changes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from sampan_master.scheduler.by_label import GroupsByLabel, TermsByLabel
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.plugins.pod_topology_spread.topology import Topology
from sampan_master.scheduler.pod_terms import LabelSelector, matches
from sampan_master.scheduler.signature import Relations

T = TypeVar("T")
_Key: TypeAlias = "tuple[Topology, str, LabelSelector]"
_KEPT_BYTES = 64 << 20
_LAYOUT_BYTES = 80
"""Of each row, about."""
_FEW = 8
_OF_A_KIND = 8
"""Counts and layouts that may be kept for each kind of pod."""


class DomainCounts:
    """`counts[number]` pods are in the domain of that number."""

    def __init__(self, topology: Topology, namespace: str, selector: LabelSelector) -> None:
        self.topology, self._namespace, self._selector = topology, namespace, selector
        self.counts = np.zeros(topology.numbers, np.int32)

    def selects(self, pod: Relations) -> bool:
        """A selector without requirements would select all pods, but counts none (upstream's countPodsMatchSelector);
        pods that terminate are as good as gone."""
        if pod.namespace != self._namespace or pod.terminating or not self._selector:
            return False
        return matches(self._selector, dict(pod.labels))

    def add(self, row: int, sign: int) -> None:
        if self.topology.counted[row]:
            self.counts[self.topology.of_row[row]] += sign

    def add_all(self, pods: Mapping[int, int]) -> None:
        """So many pods on each of these rows."""
        if len(pods) <= _FEW:
            for row, count in pods.items():
                self.add(row, count)
            return
        rows, counts = np.fromiter(pods, np.int64, len(pods)), np.fromiter(pods.values(), np.int64, len(pods))
        counted = self.topology.counted[rows]
        np.add.at(self.counts, self.topology.of_row[rows[counted]], counts[counted])


@dataclass(slots=True)
class _Group:
    size: int
    counted_by: list[DomainCounts] = field(default_factory=list)


class SpreadIndex:
    """What is counted in one cluster. `generation` rises when all was given up, because a Node changed or it had become
    more than `kept_bytes`, or more than the kinds of pods that are there can ask for: what holds counts must then ask
    for them anew."""

    def __init__(self) -> None:
        self.kept_bytes = _KEPT_BYTES
        self.generation = 0
        self._most = 0
        self._made_at = (-1, -1)
        self._position = -1
        self._read_all({})

    def sync(self, cluster: Cluster) -> None:
        nodes, moves = cluster.nodes, cluster.moves
        self._most = cluster.kinds_kept(_OF_A_KIND)
        made_at = (nodes.node_changes.position, nodes.size)
        if made_at != self._made_at:
            self._made_at = made_at
            self._give_up()
        if moves.position == self._position:
            return
        missed = moves.since(self._position) if self._position >= 0 else None
        if missed is None or len(missed) > 2 * len(cluster.groups) + 10_000:
            self._read_all(cluster.groups)
        else:
            for row, group, sign in missed:
                self._moved(row, group, sign)
        self._position = moves.position

    def layout(self, key: Hashable, make: Callable[[], T]) -> T:
        """What follows from Node objects, made when it is first asked for since a Node changed."""
        known: T | None = self._layouts.get(key)
        if known is None:
            self._make_room()
            known = self._layouts[key] = make()
            self._bytes += _LAYOUT_BYTES * self._made_at[1]
        return known

    def counts(self, cluster: Cluster, topology: Topology, namespace: str, selector: LabelSelector) -> DomainCounts:
        """Those of a topology that is in a layout. Kept true by `sync`."""
        key = (topology, namespace, selector)
        known = self._counts.get(key)
        if known is not None:
            return known
        self._make_room()
        made = self._counts[key] = DomainCounts(topology, namespace, selector)
        self._bytes += made.counts.nbytes
        if selector:
            self._terms.add(key, selector, (namespace,))
            for group in self._by_label.candidates(selector, (namespace,)):
                if made.selects(group):
                    made.add_all(cluster.groups[group])
                    self._groups[group].counted_by.append(made)
        return made

    def _make_room(self) -> None:
        if self._bytes > self.kept_bytes or len(self._layouts) + len(self._counts) > self._most:
            self._give_up()

    def _give_up(self) -> None:
        self.generation += 1
        self._layouts: dict[Hashable, Any] = {}
        self._counts: dict[_Key, DomainCounts] = {}
        self._terms: TermsByLabel[_Key] = TermsByLabel()
        self._bytes = 0
        for group in self._groups.values():
            group.counted_by.clear()

    def _read_all(self, groups: Mapping[Relations, Mapping[int, int]]) -> None:
        self._groups: dict[Relations, _Group] = {}
        self._by_label = GroupsByLabel()
        self._give_up()
        for group, rows in groups.items():
            if not group.terminating:
                self._groups[group] = _Group(sum(rows.values()))
                self._by_label.add(group)

    def _moved(self, row: int, pod: Relations, sign: int) -> None:
        if pod.terminating:
            return
        group = self._groups.get(pod)
        if group is None:
            candidates = [self._counts[key] for key in self._terms.candidates(pod)]
            group = self._groups[pod] = _Group(0, [counts for counts in candidates if counts.selects(pod)])
            self._by_label.add(pod)
        group.size += sign
        for counts in group.counted_by:
            counts.add(row, sign)
        if not group.size:
            del self._groups[pod]
            self._by_label.remove(pod)


_indices: WeakKeyDictionary[Cluster, SpreadIndex] = WeakKeyDictionary()
"""One for each cluster, whatever plug-ins and profiles look at it."""


def index_of(cluster: Cluster) -> SpreadIndex:
    """Up to date."""
    index = _indices.get(cluster)
    if index is None:
        index = _indices[cluster] = SpreadIndex()
    index.sync(cluster)
    return index
