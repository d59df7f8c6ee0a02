"""NodeResourcesFit: what the pod requests must be free; how well it fits says a strategy (`resource_scoring`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from sampan_api.names import is_extended_resource

from sampan_master.scheduler.columns import PODS, Bools, Ints, NodeColumns, Rows, only_row
from sampan_master.scheduler.plugins.plugin import Filter, Plugin, Refusal, Scope, Score
from sampan_master.scheduler.plugins.resource_scoring import Strategy
from sampan_master.scheduler.signature import Signature

NAME = "NodeResourcesFit"


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    row = only_row(rows)
    if row is not None:
        return np.array([_fits_there(nodes, pod, row)], np.bool_)
    result: Bools = nodes.requested[PODS][rows] < nodes.allocatable[PODS][rows]
    for name, amount in pod.load.requests:
        resource = nodes.resource(name)
        result &= nodes.requested[resource][rows] + amount <= nodes.allocatable[resource][rows]
    return result


def _fits_there(nodes: NodeColumns, pod: Signature, row: int) -> bool:
    wanted = [(PODS, 1)] + [(nodes.resource(name), amount) for name, amount in pod.load.requests]
    used, capacity = nodes.requested[:, row].tolist(), nodes.allocatable[:, row].tolist()
    return all(used[resource] + amount <= capacity[resource] for resource, amount in wanted)


def refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
    found: list[Refusal] = []
    wanted = [("pods", 1), *pod.load.requests]
    for name, amount in wanted:
        resource = nodes.resource(name)
        capacity = nodes.allocatable[resource, rows]
        free = capacity - nodes.requested[resource, rows]
        short = free < amount
        if short.any():
            reason = "Too many pods" if name == "pods" else f"Insufficient {name}"
            # As upstream: even a node that takes no pods at all counts as one that evictions might open.
            hopeless = (capacity[short] < amount) & (name != "pods")
            need = f"{name}: {quantity_text(name, amount)}"
            found.append(Refusal(NAME, reason, rows[short], hopeless, need, free[short], unit=unit_of(name)))
    return found


def unit_of(resource: str) -> str:
    if resource == "cpu":
        return "m"
    return "B" if resource in ("memory", "ephemeral-storage") or resource.startswith("hugepages-") else ""


def quantity_text(resource: str, amount: int) -> str:
    """An amount as a manifest would have it: 1500m, 2Gi, 3."""
    unit = unit_of(resource)
    if unit == "m":
        return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
    if unit == "B":
        for power, suffix in ((3, "Gi"), (2, "Mi"), (1, "Ki")):
            if amount and amount % 1024**power == 0:
                return f"{amount // 1024**power}{suffix}"
    return str(amount)


@dataclass(frozen=True, slots=True)
class NodeResourcesFitArgs:
    """The plug-in's arguments under their names in Kubernetes. What is ignored is ignored by the filter alone, and only
    extended resources can be: by name, or by what stands before the slash."""

    ignored_resources: frozenset[str] = frozenset()
    ignored_resource_groups: frozenset[str] = frozenset()
    scoring_strategy: Strategy = field(default_factory=Strategy)

    def is_ignored(self, resource: str) -> bool:
        if not is_extended_resource(resource):
            return False
        return resource in self.ignored_resources or resource.partition("/")[0] in self.ignored_resource_groups


def plugin(args: NodeResourcesFitArgs) -> Plugin:
    score = Score(args.scoring_strategy.vector(), Scope.ROW)
    if not (args.ignored_resources or args.ignored_resource_groups):
        return Plugin(NAME, Filter(Scope.ROW, mask, refuse), score)

    def asked(pod: Signature) -> Signature:
        requests = tuple(pair for pair in pod.load.requests if not args.is_ignored(pair[0]))
        return replace(pod, load=replace(pod.load, requests=requests))

    return Plugin(
        NAME,
        Filter(
            Scope.ROW,
            lambda nodes, pod, rows: mask(nodes, asked(pod), rows),
            lambda nodes, pod, rows: refuse(nodes, asked(pod), rows),
        ),
        score,
    )


PLUGIN = plugin(NodeResourcesFitArgs())
