"""PodTopologySpread: keeps the pods of a kind spread over zones, nodes or whatever else nodes have labels for.

Constraints of a pod (or default ones, when it has none) are hard or soft: `filter.py` and `score.py`; `counting.py`
has the counts of both, one small array per constraint that each pod that comes or goes changes by one. Only pods of
the same namespace count, and those that terminate do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial, reduce
from typing import Any

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import Bools, Ints, Rows
from sampan_master.scheduler.plugins.plugin import Plugin, Refusal, Relation
from sampan_master.scheduler.plugins.pod_topology_spread.counting import pods_per_row
from sampan_master.scheduler.plugins.pod_topology_spread.defaults import SYSTEM, Defaults, defaults
from sampan_master.scheduler.plugins.pod_topology_spread.filter import NAME, NO_LABEL, REASON, hard_constraints
from sampan_master.scheduler.plugins.pod_topology_spread.score import soft_constraints
from sampan_master.scheduler.pod_terms import SpreadConstraint
from sampan_master.scheduler.signature import Relations, Signature

__all__ = ["NAME", "NO_LABEL", "PLUGIN", "REASON", "plugin"]

_REMEMBERED = 4096


class SpreadState:
    def __init__(
        self, cluster: Cluster, pod: Signature, constraints: tuple[SpreadConstraint, ...], require_all: bool
    ) -> None:
        hard = tuple(constraint for constraint in constraints if constraint.hard)
        soft = tuple(constraint for constraint in constraints if not constraint.hard)
        self._namespace = pod.relations.namespace
        nodes, pods = cluster.nodes, cache(partial(pods_per_row, cluster, self._namespace))
        self._hard = hard_constraints(nodes, pod, hard, pods) if hard else []
        self._soft = soft_constraints(nodes, pod, soft, pods, require_all=require_all) if soft else None
        self._counts = [constraint.counts for constraint in self._hard]
        if self._soft is not None:
            self._counts += [constraint.counts for constraint in self._soft.constraints]
        self._counted_by: dict[Relations, list[int]] = {}

    @property
    def filters(self) -> bool:
        return bool(self._hard)

    def moved(self, row: int, pod: Relations, sign: int) -> None:
        if pod.namespace != self._namespace:
            return
        counted_by = self._counted_by.get(pod)
        if counted_by is None:
            if len(self._counted_by) >= _REMEMBERED:
                self._counted_by.clear()
            counted_by = [i for i, counts in enumerate(self._counts) if counts.selects(pod)]
            self._counted_by[pod] = counted_by
        for i in counted_by:
            self._counts[i].add(row, sign)

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
        return None if self._soft is None else self._soft.score(feasible)


def plugin(args: Mapping[str, Any]) -> Plugin:
    """By `PodTopologySpreadArgs`; raises ValueError naming the fields that are wrong."""
    return _plugin(defaults(args))


def _plugin(default: Defaults) -> Plugin:
    def concerns(cluster: Cluster, pod: Signature) -> bool:
        return bool(pod.relations.spread or deduced(cluster, pod))

    def deduced(cluster: Cluster, pod: Signature) -> tuple[Any, ...]:
        """The selector of the default constraints for this pod; () when none apply to it."""
        if pod.relations.spread or not default.constraints:
            return ()
        return cluster.workloads.selector(pod.relations)

    def prepare(cluster: Cluster, pod: Signature) -> SpreadState:
        own = pod.relations.spread
        if own:
            return SpreadState(cluster, pod, own, True)
        selector = deduced(cluster, pod)
        constraints = tuple(c._replace(selector=selector) for c in default.constraints) if selector else ()
        return SpreadState(cluster, pod, constraints, not default.system)

    return Plugin(NAME, relation=Relation(concerns, prepare, depends=deduced))


PLUGIN = _plugin(SYSTEM)
