"""`ObjectMeta`: names, labels, annotations, finalizers, owners, and what an update may not touch."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.validation.fields import (
    Errors,
    forbidden,
    go_quote,
    invalid,
    required,
    too_long,
)
from sampan_master.apiserver.validation.names import NameRule, complain, label_map, named, qualified_name
from sampan_master.apiserver.validation.updates import unchanged

_ANNOTATIONS_LIMIT = 262144
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


def validate(metadata: dict[str, Any], rule: NameRule, namespaced: bool) -> Errors:
    generate_name = metadata.get("generateName", "")
    if generate_name:
        yield from complain("metadata.generateName", generate_name, rule(generate_name.rstrip("-.")))
    name = metadata.get("name", "")
    yield from named(name, rule, "metadata.name", "name or generateName is required")
    if namespaced and not metadata.get("namespace"):
        yield required("metadata.namespace")
    yield from label_map(metadata.get("labels") or {}, "metadata.labels")
    yield from validate_annotations(metadata.get("annotations") or {}, "metadata.annotations")
    yield from _owners(metadata.get("ownerReferences") or [])
    yield from _finalizers(metadata.get("finalizers") or [])


def validate_annotations(found: dict[str, str], path: str) -> Errors:
    size = 0
    for key, value in found.items():
        yield from complain(path, key, qualified_name(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > _ANNOTATIONS_LIMIT:
        yield too_long(path, _ANNOTATIONS_LIMIT)


def _owners(owners: list[dict[str, Any]]) -> Errors:
    path = "metadata.ownerReferences"
    controllers = []
    for owner in owners:
        if not owner.get("apiVersion"):
            yield invalid(f"{path}.apiVersion", "", "version must not be empty")
        for part in ("kind", "name", "uid"):
            if not owner.get(part):
                yield invalid(f"{path}.{part}", "", "must not be empty")
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            yield invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner")
        if owner.get("controller"):
            controllers.append(owner)
    if len(controllers) > 1:
        said = " and ".join(f"{owner['kind']}/{owner['name']}" for owner in controllers[:2])
        yield invalid(
            path,
            owners,
            f'Only one reference can have Controller set to true. Found "true" in references for {said}',
        )


def finalizer_names(finalizers: list[str], at: str) -> Errors:
    for index, name in enumerate(finalizers):
        path = f"{at}[{index}]"
        complaints = qualified_name(name)
        yield from complain(path, name, complaints)
        if not complaints and "/" not in name and name not in _STANDARD_FINALIZERS:
            yield invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")


def _finalizers(finalizers: list[str]) -> Errors:
    yield from finalizer_names(finalizers, "metadata.finalizers")
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        yield invalid(
            "metadata.finalizers",
            finalizers,
            "finalizer orphan and foregroundDeletion cannot be both set",
        )


def validate_update(new: Object, old: Object) -> Errors:
    """Assumes that the registry has restored what it silently restores (creationTimestamp, generation)."""
    new_meta, old_meta = new["metadata"], old["metadata"]
    if old_meta.get("deletionTimestamp"):
        added = [f for f in new_meta.get("finalizers") or [] if f not in (old_meta.get("finalizers") or [])]
        if added:
            found = "[]string{" + ", ".join(map(go_quote, added)) + "}"
            yield forbidden(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new finalizers " + found,
            )
    kept = ("name", "namespace", "uid", "deletionTimestamp", "deletionGracePeriodSeconds")
    yield from unchanged(new_meta, old_meta, kept, "metadata")
