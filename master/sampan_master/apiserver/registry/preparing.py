"""What the server itself writes into an object before it is stored, on create and on update.

Clients cannot set what is written here: uid, creationTimestamp, generation and deletion are the server's.
"""

from __future__ import annotations

from typing import Any

from sampan_api.clock import rfc3339
from sampan_api.errors import ApiError, BadRequest
from sampan_api.meta import Object

from sampan_master.apiserver.encoding.go_numbers import parse_uint
from sampan_master.apiserver.resources.generated_names import generated_name, random_uuid
from sampan_master.apiserver.resources.resource_type import ResourceType

_ORDER = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
"""`selfLink` is long gone."""

WRONG_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


def place(rt: ResourceType, namespace: str, obj: Object) -> None:
    """Puts the object into the namespace of the request. Raises BadRequest when it names another one."""
    metadata = obj["metadata"]
    if not rt.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace", namespace) != namespace:
        raise BadRequest(WRONG_NAMESPACE)
    metadata["namespace"] = namespace


def for_create(rt: ResourceType, obj: Object, now: float) -> None:
    metadata = {field: obj["metadata"].get(field) for field in _ORDER}
    metadata["uid"] = random_uuid()
    metadata["creationTimestamp"] = rfc3339(now)
    for field in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"):
        metadata[field] = None
    if rt.generation:
        metadata["generation"] = 1
    if not metadata["name"] and metadata["generateName"]:
        metadata["name"] = generated_name(metadata["generateName"])
    obj["metadata"] = _present(metadata)
    if rt.separate_status:
        obj.pop("status", None)
    rt.prepare_create(obj)


def refuse_version_on_create(obj: Object) -> None:
    if obj["metadata"].get("resourceVersion"):
        raise ApiError("resourceVersion should not be set on objects to be created")


def check_name(name: str, namespace: str, rt: ResourceType, obj: Object) -> None:
    """The object of an update must be the one of the URL. Raises BadRequest."""
    metadata = obj["metadata"]
    said = metadata.get("name", "")
    if not said:
        raise BadRequest(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if said != name:
        raise BadRequest(f"the name of the object ({said}) does not match the name on the URL ({name})")
    place(rt, namespace, obj)


def for_update(rt: ResourceType, new: Object, old: Object) -> None:
    """Restores what a client may leave out or may not change without being told so."""
    old_meta = old["metadata"]
    metadata = {field: new["metadata"].get(field) for field in _ORDER}
    metadata["creationTimestamp"] = old_meta.get("creationTimestamp")
    metadata["resourceVersion"] = old_meta.get("resourceVersion")
    for field in ("uid", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if not metadata[field]:
            metadata[field] = old_meta.get(field)
    metadata["generation"] = old_meta.get("generation")
    new["metadata"] = _present(metadata)
    if rt.generation and _counted_content(rt, new) != _counted_content(rt, old):
        new["metadata"]["generation"] = (old_meta.get("generation") or 0) + 1


def counted(rt: ResourceType, new: Object, old: Object) -> Object:
    """`new` with its generation raised when replicas changed; a pod's binding is no change of its spec."""
    if not rt.generation or rt.kind == "Pod" or _counted_content(rt, new) == _counted_content(rt, old):
        return new
    generation = (old["metadata"].get("generation") or 0) + 1
    return {**new, "metadata": {**new["metadata"], "generation": generation}}


def _counted_content(rt: ResourceType, obj: Object) -> dict[str, Any]:
    """What a change of raises the generation."""
    content = {k: v for k, v in obj.items() if k not in ("metadata", "status")}
    if rt.counts_annotations:
        content["metadata"] = obj["metadata"].get("annotations")
    return content


def _present(metadata: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in metadata.items() if value is not None and value not in ("", [], {})}


def version_number(text: str) -> int:
    """A resourceVersion given by a client. Raises a 500 without reason when it is no number."""
    try:
        return parse_uint(text)
    except ValueError as error:
        raise ApiError(str(error)) from error
