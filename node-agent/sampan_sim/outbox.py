"""Who has something to write, and the few workers that write it.

A key waits at most once: what changes while it waits is written with it. It is in the hands of at most one worker; what
changes meanwhile brings it back to the end of the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Outbox(Generic[K]):
    def __init__(self, write: Callable[[K], Awaitable[None]]) -> None:
        """`write` raises nothing that it can answer for."""
        self._write = write
        self._queue: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()
        self._busy: set[K] = set()
        self._again: set[K] = set()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy)

    def put(self, key: K) -> None:
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._queue.put_nowait(key)

    async def run(self, workers: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(workers):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            self._waiting.discard(key)
            self._busy.add(key)
            try:
                await self._write(key)
            finally:
                self._busy.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.put(key)
