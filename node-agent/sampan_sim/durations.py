"""How long something takes: one length, or a distribution of lengths. Pure; chance comes in as a number from [0, 1).

2s                            always
{min: 1s, max: 3s}            uniform
{mean: 30s, max: 5m}          exponential, cut off at max (which may be left out)
{median: 5s, p99: 40s}        log-normal: most are near the median, few take very long
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_LONGEST = 100 * 365.25 * 86_400.0
_NORMAL = NormalDist()
_SHAPES = "a duration such as 2s, or {min, max}, {mean} with or without max, or {median, p99}"


def parse_duration(value: object) -> float:
    """Seconds of `1m30s`, `500ms`, or of the bare number 0. Raises ValueError with a sentence for the user."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if isinstance(value, str):
        parts = _PART.findall(value)
        if parts and "".join(number + unit for number, unit in parts) == value:
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
            if seconds > _LONGEST:
                raise ValueError(f"{value[:20]} is longer than a hundred years")
            return seconds
    raise ValueError(f"{value!r} is not a duration: write it with units, such as 500ms, 2s or 1m30s")


@dataclass(frozen=True, slots=True)
class Fixed:
    seconds: float

    def at(self, chance: float) -> float:
        return self.seconds


@dataclass(frozen=True, slots=True)
class Uniform:
    shortest: float
    longest: float

    def at(self, chance: float) -> float:
        return self.shortest + chance * (self.longest - self.shortest)


@dataclass(frozen=True, slots=True)
class Exponential:
    mean: float
    longest: float = math.inf

    def at(self, chance: float) -> float:
        return min(-self.mean * math.log1p(-chance), self.longest)


@dataclass(frozen=True, slots=True)
class LogNormal:
    median: float
    p99: float

    def at(self, chance: float) -> float:
        sigma = math.log(self.p99 / self.median) / _NORMAL.inv_cdf(0.99)
        return self.median * math.exp(sigma * _NORMAL.inv_cdf(min(max(chance, 1e-9), 1 - 1e-9)))


Duration = Fixed | Uniform | Exponential | LogNormal


def read_duration(value: Any) -> Duration:
    """One of the four shapes above. Raises ValueError with a sentence for the user."""
    if not isinstance(value, dict):
        return Fixed(parse_duration(value))
    fields = {name: parse_duration(length) for name, length in value.items()}
    match frozenset(fields):
        case shape if shape == {"min", "max"}:
            if fields["min"] > fields["max"]:
                raise ValueError(f"min {value['min']} is more than max {value['max']}")
            return Uniform(fields["min"], fields["max"])
        case shape if shape in ({"mean"}, {"mean", "max"}):
            return Exponential(fields["mean"], fields.get("max", math.inf))
        case shape if shape == {"median", "p99"}:
            if not 0 < fields["median"] <= fields["p99"]:
                raise ValueError("median must be more than 0 and not more than p99")
            return LogNormal(fields["median"], fields["p99"])
    raise ValueError(f"{{{', '.join(map(str, value))}}} is no distribution: write {_SHAPES}")
