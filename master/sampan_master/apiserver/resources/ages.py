"""Durations as kubectl's tables show them (`duration.HumanDuration`, `ShortHumanDuration` of apimachinery)."""

from __future__ import annotations

from sampan_api.clock import parse_time

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 86400 * 365


def human_duration(seconds: float) -> str:
    """Two units while the second one still says something, then one."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    for limit, unit, name, below, below_name in (
        (10 * _MINUTE, _MINUTE, "m", 1, "s"),
        (3 * _HOUR, _MINUTE, "m", 0, ""),
        (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
        (2 * _DAY, _HOUR, "h", 0, ""),
        (8 * _DAY, _DAY, "d", _HOUR, "h"),
        (2 * _YEAR, _DAY, "d", 0, ""),
        (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    ):
        if whole < limit:
            rest = (whole % unit) // below if below else 0
            return f"{whole // unit}{name}" + (f"{rest}{below_name}" if rest else "")
    return f"{whole // _YEAR}y"


def since(timestamp: str | None, now: float) -> str:
    """The age of an RFC 3339 time; `<unknown>` without one."""
    return human_duration(now - parse_time(timestamp)) if timestamp else "<unknown>"
