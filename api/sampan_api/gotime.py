"""RFC 3339 times as Go reads and prints them, its error messages included.

`metav1.Time` is printed with whole seconds, `metav1.MicroTime` with exactly six digits, both in UTC.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache

_LAYOUT = "2006-01-02T15:04:05Z07:00"
_LAYOUT_MICRO = "2006-01-02T15:04:05.000000Z07:00"

_PARTS = (
    ("2006", r"\d{4}", ""),
    ("-", "-", ""),
    ("01", r"\d{2}", "month"),
    ("-", "-", ""),
    ("02", r"\d{2}", "day"),
    ("T", "T", ""),
    ("15", r"\d{2}", "hour"),
    (":", ":", ""),
    ("04", r"\d{2}", "minute"),
    (":", ":", ""),
    ("05", r"\d{2}", "second"),
)
_RANGES = {"month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}
_FRACTION = re.compile(r"[.,](\d+)")
_SIX_DIGITS = re.compile(r"[.,](\d{6})")
_ZONE = re.compile(r"Z|([+-])(\d{2}):(\d{2})")


class TimeError(ValueError):
    """Not such a time; the message is Go's."""


@lru_cache(maxsize=4096)
def canonical_seconds(text: str) -> str:
    """`metav1.Time` as the server prints it."""
    if _is_printed(text, 20):
        return text
    return _parse(text, _LAYOUT, micro=False).isoformat(timespec="seconds") + "Z"


def canonical_micros(text: str) -> str:
    """`metav1.MicroTime` as the server prints it."""
    if _is_printed(text, 27):
        return text
    return _parse(text, _LAYOUT_MICRO, micro=True).isoformat(timespec="microseconds") + "Z"


_PRINTED = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{6})?Z", re.ASCII
)


def _is_printed(text: str, length: int) -> bool:
    """Whether it has the server's own form already, as most times have."""
    if len(text) != length or _PRINTED.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _parse(text: str, layout: str, *, micro: bool) -> datetime:
    position = 0
    numbers: list[int] = []
    for part, pattern, name in _PARTS:
        match = re.compile(pattern, re.ASCII).match(text, position)
        if match is None:
            raise _cannot(text, layout, text[position:], part)
        if name and not _RANGES[name][0] <= int(match.group()) <= _RANGES[name][1]:
            raise TimeError(f'parsing time "{text}": {name} out of range')
        if part.isdigit():
            numbers.append(int(match.group()))
        position = match.end()
    fraction = (_SIX_DIGITS if micro else _FRACTION).match(text, position)
    if fraction is None and micro:
        raise _cannot(text, layout, text[position:], ".000000")
    if fraction is not None:
        position = fraction.end()
    zone = _ZONE.match(text, position)
    if zone is None:
        raise _cannot(text, layout, text[position:], "Z07:00")
    if zone.end() != len(text):
        raise TimeError(f'parsing time "{text}": extra text: "{text[zone.end() :]}"')
    return _moment(text, numbers, fraction.group(1) if fraction else "", zone)


def _moment(text: str, numbers: list[int], fraction: str, zone: re.Match[str]) -> datetime:
    offset = timedelta()
    if zone.group(1):
        hours, minutes = int(zone.group(2)), int(zone.group(3))
        if hours > 24 or minutes >= 60:
            unit = "hour" if hours > 24 else "minute"
            raise TimeError(f'parsing time "{text}": time zone offset {unit} out of range')
        offset = timedelta(hours=hours, minutes=minutes) * (1 if zone.group(1) == "+" else -1)
    year, month, day, hour, minute, second = numbers
    try:
        naive = datetime(year, month, day, hour, minute, second, int((fraction + "000000")[:6]))
        return naive - offset
    except (ValueError, OverflowError):
        raise TimeError(f'parsing time "{text}": day out of range') from None


def _cannot(text: str, layout: str, rest: str, part: str) -> TimeError:
    return TimeError(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{part}"')
