"""RFC 6902, JSON Patch: a list of operations, each on the value that a JSON pointer (RFC 6901) leads to."""

from __future__ import annotations

from typing import Any

import orjson

from sampan_api.meta import Object
from sampan_api.patches.errors import PatchError, unreadable

_MAX_OPERATIONS = 10_000
_MAX_COPIED = 3 * 1024 * 1024
"""Bytes that all `copy` operations of one patch may add: a few of them could otherwise fill the memory."""
_MAX_PATH = 100
_REJECTED = "the server rejected our request due to an error in our request"


def json_patch(obj: Object, ops: Any) -> Object:
    """Any failing operation, `test` included, fails the whole patch with the API's one sentence."""
    if not isinstance(ops, list):
        raise unreadable(ops, "[]handlers.jsonPatchOp")
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


def _rejected(detail: str) -> PatchError:
    return PatchError(_REJECTED, code=422, detail=detail)


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
