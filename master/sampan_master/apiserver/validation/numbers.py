"""Bounds of numbers, with the texts of `apimachinery/validation`."""

from __future__ import annotations

import re
from typing import Any

from sampan_master.apiserver.validation.fields import Errors, invalid

MAX_INT32 = 2147483647


def non_negative(value: int | None, path: str) -> Errors:
    if value is not None and value < 0:
        yield invalid(path, value, "must be greater than or equal to 0")


def between(value: int | None, low: int, high: int, path: str) -> Errors:
    if value is not None and not low <= value <= high:
        yield invalid(path, value, f"must be between {low} and {high}, inclusive")


_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 1 << 32


def token_lifetime(seconds: int | None, path: str) -> Errors:
    """How long a token of a service account is good, whoever asks for it."""
    if seconds is not None and seconds < _SHORTEST_TOKEN:
        yield invalid(path, seconds, "may not specify a duration less than 10 minutes")
    if seconds is not None and seconds > _LONGEST_TOKEN:
        yield invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")


def user_id(value: int | None, path: str) -> Errors:
    yield from between(value, 0, MAX_INT32, path)


def port_number(value: Any, path: str) -> Errors:
    yield from between(value, 1, 65535, path)


_PERCENT = re.compile(r"[0-9]+%")
_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for"
    " validation is '[0-9]+%')"
)


def count_or_percent(value: int | str | None, path: str) -> Errors:
    """A number of things, or a share of them as `"25%"`."""
    if isinstance(value, str):
        if not _PERCENT.fullmatch(value):
            yield invalid(path, value, _PERCENT_TEXT)
    else:
        yield from non_negative(value, path)


def not_above_all(value: int | str | None, path: str) -> Errors:
    if isinstance(value, str) and share(value) > 100:
        yield invalid(path, value, "must not be greater than 100%")


def share(value: int | str | None) -> int:
    """The number in a count or a percentage; 0 for what is neither."""
    if isinstance(value, str):
        return int(value[:-1]) if _PERCENT.fullmatch(value) else 0
    return value or 0
