"""The three patch dialects of the API, as functions from object and patch to a new object.

`json_patch` is RFC 6902, `merge_patch` RFC 7386, `strategic_merge` Kubernetes' own: a merge patch that knows from the
model which lists merge by which key, and obeys the directives `$patch`, `$retainKeys`, `$setElementOrder/<list>` and
`$deleteFromPrimitiveList/<list>`. Nothing passed in is ever changed; results may share parts with their inputs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from sampan_api.meta import Object

if TYPE_CHECKING:
    from sampan_api.schema import Field, Model

_MAX_OPERATIONS = 10_000
_MAX_COPIED = 3 * 1024 * 1024
"""Bytes that all `copy` operations of one patch may add: a few of them could otherwise fill the memory."""
_MAX_PATH = 100
_REJECTED = "the server rejected our request due to an error in our request"


class PatchError(Exception):
    """The patch cannot be applied. `invalid` is True for a 422; otherwise `code` says 400 (unreadable) or 500."""

    def __init__(self, message: str, invalid: bool = False, *, code: int = 500, detail: str = "") -> None:
        super().__init__(detail or message)
        self.message = message
        self.code = 422 if invalid else code
        self.detail = detail or message
        """What really went wrong, where the API's own message does not say it."""

    @property
    def invalid(self) -> bool:
        return self.code == 422


def json_patch(obj: Object, ops: Any) -> Object:
    """RFC 6902. Any failing operation, `test` included, fails the whole patch with the API's one sentence."""
    if not isinstance(ops, list):
        go = _go_kind(ops)
        message = f"error decoding patch: json: cannot unmarshal {go} into Go value of type []handlers.jsonPatchOp"
        raise PatchError(message, code=400)
    if len(ops) > _MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(ops)}"
        raise PatchError(message, code=413)
    result, _ = _own(obj)
    copied = 0
    for op in ops:
        result, size = _operate(result, op)
        copied += size
        if copied > _MAX_COPIED:
            raise _rejected("the copy operations add up to too much")
    if not isinstance(result, dict):
        raise _rejected("the result is not an object")
    _own(result)
    return result


def merge_patch(obj: Object, patch: Any) -> Object:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        go = _go_kind(patch)
        message = f"error decoding patch: json: cannot unmarshal {go} into Go value of type map[string]interface {{}}"
        raise PatchError(message, code=400)
    merged: Object = _merge(obj, patch)
    return merged


def strategic_merge(obj: Object, patch: Any, model: type[Model]) -> Object:
    """Strategic merge by the patch strategies and merge keys of `model`."""
    if not isinstance(patch, dict):
        go = _go_kind(patch)
        message = f"error decoding patch: json: cannot unmarshal {go} into Go value of type map[string]interface {{}}"
        raise PatchError(message, code=400)
    return _strategic(obj, patch, model)


def _go_kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case dict():
            return "object"
        case list():
            return "array"
        case str():
            return "string"
        case _:
            return "number"


def _rejected(detail: str) -> PatchError:
    return PatchError(_REJECTED, True, detail=detail)


# RFC 6902


def _operate(document: Any, op: Any) -> tuple[Any, int]:
    """The document after `op`, and how many bytes were copied."""
    if not isinstance(op, dict) or not isinstance(op.get("path"), str):
        raise _rejected("an operation needs a path")
    path = _pointer(op["path"])
    match op.get("op"):
        case "add":
            return _add(document, path, _own(_operand(op))[0]), 0
        case "remove":
            _remove(document, path)
            return document, 0
        case "replace":
            _read(document, path)
            return _replace(document, path, _own(_operand(op))[0]), 0
        case "test":
            if not _same(_read(document, path, missing_is_null=True), op.get("value")):
                raise _rejected(f"testing value {op['path']} failed")
            return document, 0
        case "copy":
            value, size = _own(_read(document, _source(op)))
            return _add(document, path, value), size
        case "move":
            source = _source(op)
            if source == path:
                return document, 0
            if source == path[: len(source)]:
                raise _rejected("cannot move a value into itself")
            return _add(document, path, _remove(document, source)), 0
        case other:
            raise _rejected(f"unexpected kind: {other}")


def _own(value: Any) -> tuple[Any, int]:
    """A copy that may be changed in place (ten thousand operations on a large object would otherwise copy it as often),
    and its size in bytes."""
    try:
        data = orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise _rejected("the result is nested too deeply") from None
    return orjson.loads(data), len(data)


def _operand(op: dict[str, Any]) -> Any:
    if "value" not in op:
        raise _rejected(f"operation {op['op']} needs a value")
    return op["value"]


def _source(op: dict[str, Any]) -> list[str]:
    if not isinstance(op.get("from"), str):
        raise _rejected(f"operation {op['op']} needs from")
    return _pointer(op["from"])


def _pointer(text: str) -> list[str]:
    """RFC 6901."""
    if not text:
        return []
    if not text.startswith("/"):
        raise _rejected(f"{text!r} is not a JSON pointer")
    path = [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]
    if len(path) > _MAX_PATH:
        raise _rejected(f"a path of {len(path)} parts leads nowhere")
    return path


def _position(target: list[Any], token: str, *, end: int) -> int:
    if not token.isascii() or not token.isdigit() or (len(token) > 1 and token[0] == "0") or int(token) > end:
        raise _rejected(f"{token!r} is no position in a list of {len(target)}")
    return int(token)


def _read(document: Any, path: list[str], *, missing_is_null: bool = False) -> Any:
    for index, token in enumerate(path):
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list):
            document = document[_position(document, token, end=len(document) - 1)]
        elif isinstance(document, dict) and missing_is_null and index == len(path) - 1:
            return None
        else:
            raise _rejected(f"missing path {'/'.join(path)}")
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    """Like `_add`, but a list keeps its length. The path is there."""
    if not path:
        return value
    parent = _read(document, path[:-1])
    parent[path[-1] if isinstance(parent, dict) else int(path[-1])] = value
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, token = _read(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[token] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if token == "-" else _position(parent, token, end=len(parent)), value)
    else:
        raise _rejected(f"{token!r} is inside a value that has no parts")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    """What was removed."""
    if not path:
        raise _rejected("cannot remove the whole document")
    parent, token = _read(document, path[:-1]), path[-1]
    if isinstance(parent, dict) and token in parent:
        return parent.pop(token)
    if isinstance(parent, list):
        return parent.pop(_position(parent, token, end=len(parent) - 1))
    raise _rejected(f"missing path {token}")


def _same(left: Any, right: Any) -> bool:
    """JSON equality: 1 equals 1.0, but true is no number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


# RFC 7386


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result


# Strategic merge

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"


def _strategic(target: Object, patch: Object, model: type[Model] | None) -> Object:
    match patch.get(_PATCH):
        case None | "merge":
            pass
        case "replace":
            whole: Object = _without_directives(patch)
            return whole
        case "delete":
            return {}
        case other:
            raise PatchError(f"unknown patch type: {other} in map: {_go_map(patch)}")
    result = _retained(target, patch)
    known = _fields(model)
    directives = [key for key in patch if key.startswith("$")]
    for key in directives:
        if key.startswith(_DELETE_PRIMITIVES):
            name = key.removeprefix(_DELETE_PRIMITIVES)
            gone = _list_of(patch[key], "primitive list")
            if isinstance(result.get(name), list):
                result[name] = [item for item in result[name] if item not in gone]
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict | list):
            order = patch.get(_ORDER + key) if directives else None
            result[key] = _strategic_value(result.get(key), value, known.get(key), order)
        else:
            result[key] = value
    for key in directives:
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and name not in patch and name in known and isinstance(result.get(name), list):
            result[name] = _strategic_list(result[name], [], known[name], patch[key])
    return result


def _fields(model: type[Model] | None) -> Mapping[str, Field]:
    if model is None:
        return {}
    # Here and not above: an importer of merge_patch alone does not pay for pydantic.
    from sampan_api.schema import fields

    return fields(model)


def _list_of(value: Any, directive: str) -> list[Any]:
    if not isinstance(value, list):
        raise PatchError(f"invalid patch format of {directive}")
    return value


def _retained(target: Object, patch: Object) -> Object:
    if _RETAIN not in patch:
        return dict(target)
    keep = _list_of(patch[_RETAIN], "retainKeys")
    if any(not key.startswith("$") and patch[key] is not None and key not in keep for key in patch):
        raise PatchError("invalid patch format of retainKeys")
    return {key: value for key, value in target.items() if key in keep}


def _strategic_value(target: Any, value: Any, field: Field | None, order: Any) -> Any:
    strategies = field.patch_strategy.split(",") if field is not None and field.patch_strategy else ()
    if isinstance(value, dict):
        if not isinstance(target, dict) or "replace" in strategies:
            return _without_directives(value)
        return _strategic(target, value, field.message if field is not None and not field.container else None)
    if field is None or "merge" not in strategies or not isinstance(target, list):
        return _without_directives(value)
    return _strategic_list(target, value, field, order)


def _directive(item: Any) -> Any:
    return item.get(_PATCH) if isinstance(item, dict) else None


def _strategic_list(target: list[Any], patch: list[Any], field: Field, order: Any) -> list[Any]:
    if order is not None:
        order = _list_of(order, "setElementOrder list")
    if not field.merge_key:
        if any(isinstance(item, dict | list) for item in [*patch, *(order or [])]):
            raise PatchError("invalid patch format of primitive list")
        union = list(dict.fromkeys([*target, *patch]))
        return _in_order(union, target, patch if order is None else order, key=lambda item: item)
    if any(_directive(item) == "replace" for item in patch):
        kept: list[Any] = _without_directives(patch)
        return kept
    return _keyed_list(target, patch, field, order)


def _keyed_list(target: list[Any], patch: list[Any], field: Field, order: list[Any] | None) -> list[Any]:
    merge_key = field.merge_key

    def key(item: Any) -> Any:
        return item.get(merge_key) if isinstance(item, dict) else item

    keys = [_merge_key_of(item, merge_key) for item in patch]
    gone = {value for value, item in zip(keys, patch, strict=True) if _directive(item) == "delete"}
    result = [item for item in target if key(item) not in gone] if gone else list(target)
    places = {key(item): index for index, item in reversed(list(enumerate(result)))}
    for value, item in zip(keys, patch, strict=True):
        if _directive(item) == "delete":
            continue
        if value in places:
            result[places[value]] = _strategic(result[places[value]], item, field.message)
        else:
            places[value] = len(result)
            result.append(_without_directives(item))
    wanted = keys if order is None else [_merge_key_of(item, merge_key) for item in order]
    return _in_order(result, [key(item) for item in target], wanted, key)


def _merge_key_of(item: Any, merge_key: str) -> Any:
    if not isinstance(item, dict):
        raise PatchError(f"cannot merge {go_value(item)} into a list of maps")
    if merge_key not in item:
        raise PatchError(f"map: {_go_map(item)} does not contain declared merge key: {merge_key}")
    if isinstance(item[merge_key], dict | list):
        raise PatchError(f"map: {_go_map(item)} has no plain value of its declared merge key: {merge_key}")
    return item[merge_key]


def _in_order(items: list[Any], live: list[Any], wanted: list[Any], key: Callable[[Any], Any]) -> list[Any]:
    """Items that the patch names come in its order; the others keep theirs, and go before a named one only where they
    stood before it in the live list: a new item comes before all that the patch does not name."""
    rank = {value: index for index, value in enumerate(wanted)}
    place = {value: index for index, value in enumerate(live)}
    named = deque(sorted((item for item in items if key(item) in rank), key=lambda item: rank[key(item)]))
    others = deque(sorted((item for item in items if key(item) not in rank), key=lambda item: place.get(key(item), 0)))
    result: list[Any] = []
    while named and others:
        ours, theirs = place.get(key(named[0])), place.get(key(others[0]))
        first = others if ours is not None and theirs is not None and theirs < ours else named
        result.append(first.popleft())
    return [*result, *named, *others]


def _is_directive(key: str) -> bool:
    return key in (_PATCH, _RETAIN) or key.startswith((_ORDER, _DELETE_PRIMITIVES))


def _without_directives(value: Any) -> Any:
    """A new subtree is taken as it is, less its directives, its nulls and what it says to delete."""
    if isinstance(value, dict):
        return {
            key: _without_directives(item) if isinstance(item, dict | list) else item
            for key, item in value.items()
            if item is not None and not (key.startswith("$") and _is_directive(key))
        }
    if isinstance(value, list):
        return [
            _without_directives(item) if isinstance(item, dict | list) else item
            for item in value
            if _directive(item) not in ("delete", "replace")
        ]
    return value


def go_value(value: Any) -> str:
    """As Go's %v prints it: error texts of the API contain such values."""
    match value:
        case dict():
            return _go_map(value)
        case list():
            return "[" + " ".join(map(go_value, value)) + "]"
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _go_map(value: dict[str, Any]) -> str:
    return "map[" + " ".join(f"{key}:{go_value(value[key])}" for key in sorted(value)) + "]"
