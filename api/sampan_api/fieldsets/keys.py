"""Path elements as FieldsV1 spells them: `f:name`, `k:{"name":"c"}`, `v:"x"`, `i:0`; and as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson


class PathError(ValueError):
    """An item of a list has no identity, or the name of a path element cannot be read."""


class Keys:
    """Which fields tell the items of a list apart, sorted by name, with what each counts as when it is left out."""

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self.defaults = defaults
        self._single = next(iter(defaults)) if len(defaults) == 1 else ""

    def of(self, item: Any) -> str:
        """Raises PathError."""
        if isinstance(item, dict):
            if self._single and (value := item.get(self._single)) is not None:
                return "k:" + orjson.dumps({self._single: value}).decode()
            return "k:" + orjson.dumps({name: self._value(item, name) for name in self.defaults}).decode()
        what = "a null element" if item is None else "non-map elements"
        raise PathError(f"associative list with keys may not have {what}")

    def _value(self, item: dict[str, Any], name: str) -> Any:
        if name in item:
            return item[name]
        default = self.defaults[name]
        if default is None:
            omits = f'associative list with keys has an element that omits key field "{name}"'
            raise PathError(f"{omits} (and doesn't have default value)")
        return default


def key_of_scalar(item: Any) -> str:
    """Raises PathError."""
    if isinstance(item, str):
        return "v:" + orjson.dumps(item).decode()
    match item:
        case dict():
            raise PathError("associative list without keys has an element that's a map type")
        case list():
            raise PathError("not supported: associative list with lists as elements")
        case None:
            raise PathError("associative list without keys has an element that's an explicit null")
    return "v:" + orjson.dumps(item).decode()


def canonical(key: str) -> str | None:
    """The one spelling of a path element; None for one of a kind that nobody knows yet. Raises PathError."""
    if len(key) < 2:
        raise PathError("key must be 2 characters long:")
    if key[1] != ":":
        raise PathError(f"missing colon: {key}")
    match key[0]:
        case "f":
            return key
        case "i":
            try:
                return f"i:{int(key[2:])}"
            except ValueError:
                raise PathError(f"invalid index: {key}") from None
        case "k" | "v":
            value = _read(key)
            if key[0] == "k" and not isinstance(value, dict):
                raise PathError(f"keys are no object: {key}")
            return key[:2] + orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return None


def _read(key: str) -> Any:
    try:
        return orjson.loads(key[2:])
    except orjson.JSONDecodeError as error:
        raise PathError(f"cannot read {key}: {error}") from None


def in_order(keys: Iterable[str]) -> list[str]:
    """`.` first, then fields, keyed items, values and positions, each sorted by what they say."""
    names = sorted(keys)
    if len(names) < 2:
        return names
    # As texts only fields are in order already: of numbers 9 comes before 10, of strings "a" before "a!".
    return names if names[-1].startswith(("f:", ".")) else sorted(names, key=_rank)


@lru_cache(maxsize=4096)
def _rank(key: str) -> tuple[Any, ...]:
    match key[:2]:
        case "k:":
            return ("k", *((name, *_rank_of_value(value)) for name, value in sorted(_read(key).items())))
        case "v:":
            return ("v", _rank_of_value(_read(key)))
        case "i:":
            return ("i", int(key[2:]))
    return (key[:1], key[2:])


def _rank_of_value(value: Any) -> tuple[int, Any]:
    match value:
        case bool():
            return 2, value
        case int() | float():
            return 0, value
        case str():
            return 1, value
    return 3, json.dumps(value, sort_keys=True)


def shown(path: Iterable[str]) -> str:
    """`.spec.containers[name="c"].image`: how errors name a path."""
    return "".join(map(_shown, path))


def _shown(key: str) -> str:
    match key[:2]:
        case "f:":
            return "." + key[2:]
        case "k:":
            return "[" + ",".join(f"{name}={_quoted(value)}" for name, value in sorted(_read(key).items())) + "]"
        case "v:":
            return f"[={_quoted(_read(key))}]"
    return f"[{key[2:]}]"


def _quoted(value: Any) -> str:
    return orjson.dumps(value).decode()
