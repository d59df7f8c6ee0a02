"""Values as Go's error messages show them. Clients print these texts, and people search for them."""

from __future__ import annotations

from typing import Any


def json_kind(value: Any) -> str:
    """What Go's JSON decoder calls a value that it cannot use."""
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


def go_value(value: Any) -> str:
    """As Go's `%v` prints it."""
    match value:
        case dict():
            return "map[" + " ".join(f"{key}:{go_value(value[key])}" for key in sorted(value)) + "]"
        case list():
            return "[" + " ".join(map(go_value, value)) + "]"
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def duration(seconds: float) -> str:
    """A `time.Duration` of whole seconds, less than an hour: `2m40s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
