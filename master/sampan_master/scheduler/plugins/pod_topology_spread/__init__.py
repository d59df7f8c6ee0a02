"""PodTopologySpread: keeps the pods of a kind spread over zones, nodes or whatever else nodes have labels for.

    defaults    the constraints of pods that have none themselves
    topology    the domains of a node label
    counting    how many pods are in each, one small array that each pod that comes or goes changes by one
    filter      hard constraints
    score       soft constraints

Only pods of the same namespace count, and those that terminate do not.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial, reduce
from typing import Any

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import Bools, Ints, Rows
from sampan_master.scheduler.plugins.plugin import Plugin, Refusal, Relation
from sampan_master.scheduler.plugins.pod_topology_spread.counting import DomainCounts, index_of
from sampan_master.scheduler.plugins.pod_topology_spread.defaults import SYSTEM, Defaults, defaults
from sampan_master.scheduler.plugins.pod_topology_spread.filter import (
    NAME,
    NO_LABEL,
    REASON,
    HardConstraint,
    hard_layout,
)
from sampan_master.scheduler.plugins.pod_topology_spread.score import SoftLayout, soft_layout
from sampan_master.scheduler.plugins.pod_topology_spread.topology import by_row
from sampan_master.scheduler.pod_terms import SpreadConstraint, matches
from sampan_master.scheduler.signature import Relations, Signature

__all__ = ["NAME", "NO_LABEL", "PLUGIN", "REASON", "plugin"]


class SpreadState:
    """`moved` is only for what is supposed: what happens is counted by the index."""

    def __init__(
        self, cluster: Cluster, hard: list[HardConstraint], soft: SoftLayout | None, soft_counts: list[DomainCounts]
    ) -> None:
        self._cluster = cluster
        self._hard, self._soft, self._soft_counts = hard, soft, soft_counts
        self._counts = list(dict.fromkeys([constraint.counts for constraint in hard] + soft_counts))
        self._counted_by: dict[Relations, list[DomainCounts]] = {}

    @property
    def filters(self) -> bool:
        return bool(self._hard)

    def counts(self, pod: Relations) -> bool:
        return bool(self._counting(pod))

    def moved(self, row: int, pod: Relations, sign: int) -> None:
        for counts in self._counting(pod):
            counts.add(row, sign)

    def _counting(self, pod: Relations) -> list[DomainCounts]:
        counted_by = self._counted_by.get(pod)
        if counted_by is None:
            if len(self._counted_by) >= self._cluster.kinds_kept():
                self._counted_by.clear()
            counted_by = self._counted_by[pod] = [counts for counts in self._counts if counts.selects(pod)]
        return counted_by

    def mask(self, rows: Rows) -> Bools | None:
        masks = [constraint.mask(rows) for constraint in self._hard]
        return reduce(lambda one, other: one & other, masks) if masks else None

    def refuse(self, rows: Ints) -> list[Refusal]:
        """A row is refused by the first constraint it does not meet."""
        refusals: list[Refusal] = []
        for constraint in self._hard:
            refusals += constraint.refuse(rows)
            rows = rows[constraint.mask(rows)]
        return refusals

    def score(self, feasible: Ints) -> Ints | None:
        return None if self._soft is None else self._soft.score(feasible, self._soft_counts)


def _state(
    cluster: Cluster, pod: Signature, constraints: tuple[SpreadConstraint, ...], require_all: bool
) -> SpreadState:
    index, nodes, relations = index_of(cluster), cluster.nodes, pod.relations
    hard = tuple(constraint for constraint in constraints if constraint.hard)
    soft = tuple(constraint for constraint in constraints if not constraint.hard)
    asked = [tuple(c._replace(selector=None) for c in part) for part in (hard, soft)]
    made = []
    if hard:
        topologies = index.layout((pod.placement, asked[0]), partial(hard_layout, nodes, pod, hard))
        for constraint, topology in zip(hard, topologies, strict=True):
            counts = index.counts(cluster, topology, relations.namespace, constraint.selector)
            made.append(HardConstraint(constraint, counts, matches(constraint.selector, dict(relations.labels))))
    if not soft:
        return SpreadState(cluster, made, None, [])
    rows = index.layout("rows", partial(by_row, nodes))
    make = partial(soft_layout, nodes, pod, soft, rows, require_all=require_all)
    layout = index.layout((pod.placement, asked[1], require_all), make)
    counts_of = partial(index.counts, cluster, namespace=relations.namespace)
    soft_counts = [counts_of(t, selector=c.selector) for t, c in zip(layout.topologies, soft, strict=True)]
    return SpreadState(cluster, made, layout, soft_counts)


def plugin(args: Mapping[str, Any]) -> Plugin:
    """By `PodTopologySpreadArgs`; raises ValueError naming the fields that are wrong."""
    return _plugin(defaults(args))


def _plugin(default: Defaults) -> Plugin:
    def deduced(cluster: Cluster, pod: Signature) -> tuple[Any, ...]:
        """The selector of the default constraints for this pod; () when none apply to it."""
        if pod.relations.spread or not default.constraints:
            return ()
        return cluster.workloads.selector(pod.relations)

    def concerns(cluster: Cluster, pod: Signature) -> bool:
        return bool(pod.relations.spread or deduced(cluster, pod))

    def depends(cluster: Cluster, pod: Signature) -> Hashable:
        return index_of(cluster).generation, deduced(cluster, pod)

    def prepare(cluster: Cluster, pod: Signature) -> SpreadState:
        own = pod.relations.spread
        if own:
            return _state(cluster, pod, own, True)
        selector = deduced(cluster, pod)
        constraints = tuple(c._replace(selector=selector) for c in default.constraints) if selector else ()
        return _state(cluster, pod, constraints, not default.system)

    return Plugin(NAME, relation=Relation(concerns, prepare, depends=depends, follows=True))


PLUGIN = _plugin(SYSTEM)
