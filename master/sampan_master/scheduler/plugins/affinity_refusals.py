"""Why InterPodAffinity refuses, in words: which pods are asked for or are in the way, and where.

A node's words name its domain and, for the first domains, one pod that is in the way; a cluster of thousands of hosts
need not keep as many names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import ABSENT, Ints
from sampan_master.scheduler.plugins.affinity_index import AffinityIndex, Namespaces, PodsOnRows, Role
from sampan_master.scheduler.plugins.plugin import Refusal
from sampan_master.scheduler.pod_terms import AffinityTerm, LabelRequirement, LabelSelector
from sampan_master.scheduler.signature import Relations

LACKING = "node(s) didn't match pod affinity rules"
IN_THE_WAY = "node(s) didn't match pod anti-affinity rules"
FORBIDDEN = "node(s) didn't satisfy existing pods anti-affinity rules"

_NAMED = 64
"""Domains that are told apart in words."""


class Refuser:
    def __init__(self, plugin: str, index: AffinityIndex, cluster: Cluster, pod: Relations) -> None:
        self._plugin, self._index, self._cluster, self._pod = plugin, index, cluster, pod
        self._namespaces = Namespaces(cluster.namespaces)

    def affinity(self, rows: Ints) -> list[Refusal]:
        """No eviction helps: pods that are asked for do not come by others going."""
        terms = self._pod.affinity
        need = " and ".join(f"a pod {asked(term, self._pod)} in its {term.topology_key}" for term in terms)
        keys = list(dict.fromkeys(term.topology_key for term in terms))
        columns = [self._cluster.nodes.label_column(key) for key in keys]

        def words(row: int) -> str:
            missing = [key for key, column in zip(keys, columns, strict=True) if column.codes[row] == ABSENT]
            if missing:
                return f"no label {', '.join(missing)}"
            domains = ", ".join(self._domain(key, row) for key in keys)
            return f"no such pod in {domains}"

        codes = [tuple(int(column.codes[row]) for column in columns) for row in rows.tolist()]
        return [self._refusal(LACKING, rows, True, need, codes, words, "no such pod in its domain")]

    def anti_affinity(self, key: str, rows: Ints) -> Refusal:
        terms = [term for term in self._pod.anti_affinity if term.topology_key == key]
        need = " and ".join(f"no pod {asked(term, self._pod)} in its {key}" for term in terms)
        counts = [self._index.selected(self._cluster, (term,)) for term in terms]

        def selected(other: Relations) -> bool:
            return any(self._namespaces.term_selects(term, other) for term in terms)

        return self._taken(IN_THE_WAY, key, rows, need, counts, selected, "is in")

    def existing(self, key: str, rows: Ints) -> Refusal:
        holding = [
            (held, pods)
            for held, pods in self._index.holding(self._cluster, self._pod)
            if held.role is Role.ANTI_AFFINITY and held.term.topology_key == key
        ]
        terms = {held.term for held, _ in holding}

        def forbids(other: Relations) -> bool:
            return not terms.isdisjoint(other.anti_affinity)

        need = f"no pod in its {key} whose anti-affinity forbids this one"
        return self._taken(FORBIDDEN, key, rows, need, [pods for _, pods in holding], forbids, "forbids it in")

    def _taken(
        self,
        reason: str,
        key: str,
        rows: Ints,
        need: str,
        counts: Iterable[PodsOnRows],
        is_in_the_way: Callable[[Relations], bool],
        verb: str,
    ) -> Refusal:
        codes = self._cluster.nodes.label_column(key).codes
        row_of_domain = {int(codes[row]): row for pods in counts for row in pods.arrays()[0].tolist()}

        def words(row: int) -> str:
            there = row_of_domain.get(int(codes[row]))
            pod = "a pod that is to come" if there is None else self._name(there, is_in_the_way)
            return f"{pod} {verb} {self._domain(key, row)}"

        domains = [(int(codes[row]),) for row in rows.tolist()]
        return self._refusal(reason, rows, False, need, domains, words, f"such a pod {verb} its {key}")

    def _refusal(
        self,
        reason: str,
        rows: Ints,
        hopeless: bool,
        need: str,
        domains: Sequence[tuple[int, ...]],
        words_of: Callable[[int], str],
        others: str,
    ) -> Refusal:
        """Rows in one domain share their words; beyond the first domains all share `others`."""
        words: list[str] = []
        index_of: dict[tuple[int, ...], int] = {}
        for row, domain in zip(rows.tolist(), domains, strict=True):
            if domain not in index_of:
                index_of[domain] = min(len(index_of), _NAMED)
                if len(words) <= _NAMED:
                    words.append(words_of(row) if len(words) < _NAMED else others)
        have = np.array([index_of[domain] for domain in domains], np.int64)
        return Refusal(self._plugin, reason, rows, np.full(rows.size, hopeless), need, have, tuple(words))

    def _domain(self, key: str, row: int) -> str:
        return f"{key}={self._cluster.nodes.label_column(key).value(row) or ''}"

    def _name(self, row: int, is_in_the_way: Callable[[Relations], bool]) -> str:
        for placed in self._cluster.pods_on(row):
            if is_in_the_way(placed.signature.relations):
                metadata = placed.pod["metadata"]
                return f"pod {metadata.get('namespace', '')}/{metadata['name']}"
        return "a pod"


def asked(term: AffinityTerm, pod: Relations) -> str:
    """The pods of a term, as a person would say it: "with app=web", "with tier in (a, b) of namespace data"."""
    selected = f"with {selector_text(term.selector)}" if term.selector else "of any labels"
    if term.selector is None:
        selected = "that nothing selects (labelSelector is missing)"
    if term.namespaces == {pod.namespace} and term.namespace_selector is None:
        return selected
    return f"{selected} of {' or '.join(_spaces(term))}"


def _spaces(term: AffinityTerm) -> Iterator[str]:
    if term.namespaces:
        yield f"namespace {', '.join(sorted(term.namespaces))}"
    if term.namespace_selector:
        yield f"namespaces with {selector_text(term.namespace_selector)}"
    elif term.namespace_selector is not None:
        yield "any namespace"


def selector_text(selector: LabelSelector) -> str:
    return ", ".join(map(_requirement_text, selector or ()))


def _requirement_text(requirement: LabelRequirement) -> str:
    key, operator, values = requirement
    if operator == "In":
        return f"{key}={values[0]}" if len(values) == 1 else f"{key} in ({', '.join(values)})"
    if operator == "NotIn":
        return f"{key} not in ({', '.join(values)})"
    return f"{key} exists" if operator == "Exists" else f"no {key}"
