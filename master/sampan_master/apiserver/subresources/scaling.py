"""`scale`: the number of replicas of something, read and written as `autoscaling/v1` Scale. Free of HTTP.

Any type that lists `SCALE_SUBRESOURCE` has it: replicas are in its `spec` and `status`, and `scale_selector` of the
type says which pods they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan_api import patches, schema
from sampan_api.client import PatchType, Resource
from sampan_api.clock import rfc3339
from sampan_api.fieldsets.managers import Managed, entries_of, stored
from sampan_api.fieldsets.updating import Write, updated
from sampan_api.meta import Object, with_path

from sampan_master.apiserver.encoding.decoding import decode
from sampan_master.apiserver.encoding.options import WriteOptions
from sampan_master.apiserver.registry.applying import Configuration, configured
from sampan_master.apiserver.registry.ownership import with_owners
from sampan_master.apiserver.registry.patching import Patch, patch_error
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.subresources.scale_ownership import owners_of_parent, owners_of_scale
from sampan_master.apiserver.validation.fields import invalid, invalid_object
from sampan_master.storage import Entry

_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(rt: ResourceType, obj: Object) -> Object:
    metadata, status = obj["metadata"], obj.get("status") or {}
    replicas = obj["spec"].get("replicas", 0)
    scaled: dict[str, Any] = {"replicas": status.get("replicas", 0)}
    selector = rt.scale_selector(obj)
    if selector:
        scaled["selector"] = selector
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.resource.api_version,
        "metadata": {field: metadata[field] for field in _KEPT if field in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": scaled,
    }


def _cells(obj: Object, now: float) -> list[Any]:
    return [
        obj["metadata"]["name"],
        obj["spec"].get("replicas", 0),
        obj["status"]["replicas"],
        age(obj, now),
    ]


SCALE = ResourceType(
    resource=Resource("autoscaling", "v1", "scales", "Scale", True),
    singular="scale",
    columns=(NAME_COLUMN, Column("Desired", "integer"), Column("Available", "integer"), AGE_COLUMN),
    cells=_cells,
)
"""How a Scale is shown; it is never stored, so it is in no table of resources."""


async def update_scale(
    registry: Registry, rt: ResourceType, namespace: str, name: str, scale: Object, options: WriteOptions
) -> Object:
    """PUT of a Scale. Raises Conflict, Invalid, NotFound."""
    asked = decode(scale, SCALE.resource.api_version, SCALE.kind, options)
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
        return decode(patched(current), SCALE.resource.api_version, SCALE.kind, options)

    return await _rescale(registry, rt, namespace, name, apply, options)


async def apply_scale(
    registry: Registry, rt: ResourceType, namespace: str, name: str, config: Configuration, options: WriteOptions
) -> Object:
    """Server-side apply of a Scale: of the parent it owns the replicas."""
    write = _write(options, registry.clock.now())

    def change(entry: Entry) -> Object:
        before = scale_of(rt, entry.obj)
        scale, owners = configured(config, SCALE.kind, before, _owners(rt, entry.obj), write, options)
        return _rescaled(rt, name, entry.obj, scale, owners)

    return scale_of(rt, (await registry.modify(rt, namespace, name, change, options)).obj)


async def _rescale(
    registry: Registry,
    rt: ResourceType,
    namespace: str,
    name: str,
    make: Callable[[Object], Object],
    options: WriteOptions,
) -> Object:
    write = _write(options, registry.clock.now())

    def change(entry: Entry) -> Object:
        before, owners = scale_of(rt, entry.obj), _owners(rt, entry.obj)
        scale = make(before)
        counted = bool(entry.obj["metadata"].get("managedFields"))
        return _rescaled(rt, name, entry.obj, scale, updated(before, scale, owners, write) if counted else owners)

    return scale_of(rt, (await registry.modify(rt, namespace, name, change, options)).obj)


def _write(options: WriteOptions, now: float) -> Write:
    version = SCALE.resource.api_version
    return Write(schema.model_for(version, SCALE.kind), version, options.manager, rfc3339(now), "scale")


def _owners(rt: ResourceType, obj: Object) -> Managed:
    owners = stored(obj["metadata"].get("managedFields"))
    return owners_of_scale(owners, rt.resource.api_version, SCALE.resource.api_version)


def _rescaled(rt: ResourceType, name: str, obj: Object, scale: Object, owners: Managed) -> Object:
    """The parent with the Scale's replicas and owners. Raises Conflict, Invalid."""
    version = scale["metadata"].get("resourceVersion")
    if version and version != obj["metadata"]["resourceVersion"]:
        raise problems.conflict(rt, name)
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        wrong = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid_object(SCALE.kind, SCALE.group, name, [wrong])
    before = stored(obj["metadata"].get("managedFields"))
    after = owners_of_parent(before, owners, rt.resource.api_version, SCALE.resource.api_version)
    result = with_path(obj, ("spec", "replicas"), replicas)
    return with_owners(result, entries_of(after)) if before or after else result
