"""Plain data in, checked objects out, with the words of the real server when something does not fit.

Decoding an object walks the field tables of its model: unknown fields are dropped and listed, wrong types raise, nulls
count as absent, quantities, times and base64 take their canonical form, and zero values are left out or put in as Go's
encoder would (`resources: {}` is printed, `hostNetwork: false` is not).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sampan_api import gotime, quantity
from sampan_api.documents import DecodeError
from sampan_api.fields import Field, Kind, Model, fields, go_name
from sampan_api.meta import Object


class Decoded(NamedTuple):
    obj: Object
    unknown: list[str]
    """Paths of dropped fields as strict decoding names them: `spec.containers[0].foo`."""


def decode_json(model: type[Model], data: Any) -> Decoded:
    """The object `data` stands for. Raises DecodeError with Go's wording for wrong types."""
    unknown: list[str] = []
    if not isinstance(data, dict):
        message = f"json: cannot unmarshal {_json_kind(data)} into Go value of type {go_name(model)}"
        raise DecodeError(message)
    try:
        obj = _struct(model, data, unknown)
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


def _struct(model: type[Model], data: dict[str, Any], unknown: list[str]) -> Object:
    table = fields(model)
    found: Object = {}
    for name, value in data.items():
        field = table.get(name)
        if field is None:
            unknown.append(name)
            continue
        before = len(unknown)
        try:
            result = _field(field, value, unknown)
        except _Mismatch as error:
            error.struct = error.struct or model.__name__
            error.path.append(name)
            raise
        if len(unknown) > before:
            joint = name if field.container == "list" else name + "."
            unknown[before:] = [joint + path for path in unknown[before:]]
        if result is not None:
            found[name] = result
    return as_printed(table, found)


def as_printed(table: Mapping[str, Field], found: Object) -> Object:
    """The fields in the server's order, with those it always prints and without zeros it never does."""
    result: Object = {}
    for field in table.values():
        value = found.get(field.json)
        if value is None:
            if field.always and not field.container and not field.pointer:
                result[field.json] = zero(field)
        elif value or field.always or field.pointer or (field.kind is Kind.MESSAGE and not field.container):
            result[field.json] = value
    return result


def zero(field: Field) -> Any:
    """What Go prints for the zero value of a field that is always printed."""
    if field.message is not None:
        return _struct(field.message, {}, [])
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


def _field(field: Field, value: Any, unknown: list[str]) -> Any:
    if value is None:
        return None
    if field.container == "":
        return _value(field, value, unknown)
    if field.container == "list":
        if not isinstance(value, list):
            raise _Mismatch(_json_kind(value), field.go)
        return _list(field, value, unknown)
    if not isinstance(value, dict):
        raise _Mismatch(_json_kind(value), field.go)
    return _map(field, value, unknown)


def _list(field: Field, value: list[Any], unknown: list[str]) -> list[Any]:
    result = []
    for index, item in enumerate(value):
        before = len(unknown)
        result.append(zero(field) if item is None else _value(field, item, unknown))
        if len(unknown) > before:
            unknown[before:] = [f"[{index}].{path}" for path in unknown[before:]]
    return result


def _map(field: Field, value: dict[str, Any], unknown: list[str]) -> dict[str, Any]:
    """Go prints a map in the order of its keys."""
    result = {}
    for key in sorted(value):
        item = value[key]
        before = len(unknown)
        result[key] = zero(field) if item is None else _value(field, item, unknown)
        if len(unknown) > before:
            unknown[before:] = [f"{key}.{path}" for path in unknown[before:]]
    return result


def _value(field: Field, value: Any, unknown: list[str]) -> Any:
    if field.message is not None:
        if not isinstance(value, dict):
            raise _Mismatch(_json_kind(value), field.go_element)
        return _struct(field.message, value, unknown)
    return _SCALARS[field.kind](value, field)


def _string(value: Any, field: Field) -> Any:
    if not isinstance(value, str):
        raise _Mismatch(_json_kind(value), field.go_element)
    return value


def _bool(value: Any, field: Field) -> Any:
    if not isinstance(value, bool):
        raise _Mismatch(_json_kind(value), field.go_element)
    return value


def _integer(bits: int) -> Callable[[Any, Field], Any]:
    limit = 2 ** (bits - 1)

    def decode(value: Any, field: Field) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Mismatch(_json_kind(value), field.go_element)
        if isinstance(value, float) or not -limit <= value < limit:
            raise _Mismatch(f"number {value}", field.go_element)
        return value

    return decode


def _double(value: Any, field: Field) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Mismatch(_json_kind(value), field.go_element)
    return value


def _bytes(value: Any, field: Field) -> Any:
    if not isinstance(value, str):
        raise _Mismatch(_json_kind(value), field.go_element)
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
        raise DecodeError(f"json: cannot unmarshal {_json_kind(value)} into Go value of type string")
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
        raise DecodeError(f"json: cannot unmarshal {_json_kind(value)} into Go value of type int32")
    if isinstance(value, float) or not -(2**31) <= value < 2**31:
        raise DecodeError(f"json: cannot unmarshal number {value} into Go value of type int32")
    return value


def _strings(value: Any, field: Field) -> Any:
    if not isinstance(value, list):
        raise _Mismatch(_json_kind(value), field.go_element)
    for item in value:
        if not isinstance(item, str):
            raise _Mismatch(_json_kind(item), "string")
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


def _json_kind(value: Any) -> str:
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
