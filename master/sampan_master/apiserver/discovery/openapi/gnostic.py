"""OpenAPI version 2 as protobuf (google/gnostic `openapiv2.Document`), as far as our document goes.

Field numbers are gnostic's; only what `documents.version_2` writes is encoded.
"""

from __future__ import annotations

from typing import Any

import yaml


def encode(document: dict[str, Any]) -> bytes:
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(
        _message(2, _text(1, path) + _message(2, _path_item(item))) for path, item in document["paths"].items()
    )
    return (
        _text(1, document["swagger"])
        + _message(2, info)
        + _message(8, paths)
        + _message(9, _named_schemas(document["definitions"]))
    )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _message(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode()) if text else b""


def _any(value: Any) -> bytes:
    """`Any` carries its value as YAML text."""
    return _text(2, yaml.safe_dump(value, default_flow_style=False))


def _named_schemas(schemas: dict[str, Any]) -> bytes:
    return b"".join(_message(1, _text(1, name) + _message(2, _schema(one))) for name, one in schemas.items())


def _schema(schema: dict[str, Any]) -> bytes:
    out = [
        _text(1, schema.get("$ref", "")),
        _text(2, schema.get("format", "")),
        _text(4, schema.get("description", "")),
    ]
    out += [_text(19, name) for name in schema.get("required", ())]
    if "additionalProperties" in schema:
        out.append(_message(21, _message(1, _schema(schema["additionalProperties"]))))
    if "type" in schema:
        out.append(_message(22, _text(1, schema["type"])))
    if "items" in schema:
        out.append(_message(23, _message(1, _schema(schema["items"]))))
    if "properties" in schema:
        out.append(_message(25, _named_schemas(schema["properties"])))
    return b"".join([*out, _extensions(31, schema)])


def _extensions(number: int, holder: dict[str, Any]) -> bytes:
    return b"".join(
        _message(number, _text(1, name) + _message(2, _any(value)))
        for name, value in holder.items()
        if name.startswith("x-")
    )


def _path_item(item: dict[str, Any]) -> bytes:
    operation = item["patch"]
    ok = _text(1, "200") + _message(2, _message(1, _text(1, operation["responses"]["200"]["description"])))
    body = (
        _text(5, operation["operationId"])
        + b"".join(_message(8, _query_parameter(parameter)) for parameter in operation["parameters"])
        + _message(9, _message(1, ok))
        + _extensions(13, operation)
    )
    return _message(8, body)


def _query_parameter(parameter: dict[str, Any]) -> bytes:
    said = _text(2, parameter["in"]) + _text(4, parameter["name"]) + _text(6, parameter["type"])
    return _message(1, _message(2, _message(3, said)))
