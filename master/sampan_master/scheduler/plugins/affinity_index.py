"""Which pods does an affinity term select, and whose terms select a pod? Answered for all placed pods of a cluster at
once and kept true by its log of moves, so that an answer costs what it contains and not what the cluster holds.

    selected(terms)   row -> how many pods there that every one of the terms selects
    holding(pod)      the terms of placed pods that select this pod, each with row -> how many pods there have it

Both sides are found by one label each (`by_label.py`), so that neither ten thousand pods with one label in common nor
ten thousand terms that ask for it are ever gone through one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

import numpy as np

from sampan_master.scheduler.by_label import GroupsByLabel, TermsByLabel
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import Ints
from sampan_master.scheduler.pod_terms import AffinityTerm, LabelRequirement, LabelSelector, matches
from sampan_master.scheduler.signature import Relations

_Selection: TypeAlias = "tuple[LabelSelector, frozenset[str], LabelSelector]"
_FEW = 64
_TERMS = 4
"""Of each kind of pod so many may be kept."""


class PodsOnRows:
    """How many pods are on which row: a dict while they are few, since most terms select few; then a column."""

    __slots__ = ("_few", "_many")

    def __init__(self) -> None:
        self._few: dict[int, int] = {}
        self._many: Ints | None = None

    def add(self, row: int, by: int) -> None:
        if self._many is not None:
            if row >= self._many.size:
                self._many = np.pad(self._many, (0, row + 1))
            self._many[row] += by
        elif count := self._few.get(row, 0) + by:
            self._few[row] = count
            if len(self._few) > _FEW:
                self._spread()
        else:
            del self._few[row]

    def arrays(self) -> tuple[Ints, Ints]:
        """Rows and counts."""
        if self._many is not None:
            rows = np.flatnonzero(self._many)
            return rows, self._many[rows]
        few = self._few
        return np.fromiter(few, np.int64, len(few)), np.fromiter(few.values(), np.int64, len(few))

    def _spread(self) -> None:
        self._many = np.zeros(max(self._few) + 1, np.int64)
        for row, count in self._few.items():
            self._many[row] = count
        self._few.clear()


class Role(Enum):
    AFFINITY = 0
    ANTI_AFFINITY = 1
    PREFERRED = 2


class Held(NamedTuple):
    """A term that a placed pod has. `weight` is that of a preferred one, negative for anti-affinity."""

    role: Role
    weight: int
    term: AffinityTerm


def held_by(pod: Relations) -> Iterator[Held]:
    for term in pod.affinity:
        yield Held(Role.AFFINITY, 0, term)
    for term in pod.anti_affinity:
        yield Held(Role.ANTI_AFFINITY, 0, term)
    for weight, term in pod.preferred:
        yield Held(Role.PREFERRED, weight, term)


class Namespaces:
    """The labels of namespaces as terms look at them.

    The terms of a pod that is to be placed name namespaces that exist; a placed pod's term asks the labels of the
    namespace of the pod that is to be placed, and one that is not known (yet) has none. Kubernetes has it so.
    """

    def __init__(self, labels: Mapping[str, Mapping[str, str]]) -> None:
        self.labels = labels

    def term_selects(self, term: AffinityTerm, pod: Relations) -> bool:
        """Whether the term of a pod to be placed selects this placed pod."""
        return self._covers(term, pod.namespace, None) and matches(term.selector, dict(pod.labels))

    def held_term_selects(self, term: AffinityTerm, pod: Relations) -> bool:
        """Whether the term of a placed pod selects this pod, which is to be placed."""
        return self._covers(term, pod.namespace, {}) and matches(term.selector, dict(pod.labels))

    def all_select(self, terms: tuple[AffinityTerm, ...], pod: Relations) -> bool:
        """What is asked of a pod by required affinity: to be selected by every term. No terms select nobody."""
        return bool(terms) and all(self.term_selects(term, pod) for term in terms)

    def _covers(self, term: AffinityTerm, namespace: str, unknown: Mapping[str, str] | None) -> bool:
        if namespace in term.namespaces:
            return True
        if not term.namespace_selector:
            return term.namespace_selector is not None
        labels = self.labels.get(namespace, unknown)
        return labels is not None and matches(term.namespace_selector, labels)


@dataclass(slots=True)
class _Group:
    """The pods of one group, and in which counts they are counted."""

    size: int
    held: list[PodsOnRows]
    selected: list[PodsOnRows] = field(default_factory=list)


class AffinityIndex:
    """What a cluster, always the same one, says of affinity. An answer is as of the moment it is given; the last
    `remembered` of each kind are kept up."""

    def __init__(self, remembered: int = 4096) -> None:
        self._remembered = remembered
        self._position = -1
        self._namespace_position = -1
        self._namespaces = Namespaces({})
        self._reset()

    def selected(self, cluster: Cluster, terms: tuple[AffinityTerm, ...]) -> PodsOnRows:
        """Where the pods are that all of `terms`, of a pod to be placed, select. Not to be changed or kept."""
        self._sync(cluster)
        key: tuple[_Selection, ...] = tuple(term[1:] for term in terms)
        known = self._selected.get(key)
        if known is None:
            if len(self._selected) >= min(self._remembered, cluster.kinds_kept(_TERMS)):
                self._forget_selected()
            known = self._selected[key] = PodsOnRows()
            self._count(cluster, terms, known)
            self._selecting.add(key, *_asked(terms))
        return known

    def holding(self, cluster: Cluster, pod: Relations) -> list[tuple[Held, PodsOnRows]]:
        """The terms of placed pods that select `pod`, and where pods are that have them. Not to be changed or kept."""
        self._sync(cluster)
        known = self._holding.get(pod)
        if known is None or known[0] != self._version:
            if len(self._holding) >= min(self._remembered, cluster.kinds_kept()):
                self._holding.clear()
            found = [
                (held, self._held[held])
                for held in self._held_terms.candidates(pod)
                if self._namespaces.held_term_selects(held.term, pod)
            ]
            known = self._holding[pod] = (self._version, found)
        return known[1]

    def _reset(self) -> None:
        self._version = 0
        self._groups: dict[Relations, _Group] = {}
        self._by_label = GroupsByLabel()
        self._held: dict[Held, PodsOnRows] = {}
        self._users: dict[Held, int] = {}
        self._held_terms: TermsByLabel[Held] = TermsByLabel()
        self._holding: dict[Relations, tuple[int, list[tuple[Held, PodsOnRows]]]] = {}
        self._forget_selected()

    def _forget_selected(self) -> None:
        self._selected: dict[tuple[_Selection, ...], PodsOnRows] = {}
        self._selecting: TermsByLabel[tuple[_Selection, ...]] = TermsByLabel()
        for group in self._groups.values():
            group.selected.clear()

    def _sync(self, cluster: Cluster) -> None:
        if self._namespace_position != cluster.namespace_position:
            self._namespace_position = cluster.namespace_position
            self._namespaces = Namespaces(cluster.namespaces)
            self._version += 1
            self._holding.clear()
            self._forget_selected()
        position = cluster.moves.position
        if self._position == position:
            return
        missed = cluster.moves.since(self._position) if self._position >= 0 else None
        if missed is None or len(missed) > 2 * len(cluster.groups) + 10_000:
            self._reset()
            for group, rows in cluster.groups.items():
                for row, count in rows.items():
                    self._moved(row, group, count)
        else:
            for row, group, sign in missed:
                self._moved(row, group, sign)
        self._position = position

    def _moved(self, row: int, group: Relations, by: int) -> None:
        known = self._groups.get(group)
        if known is None:
            known = self._groups[group] = self._enter(group)
        known.size += by
        for counts in known.held:
            counts.add(row, by)
        for counts in known.selected:
            counts.add(row, by)
        if not known.size:
            self._leave(group)

    def _enter(self, group: Relations) -> _Group:
        self._by_label.add(group)
        held: list[PodsOnRows] = []
        for term in held_by(group):
            if term not in self._held:
                self._held[term], self._users[term] = PodsOnRows(), 0
                self._held_terms.add(term, *_asked((term.term,)))
                self._version += 1
            self._users[term] += 1
            held.append(self._held[term])
        selected = [self._selected[key] for key in self._selecting.candidates(group) if self._key_selects(key, group)]
        return _Group(0, held, selected)

    def _leave(self, group: Relations) -> None:
        del self._groups[group]
        self._by_label.remove(group)
        for term in held_by(group):
            self._users[term] -= 1
            if not self._users[term]:
                del self._users[term], self._held[term]
                self._held_terms.remove(term)
                self._version += 1

    def _count(self, cluster: Cluster, terms: tuple[AffinityTerm, ...], counts: PodsOnRows) -> None:
        spaces = None if terms[0].namespace_selector is not None else terms[0].namespaces
        for group in self._by_label.candidates(terms[0].selector, spaces):
            if self._namespaces.all_select(terms, group):
                for row, count in cluster.groups[group].items():
                    counts.add(row, count)
                self._groups[group].selected.append(counts)

    def _key_selects(self, key: tuple[_Selection, ...], group: Relations) -> bool:
        return self._namespaces.all_select(tuple(AffinityTerm("", *selection) for selection in key), group)


def _asked(terms: tuple[AffinityTerm, ...]) -> tuple[list[LabelRequirement], Iterable[str | None]]:
    """What a pod must have to be selected by all terms: these labels, in one of these namespaces (None: in any)."""
    requirements = [requirement for term in terms for requirement in term.selector or ()]
    spaces: Iterable[str | None] = terms[0].namespaces if terms[0].namespace_selector is None else (None,)
    return requirements, spaces
