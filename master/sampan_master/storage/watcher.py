"""One reader of the cache's changes: a bounded queue of shared `Change`s."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from sampan_master.storage.change import Change, Matches

QUEUE_LIMIT = 8192


class Watcher:
    """Made by `Cache.watch`. `revision` is what a bookmark may say: everything up to there has been handed out."""

    def __init__(
        self,
        scope: str,
        after: int,
        matches: Matches | None,
        index: str | None,
        reached: Callable[[], int],
        leave: Callable[[Watcher], None],
    ) -> None:
        self.scope = scope
        self.index = index
        self._after = after
        self._matches = matches
        self._reached = reached
        self._leave = leave
        self._queue: list[Change] = []
        self._waiting: asyncio.Future[None] | None = None
        self._handed = after
        self._interrupted = False
        self.ended = False
        """No more will be queued: closed, or ended because it lagged. What is queued is still handed out."""

    @property
    def revision(self) -> int:
        return self._handed if self._queue or self.ended else max(self._handed, self._reached())

    def offer(self, change: Change) -> None:
        if change.revision <= self._after:
            return
        seen = change.seen_through(self._matches)
        if seen is None:
            return
        if len(self._queue) >= QUEUE_LIMIT:
            self.end()
            return
        self._queue.append(seen)
        self._wake()

    def replay(self, changes: list[Change]) -> None:
        """History the watcher begins with; the queue's bound is not for it."""
        self._queue.extend(seen for change in changes if (seen := change.seen_through(self._matches)) is not None)

    async def changes(self) -> list[Change]:
        """Waits for and takes all that is queued. [] once the watcher has ended (closed, or too slow; a client resumes
        from its last revision), and when it was interrupted."""
        while not self._queue and not self.ended and not self._interrupted:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        self._interrupted = False
        taken, self._queue = self._queue, []
        if taken:
            self._handed = taken[-1].revision
        return taken

    async def __aiter__(self) -> AsyncIterator[list[Change]]:
        while batch := await self.changes():
            yield batch

    def interrupt(self) -> None:
        """The reader has something else to do: it gets what is there, perhaps nothing."""
        self._interrupted = True
        self._wake()

    def end(self) -> None:
        """Nothing more is queued; the reader gets what is there, then [] ."""
        if not self.ended:
            self.ended = True
            self._leave(self)
            self._wake()

    def close(self) -> None:
        """The reader is done."""
        self._queue.clear()
        self.end()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
