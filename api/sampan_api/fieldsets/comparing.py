"""What changed between two objects, and the set of all fields of one.

Equal parts are skipped by one comparison in C, so that a small change of a large object costs little.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sampan_api.fieldsets.keys import in_order
from sampan_api.fieldsets.sets import SELF, FieldSet
from sampan_api.fieldsets.shapes import LEAF, Form, Shape


class Comparison(NamedTuple):
    """No field is in two of them."""

    added: FieldSet
    modified: FieldSet
    removed: FieldSet


def compare(old: dict[str, Any], new: dict[str, Any], shape: Shape) -> Comparison:
    """Both objects must be of the kind that `shape` is of. Raises PathError when an item of a list has no identity."""
    found = Comparison({}, {}, {})
    _both(old, new, shape, found)
    return found


def _both(old: Any, new: Any, shape: Shape, found: Comparison) -> None:
    """Two different values with parts of their own, not both empty."""
    form = shape.form
    if form is _STRUCT:
        _structs(old or {}, new or {}, shape.parts, found)
    elif form is _MAP:
        _maps(old or {}, new or {}, shape.element, found)
    else:
        _lists(_by_key(old, shape.key_of), _by_key(new, shape.key_of), shape.element, found)


# Looked up in the class they would cost as much as the rest of a step.
_STRUCT, _MAP = Form.STRUCT, Form.MAP
_ABSENT: Any = object()


def _structs(old: dict[str, Any], new: dict[str, Any], parts: dict[str, tuple[str, Shape]], found: Comparison) -> None:
    for name in sorted({**old, **new}):
        if name in parts:
            before, after = old.get(name, _ABSENT), new.get(name, _ABSENT)
            if before is not after and before != after:
                _different(*parts[name], before, after, found)


def _maps(old: dict[str, Any], new: dict[str, Any], shape: Shape, found: Comparison) -> None:
    for name in sorted({**old, **new}):
        before, after = old.get(name, _ABSENT), new.get(name, _ABSENT)
        if before is not after and before != after:
            _different(f"f:{name}", shape, before, after, found)


def _different(key: str, shape: Shape, before: Any, after: Any, found: Comparison) -> None:
    if before is _ABSENT:
        found.added[key] = whole(after, shape)
    elif after is _ABSENT:
        found.removed[key] = whole(before, shape)
    elif shape is LEAF or not (before or after):
        found.modified[key] = {}
    else:
        inner = Comparison({}, {}, {})
        _both(before, after, shape, inner)
        for side, part in zip(found, inner, strict=True):
            if part:
                side[key] = part


def _by_key(items: list[Any] | None, key_of: Callable[[Any], str]) -> dict[str, list[Any]]:
    result: dict[str, list[Any]] = {}
    for item in items or ():
        result.setdefault(key_of(item), []).append(item)
    return result


def _lists(old: dict[str, list[Any]], new: dict[str, list[Any]], shape: Shape, found: Comparison) -> None:
    """Items that a list holds twice are one value together."""
    for key in in_order({**old, **new}):
        before, after = old.get(key, []), new.get(key, [])
        if before == after:
            continue
        if len(before) < 2 and len(after) < 2:
            _different(key, shape, before[0] if before else _ABSENT, after[0] if after else _ABSENT, found)
        elif len(before) > 1 and len(after) > 1:
            found.modified[key] = {}
        elif len(before) > 1:
            if after:
                found.added[key] = whole(after[0], shape)
            found.removed[key] = {}
        else:
            if before:
                found.removed[key] = whole(before[0], shape)
            found.added[key] = {}


def whole(value: Any, shape: Shape) -> FieldSet:
    """The node of a value that is there in one object only: itself, and all its parts."""
    if not value or shape is LEAF:
        return {}
    node: FieldSet = {SELF: {}}
    form = shape.form
    if form is _STRUCT:
        parts = shape.parts
        for name in sorted(value):
            if name in parts:
                key, below = parts[name]
                part = value[name]
                node[key] = {} if below is LEAF or not part else whole(part, below)
    elif form is _MAP:
        below = shape.element
        for name in sorted(value):
            node[f"f:{name}"] = {} if below is LEAF else whole(value[name], below)
    else:
        below = shape.element
        by_key = _by_key(value, shape.key_of)
        for key in in_order(by_key):
            items = by_key[key]
            node[key] = whole(items[0], below) if len(items) == 1 else {}
    return node


def fields_of(obj: dict[str, Any], shape: Shape) -> FieldSet:
    """All fields that the object mentions, as its applier owns them: structs and lists count by what they hold."""
    result: FieldSet = {}
    _collect(obj, shape, result)
    return result


def _collect(value: Any, shape: Shape, into: FieldSet) -> None:
    if shape.form is _STRUCT:
        for name in sorted(value):
            if name in shape.parts:
                key, below = shape.parts[name]
                part = value[name]
                _mention(key, part, below, into, itself=part is None or part == {} or below is LEAF)
    elif shape.form is _MAP:
        for name in sorted(value):
            _mention(f"f:{name}", value[name], shape.element, into, itself=True)
    else:
        by_key = _by_key(value, shape.key_of)
        for key in in_order(by_key):
            items = by_key[key]
            _mention(key, items[0] if len(items) == 1 else None, shape.element, into, itself=True)


def _mention(key: str, value: Any, shape: Shape, into: FieldSet, *, itself: bool) -> None:
    node: FieldSet = {}
    if value and shape is not LEAF:
        _collect(value, shape, node)
    if itself:
        into[key] = {SELF: {}, **node} if node else {}
    elif node:
        into[key] = node
