"""Server-side apply: a manager says all that it wants of an object, the server finds what that changes.

The configuration is laid over the object; what the manager applied before and no longer names is removed unless
somebody else owns it; a value that another manager owns and that would change is a conflict, unless it is forced.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from sampan_api import meta
from sampan_api.fieldsets import sets
from sampan_api.fieldsets.checking import check
from sampan_api.fieldsets.comparing import Comparison, compare, fields_of
from sampan_api.fieldsets.keys import shown
from sampan_api.fieldsets.managers import APPLY, UPDATE, Managed, Manager, Owned
from sampan_api.fieldsets.merging import merge, remove
from sampan_api.fieldsets.sets import FieldSet
from sampan_api.fieldsets.shapes import Shape
from sampan_api.fieldsets.updating import Write, empty, taken, updated
from sampan_api.meta import Object, with_path

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_KUBECTL = "kubectl"
_BEFORE = "before-first-apply"


class FieldConflict(NamedTuple):
    manager: Manager
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"conflict with {named(self.manager)}: {shown(self.path)}"


class Conflicts(Exception):
    """Fields that would change belong to others."""

    def __init__(self, conflicts: list[FieldConflict]) -> None:
        super().__init__(", ".join(map(str, conflicts)))
        self.conflicts = conflicts


def named(manager: Manager) -> str:
    """How conflicts call a manager."""
    text = json.dumps(manager.name, ensure_ascii=False)
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    return f"{text} using {manager.api_version}" if manager.operation == UPDATE else text


class Applied(NamedTuple):
    obj: Object
    managed: Managed


def applied(live: Object, config: Object, managed: Managed, write: Write, *, force: bool = False) -> Applied:
    """The object after `config` was applied to it, not yet decoded, and its owners. Raises Conflicts, PathError."""
    if not managed:
        # Nobody was counted so far: what is there belongs to those who came before.
        owner = Write(write.model, write.api_version, _BEFORE, write.now, write.subresource, write.ignored)
        managed = updated(empty(write.model), live, {}, owner)
    try:
        result = _applied(live, config, managed, write, force)
    except Conflicts as error:
        if write.manager != _KUBECTL:
            raise
        left = _not_from_client_side(error.conflicts, live, write)
        if left:
            raise Conflicts(left) from error
        result = _applied(live, config, managed, write, True)
    if write.manager == _KUBECTL and meta.annotations(result.obj).get(LAST_APPLIED):
        marked = with_path(result.obj, ("metadata", "annotations", LAST_APPLIED), last_applied(config))
        return result._replace(obj=marked)
    return result


def _applied(live: Object, config: Object, managed: Managed, write: Write, force: bool) -> Applied:
    shape = write.shape
    me = Manager(write.manager, APPLY, "", write.subresource)
    last = managed.get(me)
    wanted = sets.without(fields_of(config, shape), write.ignored)
    if wanted.get("f:metadata") == {}:
        del wanted["f:metadata"]
    now: Managed = {**managed, me: Owned(wanted, write.api_version)}
    new = _pruned(merge(live, config, shape), now, last, shape)
    found = write.compared(live, new)
    if not force:
        conflicts = _conflicts(now, found, write.api_version, me)
        if conflicts:
            raise Conflicts(conflicts)
    result = taken(now, found, write.api_version, spared=me)
    if wanted:
        result[me] = _mine(wanted, last, write, changed=new != live)
    return Applied(new, result)


def _mine(wanted: FieldSet, last: Owned | None, write: Write, *, changed: bool) -> Owned:
    """The applier's own entry. One that changes nothing of the object keeps its time, and a new one gets none."""
    if changed or last is None:
        return Owned(wanted, write.api_version, write.now if changed else None)
    return last if last.fields == wanted else last.with_fields(wanted)


def _conflicts(managed: Managed, found: Comparison, api_version: str, me: Manager) -> list[FieldConflict]:
    changed = sets.union(found.added, found.modified)
    return [
        FieldConflict(manager, path)
        for manager, owned in sorted(managed.items(), key=lambda item: item[0])
        if manager != me and owned.api_version == api_version
        for path in sets.paths(sets.intersection(owned.fields, changed))
    ]


def _pruned(merged: Object, managed: Managed, last: Owned | None, shape: Shape) -> Object:
    """`merged` without what the applier named last time and nobody names now. A list item goes with all it holds,
    unless somebody owns the item itself."""
    if last is None or not last.fields:
        return merged
    before = sets.with_parents(last.fields, shape)
    everything = sets.with_parents(fields_of(merged, shape), shape)
    owned: FieldSet = {}
    for other in managed.values():
        owned = sets.union(owned, other.fields)
    fewer = remove(merged, before, shape) or {}
    kept = sets.union(sets.with_parents(fields_of(fewer, shape), shape), sets.with_parents(owned, shape))
    fewer = remove(merged, sets.difference(everything, kept), shape) or {}
    left = sets.with_parents(fields_of(fewer, shape), shape)
    # What stood below a removed field and was never the applier's comes back.
    result: Object = remove(merged, sets.intersection(sets.difference(everything, left), before), shape) or {}
    return {**result, "metadata": {**_identity(merged, shape), **(result.get("metadata") or {})}}


def _identity(obj: Object, shape: Shape) -> Object:
    """The metadata that are nobody's, hence not to be lost with the last label."""
    parts = shape.parts["metadata"][1].parts
    return {name: value for name, value in obj["metadata"].items() if name not in parts}


def _not_from_client_side(conflicts: list[FieldConflict], live: Object, write: Write) -> list[FieldConflict]:
    """The conflicts that remain when fields that kubectl applied client-side, unchanged since, are its own."""
    try:
        last = json.loads(meta.annotations(live).get(LAST_APPLIED, ""))
    except ValueError:
        return conflicts
    if not isinstance(last, dict) or last.get("apiVersion") != write.api_version or check(last, write.model):
        return conflicts
    found = compare(last, live, write.shape)
    own = fields_of(last, write.shape)
    for side in found:
        own = sets.difference(own, side)
    return [conflict for conflict in conflicts if not sets.has(own, conflict.path)]


def last_applied(config: Object) -> str:
    """What kubectl's client-side apply would have noted of this configuration."""
    metadata = config.get("metadata") or {}
    notes = metadata.get("annotations")
    if isinstance(notes, dict) and LAST_APPLIED in notes:
        rest = {key: value for key, value in notes.items() if key != LAST_APPLIED}
        config = {**config, "metadata": {**metadata, "annotations": rest}}
    text = json.dumps(config, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text + "\n"
