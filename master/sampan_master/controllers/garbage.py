"""Owner garbage collection, the decisions.

Of an object with ownerReferences, each owner is
    solid     it exists and is not waiting for its dependents
    waiting   it exists, is being deleted in the foreground and this reference blocks it
    absent    it does not exist (sure only after a live GET; the cache may be behind, or ahead)

    some solid          keep; drop the references that are not solid
    none solid          delete; in the foreground when someone waits for it and it has dependents of its own
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from sampan_api import meta
from sampan_api.client import Resource
from sampan_api.meta import Object

from sampan_master.controllers.informers import WATCHED

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Owner(Enum):
    SOLID = auto()
    WAITING = auto()
    ABSENT = auto()


class Verdict(Enum):
    KEEP = auto()
    DROP_REFERENCES = auto()
    DELETE = auto()
    DELETE_IN_FOREGROUND = auto()


def owner_resource(reference: dict[str, Any]) -> Resource | None:
    """The resource of an owner's kind, any version of its group; None for kinds we do not serve."""
    group = reference["apiVersion"].rpartition("/")[0]
    return next((r for r in WATCHED if r.group == group and r.kind == reference["kind"]), None)


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


def state_of(reference: dict[str, Any], owner: Object | None) -> Owner:
    """`owner` is the object the reference names, None when there is none with that uid."""
    if owner is None:
        return Owner.ABSENT
    return Owner.WAITING if waits_for_dependents(owner) and reference.get("blockOwnerDeletion") else Owner.SOLID


def foreign_owner(reference: dict[str, Any], namespace: str) -> str:
    kind = f"{reference['apiVersion']}/{reference['kind']}"
    identity = f"[{kind}, namespace: {namespace}, name: {reference['name']}, uid: {reference['uid']}]"
    return f'ownerRef {identity} does not exist in namespace "{namespace}"'


def judge(owners: list[Owner], *, has_dependents: bool) -> Verdict:
    if not owners or all(owner is Owner.SOLID for owner in owners):
        return Verdict.KEEP
    if Owner.SOLID in owners:
        return Verdict.DROP_REFERENCES
    if Owner.WAITING in owners and has_dependents:
        return Verdict.DELETE_IN_FOREGROUND
    return Verdict.DELETE
