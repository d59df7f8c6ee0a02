"""Numbers as Go's strconv reads them from a request, in decimal, and its words for what it refuses."""

from __future__ import annotations

import re

from sampan_master.apiserver.validation.fields import go_quote

_SIGNED = re.compile(r"[+-]?[0-9]+")
_UNSIGNED = re.compile(r"[0-9]+")


def parse_int(text: str) -> int:
    """Raises ValueError in the words of `strconv.ParseInt`."""
    return _parse("ParseInt", _SIGNED, -(1 << 63), (1 << 63) - 1, text)


def parse_uint(text: str) -> int:
    """Raises ValueError in the words of `strconv.ParseUint`."""
    return _parse("ParseUint", _UNSIGNED, 0, (1 << 64) - 1, text)


def _parse(function: str, form: re.Pattern[str], least: int, most: int, text: str) -> int:
    why = "invalid syntax"
    if form.fullmatch(text) is not None:
        why = "value out of range"
        digits = text.lstrip("+-").lstrip("0") or "0"
        # Python refuses to read thousands of digits, with words of its own.
        number = int(digits) if len(digits) <= 20 else most + 1
        if least <= (number := -number if text.startswith("-") else number) <= most:
            return number
    raise ValueError(f"strconv.{function}: parsing {go_quote(text)}: {why}")
