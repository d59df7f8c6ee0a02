"""What a DELETE does to an object: remove it now, or mark it and let its node, finalizers and controllers finish.

Graceful deletion (pods): `deletionTimestamp` lies `grace` seconds ahead; the node agent ends the processes and
deletes again with grace 0. While the time runs a second DELETE can only shorten it. Propagation: Foreground and Orphan
leave a finalizer for the garbage collector.
"""

from __future__ import annotations

from typing import Any

from sampan_api.client import DeleteOptions
from sampan_api.clock import parse_time, rfc3339
from sampan_api.errors import Conflict
from sampan_api.meta import Object

from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType

_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"


def check_preconditions(rt: ResourceType, obj: Object, options: DeleteOptions) -> None:
    """Raises Conflict when uid or resourceVersion are not the ones asked for."""
    metadata = obj["metadata"]
    for what, asked, found, perhaps in (
        ("UID", options.uid, metadata.get("uid"), "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, metadata.get("resourceVersion"), "modified"),
    ):
        if asked and asked != found:
            raise _precondition_failed(rt, metadata["name"], what, (asked, found), perhaps)


def _precondition_failed(
    rt: ResourceType, name: str, what: str, values: tuple[str, str | None], perhaps: str
) -> Conflict:
    asked, found = values
    if rt.kind == "Namespace":  # The one kind whose deletion is the real server's own work, in its own words.
        why = f"Precondition failed: {what} in precondition: {asked}, {what} in object meta: {found}"
        return problems.conflict(rt, name, why)
    why = (
        f"the {what} in the precondition ({asked}) does not match the {what} in record ({found})."
        f" The object might have been {perhaps}"
    )
    return problems.conflict(rt, name, why, subject=rt.kind)


def marked(rt: ResourceType, obj: Object, options: DeleteOptions, now: float) -> Object | None:
    """The object as it lingers after this DELETE (`obj` itself when nothing changes); None: remove it now."""
    after = outcome(rt, obj, options, now)
    if not after["metadata"]["deletionGracePeriodSeconds"] and not rt.lingers(after):
        return None
    rt.mark_deleted(after)
    return obj if after == obj else after


def outcome(rt: ResourceType, obj: Object, options: DeleteOptions, now: float) -> Object:
    """What this DELETE makes of the object, whether it lingers so or is gone with it."""
    metadata: dict[str, Any] = dict(obj["metadata"])
    left = metadata.get("deletionGracePeriodSeconds") or 0
    if not metadata.get("deletionTimestamp"):
        grace = rt.grace(obj, options.grace_seconds)
        metadata["deletionTimestamp"] = rfc3339(now + grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if rt.generation:
            metadata["generation"] = metadata.get("generation", 0) + 1
    elif left:
        asked = left if options.grace_seconds is None else _at_least_a_second(options.grace_seconds)
        if asked >= left:
            return obj
        metadata["deletionTimestamp"] = rfc3339(parse_time(metadata["deletionTimestamp"]) - left + asked)
        metadata["deletionGracePeriodSeconds"] = asked
    else:
        metadata["deletionGracePeriodSeconds"] = 0
    finalizers = _finalizers(rt, metadata.get("finalizers") or [], options.propagation)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    return {**obj, "metadata": metadata}


def _at_least_a_second(grace: int) -> int:
    """A negative time counts as one second."""
    return 1 if grace < 0 else grace


def _finalizers(rt: ResourceType, finalizers: list[str], propagation: str) -> list[str]:
    if not propagation and rt.orphans and _ORPHAN not in finalizers and _FOREGROUND not in finalizers:
        propagation = "Orphan"
    if not propagation or rt.expires:  # Events have no dependents.
        return finalizers
    kept = [name for name in finalizers if name not in (_ORPHAN, _FOREGROUND)]
    added = {"Orphan": [_ORPHAN], "Foreground": [_FOREGROUND]}.get(propagation, [])
    return kept + added


def is_finished(rt: ResourceType, obj: Object) -> bool:
    """Whether an update has left nothing that holds a deleted object."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("deletionGracePeriodSeconds"):
        return False
    return not rt.lingers(obj)
