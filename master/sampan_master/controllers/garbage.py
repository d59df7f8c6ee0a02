"""Owner garbage collection, the decisions.

Of an object with ownerReferences, each owner is
    solid     it exists and is not waiting for its dependents
    waiting   it exists and is being deleted in the foreground
    absent    it does not exist (sure only after a live GET; the cache may be behind, or ahead)
    unknown   nobody can say: a kind that is not served, or an owner in a namespace for an object that has none

    some unknown        keep, touch nothing
    some solid          keep; drop the references that are not solid
    none solid          delete; in the foreground when an owner waits for it and it has dependents of its own,
                        else as the finalizers it already has ask for

Two that own each other would wait for each other for ever: an object whose owner and whose dependent are both being
deleted in the foreground stops blocking its owners before it goes, and who waits for a dependent that waits for it,
itself included, waits no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Any

from sampan_api import meta
from sampan_api.client import Resource
from sampan_api.meta import Object

from sampan_master.apiserver.resources.table import BUILT_IN

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Owner(Enum):
    SOLID = auto()
    WAITING = auto()
    ABSENT = auto()
    UNKNOWN = auto()


class Verdict(Enum):
    KEEP = auto()
    DROP_REFERENCES = auto()
    DELETE = auto()
    DELETE_IN_FOREGROUND = auto()


def _served() -> dict[tuple[str, str], Resource]:
    """(apiVersion, kind) -> the resource in the version that is stored."""
    stored: dict[str, Resource] = {}
    for one in BUILT_IN.types:
        stored.setdefault(one.storage_name, one.resource)
    return {(one.resource.api_version, one.resource.kind): stored[one.storage_name] for one in BUILT_IN.types}


_SERVED = _served()


def owner_resource(reference: dict[str, Any]) -> Resource | None:
    """The resource of an owner, whichever of its versions the reference names; None for what is not served."""
    return _SERVED.get((reference["apiVersion"], reference["kind"]))


def finalizers(obj: Object) -> list[str]:
    return obj["metadata"].get("finalizers") or []


def waits_for_dependents(obj: Object) -> bool:
    return meta.is_deleting(obj) and FOREGROUND in finalizers(obj)


def orphans_dependents(obj: Object) -> bool:
    return meta.is_deleting(obj) and ORPHAN in finalizers(obj)


def blocks(dependent: Object, owner_uid: str) -> bool:
    return any(
        reference["uid"] == owner_uid and reference.get("blockOwnerDeletion")
        for reference in meta.owner_references(dependent)
    )


def no_longer_blocked(old: Object, new: Object) -> list[dict[str, Any]]:
    """The references by which `old` held its owners and `new` does not."""
    return [r for r in meta.owner_references(old) if r.get("blockOwnerDeletion") and not blocks(new, r["uid"])]


def without(obj: Object, owner_uids: Iterable[str]) -> list[dict[str, Any]]:
    gone = set(owner_uids)
    return [r for r in meta.owner_references(obj) if r["uid"] not in gone]


def unblocking(obj: Object) -> list[dict[str, Any]]:
    """The object's references, none of which holds its owner any more."""
    return [r | {"blockOwnerDeletion": False} for r in meta.owner_references(obj)]


def foreign_owner(reference: dict[str, Any], namespace: str) -> str:
    kind = f"{reference['apiVersion']}/{reference['kind']}"
    identity = f"[{kind}, namespace: {namespace}, name: {reference['name']}, uid: {reference['uid']}]"
    return f'ownerRef {identity} does not exist in namespace "{namespace}"'


def judge(owners: list[Owner], *, has_dependents: bool) -> Verdict:
    if not owners or Owner.UNKNOWN in owners or all(owner is Owner.SOLID for owner in owners):
        return Verdict.KEEP
    if Owner.SOLID in owners:
        return Verdict.DROP_REFERENCES
    if Owner.WAITING in owners and has_dependents:
        return Verdict.DELETE_IN_FOREGROUND
    return Verdict.DELETE


def propagation(obj: Object) -> str:
    """How an object that nobody owns any more is deleted: as the finalizers it has already got ask for."""
    if ORPHAN in finalizers(obj):
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers(obj) else "Background"
