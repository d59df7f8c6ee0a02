"""PersistentVolumes and PersistentVolumeClaims: sizes, modes, sources, and what of them may change."""

from __future__ import annotations

import posixpath
from typing import Any

from sampan_api import quantity
from sampan_api.fields import fields
from sampan_api.meta import Object
from sampan_api.models.core_v1.persistent_volume import PersistentVolumeSource

from sampan_master.apiserver.validation.affinity import validate_label_selector, validate_node_selector
from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, one_of, required, unsupported
from sampan_master.apiserver.validation.names import complain, dns_label_name, dns_subdomain
from sampan_master.apiserver.validation.updates import differences, unchanged
from sampan_master.apiserver.validation.volumes import validate_host_path

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
"""The annotation that named the class before there was a field for it."""
_ALONE = "ReadWriteOncePod"
_POLICIES = ("Delete", "Recycle", "Retain")
SOURCES = tuple(fields(PersistentVolumeSource))

Spec = dict[str, Any]


def validate_volume(obj: Object) -> Errors:
    spec = obj["spec"]
    if not spec.get("accessModes"):
        yield required("spec.accessModes")
    yield from _access_modes(spec)
    yield from _capacity(spec.get("capacity") or {})
    policy = spec["persistentVolumeReclaimPolicy"]
    yield from one_of(policy, _POLICIES, "spec.persistentVolumeReclaimPolicy")
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        if affinity.get("required") is None:
            yield required("spec.nodeAffinity.required", "must specify required node constraints")
        else:
            yield from validate_node_selector(affinity["required"], "spec.nodeAffinity.required")
    yield from _source(spec)
    yield from class_name(spec, "storageClassName")
    yield from _volume_mode(spec)
    yield from _attributes(spec)


def _access_modes(spec: Spec) -> Errors:
    modes = spec.get("accessModes") or []
    for mode in modes:
        yield from one_of(mode, ACCESS_MODES, "spec.accessModes")
    if _ALONE in modes and any(mode in ACCESS_MODES and mode != _ALONE for mode in modes):
        yield forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes")


def _capacity(capacity: dict[str, str]) -> Errors:
    if not capacity:
        yield required("spec.capacity")
    if set(capacity) != {"storage"}:
        yield unsupported("spec.capacity", capacity, ("storage",))
    for name, amount in capacity.items():
        yield from positive(amount, f"spec.capacity[{name}]")


def positive(amount: str, path: str) -> Errors:
    if quantity.milli(amount) <= 0:
        yield invalid(path, amount, "must be greater than zero")


def _source(spec: Spec) -> Errors:
    said = [source for source in SOURCES if spec.get(source) is not None]
    if not said:
        yield required("spec", "must specify a volume type")
        return
    for source in said[1:]:
        yield forbidden(f"spec.{source}", "may not specify more than 1 volume type")
    source, value = said[0], spec[said[0]]
    table = fields(PersistentVolumeSource)[source].message
    assert table is not None
    if source == "hostPath":
        yield from validate_host_path(value, "spec.hostPath")
        if posixpath.normpath(value["path"]) == "/" and spec["persistentVolumeReclaimPolicy"] == "Recycle":
            said_root = "may not be 'recycle' for a hostPath mount of '/'"
            yield forbidden("spec.persistentVolumeReclaimPolicy", said_root)
        return
    for name, field in fields(table).items():
        if field.required and value.get(name) in (None, "", [], {}):
            yield required(f"spec.{source}.{name}")
    if source == "local":
        if ".." in value["path"].split("/"):
            yield invalid("spec.local.path", value["path"], "must not contain '..'")
        if spec.get("nodeAffinity") is None:
            yield required("spec.nodeAffinity", "Local volume requires node affinity")


def class_name(spec: Spec, field: str) -> Errors:
    if spec.get(field):
        yield from complain(f"spec.{field}", spec[field], dns_subdomain(spec[field]))


def _volume_mode(spec: Spec) -> Errors:
    yield from one_of(spec["volumeMode"], VOLUME_MODES, "spec.volumeMode")


def _attributes(spec: Spec) -> Errors:
    if spec.get("volumeAttributesClassName") is None:
        return
    if not spec["volumeAttributesClassName"]:
        yield required("spec.volumeAttributesClassName", "an empty string is disallowed")
    yield from class_name(spec, "volumeAttributesClassName")
    if spec.get("csi") is None:
        yield required("spec.csi", "has to be specified when using volumeAttributesClassName")


def validate_volume_update(new: Object, old: Object) -> Errors:
    spec, before = new["spec"], old["spec"]
    changed = _difference(_comparable_sources(spec, before), _comparable_sources(before, before))
    if changed:
        said = f"spec.persistentvolumesource is immutable after creation\n{changed}"
        yield forbidden("spec.persistentvolumesource", said)
    yield from unchanged(spec, before, ("volumeMode",))
    if before.get("nodeAffinity") is not None and spec.get("nodeAffinity") != before["nodeAffinity"]:
        said = "field is immutable, except for updating from beta label to GA"
        yield invalid("nodeAffinity", spec.get("nodeAffinity"), said)
    yield from _kept_attributes(spec, before)


def _comparable_sources(spec: Spec, before: Spec) -> Spec:
    """The sources, without the one secret that may be added later."""
    found = {source: spec[source] for source in SOURCES if spec.get(source) is not None}
    if "csi" in found and "controllerExpandSecretRef" not in (before.get("csi") or {}):
        found["csi"] = {k: v for k, v in found["csi"].items() if k != "controllerExpandSecretRef"}
    return found


def _kept_attributes(spec: Spec, before: Spec) -> Errors:
    if before.get("volumeAttributesClassName") is None:
        return
    if spec.get("volumeAttributesClassName") is None:
        yield forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")
    elif not spec["volumeAttributesClassName"]:
        said = "update from non-nil value to an empty string is forbidden"
        yield forbidden("spec.volumeAttributesClassName", said)


def _difference(new: Spec, old: Spec) -> str:
    changed = (field for field in sorted(new.keys() | old.keys()) if new.get(field) != old.get(field))
    return differences(new, old, changed)


def validate_claim(obj: Object) -> Errors:
    spec = obj["spec"]
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if spec.get("selector") is not None:
        yield from validate_label_selector(spec["selector"], "spec.selector")
    yield from _access_modes(spec)
    size = (spec["resources"].get("requests") or {}).get("storage")
    if size is None:
        yield required("spec.resources[storage]")
    else:
        yield from positive(size, "spec.resources[storage]")
    yield from class_name(spec, "storageClassName")
    yield from _volume_mode(spec)
    for field in ("dataSource", "dataSourceRef"):
        if spec.get(field) is not None:
            yield from _data_source(spec[field], f"spec.{field}")
    yield from _one_source(spec)
    yield from class_name(spec, "volumeAttributesClassName")


def _data_source(source: dict[str, Any], path: str) -> Errors:
    for field in ("name", "kind"):
        if not source.get(field):
            yield required(f"{path}.{field}")
    group = source.get("apiGroup") or ""
    if group:
        yield from complain(f"{path}.apiGroup", group, dns_subdomain(group))
    elif source.get("kind") != "PersistentVolumeClaim":
        said = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        yield invalid(path, source.get("kind", ""), said)
    if source.get("namespace"):
        yield from complain(f"{path}.namespace", source["namespace"], dns_label_name(source["namespace"]))


def _one_source(spec: Spec) -> Errors:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is None or reference is None:
        return
    if reference.get("namespace"):
        yield invalid("spec", "spec.dataSource", "may not be specified when dataSourceRef.namespace is specified")
    elif source != {k: v for k, v in reference.items() if k != "namespace"}:
        yield invalid("spec", "spec.dataSource", "must match dataSourceRef")


def validate_claim_update(new: Object, old: Object) -> Errors:
    spec, before = dict(new["spec"]), old["spec"]
    bound = (old.get("status") or {}).get("phase") == "Bound"
    free = ["volumeAttributesClassName"]
    if not before.get("volumeName"):
        free.append("volumeName")
    if before.get("storageClassName") is None:
        free.append("storageClassName")
    size, had = (each["resources"].get("requests", {}).get("storage", "0") for each in (spec, before))
    if bound and "requests" in spec["resources"]:
        kept = {**spec["resources"]["requests"], "storage": had}
        spec["resources"] = {**spec["resources"], "requests": kept}
    changed = _difference(*({k: v for k, v in each.items() if k not in free} for each in (spec, before)))
    if changed:
        said = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield forbidden("spec", f"{said}\n{changed}")
    real = ((old.get("status") or {}).get("capacity") or {}).get("storage", "0")
    if quantity.parse(size) < quantity.parse(had) and quantity.parse(size) <= quantity.parse(real):
        yield forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
    yield from unchanged(spec, before, ("volumeMode",))
    yield from _kept_attributes(spec, before)
    annotations = [(each["metadata"].get("annotations") or {}).get(BETA_CLASS, "") for each in (new, old)]
    if annotations[0] != annotations[1]:
        yield invalid(f"metadata.annotations[{BETA_CLASS}]", annotations[0], "field is immutable")
