"""Cron schedules, in the grammar of the Go library that Kubernetes uses (robfig/cron v3), its error messages included.

`minute hour day month weekday`, each a list of `*`, numbers, names, ranges and steps; or `@daily` and its like, or
`@every 1h30m`. A time fits when minute, hour and month fit and the day does: by both of day and weekday when one of
them begins with `*`, else by either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple


class CronError(ValueError):
    """No schedule; the message is the library's."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which values fit. `any_day`, `any_weekday`: the field is a bare `*`. `every`: instead of all that, seconds."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = False
    any_weekday: bool = False
    every: float = 0


class _Bounds(NamedTuple):
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _Bounds(0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d*\.?\d*)([^\d.]*)")


def parse(text: str) -> Schedule:
    """Raises CronError."""
    if not text:
        raise CronError("empty spec string")
    if text.startswith(_EVERY):
        return _every(text)
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise CronError(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    words = text.split()
    if len(words) != len(_FIELDS):
        raise CronError(f"expected exactly 5 fields, found {len(words)}: [{' '.join(words)}]")
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = map(_field, words, _FIELDS)
    return Schedule(minutes, hours, days, months, weekdays, any_day, any_weekday)


def _field(text: str, bounds: _Bounds) -> tuple[frozenset[int], bool]:
    """The values that fit, and whether the field leaves it open."""
    values: set[int] = set()
    anything = False
    for part in filter(None, text.split(",")):
        found, starred = _range(part, bounds)
        values.update(found)
        anything = anything or starred
    return frozenset(values), anything


def _range(text: str, bounds: _Bounds) -> tuple[range, bool]:
    span, *steps = text.split("/")
    low, *highs = span.split("-")
    starred = low in ("*", "?")
    if starred:
        start, end = bounds.low, bounds.high
    else:
        start = end = _number(low, bounds.names)
        if len(highs) > 1:
            raise CronError(f"too many hyphens: {text}")
        if highs:
            end = _number(highs[0], bounds.names)
    if len(steps) > 1:
        raise CronError(f"too many slashes: {text}")
    step = 1
    if steps:
        step = _number(steps[0])
        if not highs:  # "N/step" goes on to the end.
            end = bounds.high
        starred = starred and step <= 1
    if start < bounds.low:
        raise CronError(f"beginning of range ({start}) below minimum ({bounds.low}): {text}")
    if end > bounds.high:
        raise CronError(f"end of range ({end}) above maximum ({bounds.high}): {text}")
    if start > end:
        raise CronError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step), starred


def _number(text: str, names: tuple[str, ...] = ()) -> int:
    if text.lower() in names:
        # Months count from one, weekdays from zero.
        return names.index(text.lower()) + (1 if len(names) == 12 else 0)
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if abs(int(text)) >= 2**63:
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": value out of range')
    if int(text) < 0:
        raise CronError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)


def _every(text: str) -> Schedule:
    try:
        seconds = _duration(text.removeprefix(_EVERY))
    except ValueError as error:
        raise CronError(f"failed to parse duration {text}: {error}") from None
    # Whole seconds, at least one.
    return Schedule(every=max(1.0, float(int(seconds))))


def _duration(text: str) -> float:
    """Go's durations: `1h30m`, `-1.5s`. Raises ValueError in Go's words."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total, position = 0.0, 0
    if not rest:
        raise ValueError(f'time: invalid duration "{text}"')
    while position < len(rest):
        match = _PART.match(rest, position)
        assert match is not None
        number, unit = match[1], match[2]
        if number in ("", "."):
            raise ValueError(f'time: invalid duration "{text}"')
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        total += float(number) * _UNITS[unit]
        position = match.end()
    return -total if text.startswith("-") else total
