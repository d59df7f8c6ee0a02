"""What a DELETE does to an object: remove it now, or mark it and let its node, finalizers and controllers finish.

Graceful deletion (pods): `deletionTimestamp` lies `grace` seconds ahead; the node agent ends the processes and
deletes again with grace 0. A second DELETE may shorten the time, never lengthen it. Propagation: Foreground and
Orphan leave a finalizer for the garbage collector.
"""

from __future__ import annotations

from typing import Any

from sampan_api.client import DeleteOptions
from sampan_api.clock import parse_time, rfc3339
from sampan_api.meta import Object

from sampan_master.apiserver import problems
from sampan_master.apiserver.resource import ResourceType

_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"


def check_preconditions(rt: ResourceType, obj: Object, options: DeleteOptions) -> None:
    """Raises Conflict when uid or resourceVersion are not the ones asked for."""
    metadata = obj["metadata"]
    name = metadata["name"]
    if options.uid and options.uid != metadata.get("uid"):
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata.get('uid')})."
            " The object might have been deleted and then recreated"
        )
        raise problems.conflict(rt, name, why, subject=rt.kind)
    version = metadata.get("resourceVersion")
    if options.resource_version and options.resource_version != version:
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion"
            f" in record ({version}). The object might have been modified"
        )
        raise problems.conflict(rt, name, why, subject=rt.kind)


def marked(rt: ResourceType, obj: Object, options: DeleteOptions, now: float) -> Object | None:
    """The object as it lingers after this DELETE (`obj` itself when nothing changes); None: remove it now."""
    metadata: dict[str, Any] = dict(obj["metadata"])
    finalizers = _finalizers(metadata.get("finalizers") or [], options.propagation)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if metadata.get("deletionTimestamp"):
        grace = _shortened(rt, metadata, obj, options)
    else:
        grace = rt.grace(obj, options.grace_seconds)
        metadata["deletionTimestamp"] = rfc3339(now + grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if rt.generation:
            metadata["generation"] = metadata.get("generation", 0) + 1
    result = {**obj, "metadata": metadata}
    if grace == 0 and not rt.lingers(result):
        return None
    rt.mark_deleted(result)
    return obj if result == obj else result


def _shortened(rt: ResourceType, metadata: dict[str, Any], obj: Object, options: DeleteOptions) -> int:
    """The grace period of an object that is going already, moved closer when less is asked for now."""
    before = int(metadata.get("deletionGracePeriodSeconds") or 0)
    asked = before if options.grace_seconds is None else rt.grace(obj, options.grace_seconds)
    if asked < before:
        metadata["deletionTimestamp"] = rfc3339(parse_time(metadata["deletionTimestamp"]) - before + asked)
        metadata["deletionGracePeriodSeconds"] = asked
        return asked
    return before


def _finalizers(finalizers: list[str], propagation: str) -> list[str]:
    if not propagation:
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
