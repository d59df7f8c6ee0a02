"""Many moments, one task: a heap of when and for whom. A key has one moment; setting another replaces it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Hashable
from itertools import count
from typing import Generic, TypeVar

from sampan_api.clock import Clock

K = TypeVar("K", bound=Hashable)
_STALE_FACTOR = 4


class Timers(Generic[K]):
    """Moments are on `clock`'s wall, but waited for on its monotonic time, as it was when this was made."""

    def __init__(self, clock: Clock, due: Callable[[K], None]) -> None:
        """`due` is called for each key whose moment has come; it may set it again."""
        self._clock, self._due = clock, due
        self._offset = clock.now() - clock.monotonic()
        self._moments: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = count()
        self._earlier = asyncio.Event()

    def now(self) -> float:
        """Unix seconds that never go back, whatever is done to the machine's clock."""
        return self._clock.monotonic() + self._offset

    def __len__(self) -> int:
        return len(self._moments)

    def set(self, key: K, moment: float) -> None:
        if self._moments.get(key) == moment:
            return
        self._moments[key] = moment
        heapq.heappush(self._heap, (moment, next(self._order), key))
        if self._heap[0][2] == key:
            self._earlier.set()
        if len(self._heap) > _STALE_FACTOR * (len(self._moments) + 16):
            self._heap = [entry for entry in self._heap if self._moments.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def cancel(self, key: K) -> None:
        self._moments.pop(key, None)

    async def run(self) -> None:
        while True:
            self._earlier.clear()
            moment = self._call_due()
            if moment is None:
                await self._earlier.wait()
            else:
                await self._until(moment)

    def _call_due(self) -> float | None:
        """Calls for all that are due; the next moment."""
        while self._heap:
            moment, _, key = self._heap[0]
            if self._moments.get(key) != moment:
                heapq.heappop(self._heap)
            elif moment > self.now():
                return moment
            else:
                heapq.heappop(self._heap)
                del self._moments[key]
                self._due(key)
        return None

    async def _until(self, moment: float) -> None:
        sleep = asyncio.ensure_future(self._clock.sleep(max(moment - self.now(), 0)))
        earlier = asyncio.ensure_future(self._earlier.wait())
        try:
            await asyncio.wait((sleep, earlier), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            earlier.cancel()
