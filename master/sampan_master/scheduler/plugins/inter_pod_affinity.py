"""InterPodAffinity: a node is wanted or refused for the pods in the same zone, on the same host, or whatever node
label a term names as its topology.

    affinity         refuses unless, for each term, a pod that all terms select is in the node's domain of the term's
                     topology; where no pod in the cluster is selected, a pod that selects itself may be the first
    anti-affinity    refuses if a pod that some term selects is in the domain
    existing pods'   refuses if a pod in the domain has an anti-affinity term that selects the new pod
    preferred        scores, the new pod's terms and those of existing pods alike; required affinity of existing pods
                     scores with `hard_pod_affinity_weight`

A state counts per domain and is told of moves, so a pod that comes costs its terms. What it starts from, the counts
per row, is kept for the whole cluster in `affinity_index`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import ABSENT, Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.affinity_index import (
    AffinityIndex,
    Namespaces,
    PodsOnRows,
    Role,
    held_by,
)
from sampan_master.scheduler.plugins.affinity_refusals import Refuser
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Plugin, Refusal, Relation
from sampan_master.scheduler.signature import Relations, Signature

NAME = "InterPodAffinity"
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class InterPodAffinityArgs:
    """The plug-in's arguments under their names in Kubernetes, with its defaults."""

    hard_pod_affinity_weight: int = 1
    ignore_preferred_terms_of_existing_pods: bool = False


class Domains:
    """An amount per domain of one topology: the value of a node label. Nodes without the label have none."""

    __slots__ = ("_amounts", "_column", "_nodes", "total")

    def __init__(self, nodes: NodeColumns, key: str) -> None:
        self._nodes, self._column = nodes, nodes.label_column(key)
        self._amounts: Ints | None = None
        self.total = 0

    def add(self, row: int, amount: int) -> None:
        """Counts on a row without its Node, or without the label, are in no domain."""
        code = self._column.codes[row]
        if code != ABSENT and self._nodes.live[row]:
            self._table()[code] += amount
            self.total += amount

    def add_all(self, pods: PodsOnRows, factor: int) -> None:
        rows, counts = pods.arrays()
        if rows.size <= 4:
            for row, count in zip(rows.tolist(), counts.tolist(), strict=True):
                self.add(row, factor * count)
            return
        codes = self._column.codes[rows]
        counted = (codes != ABSENT) & self._nodes.live[rows]
        np.add.at(self._table(), codes[counted], factor * counts[counted])
        self.total += factor * int(counts[counted].sum())

    def at(self, rows: Rows) -> Ints:
        """The amount in the domain of each row; 0 for rows in none."""
        codes = self._column.codes[rows]
        return np.zeros(codes.shape, np.int64) if self._amounts is None else self._amounts[codes]

    def there(self, row: int) -> int:
        """What `at` says of one row, several times faster."""
        return 0 if self._amounts is None else int(self._amounts[self._column.codes[row]])

    def missing(self, rows: Rows) -> Bools:
        absent: Bools = self._column.codes[rows] == ABSENT
        return absent

    @property
    def is_empty(self) -> bool:
        return self._amounts is None

    def _table(self) -> Ints:
        """Made when there is something to count: most states of unlike pods stay empty. The last is that of ABSENT."""
        if self._amounts is None:
            self._amounts = np.zeros(len(self._column.values) + 1, np.int64)
        return self._amounts


class PodDomains(dict[str, Domains]):
    """By topology key, made as they are asked for."""

    def __init__(self, nodes: NodeColumns) -> None:
        self._nodes = nodes

    def __missing__(self, key: str) -> Domains:
        made = self[key] = Domains(self._nodes, key)
        return made


class State:
    """What is known for one pod. `affinity`, `anti` and `existing` count pods, `scores` weights."""

    def __init__(self, index: AffinityIndex, cluster: Cluster, pod: Signature, args: InterPodAffinityArgs) -> None:
        self._index, self._cluster, self._args = index, cluster, args
        self._nodes, self._pod = cluster.nodes, pod.relations
        self._namespaces = Namespaces(cluster.namespaces)
        self.affinity, self.anti = PodDomains(self._nodes), PodDomains(self._nodes)
        self.existing, self.scores = PodDomains(self._nodes), PodDomains(self._nodes)
        self._scores_existing = bool(pod.relations.preferred) or not args.ignore_preferred_terms_of_existing_pods
        self._may_be_first = self._namespaces.all_select(self._pod.affinity, self._pod)
        self._effects: dict[Relations, tuple[tuple[Domains, int], ...]] = {}
        self._mask: Bools | None = None
        self._start()

    def _start(self) -> None:
        pod, selected = self._pod, self._index.selected
        if pod.affinity:
            pods = selected(self._cluster, pod.affinity)
            for term in pod.affinity:
                self.affinity[term.topology_key].add_all(pods, 1)
        for term in pod.anti_affinity:
            self.anti[term.topology_key].add_all(selected(self._cluster, (term,)), 1)
        for weight, term in pod.preferred:
            self.scores[term.topology_key].add_all(selected(self._cluster, (term,)), weight)
        for held, pods in self._index.holding(self._cluster, pod):
            for domains, amount in self._of_held(held.role, held.weight, held.term.topology_key):
                domains.add_all(pods, amount)

    def _of_held(self, role: Role, weight: int, topology_key: str) -> Iterator[tuple[Domains, int]]:
        """Where it counts, and how much, that an existing pod has a term that selects this pod."""
        if role is Role.ANTI_AFFINITY:
            yield self.existing[topology_key], 1
        elif self._scores_existing:
            amount = self._args.hard_pod_affinity_weight if role is Role.AFFINITY else weight
            if amount:
                yield self.scores[topology_key], amount

    @property
    def filters(self) -> bool:
        own = self._pod.affinity or self._pod.anti_affinity or self._cluster.nominated_repelling
        return bool(own) or any(one.total for one in self.existing.values())

    def counts(self, pod: Relations) -> bool:
        return bool(self._known_effects(pod))

    def moved(self, row: int, pod: Relations, sign: int) -> None:
        for domains, amount in self._known_effects(pod):
            domains.add(row, sign * amount)
            self._mask = None

    def _known_effects(self, other: Relations) -> tuple[tuple[Domains, int], ...]:
        effects = self._effects.get(other)
        if effects is None:
            if len(self._effects) >= min(_REMEMBERED, self._cluster.kinds_kept()):
                self._effects.clear()
            effects = self._effects[other] = tuple(self._effects_of(other))
        return effects

    def _effects_of(self, other: Relations) -> Iterator[tuple[Domains, int]]:
        """What one more pod like `other` adds to its domains."""
        pod, selects = self._pod, self._namespaces.term_selects
        if self._namespaces.all_select(pod.affinity, other):
            for term in pod.affinity:
                yield self.affinity[term.topology_key], 1
        for term in pod.anti_affinity:
            if selects(term, other):
                yield self.anti[term.topology_key], 1
        for weight, term in pod.preferred:
            if selects(term, other):
                yield self.scores[term.topology_key], weight
        if other.has_affinity:
            for held in held_by(other):
                if self._namespaces.held_term_selects(held.term, pod):
                    yield from self._of_held(held.role, held.weight, held.term.topology_key)

    def mask(self, rows: Rows) -> Bools | None:
        if not self.affinity and _are_empty(self.anti) and _are_empty(self.existing):
            return None
        if not isinstance(rows, slice):
            return np.array([self._passes_there(int(rows[0]))]) if rows.size == 1 else self._passes(rows)
        if self._mask is None:
            self._mask = self._passes(slice(0, self._nodes.size))
        return self._mask[rows]

    def _passes(self, rows: Rows) -> Bools:
        result = self.has_affinity(rows)
        for domains in (*self.anti.values(), *self.existing.values()):
            if not domains.is_empty:
                result &= domains.at(rows) <= 0
        return result

    def _passes_there(self, row: int) -> bool:
        """One row: preemption asks of many rows one by one, with other pods away each time."""
        if self.affinity and not self.has_affinity(np.array([row]))[0]:
            return False
        return all(one.there(row) <= 0 for one in (*self.anti.values(), *self.existing.values()))

    def has_affinity(self, rows: Rows) -> Bools:
        result = np.ones(self._nodes.live[rows].shape, np.bool_)
        if not self.affinity:
            return result
        first = self._may_be_first and not any(domains.total for domains in self.affinity.values())
        for domains in self.affinity.values():
            result &= ~domains.missing(rows) if first else domains.at(rows) > 0
        return result

    def refuse(self, rows: Ints) -> list[Refusal]:
        lacking = rows[~self.has_affinity(rows)]
        found = Refuser(NAME, self._index, self._cluster, self._pod)
        refusals = found.affinity(lacking) if lacking.size else []
        rows = np.setdiff1d(rows, lacking)
        for domains_by_key, refused_by in ((self.anti, found.anti_affinity), (self.existing, found.existing)):
            for key, domains in domains_by_key.items():
                taken = rows[domains.at(rows) > 0]
                if taken.size:
                    refusals.append(refused_by(key, taken))
                    rows = np.setdiff1d(rows, taken)
        return refusals

    def score(self, feasible: Ints) -> Ints | None:
        counted = [domains.at(feasible) for domains in self.scores.values() if not domains.is_empty]
        if not counted:
            return None
        raw: Ints = np.array(counted).sum(axis=0)
        low, high = int(raw.min()), int(raw.max())
        if low == high:
            return None
        share: Ints = (MAX_SCORE * ((raw - low) / (high - low))).astype(np.int64)
        return share


def _are_empty(domains: PodDomains) -> bool:
    return all(one.is_empty for one in domains.values())


_indices: WeakKeyDictionary[Cluster, AffinityIndex] = WeakKeyDictionary()
"""One for each cluster, whatever plug-ins and profiles look at it."""


def _index_of(cluster: Cluster) -> AffinityIndex:
    index = _indices.get(cluster)
    if index is None:
        index = _indices[cluster] = AffinityIndex()
    return index


def concerns(cluster: Cluster, pod: Signature) -> bool:
    if pod.relations.has_affinity or cluster.nominated_repelling:
        return True
    return bool(cluster.affine) and bool(_index_of(cluster).holding(cluster, pod.relations))


def _prepare(args: InterPodAffinityArgs) -> Callable[[Cluster, Signature], State]:
    return lambda cluster, pod: State(_index_of(cluster), cluster, pod, args)


def plugin(args: InterPodAffinityArgs) -> Plugin:
    return Plugin(NAME, relation=Relation(concerns, _prepare(args), key=lambda pod: pod.relations))


PLUGIN = plugin(InterPodAffinityArgs())
