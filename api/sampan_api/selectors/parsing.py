"""The grammar of label selectors as a `labelSelector` query parameter has it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sampan_api import names
from sampan_api.selectors.labels import LabelSelector, Operator, Requirement, invalid, requirement
from sampan_api.selectors.limits import KEPT, SelectorError, check_size


def parse_labels(text: str) -> LabelSelector:
    """The selector of a `labelSelector` query parameter. Raises SelectorError."""
    return _kept_labels(text) if len(text) <= KEPT else _labels(text)


def _labels(text: str) -> LabelSelector:
    requirements = _LabelParser(text).requirements()
    check_size(sum(1 + len(one.values) for one in requirements))
    return LabelSelector(tuple(sorted(requirements, key=lambda r: r.key)))


_kept_labels = lru_cache(maxsize=1024)(_labels)


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
            raise invalid("<nil>", key.text, "; ".join(problems))
        if negated:
            return requirement(key.text, Operator.DOES_NOT_EXIST, [])
        if self._peek().kind in ("", ","):
            return requirement(key.text, Operator.EXISTS, [])
        operator = self._operator()
        if operator in (Operator.IN, Operator.NOT_IN):
            return requirement(key.text, operator, self._value_set())
        return requirement(key.text, operator, [self._exact_value()])

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
