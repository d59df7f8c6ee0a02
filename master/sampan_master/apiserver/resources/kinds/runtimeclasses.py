"""RuntimeClass: a way of running containers. Admission puts what it says into the pods that name it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_api.client import RUNTIMECLASSES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.names import complain, dns_label, label_map
from sampan_master.apiserver.validation.podspec import validate_tolerations
from sampan_master.apiserver.validation.resources import validate_requirements
from sampan_master.apiserver.validation.updates import unchanged


def _validate(obj: Object) -> Errors:
    yield from complain("handler", obj["handler"], dns_label(obj["handler"]))
    overhead = obj.get("overhead")
    if overhead is not None:
        yield from validate_requirements({"limits": overhead.get("podFixed") or {}}, "overhead")
    scheduling = obj.get("scheduling")
    if scheduling is not None:
        yield from label_map(scheduling.get("nodeSelector") or {}, "scheduling.nodeSelector")
        yield from validate_tolerations(scheduling.get("tolerations") or [], "scheduling.tolerations")


def _validate_update(new: Object, old: Object) -> Errors:
    return unchanged(new, old, ("handler",))


def handlers(nodes: Iterable[Object]) -> set[str]:
    """What the runtimes of the nodes say they serve. The default handler has no name, so no class can mean it."""
    found = (handler for node in nodes for handler in (node.get("status") or {}).get("runtimeHandlers") or [])
    return {handler.get("name", "") for handler in found}


def refusal(spec: dict[str, Any], chosen: Object | None) -> str:
    """Why a pod cannot be run as this class wants; "" when it can."""
    overhead = ((chosen or {}).get("overhead") or {}).get("podFixed")
    if spec.get("overhead") and not overhead:
        return "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
    if spec.get("overhead") and spec["overhead"] != overhead:
        return "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
    wanted = ((chosen or {}).get("scheduling") or {}).get("nodeSelector") or {}
    for key, value in wanted.items():
        said = (spec.get("nodeSelector") or {}).get(key, value)
        if said != value:
            ours = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}"
            return f"conflict: {ours}; pod.spec.nodeSelector[{key}] = {said}"
    return ""


def complete(spec: dict[str, Any], chosen: Object) -> None:
    """Puts the class's overhead and choice of nodes into a pod's spec."""
    overhead = (chosen.get("overhead") or {}).get("podFixed")
    if overhead:
        spec["overhead"] = dict(overhead)
    scheduling = chosen.get("scheduling") or {}
    if scheduling.get("nodeSelector"):
        spec["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **scheduling["nodeSelector"]}
    tolerations = list(spec.get("tolerations") or [])
    tolerations += [each for each in scheduling.get("tolerations") or [] if each not in tolerations]
    if tolerations:
        spec["tolerations"] = tolerations


def _cells(obj: Object, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj["handler"], age(obj, now)]


RESOURCE = ResourceType(
    resource=RUNTIMECLASSES,
    singular="runtimeclass",
    validate=_validate,
    validate_update=_validate_update,
    columns=(NAME_COLUMN, Column("Handler"), AGE_COLUMN),
    cells=_cells,
)
