"""Subresources that are not a scope of the object itself: scale, binding, eviction. Free of HTTP, like the registry."""

from __future__ import annotations

from typing import Any

from sampan_api import patches
from sampan_api.client import DeleteOptions, PatchType
from sampan_api.clock import rfc3339
from sampan_api.errors import ApiError, BadRequest
from sampan_api.meta import Object, with_path

from sampan_master.apiserver import problems
from sampan_master.apiserver.decoding import decode
from sampan_master.apiserver.options import WriteOptions
from sampan_master.apiserver.registry import Patch, Registry, patch_error
from sampan_master.apiserver.resource import ResourceType
from sampan_master.apiserver.resources.replicasets import format_label_selector
from sampan_master.apiserver.validation.fields import invalid, invalid_object
from sampan_master.storage import Entry

SCALE_VERSION, SCALE_KIND = "autoscaling/v1", "Scale"
SUCCESS_CREATED: dict[str, Any] = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Success",
    "code": 201,
}


def scale_of(obj: Object) -> Object:
    metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
    replicas = spec.get("replicas", 0)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": SCALE_KIND,
        "apiVersion": SCALE_VERSION,
        "metadata": {field: metadata[field] for field in kept if field in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {
            "replicas": status.get("replicas", 0),
            "selector": format_label_selector(spec.get("selector")),
        },
    }


async def update_scale(
    registry: Registry, rt: ResourceType, namespace: str, name: str, scale: Object, options: WriteOptions
) -> Object:
    """PUT of a Scale. Raises Conflict, Invalid, NotFound."""
    asked = decode(scale, SCALE_VERSION, SCALE_KIND, options)
    return await _rescale(registry, rt, namespace, name, lambda current: asked, options)


async def patch_scale(
    registry: Registry, rt: ResourceType, namespace: str, name: str, patch: Patch, options: WriteOptions
) -> Object:
    def patched(current: Object) -> Object:
        try:
            if patch.type is PatchType.JSON:
                return patches.json_patch(current, patch.content)
            # A Scale has neither lists nor merge keys: strategic and merge patch are the same.
            return patches.merge_patch(current, patch.content)
        except patches.PatchError as error:
            raise patch_error(error) from error

    def apply(current: Object) -> Object:
        return decode(patched(current), SCALE_VERSION, SCALE_KIND, options)

    return await _rescale(registry, rt, namespace, name, apply, options)


async def _rescale(
    registry: Registry, rt: ResourceType, namespace: str, name: str, make: Any, options: WriteOptions
) -> Object:
    def change(entry: Entry) -> Object:
        scale = make(scale_of(entry.obj))
        version = scale["metadata"].get("resourceVersion")
        if version and version != entry.obj["metadata"]["resourceVersion"]:
            raise problems.conflict(rt, name)
        replicas = (scale.get("spec") or {}).get("replicas", 0)
        if replicas < 0:
            wrong = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
            raise invalid_object("Scale", "autoscaling", name, [wrong])
        return with_path(entry.obj, ("spec", "replicas"), replicas)

    return scale_of((await registry.modify(rt, namespace, name, change, options)).obj)


async def bind(
    registry: Registry, rt: ResourceType, namespace: str, name: str, binding: Object, options: WriteOptions
) -> None:
    """Gives a pod its node. Raises Conflict when it has one or is going, NotFound, a 500 without a target."""
    target = (binding.get("target") or {}).get("name", "")
    if not target:
        raise ApiError("target.name: Required value")
    asked = binding["metadata"]

    def change(entry: Entry) -> Object:
        obj = entry.obj
        metadata = obj["metadata"]
        if asked.get("uid") and asked["uid"] != metadata.get("uid"):
            why = f"Precondition failed: UID in precondition: {asked['uid']}, UID in object meta: {metadata.get('uid')}"
            raise problems.conflict(rt, name, why, subject="pods/binding")
        if metadata.get("deletionTimestamp"):
            why = f"pod {name} is being deleted, cannot be assigned to a host"
            raise problems.conflict(rt, name, why, subject="pods/binding")
        taken = obj["spec"].get("nodeName")
        if taken:
            why = f'pod {name} is already assigned to node "{taken}"'
            raise problems.conflict(rt, name, why, subject="pods/binding")
        return _bound(obj, target, asked, rfc3339(registry.clock.now()))

    await registry.modify(rt, namespace, name, change, options)


def _bound(obj: Object, node: str, asked: dict[str, Any], now: str) -> Object:
    metadata = dict(obj["metadata"])
    for field in ("annotations", "labels"):
        if asked.get(field):
            metadata[field] = {**(metadata.get(field) or {}), **asked[field]}
    status = dict(obj.get("status") or {})
    others = [c for c in status.get("conditions") or [] if c.get("type") != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    status["conditions"] = [*others, scheduled]
    return {**obj, "metadata": metadata, "spec": {**obj["spec"], "nodeName": node}, "status": status}


async def evict(
    registry: Registry, rt: ResourceType, namespace: str, name: str, eviction: Object, options: WriteOptions
) -> None:
    """Deletes the pod as asked. Disruption budgets are not served yet, so none can forbid it."""
    said = eviction["metadata"].get("name")
    if said and said != name:
        raise BadRequest("name in URL does not match name in Eviction object")
    wishes = eviction.get("deleteOptions") or {}
    preconditions = wishes.get("preconditions") or {}
    delete = DeleteOptions(
        grace_seconds=wishes.get("gracePeriodSeconds"),
        propagation=wishes.get("propagationPolicy") or "",
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
    )
    dry_run = options.dry_run or bool(wishes.get("dryRun"))
    await registry.delete(rt, namespace, name, delete, dry_run=dry_run)
