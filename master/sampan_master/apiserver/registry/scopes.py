"""Scopes: which part of an object each door of an update may change.

`restrict` takes what the client sent and what is stored, and gives what may be stored: from the client only the part
that is this door's. `validate` checks that part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sampan_api.fieldsets.sets import FieldSet
from sampan_api.meta import Object

from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.certificates import validate_approval
from sampan_master.apiserver.validation.ephemeral import validate_additions
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.metadata import finalizer_names
from sampan_master.apiserver.validation.resize import validate_resize

_LISTS = ("initContainers", "containers")


def _everything_changes(rt: ResourceType) -> FieldSet:
    return {}


@dataclass(frozen=True, slots=True)
class Scope:
    """`defaults`: the door takes a whole object, so defaults and admission apply to it. `subresource` is how
    managedFields name the door, `untouched` what it leaves alone: nobody comes to own that through it. `narrow`: that
    is more than a set of fields can say, so owners are told by what `restrict` leaves of the client's object."""

    restrict: Callable[[ResourceType, Object, Object], Object]
    validate: Callable[[ResourceType, Object, Object], Errors]
    defaults: bool = False
    subresource: str = ""
    untouched: Callable[[ResourceType], FieldSet] = _everything_changes
    narrow: bool = False
    apart: bool = False
    """Of what the client sends only status and metadata count, so that the rest of a patched object is taken as it is
    stored and not decoded again."""


def _main(rt: ResourceType, new: Object, old: Object) -> Object:
    result = new
    if rt.separate_status:
        result = {k: v for k, v in new.items() if k != "status"}
        if "status" in old:
            result["status"] = old["status"]
    rt.prepare_update(result, old)
    return result


def _validate_main(rt: ResourceType, new: Object, old: Object) -> Errors:
    yield from rt.validate(new)
    yield from rt.validate_update(new, old)


def _status(rt: ResourceType, new: Object, old: Object) -> Object:
    """Status and metadata; owners are not the status writer's business."""
    metadata = dict(new["metadata"])
    for field in ("ownerReferences", "generateName"):
        metadata.pop(field, None)
        if field in old["metadata"]:
            metadata[field] = old["metadata"][field]
    result = {**old, "metadata": metadata}
    result.pop("status", None)
    if "status" in new:
        result["status"] = new["status"]
    rt.prepare_status(result, old)
    return result


def _validate_status(rt: ResourceType, new: Object, old: Object) -> Errors:
    yield from rt.validate_status(new, old)


def _finalize(rt: ResourceType, new: Object, old: Object) -> Object:
    """`namespaces/finalize`: spec.finalizers and metadata."""
    rt.default(new)
    spec = {k: v for k, v in (old.get("spec") or {}).items() if k != "finalizers"}
    finalizers = (new.get("spec") or {}).get("finalizers")
    if finalizers:
        spec["finalizers"] = finalizers
    return {**old, "metadata": new["metadata"], "spec": spec}


def _validate_finalize(rt: ResourceType, new: Object, old: Object) -> Errors:
    yield from finalizer_names(new["spec"].get("finalizers") or [], "spec.finalizers")


def _approval(rt: ResourceType, new: Object, old: Object) -> Object:
    """`certificatesigningrequests/approval`: status.conditions and metadata."""
    status = {k: v for k, v in (old.get("status") or {}).items() if k != "conditions"}
    conditions = (new.get("status") or {}).get("conditions")
    if conditions:
        status = {"conditions": conditions, **status}
    return {**old, "metadata": new["metadata"], "status": status}


def _validate_approval(rt: ResourceType, new: Object, old: Object) -> Errors:
    yield from validate_approval(new, old)


def _ephemeral(rt: ResourceType, new: Object, old: Object) -> Object:
    """`pods/ephemeralcontainers`: the field of that name."""
    spec = {field: value for field, value in old["spec"].items() if field != "ephemeralContainers"}
    if new["spec"].get("ephemeralContainers"):
        spec["ephemeralContainers"] = new["spec"]["ephemeralContainers"]
    return _with_spec(old, spec)


def _validate_ephemeral(rt: ResourceType, new: Object, old: Object) -> Errors:
    yield from rt.validate(new)
    yield from validate_additions(new, old)


def _resources(rt: ResourceType, new: Object, old: Object) -> Object:
    """`pods/resize`: resources and resizePolicy of containers, in their order.

    Where containers came, went or moved nothing can be compared: the new ones go on as they are, to be refused."""
    spec, before = new["spec"], old["spec"]
    resized = {field: _resized(spec.get(field) or [], before[field]) for field in _LISTS if field in before}
    return _with_spec(old, {**before, **resized})


def _resized(containers: list[dict[str, Any]], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if [c.get("name") for c in containers] != [c["name"] for c in before]:
        return containers
    return [_taking_resources(new, old) for new, old in zip(containers, before, strict=True)]


def _taking_resources(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    kept = {field: value for field, value in old.items() if field != "resizePolicy"}
    if new.get("resizePolicy"):
        kept["resizePolicy"] = new["resizePolicy"]
    return {**kept, "resources": new.get("resources") or {}}


def _validate_resources(rt: ResourceType, new: Object, old: Object) -> Errors:
    yield from rt.validate(new)
    yield from validate_resize(new, old)


def _with_spec(old: Object, spec: dict[str, Any]) -> Object:
    return {**old, "metadata": dict(old["metadata"]), "spec": spec}


_STATUS: FieldSet = {"f:status": {}}
_ALL_BUT_STATUS: FieldSet = {
    "f:metadata": {"f:deletionTimestamp": {}, "f:generateName": {}, "f:ownerReferences": {}},
    "f:spec": {},
}


def _main_leaves(rt: ResourceType) -> FieldSet:
    return _STATUS if rt.subresource("status") else {}


MAIN = Scope(_main, _validate_main, defaults=True, untouched=_main_leaves)
STATUS = Scope(_status, _validate_status, subresource="status", untouched=lambda rt: _ALL_BUT_STATUS, apart=True)
FINALIZE = Scope(_finalize, _validate_finalize, subresource="finalize", untouched=lambda rt: _STATUS)
EPHEMERAL = Scope(
    _ephemeral,
    _validate_ephemeral,
    defaults=True,
    subresource="ephemeralcontainers",
    narrow=True,
)
RESIZE = Scope(_resources, _validate_resources, defaults=True, subresource="resize", narrow=True)
APPROVAL = Scope(
    _approval,
    _validate_approval,
    subresource="approval",
    untouched=lambda rt: {"f:spec": {}, "f:status": {"f:certificate": {}}},
)

BY_SUBRESOURCE = {
    "": MAIN,
    "status": STATUS,
    "finalize": FINALIZE,
    "ephemeralcontainers": EPHEMERAL,
    "resize": RESIZE,
    "approval": APPROVAL,
}
