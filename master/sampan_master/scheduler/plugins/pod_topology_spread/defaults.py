"""The constraints of pods that have none themselves: `PodTopologySpreadArgs` of a plug-in configuration.

A default constraint has no selector, it is deduced for each pod from the Services and the controller that select it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sampan_api.names import qualified_name

from sampan_master.scheduler.pod_terms import SpreadConstraint, spread_constraints

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
_FIELDS = {
    "topologyKey",
    "maxSkew",
    "whenUnsatisfiable",
    "minDomains",
    "nodeAffinityPolicy",
    "nodeTaintsPolicy",
}
_POLICIES = ("Honor", "Ignore")
_ACTIONS = ("DoNotSchedule", "ScheduleAnyway")


class Defaults(NamedTuple):
    """`system`: they are Sampan's own, so that a node that lacks one of the topology keys is scored by the others."""

    constraints: tuple[SpreadConstraint, ...]
    system: bool


SYSTEM = Defaults(
    (
        SpreadConstraint(HOSTNAME, 3, False, None, 1, True, False),
        SpreadConstraint(ZONE, 5, False, None, 1, True, False),
    ),
    True,
)


def defaults(args: Mapping[str, Any]) -> Defaults:
    """Raises ValueError naming every field that is wrong."""
    problems = list(_problems(args))
    if problems:
        raise ValueError("PodTopologySpreadArgs: " + "; ".join(problems))
    if args.get("defaultingType", "System") == "System":
        return SYSTEM
    return Defaults(spread_constraints(args.get("defaultConstraints") or (), {}), False)


def _problems(args: Mapping[str, Any]) -> Iterator[str]:
    for field in sorted(args.keys() - {"apiVersion", "kind", "defaultingType", "defaultConstraints"}):
        yield f"{field}: unknown field"
    kind, constraints = args.get("defaultingType", "System"), args.get("defaultConstraints") or []
    if kind not in ("System", "List"):
        yield f'defaultingType: unsupported value "{kind}": must be System or List'
    elif kind == "System" and constraints:
        yield "defaultingType: must be List when defaultConstraints are not empty"
    if not isinstance(constraints, list):
        yield "defaultConstraints: must be a list"
        return
    seen: set[tuple[Any, Any]] = set()
    for i, constraint in enumerate(constraints):
        path = f"defaultConstraints[{i}]"
        if not isinstance(constraint, dict):
            yield f"{path}: must be a mapping"
            continue
        yield from (f"{path}.{problem}" for problem in _constraint_problems(constraint))
        pair = (constraint.get("topologyKey"), constraint.get("whenUnsatisfiable"))
        if pair in seen:
            yield f"{path}: topologyKey {pair[0]} with whenUnsatisfiable {pair[1]} is there already"
        seen.add(pair)


def _constraint_problems(constraint: dict[str, Any]) -> Iterator[str]:
    for field in sorted(constraint.keys() - _FIELDS):
        deduced = field in ("labelSelector", "matchLabelKeys")
        yield f"{field}: " + ("must not be set, selectors are deduced for each pod" if deduced else "unknown field")
    if not _is_positive(constraint.get("maxSkew")):
        yield "maxSkew: must be a whole number greater than 0"
    key = constraint.get("topologyKey")
    if not isinstance(key, str) or not key:
        yield "topologyKey: must be the key of a node label"
    else:
        yield from (f"topologyKey: {problem}" for problem in qualified_name(key))
    if constraint.get("whenUnsatisfiable") not in _ACTIONS:
        yield f"whenUnsatisfiable: must be {' or '.join(_ACTIONS)}"
    if constraint.get("minDomains") is not None:
        if not _is_positive(constraint["minDomains"]):
            yield "minDomains: must be a whole number greater than 0"
        if constraint.get("whenUnsatisfiable") == "ScheduleAnyway":
            yield "minDomains: can only be set when whenUnsatisfiable is DoNotSchedule"
    for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        if constraint.get(field) is not None and constraint[field] not in _POLICIES:
            yield f"{field}: must be {' or '.join(_POLICIES)}"


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
