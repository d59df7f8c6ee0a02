"""Kubernetes' protobuf bodies in, plain objects out. Nothing is ever encoded: every client reads JSON answers.

A body is the four bytes `k8s\\0` and a `runtime.Unknown` message: the type it holds, and the object's own bytes.
Those are decoded by the same field tables as JSON, so that both forms of one object give the same result. What JSON
writes as one text (times, quantities, int-or-string) is a small message here; embedded structs are nested messages.
Encoding: https://protobuf.dev/programming-guides/encoding/ ; envelope: the API concepts page of Kubernetes.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import orjson

from sampan_api import quantity
from sampan_api.clock import rfc3339, rfc3339_micro
from sampan_api.decoding import as_printed, zero
from sampan_api.documents import DecodeError
from sampan_api.fields import Field, Kind, Model, fields
from sampan_api.meta import Object
from sampan_api.scheme import model_for

_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Envelope(NamedTuple):
    """What a body says it holds, and the object's bytes."""

    api_version: str
    kind: str
    raw: bytes


def open_envelope(body: bytes) -> Envelope:
    """The outer message. Raises DecodeError."""
    if not body.startswith(_MAGIC):
        raise DecodeError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version = kind = ""
    raw = b""
    for number, value in _read(body[len(_MAGIC) :]):
        if number == 1:
            for inner, text in _read(_as_bytes(value)):
                if inner == 1:
                    api_version = _text(text)
                elif inner == 2:
                    kind = _text(text)
        elif number == 2:
            raw = _as_bytes(value)
    return Envelope(api_version, kind, raw)


def decode(body: bytes, api_version: str = "", kind: str = "") -> tuple[str, str, Object]:
    """(apiVersion, kind, object); a body that does not say its type is of the type given. Raises DecodeError, or
    UnknownKind when no class stands for the type."""
    said_version, said_kind, raw = open_envelope(body)
    api_version, kind = said_version or api_version, said_kind or kind
    obj = decode_message(model_for(api_version, kind), raw)
    return api_version, kind, {"kind": kind, "apiVersion": api_version, **obj}


def decode_message(model: type[Model], raw: bytes) -> Object:
    """The object whose bytes, without envelope, are `raw`. Raises DecodeError."""
    found: Object = {}
    _collect(model, raw, found)
    return as_printed(model, found)


class _Layout(NamedTuple):
    """A model by protobuf numbers."""

    own: Mapping[int, Field]
    embedded: Mapping[int, type[Model]]


@cache
def _layout(model: type[Model]) -> _Layout:
    own = {field.number: field for field in fields(model).values() if field.number and not field.embedded}
    return _Layout(own, {number: base for base, number in model.EMBEDDED.items()})


def _collect(model: type[Model], raw: bytes, found: Object) -> None:
    layout = _layout(model)
    for number, value in _read(raw):
        field = layout.own.get(number)
        if field is not None:
            _store(field, value, found)
        elif number in layout.embedded:
            _collect(layout.embedded[number], _as_bytes(value), found)


def _store(field: Field, value: int | bytes, found: Object) -> None:
    if field.container == "list":
        items = found.setdefault(field.json, [])
        if isinstance(value, bytes) and field.kind in (Kind.INT32, Kind.INT64, Kind.BOOL):
            items.extend(_element(field, number) for number in _packed(value))
        else:
            items.append(_element(field, value))
    elif field.container == "map":
        key, item = "", zero(field)
        for number, part in _read(_as_bytes(value)):
            if number == 1:
                key = _text(part)
            elif number == 2:
                item = _element(field, part)
        found.setdefault(field.json, {})[key] = item
    else:
        found[field.json] = _element(field, value)


def _element(field: Field, value: int | bytes) -> Any:
    if field.message is not None:
        return decode_message(field.message, _as_bytes(value))
    return _ELEMENTS[field.kind](value)


def _text(value: int | bytes) -> str:
    try:
        return _as_bytes(value).decode()
    except UnicodeDecodeError:
        raise DecodeError("proto: string field contains invalid UTF-8") from None


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise DecodeError("proto: wrong wireType = 0 for a field of bytes")
    return value


def _integer(bits: int) -> Callable[[int | bytes], int]:
    def decode(value: int | bytes) -> int:
        if isinstance(value, bytes):
            raise DecodeError("proto: wrong wireType = 2 for a field of integers")
        value &= (1 << bits) - 1
        return value - (1 << bits) if value >> (bits - 1) else value

    return decode


_int64 = _integer(64)
_int32 = _integer(32)


def _bool(value: int | bytes) -> bool:
    return _int64(value) != 0


def _double(value: int | bytes) -> float:
    number: float = struct.unpack("<d", _int64(value).to_bytes(8, "little", signed=True))[0]
    return number


def _base64(value: int | bytes) -> str:
    return base64.b64encode(_as_bytes(value)).decode()


def _moment(value: int | bytes) -> tuple[int, int] | None:
    """(seconds, nanoseconds); None for the empty message, which stands for no time at all."""
    seconds = nanos = 0
    raw = _as_bytes(value)
    for number, part in _read(raw):
        if number == 1:
            seconds = _int64(part)
        elif number == 2:
            nanos = _int32(part)
    if not -62135596800 <= seconds < 253402300800:
        raise DecodeError("Time.MarshalJSON: year outside of range [0,9999]")
    return (seconds, nanos) if raw else None


def _time(value: int | bytes) -> str | None:
    moment = _moment(value)
    return None if moment is None else rfc3339(moment[0])


def _micro_time(value: int | bytes) -> str | None:
    moment = _moment(value)
    if moment is None:
        return None
    # Not through a float: it cannot hold today's seconds and six digits more.
    return f"{rfc3339_micro(moment[0])[:-7]}{moment[1] // 1000:06d}Z"


def _quantity(value: int | bytes) -> str:
    text = "0"
    for number, part in _read(_as_bytes(value)):
        if number == 1:
            text = _text(part)
    try:
        return quantity.canonical(text)
    except quantity.QuantityError as error:
        raise DecodeError(str(error)) from None


def _int_or_string(value: int | bytes) -> int | str:
    kind, number, text = 0, 0, ""
    for field, part in _read(_as_bytes(value)):
        if field == 1:
            kind = _int64(part)
        elif field == 2:
            number = _int32(part)
        elif field == 3:
            text = _text(part)
    return text if kind == 1 else number


def _raw(value: int | bytes) -> Any:
    raw = b""
    for number, part in _read(_as_bytes(value)):
        if number == 1:
            raw = _as_bytes(part)
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise DecodeError("a raw extension holds no JSON") from None


def _strings(value: int | bytes) -> list[str]:
    return [_text(part) for number, part in _read(_as_bytes(value)) if number == 1]


_ELEMENTS: dict[Kind, Callable[[int | bytes], Any]] = {
    Kind.STRING: _text,
    Kind.INT32: _int32,
    Kind.INT64: _int64,
    Kind.BOOL: _bool,
    Kind.DOUBLE: _double,
    Kind.BYTES: _base64,
    Kind.TIME: _time,
    Kind.MICRO_TIME: _micro_time,
    Kind.QUANTITY: _quantity,
    Kind.INT_OR_STRING: _int_or_string,
    Kind.RAW: _raw,
    Kind.STRINGS: _strings,
}


def _read(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: number, and an int (varint, fixed) or bytes (length-delimited)."""
    position, end = 0, len(raw)
    while position < end:
        tag = raw[position]
        if tag < 0x80:
            position += 1
        else:
            tag, position = _varint(raw, position)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise DecodeError("proto: illegal tag 0")
        if wire == _VARINT:
            value, position = _varint(raw, position)
            yield number, value
            continue
        if wire == _BYTES:
            length, position = _varint(raw, position)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise DecodeError(f"proto: illegal wireType {wire}")
        stop = position + length
        if stop > end:
            raise DecodeError("unexpected EOF")
        chunk = raw[position:stop]
        yield number, chunk if wire == _BYTES else int.from_bytes(chunk, "little")
        position = stop


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(raw):
            raise DecodeError("unexpected EOF")
        byte = raw[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
        if shift > 63:
            raise DecodeError("proto: integer overflow")


def _packed(raw: bytes) -> Iterator[int]:
    position = 0
    while position < len(raw):
        value, position = _varint(raw, position)
        yield value
