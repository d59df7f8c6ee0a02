"""The doors of a pod that change one part of its spec: `pods/ephemeralcontainers` and `pods/resize`."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.ephemeral import validate_additions
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.resize import validate_resize

_LISTS = ("initContainers", "containers")


def only_ephemeral(rt: ResourceType, new: Object, old: Object) -> Object:
    spec = {field: value for field, value in old["spec"].items() if field != "ephemeralContainers"}
    if new["spec"].get("ephemeralContainers"):
        spec["ephemeralContainers"] = new["spec"]["ephemeralContainers"]
    return _with_spec(old, spec)


def check_ephemeral(rt: ResourceType, new: Object, old: Object) -> Errors:
    yield from rt.validate(new)
    yield from validate_additions(new, old)


def only_resources(rt: ResourceType, new: Object, old: Object) -> Object:
    """Where containers came, went or moved nothing can be compared: the new ones go on as they are, to be refused."""
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


def check_resources(rt: ResourceType, new: Object, old: Object) -> Errors:
    yield from rt.validate(new)
    yield from validate_resize(new, old)


def _with_spec(old: Object, spec: dict[str, Any]) -> Object:
    return {**old, "metadata": dict(old["metadata"]), "spec": spec}
