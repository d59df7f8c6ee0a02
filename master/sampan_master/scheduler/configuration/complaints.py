"""What is wrong with a document, one line each: the path of the field, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import pydantic
from pydantic_core import ErrorDetails

_WORDS = {
    "missing": "Required value",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "too_short": "must have at least {min_length} entries",
    "string_too_long": "must be at most {max_length} bytes",
    "literal_error": "must be {expected}",
}


def complaints(model: type[pydantic.BaseModel], error: pydantic.ValidationError, path: str = "") -> Iterator[str]:
    for found in error.errors(include_url=False):
        at, *inside = _told(model, found).split("\n")
        where = joined(path, found["loc"])
        # A check of a whole mapping names the field it means itself.
        separator = "." if where and _names_a_field(model, found) else ": "
        yield f"{where}{separator}{at}" if where else at
        yield from inside


def joined(path: str, location: Sequence[int | str]) -> str:
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _told(model: type[pydantic.BaseModel], found: ErrorDetails) -> str:
    kind, value = found["type"], found.get("input")
    if kind == "extra_forbidden":
        fields = _fields_at(model, found["loc"][:-1])
        close = difflib.get_close_matches(str(found["loc"][-1]), fields, 1)
        return (
            f'unknown field, did you mean "{close[0]}"?' if close else f"unknown field: known are {', '.join(fields)}"
        )
    if kind == "value_error":
        return str(found["ctx"]["error"])
    words = _WORDS.get(kind)
    if words is None:
        return found["msg"]
    told = words.format(**found.get("ctx", {}))
    return told if kind in ("missing", "string_too_short") else f"{told}, not {_shown(value)}"


def _names_a_field(model: type[pydantic.BaseModel], found: ErrorDetails) -> bool:
    words = found["msg"].removeprefix("Value error, ").partition(":")[0]
    return found["type"] == "value_error" and words in _fields_at(model, found["loc"])


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "null" if value is None else f'"{value}"' if isinstance(value, str) else str(value).lower()


def _fields_at(model: type[pydantic.BaseModel], location: Sequence[int | str]) -> list[str]:
    here: type[pydantic.BaseModel] | None = model
    for step in location:
        if isinstance(step, str) and here is not None:
            field = here.model_fields.get(step)
            here = None if field is None else _model_in(field.annotation)
    return [] if here is None else list(here.model_fields)


def _model_in(annotation: Any) -> type[pydantic.BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
