"""A watch that begins before the cache's history: the store tells what the cache has forgotten, then the cache goes on.

The cache keeps minutes of history, but not more than so many changes of a resource, and after a restart only the last
ones; the store keeps all until it is compacted. What is read ahead is at most two of the store's batches, so a slow
client holds the reading up and not the memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing

from sampan_api.client import EventType

from sampan_master.storage.change import Change, Matches
from sampan_master.storage.entry import read_entry
from sampan_master.storage.keys import REGISTRY, in_scope, table_of
from sampan_master.storage.store import Compacted, Store, StoreError, StoreEvent
from sampan_master.storage.watcher import Watcher

log = logging.getLogger(__name__)


class PastWatcher:
    """Made by `Cache.watch_past`; to be used as a `Watcher`. `join` makes the one that goes on from a revision, or
    raises Compacted as long as the cache's history does not reach back to it."""

    def __init__(
        self, store: Store, scope: str, after: int, matches: Matches | None, join: Callable[[int], Watcher]
    ) -> None:
        self._store = store
        self._scope = scope
        self._matches = matches
        self._join = join
        self._handed = after
        self._read: asyncio.Queue[list[Change] | None] = asyncio.Queue()
        self._reading = True
        self._live: Watcher | None = None
        self._reader = asyncio.create_task(self._read_on(after), name="watch from the past")

    @property
    def revision(self) -> int:
        """What a bookmark may say: everything up to there has been handed out."""
        return self._handed if self._reading or self._live is None else self._live.revision

    async def changes(self) -> list[Change]:
        """Waits for and takes what comes next. [] once it has ended (a client resumes from its last revision), and when
        it was interrupted."""
        if self._reading:
            batch = await self._read.get()
            self._read.task_done()
            if batch is None:
                return []
            if batch:
                self._handed = batch[-1].revision
                return batch
            self._reading = False
            if not self._read.empty():
                # It was interrupted after the reader had ended.
                return []
        return await self._live.changes() if self._live is not None else []

    def interrupt(self) -> None:
        """The reader has something else to do: it gets what is there, perhaps nothing."""
        if self._reading or self._live is None:
            self._read.put_nowait(None)
        else:
            self._live.interrupt()

    @property
    def ended(self) -> bool:
        return not self._reading and (self._live is None or self._live.ended)

    def close(self) -> None:
        """The reader is done."""
        self._reader.cancel()
        if self._live is not None:
            self._live.close()

    async def _read_on(self, after: int) -> None:
        try:
            async with aclosing(self._store.watch(REGISTRY, after=after, previous=True)) as batches:
                async for batch in batches:
                    if told := self._told(batch.events):
                        self._read.put_nowait(told)
                        await self._read.join()
                    if self._joined(batch.revision):
                        return
        except StoreError as error:
            log.info("a watch from the past ends: %s", error)
        finally:
            self._read.put_nowait([])

    def _joined(self, reached: int) -> bool:
        try:
            self._live = self._join(reached)
        except Compacted:
            return False
        return True

    def _told(self, events: list[StoreEvent]) -> list[Change]:
        changes = (change_of(event) for event in events if in_scope(event.key, self._scope))
        return [seen for change in changes if change and (seen := change.seen_through(self._matches))]


def change_of(event: StoreEvent) -> Change | None:
    """None when the key holds no object, before and after."""
    before = event.previous
    previous = read_entry(event.key, before.mod_revision, before.value) if before and table_of(event.key) else None
    if event.value is None:
        return Change(EventType.DELETED, previous.at_revision(event.revision), previous) if previous else None
    entry = read_entry(event.key, event.revision, event.value) if table_of(event.key) else None
    return Change(EventType.MODIFIED if previous else EventType.ADDED, entry, previous) if entry else None
