"""Laying a configuration over an object, and taking fields out of one."""

from __future__ import annotations

from typing import Any

from sampan_api.fieldsets.sets import FieldSet, is_member
from sampan_api.fieldsets.shapes import LEAF, Form, Shape

_PARTED = (Form.STRUCT, Form.MAP)


def merge(live: Any, config: Any, shape: Shape) -> Any:
    """`live` with everything that `config` says; nothing is removed. Items of lists that both have come in the order
    of `config`. Raises PathError when an item of a list has no identity."""
    if shape.form is Form.LEAF or not (live or config):
        return config
    if shape.form in _PARTED:
        return _merged_parts(live or {}, config or {}, shape)
    return _merged_items(live or [], config or [], shape)


def _merged_parts(live: dict[str, Any], config: dict[str, Any], shape: Shape) -> dict[str, Any]:
    result = dict(live)
    for name, value in config.items():
        part = _part(shape, name)
        result[name] = merge(live[name], value, part) if name in live else value
    return result


def _part(shape: Shape, name: str) -> Shape:
    if shape.form is Form.MAP:
        return shape.element
    return shape.parts[name][1] if name in shape.parts else LEAF


def _merged_items(live: list[Any], config: list[Any], shape: Shape) -> list[Any]:
    """Live items that the configuration does not name keep their place relative to the ones before them."""
    key_of = shape.key_of
    before = [key_of(item) for item in live]
    wanted = {key_of(item): item for item in config}
    items: dict[str, Any] = {}
    for key, item in zip(before, live, strict=True):
        # An item that the list has twice is no partner for a merge: the configuration's takes the place of both.
        items[key] = None if key in items else item
    shared = [key for key in wanted if key in items]
    coming = list(wanted)
    result: list[Any] = []

    def take(key: str) -> None:
        item = items.get(key)
        result.append(wanted[key] if item is None else merge(item, wanted[key], shape.element))

    for key, item in zip(before, live, strict=True):
        if key not in wanted:
            result.append(item)
        elif shared and key == shared[0]:
            while coming:
                key_now = coming.pop(0)
                take(key_now)
                if key_now == key:
                    break
            shared.pop(0)
    for key in coming:
        take(key)
    return result


def remove(value: Any, fields: FieldSet, shape: Shape) -> Any:
    """`value` without the members of `fields` and all they hold. A list or map that loses its last entry is null."""
    if not value or not fields or shape.form is Form.LEAF:
        return value
    if shape.form in _PARTED:
        return _fewer_parts(value, fields, shape) or None
    return _fewer_items(value, fields, shape) or None


def _fewer_parts(value: dict[str, Any], fields: FieldSet, shape: Shape) -> dict[str, Any]:
    result = {}
    for name, part in value.items():
        node = fields.get(f"f:{name}")
        if node is None:
            result[name] = part
        elif not is_member(node):
            result[name] = remove(part, node, _part(shape, name))
    return result


def _fewer_items(value: list[Any], fields: FieldSet, shape: Shape) -> list[Any]:
    key_of = shape.key_of
    result = []
    for item in value:
        node = fields.get(key_of(item))
        if node is None:
            result.append(item)
        elif not is_member(node):
            result.append(remove(item, node, shape.element))
    return result
