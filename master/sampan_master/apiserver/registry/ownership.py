"""managedFields of every create, update and patch: taken down after defaults, before admission adds its own.

So a manager owns what it wrote and what that defaulted to, but nothing that admission, a strategy, the scheduler's
binding or a deletion put in. Clients may rewrite the list through the main door: `[]` or `[{}]` clears it, after which
nobody is counted until the next apply; a list that no server could have written is as good as none. Fields are named as
in the version that was written in, whichever is stored.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sampan_api import schema
from sampan_api.clock import rfc3339
from sampan_api.fieldsets.comparing import Comparison
from sampan_api.fieldsets.keys import PathError
from sampan_api.fieldsets.managers import EntryError, Managed, entries_of, given, is_reset, stored
from sampan_api.fieldsets.sets import union
from sampan_api.fieldsets.updating import Write, changed, empty, is_noop, updated
from sampan_api.meta import Object

from sampan_master.apiserver.encoding.options import WriteOptions
from sampan_master.apiserver.registry.scopes import MAIN, Scope
from sampan_master.apiserver.resources.memo import Memo
from sampan_master.apiserver.resources.resource_type import ResourceType

Entries = list[dict[str, Any]]


def write_of(rt: ResourceType, options: WriteOptions, now: float, scope: Scope) -> Write:
    api_version = rt.resource.api_version
    model = schema.model_for(api_version, rt.kind)
    return Write(model, api_version, options.manager, rfc3339(now), scope.subresource, scope.untouched(rt))


def own_created(rt: ResourceType, obj: Object, options: WriteOptions, now: float) -> None:
    """Writes the owners into a new object, in place."""
    write = write_of(rt, options, now, MAIN)
    try:
        managed = changed(_given(obj, []), _of_new(rt, obj, write), write)
    except PathError:
        # A list item without its key. Validation will say so.
        managed = {}
    obj["metadata"]["managedFields"] = entries_of(managed)


_POD_SPECS: Memo[Comparison] = Memo()


def _of_new(rt: ResourceType, obj: Object, write: Write) -> Comparison:
    """What the new object says. Pods of one template share what their spec says. Raises PathError."""
    nothing, new = empty(write.model), rt.from_stored(obj)
    if rt.kind != "Pod":
        return write.compared(nothing, new)
    spec = {"spec": new["spec"]}
    of_spec = _POD_SPECS.of(spec, lambda: write.compared({"spec": nothing["spec"]}, spec))
    rest = write.compared({**nothing, "spec": {}}, {**new, "spec": {}})
    return Comparison(*(union(one, other) for one, other in zip(rest, of_spec, strict=True)))


def owners_after(
    rt: ResourceType, new: Object, old: Object, options: WriteOptions, now: float, scope: Scope
) -> Entries:
    """The entries of the new state, which is complete but for what admission and the server itself put in."""
    entries = old["metadata"].get("managedFields") or []
    rewritten = not scope.subresource and new["metadata"].get("managedFields") != entries
    managed = _given(new, entries) if rewritten else stored(entries)
    if managed:
        with suppress(PathError):
            before, after = rt.from_stored(old), rt.from_stored(new)
            managed = updated(before, after, managed, write_of(rt, options, now, scope))
    return entries_of(managed)


def _given(obj: Object, before: Entries) -> Managed:
    """The owners that a request starts from: what it says of them, else the ones from before."""
    entries = obj["metadata"].get("managedFields")
    if is_reset(entries):
        return {}
    try:
        return given(entries or []) or stored(before)
    except EntryError:
        return stored(before)


def with_owners(obj: Object, owners: Entries) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "managedFields": owners}}


def keep_times(new: Object, old: Object) -> Object:
    """`old` when the new state differs in nothing but the times of its owners."""
    before, after = old["metadata"].get("managedFields"), new["metadata"].get("managedFields")
    if before == after or not is_noop(before, after):
        return new
    return old if with_owners(new, before) == old else new
