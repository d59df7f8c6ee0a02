"""`pods/binding`: a pod gets its node. Free of HTTP, like the registry."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan_api.clock import rfc3339
from sampan_api.errors import ApiError, BadRequest
from sampan_api.meta import Object

from sampan_master.apiserver.encoding.options import WriteOptions
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.storage import Entry

SUCCESS_CREATED: dict[str, Any] = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Success",
    "code": 201,
}


async def bind(
    registry: Registry, rt: ResourceType, namespace: str, name: str, binding: Object, options: WriteOptions
) -> None:
    """Gives a pod its node. Raises Conflict when it has one, is going, is not the one that is meant (uid and
    resourceVersion of the Binding) or the node has no room for it (`node_room`), BadRequest, NotFound, a 500 without a
    target."""
    target = (binding.get("target") or {}).get("name", "")
    if not target:
        raise ApiError("target.name: Required value")
    asked = binding["metadata"]
    if asked.get("name") != name:
        raise BadRequest("name in URL does not match name in Binding object")
    uids: list[str] = []

    def change(entry: Entry) -> Object:
        obj = entry.obj
        metadata = obj["metadata"]
        for what, field in (("UID", "uid"), ("ResourceVersion", "resourceVersion")):
            meant, found = asked.get(field), metadata.get(field)
            if meant and meant != found:
                why = f"Precondition failed: {what} in precondition: {meant}, {what} in object meta: {found}"
                raise problems.conflict(rt, name, why, subject="pods/binding")
        if metadata.get("deletionTimestamp"):
            why = f"pod {name} is being deleted, cannot be assigned to a host"
            raise problems.conflict(rt, name, why, subject="pods/binding")
        if obj["spec"].get("schedulingGates"):
            why = f"pod {name} has non-empty .spec.schedulingGates"
            raise problems.conflict(rt, name, why, subject="pods/binding")
        taken = obj["spec"].get("nodeName")
        if taken:
            why = f'pod {name} is already assigned to node "{taken}"'
            raise problems.conflict(rt, name, why, subject="pods/binding")
        full = registry.node_room.reserve(obj, target)
        if full:
            raise problems.conflict(rt, name, full, subject="pods/binding")
        uids[:] = [metadata["uid"]]
        return _bound(obj, target, asked, rfc3339(registry.clock.now()))

    written = False
    try:
        await registry.modify(rt, namespace, name, change, options)
        written = not options.dry_run
    except asyncio.CancelledError:
        # Nobody knows: the room is kept until the pod's next change shows.
        written = True
        raise
    finally:
        for uid in uids if not written else ():
            registry.node_room.release(uid)


def _bound(obj: Object, node: str, asked: dict[str, Any], now: str) -> Object:
    metadata = dict(obj["metadata"])
    for field in ("annotations", "labels"):
        if asked.get(field):
            metadata[field] = {**(metadata.get(field) or {}), **asked[field]}
    status = dict(obj.get("status") or {})
    others = [c for c in status.get("conditions") or [] if c.get("type") != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    status["conditions"] = [*others, scheduled]
    status.pop("nominatedNodeName", None)  # KEP-5278, on from Kubernetes 1.35: it was about where the pod may go.
    return {**obj, "metadata": metadata, "spec": {**obj["spec"], "nodeName": node}, "status": status}
