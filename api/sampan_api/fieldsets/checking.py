"""What is wrong with a configuration before it can be applied: fields nobody declares, wrong types, doubled items.

The words are those of the real server, which prints values as Go does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from sampan_api.fields import Field, Kind, Model, fields
from sampan_api.fieldsets.keys import PathError, shown
from sampan_api.fieldsets.shapes import Form, Shape, field_shape
from sampan_api.gotext import go_value


class Problem(NamedTuple):
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def check(config: dict[str, Any], model: type[Model]) -> list[Problem]:
    """Every problem; empty when the configuration can be applied."""
    return list(_struct(config, model, ""))


def listed(problems: list[Problem]) -> str:
    if len(problems) == 1:
        return str(problems[0])
    return "\n".join(["errors:", *(f"  {problem}" for problem in problems)])


def _struct(value: dict[str, Any], model: type[Model], path: str) -> Iterator[Problem]:
    table = fields(model)
    for name, part in value.items():
        if name not in table:
            yield Problem(f"{path}.{name}", "field not declared in schema")
            return
        yield from _field(part, table[name], f"{path}.{name}")


def _field(value: Any, field: Field, path: str) -> Iterator[Problem]:
    if value is None:
        return
    match field.container:
        case "list" if not isinstance(value, list):
            yield Problem(path, f"expected list, got &{{{go_value(value)}}}")
        case "list":
            yield from _list(value, field, path)
        case "map" if not isinstance(value, dict):
            yield Problem(path, f"expected map, got &{{{go_value(value)}}}")
        case "map":
            for name, part in value.items():
                yield from _single(part, field, f"{path}.{name}")
        case _:
            yield from _single(value, field, path)


def _list(value: list[Any], field: Field, path: str) -> Iterator[Problem]:
    shape = field_shape(field)
    seen: set[str] = set()
    for index, item in enumerate(value):
        try:
            key = _key(item, index, shape)
        except PathError as error:
            yield Problem(path, f"element {index}: {error}")
            return
        if key in seen:
            yield Problem(path, f"duplicate entries for key {shown([key])}")
        seen.add(key)
        yield from _single(item, field, path + shown([key]))


def _key(item: Any, index: int, shape: Shape) -> str:
    return shape.key_of(item) if shape.form in (Form.KEYED, Form.SET) else f"i:{index}"


def _single(value: Any, field: Field, path: str) -> Iterator[Problem]:
    if value is None or field.kind in (Kind.RAW, Kind.STRINGS):
        return
    if field.message is not None:
        if isinstance(value, dict):
            yield from _struct(value, field.message, path)
        else:
            yield Problem(path, f"expected map, got &{{{go_value(value)}}}")
        return
    message = _scalar(value, field.kind)
    if message:
        yield Problem(path, message)


_NUMBERS = (Kind.INT32, Kind.INT64, Kind.DOUBLE)
_TEXTS = (Kind.STRING, Kind.BYTES)


def _scalar(value: Any, kind: Kind) -> str:
    if kind in _NUMBERS:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number else f"expected numeric (int or float), got {_go_type(value)}"
    if kind in _TEXTS:
        literal = f"&value.valueUnstructured{{Value:{_literal(value)}}}"
        return "" if isinstance(value, str) else f"expected string, got {literal}"
    if kind is Kind.BOOL:
        return "" if isinstance(value, bool) else f"expected boolean, got &{{{go_value(value)}}}"
    return f"expected any scalar, got &{{{go_value(value)}}}" if isinstance(value, dict | list) else ""


def _go_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "[]interface {}"
    return "map[string]interface {}"


def _literal(value: Any) -> str:
    """As Go's `%#v` prints it."""
    match value:
        case dict():
            parts = ", ".join(f"{_literal(key)}:{_literal(value[key])}" for key in sorted(value))
            return f"map[string]interface {{}}{{{parts}}}"
        case list():
            return "[]interface {}{" + ", ".join(map(_literal, value)) + "}"
        case None:
            return "interface {}(nil)"
        case bool():
            return str(value).lower()
        case str():
            return orjson.dumps(value).decode()
    return str(value)
