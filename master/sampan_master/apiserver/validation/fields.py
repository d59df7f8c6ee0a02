"""`FieldError`: one mistake at one path, and the `Invalid` status that a list of them makes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sampan_api.errors import Invalid


@dataclass(frozen=True, slots=True)
class FieldError:
    """`reason` is the cause's machine word, `message` what stands behind the path."""

    reason: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


Errors = Iterator[FieldError]


def quoted(value: Any) -> str:
    """A value as Go prints it in a field error: strings with `%q`, everything else as JSON."""
    if isinstance(value, str):
        return go_quote(value)
    return orjson.dumps(value).decode()


def go_quote(text: str) -> str:
    """Go's `%q`: a double-quoted string with its escapes, printable Unicode left as it is."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif char.isprintable():
            out.append(char)
        else:
            code = ord(char)
            out.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}")
    return '"' + "".join(out) + '"'


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def _detailed(word: str, detail: str) -> str:
    return f"{word}: {detail}" if detail else word


def required(path: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", path, _detailed("Required value", detail))


def invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", path, _detailed(f"Invalid value: {quoted(value)}", detail))


def invalid_as_a_whole(path: str, detail: str) -> FieldError:
    """Of something too large to be shown."""
    return FieldError("FieldValueInvalid", path, f"Invalid value: {detail}")


def unsupported(path: str, value: Any, supported: Iterable[str]) -> FieldError:
    choices = ", ".join(go_quote(choice) for choice in supported)
    return FieldError(
        "FieldValueNotSupported", path, f"Unsupported value: {quoted(value)}: supported values: {choices}"
    )


def one_of(value: Any, choices: Collection[str], path: str) -> Errors:
    """None is no choice made, which is for others to judge."""
    if value is not None and value not in choices:
        yield unsupported(path, value, choices)


def duplicate(path: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", path, f"Duplicate value: {quoted(value)}")


def forbidden(path: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", path, _detailed("Forbidden", detail))


def not_found(path: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", path, f"Not found: {quoted(value)}")


def too_long(path: str, limit: int) -> FieldError:
    return FieldError("FieldValueTooLong", path, f"Too long: may not be more than {limit} bytes")


def too_many(path: str, actual: int, limit: int) -> FieldError:
    return FieldError("FieldValueTooMany", path, f"Too many: {actual}: must have at most {limit} items")


def invalid_object(kind: str, group: str, name: str, errors: list[FieldError]) -> Invalid:
    """The 422 of an object: `Pod "p" is invalid: …`, one cause per error."""
    qualified = f"{kind}.{group}" if group else kind
    said = str(errors[0]) if len(errors) == 1 else "[" + ", ".join(map(str, errors)) + "]"
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [{"reason": e.reason, "message": e.message, "field": e.path} for e in errors]
    return Invalid(f"{qualified} {go_quote(name)} is invalid: {said}", details)
