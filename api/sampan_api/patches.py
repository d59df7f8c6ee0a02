"""The three patch dialects of the API, as functions from object and patch to a new object.

`json_patch` is RFC 6902, `merge_patch` RFC 7386, `strategic_merge` Kubernetes' own: a merge patch that knows from the
model which lists merge by which key, and obeys the directives `$patch`, `$retainKeys`, `$setElementOrder/<list>` and
`$deleteFromPrimitiveList/<list>`. Nothing passed in is ever changed; results may share parts with their inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sampan_api.meta import Object

if TYPE_CHECKING:
    from sampan_api.schema import Field, Model

_MAX_OPERATIONS = 10_000
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
    result: Any = obj
    for op in ops:
        result = _operate(result, op)
    if not isinstance(result, dict):
        raise _rejected("the result is not an object")
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


def _operate(document: Any, op: Any) -> Any:
    if not isinstance(op, dict) or not isinstance(op.get("path"), str):
        raise _rejected("an operation needs a path")
    path = _pointer(op["path"])
    match op.get("op"):
        case "add":
            return _add(document, path, _operand(op))
        case "remove":
            return _remove(document, path)
        case "replace":
            value = _operand(op)
            _read(document, path)
            return _add(_remove(document, path), path, value) if path else value
        case "test":
            if not _same(_read(document, path), op.get("value")):
                raise _rejected(f"testing value {op['path']} failed")
            return document
        case "copy":
            return _add(document, path, _read(document, _source(op)))
        case "move":
            source = _source(op)
            if source == path[: len(source)] and source != path:
                raise _rejected("cannot move a value into itself")
            return _add(_remove(document, source), path, _read(document, source))
        case other:
            raise _rejected(f"unexpected kind: {other}")


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
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _position(target: list[Any], token: str, *, end: int) -> int:
    if not token.isascii() or not token.isdigit() or (len(token) > 1 and token[0] == "0") or int(token) > end:
        raise _rejected(f"{token!r} is no position in a list of {len(target)}")
    return int(token)


def _read(document: Any, path: list[str]) -> Any:
    for token in path:
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list):
            document = document[_position(document, token, end=len(document) - 1)]
        else:
            raise _rejected(f"missing path {'/'.join(path)}")
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    token, rest = path[0], path[1:]
    if isinstance(document, dict):
        if rest and token not in document:
            raise _rejected(f"missing path {token}")
        return {**document, token: _add(document[token], rest, value) if rest else value}
    if isinstance(document, list):
        if not rest:
            at = len(document) if token == "-" else _position(document, token, end=len(document))
            return [*document[:at], value, *document[at:]]
        at = _position(document, token, end=len(document) - 1)
        return [*document[:at], _add(document[at], rest, value), *document[at + 1 :]]
    raise _rejected(f"{token!r} is inside a value that has no parts")


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise _rejected("cannot remove the whole document")
    token, rest = path[0], path[1:]
    if isinstance(document, dict) and token in document:
        if rest:
            return {**document, token: _remove(document[token], rest)}
        return {key: value for key, value in document.items() if key != token}
    if isinstance(document, list):
        at = _position(document, token, end=len(document) - 1)
        middle = [_remove(document[at], rest)] if rest else []
        return [*document[:at], *middle, *document[at + 1 :]]
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
    for key, value in patch.items():
        if key.startswith(_DELETE_PRIMITIVES):
            name = key.removeprefix(_DELETE_PRIMITIVES)
            result[name] = [item for item in result.get(name) or [] if item not in value]
    for key, value in patch.items():
        if key in (_PATCH, _RETAIN) or key.startswith((_ORDER, _DELETE_PRIMITIVES)):
            continue
        if value is None:
            result.pop(key, None)
            continue
        order = patch.get(_ORDER + key)
        result[key] = _strategic_value(result.get(key), value, known.get(key), order)
    for key, order in patch.items():
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and name not in patch and result.get(name):
            result[name] = _strategic_list(result[name], [], known.get(name), order)
    return result


def _fields(model: type[Model] | None) -> Mapping[str, Field]:
    if model is None:
        return {}
    # Here and not above: an importer of merge_patch alone does not pay for pydantic.
    from sampan_api.schema import fields

    return fields(model)


def _retained(target: Object, patch: Object) -> Object:
    keep = patch.get(_RETAIN)
    if keep is None:
        return dict(target)
    if not isinstance(keep, list):
        raise PatchError(f"{_RETAIN} is not a list", code=400)
    for key in patch:
        if not key.startswith("$") and patch[key] is not None and key not in keep:
            raise PatchError(f"{_RETAIN} list doesn't contain all the keys of the patch: {_go_map(patch)}")
    return {key: value for key, value in target.items() if key in keep}


def _strategic_value(target: Any, value: Any, field: Field | None, order: Any) -> Any:
    if isinstance(value, dict):
        base = target if isinstance(target, dict) else {}
        if field is not None and "replace" in field.patch_strategy.split(","):
            return _without_directives(value)
        return _strategic(base, value, field.message if field is not None and field.container != "list" else None)
    if isinstance(value, list):
        if field is None or "merge" not in field.patch_strategy.split(","):
            return _without_directives([item for item in value if not _is_replace(item)])
        return _strategic_list(target if isinstance(target, list) else [], value, field, order)
    return value


def _is_replace(item: Any) -> bool:
    return isinstance(item, dict) and item.get(_PATCH) == "replace"


def _strategic_list(target: list[Any], patch: list[Any], field: Field | None, order: Any) -> list[Any]:
    if field is None or not field.merge_key:
        return _strategic_set(target, patch, order)
    return _keyed_list(target, patch, field, order)


def _strategic_set(target: list[Any], patch: list[Any], order: Any) -> list[Any]:
    """A list of primitives that merges: the union, in the order asked for."""
    result = list(dict.fromkeys([*target, *patch]))
    return _ordered(result, list(target), order, lambda item: item) if order is not None else result


def _keyed_list(target: list[Any], patch: list[Any], field: Field, order: Any) -> list[Any]:
    merge_key = field.merge_key
    if any(_is_replace(item) for item in patch):
        return [_without_directives(item) for item in patch if not _is_replace(item)]
    result = list(target)
    for item in patch:
        value = _merge_key_of(item, merge_key)
        at = next((i for i, old in enumerate(result) if isinstance(old, dict) and old.get(merge_key) == value), None)
        if item.get(_PATCH) == "delete":
            result = [old for old in result if not (isinstance(old, dict) and old.get(merge_key) == value)]
        elif at is None:
            result.append(_strategic({}, item, field.message))
        else:
            result[at] = _strategic(result[at], item, field.message)
    if order is None:
        return result
    wanted = [_merge_key_of(item, merge_key) if isinstance(item, dict) else item for item in order]
    return _ordered(result, [item.get(merge_key) for item in target], wanted, lambda item: item.get(merge_key))


def _merge_key_of(item: Any, merge_key: str) -> Any:
    if not isinstance(item, dict):
        raise PatchError(f"expected a map in a list merged by {merge_key}, found {_go_value(item)}", code=400)
    if merge_key not in item:
        raise PatchError(f"map: {_go_map(item)} does not contain declared merge key: {merge_key}")
    return item[merge_key]


def _ordered(items: list[Any], live: list[Any], wanted: list[Any], key: Any) -> list[Any]:
    """Items the patch orders come in its order; those only the server has keep their place behind the live
    neighbour they followed."""
    ranked = {value: rank for rank, value in enumerate(wanted)}
    listed = sorted((item for item in items if key(item) in ranked), key=lambda item: ranked[key(item)])
    position = {value: index for index, value in enumerate(live)}
    result: list[Any] = listed
    for item in (item for item in items if key(item) not in ranked):
        here = position.get(key(item), len(live))
        at = next((i for i, other in enumerate(result) if position.get(key(other), -1) > here), len(result))
        result = [*result[:at], item, *result[at:]]
    return result


def _without_directives(value: Any) -> Any:
    """A new subtree is taken as it is, less its directives and its nulls."""
    if isinstance(value, dict):
        return {
            key: _without_directives(item)
            for key, item in value.items()
            if item is not None and key not in (_PATCH, _RETAIN) and not key.startswith((_ORDER, _DELETE_PRIMITIVES))
        }
    if isinstance(value, list):
        return [_without_directives(item) for item in value]
    return value


def _go_value(value: Any) -> str:
    """As Go's %v prints it: error texts of the API contain such values."""
    match value:
        case dict():
            return _go_map(value)
        case list():
            return "[" + " ".join(map(_go_value, value)) + "]"
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _go_map(value: dict[str, Any]) -> str:
    return "map[" + " ".join(f"{key}:{_go_value(value[key])}" for key in sorted(value)) + "]"
