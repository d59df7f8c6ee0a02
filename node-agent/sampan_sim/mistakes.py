"""What is wrong in a file of `sampan sim -f`, told by the path of the field, with what it should be."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_TOP, _KEY = "the file", "[key]"
_SHOULD = {
    "tuple_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of fields to values",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "float_type": "must be a number",
    "float_parsing": "must be a number, such as 0.1",
    "missing": "is required",
}


def told(model: type[BaseModel], error: ValidationError) -> Iterator[str]:
    """A line for each field."""
    for problem in error.errors():
        if problem["type"] == "too_short" and problem["input"]:
            # It has items; what is wrong with them is told for itself.
            continue
        yield f"{_path(problem['loc'])}: {_wrong(model, problem)}"


def _wrong(model: type[BaseModel], problem: Any) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        return f"there is no such field{_meant(model, problem['loc'])}"
    if kind == "string_type":
        return f"must be text, and {json.dumps(problem['input'], default=str)} is none without quotes"
    if kind == "too_short":
        return f"must have at least {problem['ctx']['min_length']} item"
    return _SHOULD.get(kind) or problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if part == _KEY:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or _TOP


def _meant(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    fields = _fields_at(model, location[:-1])
    close = difflib.get_close_matches(str(location[-1]), fields, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(fields)}"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        if isinstance(part, str):
            field = next(f for name, f in model.model_fields.items() if part in (name, f.alias))
            candidates = [field.annotation, *get_args(field.annotation)]
            model = next(one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel))
    return [field.alias or name for name, field in model.model_fields.items()]
