"""Storage drivers and what they tell: CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object
from sampan_api.names import dns_subdomain, qualified_name

from sampan_master.apiserver.validation.affinity import validate_label_selector
from sampan_master.apiserver.validation.fields import (
    Errors,
    duplicate,
    forbidden,
    invalid,
    one_of,
    required,
    too_long,
)
from sampan_master.apiserver.validation.names import complain
from sampan_master.apiserver.validation.numbers import non_negative, token_lifetime
from sampan_master.apiserver.validation.resources import non_negative_amount
from sampan_master.apiserver.validation.updates import immutable, unchanged

GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
LIFECYCLES = ("Persistent", "Ephemeral")
_NAME_BYTES, _NODE_ID_BYTES = 63, 192
_LEAST_PERIOD = 10
_METADATA_BYTES, _MESSAGE_BYTES = 256 * 1024, 1024
_NOT_INLINE = "may not be specified in the context of inline volumes"


def validate_driver(obj: Object) -> Errors:
    spec = obj["spec"]
    yield from one_of(spec["fsGroupPolicy"], GROUP_POLICIES, "spec.fsGroupPolicy")
    yield from _token_requests(spec.get("tokenRequests") or [])
    for mode in spec["volumeLifecycleModes"]:
        yield from one_of(mode, LIFECYCLES, "spec.volumeLifecycleModes")
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < _LEAST_PERIOD:
        said = f"must be greater than or equal to {_LEAST_PERIOD} seconds"
        yield invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, said)


def _token_requests(requests: list[dict[str, Any]]) -> Errors:
    seen: set[str] = set()
    for index, request in enumerate(requests):
        at, audience = f"spec.tokenRequests[{index}]", request.get("audience", "")
        if audience in seen:
            yield duplicate(f"{at}.audience", audience)
            continue
        seen.add(audience)
        yield from token_lifetime(request.get("expirationSeconds"), f"{at}.expirationSeconds")


def validate_driver_update(new: Object, old: Object) -> Errors:
    for field, told in (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")):
        if new["spec"][field] != old["spec"].get(field):
            yield immutable(f"spec.{told}", new["spec"][field])


def validate_node(obj: Object) -> Errors:
    seen: set[str] = set()
    for index, driver in enumerate(obj["spec"].get("drivers") or []):
        at, name = f"spec.drivers[{index}]", driver.get("name", "")
        yield from driver_name(name, f"{at}.name")
        node_id = driver.get("nodeID", "")
        if not node_id:
            yield required(f"{at}.nodeID")
        if len(node_id.encode()) > _NODE_ID_BYTES:
            yield invalid(f"{at}.nodeID", node_id, f"must be {_NODE_ID_BYTES} characters or less")
        yield from non_negative((driver.get("allocatable") or {}).get("count"), f"{at}.allocatable.count")
        if name in seen:
            yield duplicate(f"{at}.name", name)
        seen.add(name)
        yield from _topology_keys(driver.get("topologyKeys") or [], at)


def _topology_keys(keys: list[str], at: str) -> Errors:
    for place, key in enumerate(keys):
        if not key:
            yield required(at)
        if key in keys[:place]:
            yield duplicate(at, key)
        yield from complain(at, key, qualified_name(key))


def validate_node_update(new: Object, old: Object) -> Errors:
    """A driver that stays keeps everything but how many volumes it takes."""
    before = {driver["name"]: driver for driver in old["spec"].get("drivers") or []}
    for driver in new["spec"].get("drivers") or []:
        kept = before.get(driver.get("name", ""))
        if kept is not None and _but_allocatable(kept) != _but_allocatable(driver):
            yield immutable("spec.drivers", _but_allocatable(driver))


def _but_allocatable(driver: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in driver.items() if name != "allocatable"}


def driver_name(name: str, path: str) -> Errors:
    if not name:
        yield required(path)
    if len(name.encode()) > _NAME_BYTES:
        yield too_long(path, _NAME_BYTES)
    yield from complain(path, name, dns_subdomain(name.lower()))


def validate_capacity(obj: Object) -> Errors:
    if obj.get("nodeTopology") is not None:
        yield from validate_label_selector(obj["nodeTopology"], "nodeTopology")
    name = obj.get("storageClassName", "")
    yield from complain("storageClassName", name, dns_subdomain(name))
    if obj.get("capacity") is not None:
        yield from non_negative_amount(obj["capacity"], "capacity")


def validate_capacity_update(new: Object, old: Object) -> Errors:
    return unchanged(new, old, ("nodeTopology", "storageClassName"))


def validate_attachment(obj: Object) -> Errors:
    spec = obj["spec"]
    yield from driver_name(spec.get("attacher", ""), "spec.attacher")
    yield from _attached_source(spec.get("source") or {})
    yield from complain("spec.nodeName", spec.get("nodeName", ""), dns_subdomain(spec.get("nodeName", "")))
    yield from _attachment_status(obj.get("status") or {})


def _attached_source(source: dict[str, Any]) -> Errors:
    path = "spec.source"
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    one = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    if name is None and inline is None:
        yield required(path, one)
    elif name is not None and inline is not None:
        yield forbidden(path, one)
    elif name is not None:
        if not name:
            yield required(f"{path}.persistentVolumeName", "must specify non empty persistentVolumeName")
        yield from complain(f"{path}.persistentVolumeName", name, dns_subdomain(name))
    else:
        yield from _inline(inline or {}, f"{path}.inlineVolumeSpec")


def _inline(spec: dict[str, Any], path: str) -> Errors:
    for field in ("claimRef", "capacity"):
        if spec.get(field):
            yield forbidden(f"{path}.{field}", _NOT_INLINE)
    if not spec.get("accessModes"):
        yield required(f"{path}.accessModes")
    if spec.get("csi") is None:
        yield required(f"{path}.csi", "has to be specified in the context of inline volumes")
        return
    yield from driver_name(spec["csi"].get("driver", ""), f"{path}.csi.driver")
    if not spec["csi"].get("volumeHandle"):
        yield required(f"{path}.csi.volumeHandle")


def _attachment_status(status: dict[str, Any]) -> Errors:
    metadata = status.get("attachmentMetadata") or {}
    if sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items()) > _METADATA_BYTES:
        yield too_long("status.attachmentMetadata", _METADATA_BYTES)
    for name in ("attachError", "detachError"):
        error = status.get(name) or {}
        if len(error.get("message", "").encode()) > _MESSAGE_BYTES:
            # Upstream tells the limit of the metadata here.
            yield too_long(f"status.{name}.message", _METADATA_BYTES)
        code = error.get("errorCode")
        if code is not None and code < 0:
            yield invalid(f"status.{name}.errorCode", code, "must be between 0 and 2147483647, inclusive")


def validate_attachment_update(new: Object, old: Object) -> Errors:
    return unchanged(new, old, ("spec",))


def validate_attachment_status(new: Object, _old: Object) -> Errors:
    yield from _attachment_status(new.get("status") or {})
