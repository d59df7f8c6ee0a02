"""The queue every controller works from: keys, each at most once in it and at most once in work.

A key added while it is in work comes again afterwards; a failed key comes again after a growing pause; a key may be
asked for at a later time, the earliest asked for counts. The pauses grow to 8 s, and to 32 s where the API has refused
what was asked: that changes when somebody changes something (client-go's grow to 1000 s for all).
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from sampan_api.clock import Clock
from sampan_api.errors import ApiError, Conflict, InternalError, TooManyRequests

log = logging.getLogger(__name__)

K = TypeVar("K", bound=tuple[str, ...] | str)

_FIRST_PAUSE, _LAST_PAUSE, _LAST_PAUSE_REFUSED = 0.05, 8.0, 32.0
_STALE_FACTOR = 4


class WorkQueue(Generic[K]):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: deque[K] = deque()
        self._wanted: set[K] = set()
        self._in_work: set[K] = set()
        self._failures: dict[K, int] = {}
        self._later: list[tuple[float, K]] = []
        self._due: dict[K, float] = {}
        self._changed = asyncio.Event()
        self._alarm: asyncio.Task[None] | None = None

    def add(self, key: K) -> None:
        if key in self._wanted:
            return
        self._wanted.add(key)
        if key not in self._in_work:
            self._ready.append(key)
            self._changed.set()

    def add_after(self, key: K, seconds: float) -> None:
        if seconds <= 0:
            self.add(key)
            return
        at = self._clock.monotonic() + seconds
        if at >= self._due.get(key, float("inf")):
            return
        self._due[key] = at
        heapq.heappush(self._later, (at, key))
        if len(self._later) > _STALE_FACTOR * (len(self._due) + 16):
            self._later = [entry for entry in self._later if self._due.get(entry[1]) == entry[0]]
            heapq.heapify(self._later)
        if self._later[0][1] == key:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = asyncio.ensure_future(self._ring())

    async def get(self) -> K:
        while not self._ready:
            self._changed.clear()
            await self._changed.wait()
        key = self._ready.popleft()
        self._wanted.discard(key)
        self._in_work.add(key)
        return key

    def done(self, key: K) -> None:
        self._in_work.discard(key)
        if key in self._wanted:
            self._ready.append(key)
            self._changed.set()

    def retry(self, key: K, longest: float) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self.add_after(key, min(_FIRST_PAUSE * 2 ** min(failures - 1, 20), longest))

    def succeeded(self, key: K) -> None:
        self._failures.pop(key, None)

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    async def _ring(self) -> None:
        while self._later:
            now = self._clock.monotonic()
            at, key = self._later[0]
            if at > now:
                await self._clock.sleep(at - now)
                continue
            heapq.heappop(self._later)
            if self._due.get(key) == at:
                del self._due[key]
                self.add(key)
        self._alarm = None


async def work(name: str, queue: WorkQueue[K], sync: Callable[[K], Awaitable[float | None]], workers: int) -> None:
    """Runs `sync` for each key until cancelled. It returns after how many seconds it wants the key again, if at all."""

    async def worker() -> None:
        while True:
            key = await queue.get()
            try:
                again = await sync(key)
            except ApiError as error:
                # A lost race with another writer is daily bread; the next try sees the newer object.
                level = logging.DEBUG if isinstance(error, Conflict) else logging.INFO
                log.log(level, "%s: %s: %s", name, key, error.message)
                queue.retry(key, _LAST_PAUSE_REFUSED if _is_refusal(error) else _LAST_PAUSE)
            except Exception:  # a bug in one key must not stop the others
                log.exception("%s: %s", name, key)
                queue.retry(key, _LAST_PAUSE_REFUSED)
            else:
                queue.succeeded(key)
                if again is not None:
                    queue.add_after(key, again)
            finally:
                queue.done(key)
            # Most keys need nothing but a look at the caches: thousands of them must not hold up everybody else.
            await asyncio.sleep(0)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(workers):
                tasks.create_task(worker())
    finally:
        queue.close()


async def repeat(name: str, clock: Clock, period: float, act: Callable[[], Awaitable[None]]) -> None:
    """Acts again and again until cancelled, with so many seconds in between."""
    while True:
        try:
            await act()
        except ApiError as error:
            log.info("%s: %s", name, error.message)
        except Exception:  # a bug in one controller must not stop the others
            log.exception("%s", name)
        await clock.sleep(period)


def _is_refusal(error: ApiError) -> bool:
    """The API could be asked and said no; asking again soon would not change that."""
    return error.code < InternalError.code and not isinstance(error, (Conflict, TooManyRequests))
