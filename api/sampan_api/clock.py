"""Time as an argument: cluster logic takes a `Clock` and never asks the operating system itself.

`RealClock` is the machine's; `VirtualClock` stands still until a test advances it, so that a five-minute eviction is
tested in milliseconds.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Wall time in Unix seconds: for timestamps that people and other machines read."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back: for durations, leases and back-off."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class RealClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VirtualClock:
    """Stands still until `advance`; sleepers wake in the order of their deadlines."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._wall = start
        self._elapsed = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._wall + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), wake))
        await wake

    @property
    def next_wake(self) -> float | None:
        """The `monotonic()` at which the next sleeper wakes; None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def advance(self, seconds: float) -> None:
        """Moves time forward, waking each sleeper at its own moment and letting it run before the next."""
        end = self._elapsed + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            deadline, _, wake = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, deadline)
            if not wake.done():
                wake.set_result(None)
            await _settle()
        self._elapsed = end
        await _settle()


async def _settle() -> None:
    """Lets every task that is ready run; a chain of awaits needs one turn of the loop per link."""
    for _ in range(50):
        await asyncio.sleep(0)


def rfc3339(seconds: float) -> str:
    """`metav1.Time`: whole seconds, UTC, `Z`."""
    return _whole_second(int(seconds))


@lru_cache(maxsize=1024)
def _whole_second(seconds: int) -> str:
    """Within a second the same moment is written many times. (`%Y` of strftime has no leading zeros on Linux.)"""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19] + "Z"


def rfc3339_micro(seconds: float) -> str:
    """`metav1.MicroTime`: six digits, UTC, `Z`."""
    whole, part = divmod(round(seconds * 1e6), 10**6)
    return f"{_whole_second(whole)[:-1]}.{part:06d}Z"


def parse_time(text: str) -> float:
    """Unix seconds of an RFC 3339 time. Raises ValueError when it is not one."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return parsed.timestamp()
