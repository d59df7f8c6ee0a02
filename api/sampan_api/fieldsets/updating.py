"""What a create, an update or a patch does to the owners: whoever changes a value owns it, and nobody else does."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sampan_api.decoding import zero
from sampan_api.fields import Model, fields
from sampan_api.fieldsets import sets
from sampan_api.fieldsets.comparing import Comparison, compare
from sampan_api.fieldsets.managers import UPDATE, Managed, Manager, Owned, capped
from sampan_api.fieldsets.sets import FieldSet
from sampan_api.fieldsets.shapes import Shape, shape_of
from sampan_api.meta import Object


@dataclass(frozen=True, slots=True)
class Write:
    """One write of an object of `model`: by whom, when, through which door, and what this door never changes."""

    model: type[Model]
    api_version: str
    manager: str
    now: str
    subresource: str = ""
    ignored: FieldSet = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        return shape_of(self.model)

    def compared(self, old: Object, new: Object) -> Comparison:
        """Raises PathError."""
        found = compare(old, new, self.shape)
        if not self.ignored:
            return found
        return Comparison(*(sets.without(side, self.ignored) for side in found))


@cache
def empty(model: type[Model]) -> Object:
    """The object of which every other one is a change: what is printed of one that nobody has filled in yet. Not to
    be changed."""
    return {
        name: None if entry.container else empty(entry.message) if entry.message is not None else zero(entry)
        for name, entry in fields(model).items()
        if entry.always and not entry.pointer
    }


def updated(old: Object, new: Object, managed: Managed, write: Write) -> Managed:
    """The owners after `old` has become `new`. Entries of managers whose set stays are the same ones. Raises
    PathError."""
    return changed(managed, write.compared(old, new), write)


def changed(managed: Managed, found: Comparison, write: Write) -> Managed:
    """The owners after what `found` says has changed."""
    me = Manager(write.manager, UPDATE, write.api_version, write.subresource)
    result = taken(managed, found, write.api_version, spared=me)
    mine = result.pop(me, None)
    kept: FieldSet = {}
    if mine is not None:
        kept = mine.fields
        if sets.intersection(kept, found.removed):
            kept = sets.difference(kept, found.removed)
    taken_over = sets.union(found.added, found.modified)
    if taken_over:
        result[me] = Owned(sets.union(kept, taken_over), write.api_version, write.now)
    elif mine is not None and kept:
        result[me] = mine if kept is mine.fields else mine.with_fields(kept)
    return capped(result)


def taken(managed: Managed, found: Comparison, api_version: str, spared: Manager | None = None) -> Managed:
    """The owners less what was changed or removed; who has nothing left is gone. Entries in other versions of the
    kind name their fields otherwise and stay as they are."""
    result: Managed = {}
    for manager, owned in managed.items():
        rest = owned
        if owned.api_version == api_version and manager != spared:
            for side in found:
                if side and sets.intersection(rest.fields, side):
                    rest = rest.with_fields(sets.difference(rest.fields, side))
        if rest.fields:
            result[manager] = rest
    return result


def is_noop(old: list[dict[str, Any]] | None, new: list[dict[str, Any]] | None) -> bool:
    """Whether two lists of entries differ in their times at most."""
    if old == new:
        return True
    if not old or not new or len(old) != len(new):
        return False
    return all({**left, "time": None} == {**right, "time": None} for left, right in zip(old, new, strict=True))
