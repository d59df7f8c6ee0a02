"""Field selectors: their grammar and matching."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sampan_api.selectors.limits import KEPT, SelectorError, check_size, quote


class FieldRequirement(NamedTuple):
    field: str
    operator: str
    """"=" or "!="."""
    value: str


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All requirements must hold. Which fields are allowed is known to the resource, not to the selector."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, getter: Callable[[str], str]) -> bool:
        """`getter` answers the value of a field path as text, "" when absent."""
        return all((getter(r.field) == r.value) == (r.operator == "=") for r in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements

    def exact(self, field: str) -> str | None:
        """The one value this field must have, or None when the selector leaves it open."""
        return next((r.value for r in self.requirements if r.field == field and r.operator == "="), None)

    def __str__(self) -> str:
        return ",".join(f"{r.field}{r.operator}{_escape(r.value)}" for r in self.requirements)


def parse_fields(text: str) -> FieldSelector:
    """The selector of a `fieldSelector` query parameter; a trailing comma is allowed. Raises SelectorError."""
    return _kept_fields(text) if len(text) <= KEPT else _fields(text)


def _fields(text: str) -> FieldSelector:
    # Commas that no backslash protects divide; escapes stay in the terms.
    terms = _TERM.findall(text)
    check_size(len(terms))
    return FieldSelector(tuple(_field_term(term, text) for term in terms))


_kept_fields = lru_cache(maxsize=1024)(_fields)
_TERM = re.compile(r"(?:[^,\\]|\\.|\\$)+", re.DOTALL)


def _field_term(term: str, whole: str) -> FieldRequirement:
    position, escaped = 0, False
    while position < len(term):
        if not escaped:
            for symbol, operator in (("!=", "!="), ("==", "="), ("=", "=")):
                if term.startswith(symbol, position):
                    value = _unescape(term[position + len(symbol) :])
                    return FieldRequirement(term[:position], operator, value)
        escaped = term[position] == "\\" and not escaped
        position += 1
    raise SelectorError(f"invalid selector: '{whole}'; can't understand '{term}'")


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def _unescape(value: str) -> str:
    result, position = "", 0
    while position < len(value):
        char = value[position]
        if char == "\\":
            position += 1
            char = value[position : position + 1]
            if char not in ("\\", ",", "="):
                raise SelectorError(f"invalid field selector: invalid escape sequence: {quote(chr(92) + char)}")
        elif char in (",", "="):
            raise SelectorError(f"invalid field selector: unescaped character in value: {char}")
        result += char
        position += 1
    return result
