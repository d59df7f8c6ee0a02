"""Scheduling gates (KEP-3521): set at creation, then only taken away; and what may be asked more narrowly of nodes
while a pod still has one (KEP-3838)."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.validation.fields import Errors, duplicate, forbidden, invalid
from sampan_master.apiserver.validation.names import complain, qualified_name

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TERMS = f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"
CONDITION = {
    "type": "PodScheduled",
    "status": "False",
    "lastProbeTime": None,
    "lastTransitionTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}
"""What a new pod with gates says of itself."""


def is_gated(obj: Object) -> bool:
    return bool(obj["spec"].get("schedulingGates"))


def validate_gates(gates: list[dict[str, Any]], path: str) -> Errors:
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name", "")
        yield from complain(f"{path}[{index}]", name, qualified_name(name))
        if name in seen:
            yield duplicate(f"{path}[{index}]", name)
        seen.add(name)


def validate_gated_creation(obj: Object) -> Errors:
    if is_gated(obj) and obj["spec"].get("nodeName"):
        yield forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")


def validate_gates_update(new: Object, old: Object) -> Errors:
    known = {gate["name"] for gate in old["spec"].get("schedulingGates") or []}
    for index, gate in enumerate(new["spec"].get("schedulingGates") or []):
        if gate["name"] not in known:
            said = f"only deletion is allowed, but found new scheduling gate '{gate['name']}'"
            yield forbidden(f"spec.schedulingGates[{index}].name", said)
    if is_gated(old):
        yield from _narrowed_selector(new["spec"].get("nodeSelector") or {}, old["spec"].get("nodeSelector") or {})
        yield from _narrowed_affinity(_terms(new), _terms(old))


def _narrowed_selector(new: dict[str, str], old: dict[str, str]) -> Errors:
    if any(new.get(key) != value for key, value in old.items()):
        said = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        yield invalid("spec.nodeSelector", new, said)


def _terms(obj: Object) -> list[dict[str, Any]]:
    affinity = (obj["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    return list((affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [])


def _narrowed_affinity(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> Errors:
    """A further term would widen the choice, a further requirement of a term narrows it."""
    if not old:
        return
    if len(new) != len(old):
        yield invalid(_TERMS, new, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        return
    for index, (term, before) in enumerate(zip(new, old, strict=True)):
        if not _only_adds(term, before):
            yield invalid(f"{_TERMS}[{index}]", term, "only additions are allowed (no mutations or deletions)")


def _only_adds(term: dict[str, Any], before: dict[str, Any]) -> bool:
    """A term without requirements matches nothing; one more would make it match something."""
    fields = ("matchExpressions", "matchFields")
    if not any(before.get(field) for field in fields):
        return not any(term.get(field) for field in fields)
    return all(requirement in (term.get(field) or []) for field in fields for requirement in before.get(field) or [])


def without_what_may_change(field: str, value: Any) -> Any:
    """Of a gated pod's field what must stay as it is."""
    if field == "nodeSelector":
        return None
    if field == "affinity":
        return {k: v for k, v in (value or {}).items() if k != "nodeAffinity"} or None
    return value
