"""Plain data in, checked objects out, with the words of the real server when something does not fit.

Decoding an object walks the field tables of its model: unknown fields are dropped and listed, wrong types raise, nulls
count as absent, quantities, times and base64 take their canonical form, and zero values are left out or put in as Go's
encoder would (`resources: {}` is printed, `hostNetwork: false` is not).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

from sampan_api import gotime, quantity
from sampan_api.documents import DecodeError
from sampan_api.fields import Field, Kind, Model, fields, go_name
from sampan_api.gotext import json_kind
from sampan_api.meta import Object


class Decoded(NamedTuple):
    obj: Object
    unknown: list[str]
    """Paths of dropped fields as strict decoding names them: `spec.containers[0].foo`."""


def decode_json(model: type[Model], data: Any) -> Decoded:
    """The object `data` stands for. Raises DecodeError with Go's wording for wrong types."""
    unknown: list[str] = []
    if not isinstance(data, dict):
        message = f"json: cannot unmarshal {json_kind(data)} into Go value of type {go_name(model)}"
        raise DecodeError(message)
    try:
        obj = _struct(_plan(model), data, unknown)
    except _Mismatch as error:
        raise DecodeError(str(error)) from None
    return Decoded(obj, unknown)


class _Mismatch(Exception):
    """A value of the wrong JSON type, collecting its path while the walk unwinds."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(found, wanted)
        self.found, self.wanted = found, wanted
        self.struct = ""
        self.path: list[str] = []

    def __str__(self) -> str:
        where = f"Go struct field {self.struct}.{'.'.join(reversed(self.path))}"
        return f"json: cannot unmarshal {self.found} into {where} of type {self.wanted}"


_Nested = Callable[[Any, list[str]], Any]


class _Entry(NamedTuple):
    """One field as the walk meets it."""

    place: int
    """In the server's order."""
    scalar: Callable[[Any, Field], Any] | None
    field: Field
    nested: _Nested
    kept: bool
    """Printed even when it is empty, once it was given."""


class _Plan(NamedTuple):
    """A model as the walk needs it, made once: looking it up in the table field by field costs twice as much."""

    model: type[Model]
    entries: dict[str, _Entry]
    always: tuple[tuple[int, str, Field], ...]
    """What is printed as zero when it was not given."""


@cache
def _plan(model: type[Model]) -> _Plan:
    table = fields(model)
    entries, always = {}, []
    for place, field in enumerate(table.values()):
        scalar = None if field.container or field.message is not None else _SCALARS[field.kind]
        kept = field.always or field.pointer or (field.kind is Kind.MESSAGE and not field.container)
        entries[field.json] = _Entry(place, scalar, field, _nested(field), kept)
        if field.always and not field.container and not field.pointer:
            always.append((place, field.json, field))
    return _Plan(model, entries, tuple(always))


def _struct(plan: _Plan, data: dict[str, Any], unknown: list[str]) -> Object:
    entries = plan.entries
    found: Object = {}
    last, in_order = -1, True
    for name, value in data.items():
        entry = entries.get(name)
        if entry is None:
            unknown.append(name)
            continue
        if value is None:
            continue
        place, scalar, field, nested, kept = entry
        try:
            if scalar is not None:
                result = scalar(value, field)
            else:
                before = len(unknown)
                result = nested(value, unknown)
                if len(unknown) > before:
                    joint = name if field.container == "list" else name + "."
                    unknown[before:] = [joint + path for path in unknown[before:]]
        except _Mismatch as error:
            error.struct = error.struct or plan.model.__name__
            error.path.append(name)
            raise
        if result or kept:
            in_order = in_order and place > last
            last = place
            found[name] = result
    for place, name, field in plan.always:
        if data.get(name) is None:
            in_order = in_order and place > last
            last = place
            found[name] = zero(field)
    return found if in_order else _in_order(plan, found)


def _in_order(plan: _Plan, found: Object) -> Object:
    """As the server prints them; Go's clients send them so, and most objects come from us."""
    entries = plan.entries
    return {name: found[name] for name in sorted(found, key=lambda name: entries[name].place)}


def as_printed(model: type[Model], found: Object) -> Object:
    """The fields in the server's order, with those it always prints and without zeros it never does."""
    plan = _plan(model)
    entries = plan.entries
    kept = {name: value for name, value in found.items() if value is not None and (value or entries[name].kept)}
    for _, name, field in plan.always:
        if found.get(name) is None:
            kept[name] = zero(field)
    return _in_order(plan, kept)


def zero(field: Field) -> Any:
    """What Go prints for the zero value of a field that is always printed."""
    if field.message is not None:
        return _struct(_plan(field.message), {}, [])
    return _ZEROS.get(field.kind, "")


_ZEROS: dict[Kind, Any] = {
    Kind.INT32: 0,
    Kind.INT64: 0,
    Kind.DOUBLE: 0,
    Kind.BOOL: False,
    Kind.TIME: None,
    Kind.MICRO_TIME: None,
    Kind.QUANTITY: "0",
    Kind.INT_OR_STRING: 0,
    Kind.RAW: None,
}


def _nested(field: Field) -> _Nested:
    """The reader of a field that holds more than one scalar."""
    if field.container == "list":
        return partial(_list, field)
    if field.container:
        return partial(_map, field)
    return partial(_message, field)


def _list(field: Field, value: Any, unknown: list[str]) -> list[Any]:
    if not isinstance(value, list):
        raise _Mismatch(json_kind(value), field.go)
    if field.message is None:
        scalar = _SCALARS[field.kind]
        return [zero(field) if item is None else scalar(item, field) for item in value]
    result = []
    for index, item in enumerate(value):
        before = len(unknown)
        result.append(zero(field) if item is None else _message(field, item, unknown))
        if len(unknown) > before:
            unknown[before:] = [f"[{index}].{path}" for path in unknown[before:]]
    return result


def _map(field: Field, value: Any, unknown: list[str]) -> dict[str, Any]:
    """Go prints a map in the order of its keys."""
    if not isinstance(value, dict):
        raise _Mismatch(json_kind(value), field.go)
    if field.message is None:
        scalar = _SCALARS[field.kind]
        return {key: zero(field) if (item := value[key]) is None else scalar(item, field) for key in sorted(value)}
    result = {}
    for key in sorted(value):
        item = value[key]
        before = len(unknown)
        result[key] = zero(field) if item is None else _message(field, item, unknown)
        if len(unknown) > before:
            unknown[before:] = [f"{key}.{path}" for path in unknown[before:]]
    return result


def _message(field: Field, value: Any, unknown: list[str]) -> Object:
    if not isinstance(value, dict):
        raise _Mismatch(json_kind(value), field.go_element)
    assert field.message is not None
    return _struct(_plan(field.message), value, unknown)


def _string(value: Any, field: Field) -> Any:
    if not isinstance(value, str):
        raise _Mismatch(json_kind(value), field.go_element)
    return value


def _bool(value: Any, field: Field) -> Any:
    if not isinstance(value, bool):
        raise _Mismatch(json_kind(value), field.go_element)
    return value


def _integer(bits: int) -> Callable[[Any, Field], Any]:
    limit = 2 ** (bits - 1)

    def decode(value: Any, field: Field) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Mismatch(json_kind(value), field.go_element)
        if isinstance(value, float) or not -limit <= value < limit:
            raise _Mismatch(f"number {value}", field.go_element)
        return value

    return decode


def _double(value: Any, field: Field) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Mismatch(json_kind(value), field.go_element)
    return value


def _bytes(value: Any, field: Field) -> Any:
    if not isinstance(value, str):
        raise _Mismatch(json_kind(value), field.go_element)
    text = value.replace("\r", "").replace("\n", "")
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise DecodeError(f"illegal base64 data at input byte {_bad_base64(text)}") from None


def _bad_base64(text: str) -> int:
    """The offset Go's decoder names: the first byte outside the alphabet, or where the padding goes wrong."""
    for offset, char in enumerate(text):
        if not (char.isascii() and (char.isalnum() or char in "+/")):
            return offset
    return len(text)


def _time(value: Any, field: Field) -> Any:
    return _parsed_time(value, gotime.canonical_seconds)


def _micro_time(value: Any, field: Field) -> Any:
    return _parsed_time(value, gotime.canonical_micros)


def _parsed_time(value: Any, canonical: Callable[[str], str]) -> str:
    if not isinstance(value, str):
        raise DecodeError(f"json: cannot unmarshal {json_kind(value)} into Go value of type string")
    try:
        return canonical(value)
    except gotime.TimeError as error:
        raise DecodeError(str(error)) from None


def _quantity(value: Any, field: Field) -> Any:
    text = value if isinstance(value, str | int | float) and not isinstance(value, bool) else "?"
    try:
        return quantity.canonical(text)
    except quantity.QuantityError as error:
        raise DecodeError(str(error)) from None


def _int_or_string(value: Any, field: Field) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(f"json: cannot unmarshal {json_kind(value)} into Go value of type int32")
    if isinstance(value, float) or not -(2**31) <= value < 2**31:
        raise DecodeError(f"json: cannot unmarshal number {value} into Go value of type int32")
    return value


def _strings(value: Any, field: Field) -> Any:
    if not isinstance(value, list):
        raise _Mismatch(json_kind(value), field.go_element)
    for item in value:
        if not isinstance(item, str):
            raise _Mismatch(json_kind(item), "string")
    return value


def _raw(value: Any, field: Field) -> Any:
    return value


_SCALARS: dict[Kind, Callable[[Any, Field], Any]] = {
    Kind.STRING: _string,
    Kind.BOOL: _bool,
    Kind.INT32: _integer(32),
    Kind.INT64: _integer(64),
    Kind.DOUBLE: _double,
    Kind.BYTES: _bytes,
    Kind.TIME: _time,
    Kind.MICRO_TIME: _micro_time,
    Kind.QUANTITY: _quantity,
    Kind.INT_OR_STRING: _int_or_string,
    Kind.STRINGS: _strings,
    Kind.RAW: _raw,
}
