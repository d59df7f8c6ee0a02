"""Sets of fields: the algebra on FieldsV1 trees. Nothing passed in is changed, results share parts with it.

In a node other than the root an empty tree means "this very field"; with children, "." among them says so too. A node
without "." that has children only leads to members. Every node has its keys in order (`keys.in_order`), as the server
prints them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from sampan_api.fieldsets.keys import PathError, canonical, in_order
from sampan_api.fieldsets.shapes import LEAF, Form, Shape

FieldSet: TypeAlias = dict[str, Any]

SELF = "."


def is_member(node: FieldSet) -> bool:
    return not node or SELF in node


def _node(itself: bool, children: FieldSet) -> FieldSet | None:
    """The node with these children (no "." among them); None when there is nothing to say."""
    if itself:
        return {SELF: {}, **children} if children else {}
    return children or None


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left or not right:
        return left or right
    result = dict(left)
    for key, node in right.items():
        result[key] = _united(result[key], node) if key in result else node
    return result if len(result) == len(left) else {key: result[key] for key in in_order(result)}


def _united(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left or not right:
        node = left or right
        return node if is_member(node) else {SELF: {}, **node}
    return union(left, right)


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of both."""
    if len(left) > len(right):
        left, right = right, left
    result = {}
    for key, node in left.items():
        if key in right and key != SELF:
            common = _common(node, right[key])
            if common is not None:
                result[key] = common
    return result


def _common(left: FieldSet, right: FieldSet) -> FieldSet | None:
    return _node(is_member(left) and is_member(right), intersection(left, right))


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of `left` that are not in `right`. Children of what is taken out stay."""
    result = dict(left)
    for key, node in right.items():
        if key == SELF or key not in result:
            continue
        rest = _rest(result[key], node)
        if rest is None:
            del result[key]
        else:
            result[key] = rest
    return result


def _rest(left: FieldSet, right: FieldSet) -> FieldSet | None:
    children = difference(left, right)
    children.pop(SELF, None)
    return _node(is_member(left) and not is_member(right), children)


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """`left` less the members of `right` and all that is below them."""
    result = dict(left)
    for key, node in right.items():
        if key == SELF or key not in result:
            continue
        if is_member(node):
            del result[key]
            continue
        old = result[key]
        children = without(old, node)
        children.pop(SELF, None)
        rest = _node(is_member(old), children)
        if rest is None:
            del result[key]
        else:
            result[key] = rest
    return result


def has(fields: FieldSet, path: tuple[str, ...]) -> bool:
    node = fields
    for key in path:
        if key not in node:
            return False
        node = node[key]
    return bool(path) and is_member(node)


def of_path(path: tuple[str, ...]) -> FieldSet:
    result: FieldSet = {}
    for key in reversed(path):
        result = {key: result}
    return result


def paths(fields: FieldSet, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every member: those of a node before those further down, each sorted."""
    keys = [key for key in fields if key != SELF]
    for key in keys:
        if is_member(fields[key]):
            yield (*prefix, key)
    for key in keys:
        yield from paths(fields[key], (*prefix, key))


def with_parents(fields: FieldSet, shape: Shape) -> FieldSet:
    """The set with every struct field that leads to a member: it stands or falls with what it holds."""
    result: FieldSet = {}
    for key, node in fields.items():
        named, below = _below(key, shape)
        children = with_parents(node, below) if node else node
        if named and children and SELF not in children:
            children = {SELF: {}, **children}
        result[key] = children
    return result


def _below(key: str, shape: Shape) -> tuple[bool, Shape]:
    """Whether the key names a field of a struct, and the shape it has."""
    if key.startswith("f:"):
        if shape.form is Form.STRUCT:
            part = shape.parts.get(key[2:])
            return part is not None, part[1] if part else LEAF
        if shape.form is Form.MAP:
            return False, shape.element
    elif key.startswith("k:") and shape.form is Form.KEYED:
        return False, shape.element
    return False, LEAF


def read(raw: Any) -> FieldSet:
    """A set as a client wrote it, in the one spelling it has here. Raises PathError."""
    children, _ = _read(raw)
    return children


def _read(raw: Any) -> tuple[FieldSet, bool]:
    if raw is None:
        return {}, True
    if not isinstance(raw, dict):
        raise PathError("a set of fields is an object")
    result: FieldSet = {}
    itself = SELF in raw
    for key, value in raw.items():
        name = None if key == SELF else canonical(key)
        if name is None:
            continue
        children, member = _read(value)
        node = _node(member, children)
        if node is not None:
            result[name] = _united(result[name], node) if name in result else node
    return {name: result[name] for name in in_order(result)}, itself or not result
