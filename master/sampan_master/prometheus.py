"""Prometheus' text format 0.0.4, and what every process tells of itself in it."""

from __future__ import annotations

import math
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Source: TypeAlias = Callable[[], Iterable[str]]
"""Gives lines, without their ends, each time it is asked."""


class Histogram:
    """`bounds` are the buckets' upper ends, those included."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: Mapping[str, str]) -> Iterable[str]:
        total = 0
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            total += count
            end = "+Inf" if bound == math.inf else f"{bound:.12g}"
            yield f"{name}_bucket{shown({**labels, 'le': end})} {total}"
        yield f"{name}_sum{shown(labels)} {self.total}"
        yield f"{name}_count{shown(labels)} {total}"


def exponential(start: float, factor: float, count: int) -> tuple[float, ...]:
    """Bounds that grow by `factor`."""
    return tuple(float(f"{start * factor**i:.12g}") for i in range(count))


def head(name: str, type_: str, help_: str) -> Iterable[str]:
    yield f"# HELP {name} {help_}"
    yield f"# TYPE {name} {type_}"


def shown(labels: Mapping[str, str]) -> str:
    """In braces, sorted. Values must be free of quotes, backslashes and line ends."""
    return "{" + ",".join(f'{name}="{labels[name]}"' for name in sorted(labels)) + "}" if labels else ""


def text(sources: Iterable[Source]) -> bytes:
    return "".join(f"{line}\n" for source in sources for line in source()).encode()


def process() -> Iterable[str]:
    """proc(5): after the name in brackets come the fields from the third on."""
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime")).split()[1]
    for name, type_, help_, value in (
        ("process_cpu_seconds_total", "counter", "CPU time used.", (int(stat[11]) + int(stat[12])) / ticks),
        ("process_open_fds", "gauge", "Open files and connections.", len(os.listdir("/proc/self/fd"))),
        ("process_resident_memory_bytes", "gauge", "Memory in use.", int(stat[21]) * os.sysconf("SC_PAGE_SIZE")),
        ("process_start_time_seconds", "gauge", "Start, in seconds since 1970.", int(boot) + int(stat[19]) / ticks),
        ("process_virtual_memory_bytes", "gauge", "Address space.", int(stat[20])),
    ):
        yield from head(name, type_, help_)
        yield f"{name} {value}"
