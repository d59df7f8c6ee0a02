"""Label and field selectors: parsing the two grammars, and matching.

Labels: `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>3`. Fields: `a.b=c,d!=e` with backslash escapes. Error texts are
those of the API server, because clients show them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from sampan_api import names

_MAX_TERMS = 1000
"""Requirements and their values together. A selector is held against every object there is."""
_KEPT = 1024
"""Parsed selectors up to this length are kept; longer ones would be a way to fill the memory."""


class SelectorError(ValueError):
    """The selector cannot be parsed; the message is the API server's (a 400)."""


class Operator(StrEnum):
    EQUALS = "="
    DOUBLE_EQUALS = "=="
    NOT_EQUALS = "!="
    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    DOES_NOT_EXIST = "!"
    GREATER = "gt"
    LESS = "lt"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.EQUALS | Operator.DOUBLE_EQUALS | Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_EQUALS | Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case Operator.GREATER:
                return value is not None and _is_integer(value) and int(value) > int(self.values[0])
            case Operator.LESS:
                return value is not None and _is_integer(value) and int(value) < int(self.values[0])

    def __str__(self) -> str:
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.IN | Operator.NOT_IN:
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case Operator.GREATER:
                return f"{self.key}>{self.values[0]}"
            case Operator.LESS:
                return f"{self.key}<{self.values[0]}"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none at all matches everything, unless `nothing` is set."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        if self.nothing:
            return False
        return all(requirement.matches(labels or {}) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        """True when it matches everything."""
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


NOTHING = LabelSelector(nothing=True)
EVERYTHING = LabelSelector()


def parse_labels(text: str) -> LabelSelector:
    """The selector of a `labelSelector` query parameter. Raises SelectorError."""
    return _kept_labels(text) if len(text) <= _KEPT else _labels(text)


def _labels(text: str) -> LabelSelector:
    requirements = _LabelParser(text).requirements()
    _check_size(sum(1 + len(one.values) for one in requirements))
    return LabelSelector(tuple(sorted(requirements, key=lambda r: r.key)))


_kept_labels = lru_cache(maxsize=1024)(_labels)


def _check_size(terms: int) -> None:
    if terms > _MAX_TERMS:
        raise SelectorError(f"the selector has {terms} terms, more than the {_MAX_TERMS} that are allowed")


def from_label_selector(obj: Mapping[str, Any] | None) -> LabelSelector:
    """The selector of a `metav1.LabelSelector`: null matches nothing, `{}` everything. Raises SelectorError."""
    if obj is None:
        return NOTHING
    match_labels: Mapping[str, str] = obj.get("matchLabels") or {}
    requirements = [_requirement(key, Operator.EQUALS, [value]) for key, value in match_labels.items()]
    for expression in obj.get("matchExpressions") or []:
        operator = _EXPRESSION_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f"{_quote(expression.get('operator', ''))} is not a valid label selector operator")
        requirements.append(_requirement(expression.get("key", ""), operator, expression.get("values") or []))
    return LabelSelector(tuple(sorted(requirements, key=lambda r: r.key)))


def from_labels(labels: Mapping[str, str] | None) -> LabelSelector:
    """The selector that asks for exactly these labels, as in `spec.selector` of simple maps."""
    items = sorted((labels or {}).items())
    return LabelSelector(tuple(Requirement(key, Operator.EQUALS, (value,)) for key, value in items))


_EXPRESSION_OPERATORS = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.EXISTS,
    "DoesNotExist": Operator.DOES_NOT_EXIST,
}


def _is_integer(text: str) -> bool:
    digits = text[1:] if text[:1] in "+-" else text
    return digits.isascii() and digits.isdigit() and len(digits) < 20 and -(2**63) <= int(text) < 2**63


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _invalid(path: str, value: object, detail: str) -> SelectorError:
    shown = _quote(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return SelectorError(f"{path}: Invalid value: {shown}: {detail}")


def _requirement(key: str, operator: Operator, values: Iterable[str]) -> Requirement:
    """A checked requirement, or the error Kubernetes gives."""
    if problems := names.qualified_name(key):
        raise _invalid("key", key, "; ".join(problems))
    listed = list(values)
    match operator:
        case Operator.IN | Operator.NOT_IN if not listed:
            raise _invalid("values", [], "for 'in', 'notin' operators, values set can't be empty")
        case Operator.EXISTS | Operator.DOES_NOT_EXIST if listed:
            raise _invalid("values", listed, "values set must be empty for exists and does not exist")
        case Operator.GREATER | Operator.LESS:
            for index, value in enumerate(listed):
                if not _is_integer(value):
                    detail = "for 'Gt', 'Lt' operators, the value must be an integer"
                    raise _invalid(f"values[{index}]", value, detail)
    for index, value in enumerate(listed):
        if problems := names.label_value(value):
            raise _invalid(f"values[{index}][{key}]", value, "; ".join(problems))
    return Requirement(key, operator, tuple(sorted(set(listed))))


class _Token(NamedTuple):
    """`kind` is the symbol itself, "word", or "" at the end."""

    kind: str
    text: str


_SYMBOLS = {"(", ")", ",", "!", "=", "==", "!=", ">", "<"}
_BINARY_OPERATORS = "in, notin, =, ==, !=, gt, lt"


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        if text[position] in " \t\r\n":
            position += 1
        elif text[position : position + 2] in _SYMBOLS:
            tokens.append(_Token(text[position : position + 2], text[position : position + 2]))
            position += 2
        elif text[position] in _SYMBOLS:
            tokens.append(_Token(text[position], text[position]))
            position += 1
        else:
            start = position
            while position < len(text) and text[position] not in "(),!=<> \t\r\n":
                position += 1
            tokens.append(_Token("word", text[start:position]))
    return tokens


class _LabelParser:
    """Recursive descent over the tokens; what stands where a value is expected is a word, even `in`."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._position = 0

    def _peek(self) -> _Token:
        return self._tokens[self._position] if self._position < len(self._tokens) else _Token("", "")

    def _next(self) -> _Token:
        token = self._peek()
        self._position += 1
        return token

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            token = self._peek()
            if token.kind == "":
                return found
            if token.kind not in ("word", "!"):
                raise SelectorError(f"found '{token.text}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            after = self._next()
            if after.kind == "":
                return found
            if after.kind != ",":
                raise SelectorError(f"found '{after.text}', expected: ',' or 'end of string'")
            if self._peek().kind not in ("word", "!"):
                raise SelectorError(f"found '{self._peek().text}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        negated = self._peek().kind == "!"
        if negated:
            self._next()
        key = self._next()
        if key.kind != "word":
            raise SelectorError(f"found '{key.text}', expected: identifier")
        if problems := names.qualified_name(key.text):
            raise _invalid("<nil>", key.text, "; ".join(problems))
        if negated:
            return _requirement(key.text, Operator.DOES_NOT_EXIST, [])
        if self._peek().kind in ("", ","):
            return _requirement(key.text, Operator.EXISTS, [])
        operator = self._operator()
        if operator in (Operator.IN, Operator.NOT_IN):
            return _requirement(key.text, operator, self._value_set())
        return _requirement(key.text, operator, [self._exact_value()])

    def _operator(self) -> Operator:
        token = self._next()
        if token.kind in ("=", "==", "!="):
            return Operator(token.kind)
        if token.kind in (">", "<"):
            return Operator.GREATER if token.kind == ">" else Operator.LESS
        if token.text in ("in", "notin"):
            return Operator(token.text)
        raise SelectorError(f"found '{token.text}', expected: {_BINARY_OPERATORS}")

    def _exact_value(self) -> str:
        if self._peek().kind in ("", ","):
            return ""
        token = self._next()
        if token.kind != "word":
            raise SelectorError(f"found '{token.text}', expected: identifier")
        return token.text

    def _value_set(self) -> list[str]:
        token = self._next()
        if token.kind != "(":
            raise SelectorError(f"found '{token.text}' expected: '('")
        if self._peek().kind not in ("word", ",", ")"):
            raise SelectorError(f"found '{self._peek().text}', expected: ',', ')' or identifier")
        values = [""]
        while True:
            token = self._next()
            if token.kind == "word":
                values[-1] = token.text
                if self._peek().kind not in (",", ")"):
                    raise SelectorError(f"found '{self._peek().text}', expected: ',' or ')'")
            elif token.kind == ",":
                values.append("")
            elif token.kind == ")":
                return values
            else:
                raise SelectorError(f"found '{token.text}', expected: ',', or identifier")


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
    return _kept_fields(text) if len(text) <= _KEPT else _fields(text)


def _fields(text: str) -> FieldSelector:
    # Commas that no backslash protects divide; escapes stay in the terms.
    terms = _TERM.findall(text)
    _check_size(len(terms))
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
                raise SelectorError(f"invalid field selector: invalid escape sequence: {_quote(chr(92) + char)}")
        elif char in (",", "="):
            raise SelectorError(f"invalid field selector: unescaped character in value: {char}")
        result += char
        position += 1
    return result
