"""A store in memory with etcd's semantics of revision, snapshot, watch and compaction.

For unit tests, the cluster inside pytest, and simulation. Every version of a key is kept until compaction, so that
old revisions can be read and watches can begin in the past.
"""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncGenerator

from sampan_api.clock import Clock, RealClock

from sampan_master.storage.keys import prefix_end
from sampan_master.storage.store import (
    Compacted,
    FutureRevision,
    KeyExists,
    KeyValue,
    Page,
    RevisionMismatch,
    StoreEvent,
    Unwritten,
    ValueTooLarge,
    WatchBatch,
    WrittenMeanwhile,
)

_MAX_VALUE = 1536 * 1024
"""etcd's limit of a request, unless it is configured."""


class MemoryStore:
    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or RealClock()
        self._revision = 1
        self._compacted = 0
        self._now: dict[str, KeyValue] = {}
        self._versions: dict[str, list[StoreEvent]] = {}
        """Oldest first; after compaction the first one may be older than the compact revision: it was in force then."""
        self._keys: list[str] = []
        self._log: list[StoreEvent] = []
        self._changed = asyncio.Event()
        self._expiries: list[tuple[float, str, int]] = []
        self._expirer: asyncio.Task[None] | None = None

    async def get(self, key: str) -> KeyValue | None:
        return self._now.get(key)

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        if revision > self._revision:
            raise FutureRevision(f"{revision} is after {self._revision}")
        if revision and revision < self._compacted:
            raise Compacted(self._compacted)
        at = revision or self._revision
        first, end = bisect_left(self._keys, max(prefix, start)), bisect_left(self._keys, prefix_end(prefix))
        items = [found for key in self._keys[first:end] if (found := self._at(key, at)) is not None]
        more = bool(limit) and len(items) > limit
        return Page(items[:limit] if limit else items, at, more, len(items))

    async def revision(self) -> int:
        return self._revision

    async def require_history(self, after: int) -> None:
        if after < self._compacted:
            raise Compacted(self._compacted)

    async def past(self, changes: int) -> int:
        return max(self._revision - changes, self._compacted, 1)

    async def create(self, key: str, value: bytes, *, ttl: int = 0, given: Unwritten | None = None) -> int:
        if key in self._now:
            raise KeyExists(key)
        self._check(given)
        return self._write(key, value, ttl)

    async def update(
        self, key: str, value: bytes, *, expected: int, ttl: int = 0, given: Unwritten | None = None
    ) -> int:
        self._expect(key, expected)
        self._check(given)
        return self._write(key, value, ttl)

    async def delete(self, key: str, *, expected: int) -> int:
        self._expect(key, expected)
        return self._write(key, None, 0)

    async def watch(self, prefix: str, *, after: int, previous: bool = False) -> AsyncGenerator[WatchBatch]:
        while True:
            await self.require_history(after)
            reached = self._revision
            if reached > after:
                begin = bisect_right(self._log, after, key=_revision_of)
                events = [event for event in self._log[begin:] if event.key.startswith(prefix)]
                after = reached
                if previous:
                    events = [event._replace(previous=self._at(event.key, event.revision - 1)) for event in events]
                if events:
                    yield WatchBatch(events, reached)
            if self._revision <= after:
                await self._changed.wait()

    async def compact(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevision(f"{revision} is after {self._revision}")
        if revision <= self._compacted:
            raise Compacted(self._compacted)
        self._compacted = revision
        del self._log[: bisect_right(self._log, revision, key=_revision_of)]
        for key in [key for key, versions in self._versions.items() if versions[0].revision <= revision]:
            self._forget(key, revision)

    async def close(self) -> None:
        if self._expirer is not None:
            self._expirer.cancel()
            await asyncio.wait([self._expirer])

    def _at(self, key: str, revision: int) -> KeyValue | None:
        versions = self._versions[key]
        index = bisect_right(versions, revision, key=_revision_of) - 1
        if index < 0:
            return None
        version = versions[index]
        return None if version.value is None else KeyValue(key, version.value, version.revision)

    def _expect(self, key: str, expected: int) -> None:
        current = self._now.get(key)
        if current is None or current.mod_revision != expected:
            raise RevisionMismatch(key, current)

    def _check(self, given: Unwritten | None) -> None:
        if given is None:
            return
        first, end = bisect_left(self._keys, given.prefix), bisect_left(self._keys, prefix_end(given.prefix))
        there = (self._now[key] for key in self._keys[first:end] if key in self._now)
        if any(found.mod_revision > given.revision for found in there):
            raise WrittenMeanwhile(given.prefix)

    def _write(self, key: str, value: bytes | None, ttl: int) -> int:
        if value is not None and len(value) > _MAX_VALUE:
            raise ValueTooLarge("etcdserver: request is too large")
        self._revision += 1
        event = StoreEvent(key, value, self._revision)
        if value is None:
            del self._now[key]
        else:
            self._now[key] = KeyValue(key, value, self._revision)
        if key not in self._versions:
            insort(self._keys, key)
        self._versions.setdefault(key, []).append(event)
        self._log.append(event)
        if ttl > 0:
            self._expire_after(key, ttl)
        self._changed.set()
        self._changed = asyncio.Event()
        return self._revision

    def _forget(self, key: str, revision: int) -> None:
        versions = self._versions[key]
        in_force = bisect_right(versions, revision, key=_revision_of) - 1
        kept = versions[in_force:] if versions[in_force].value is not None else versions[in_force + 1 :]
        if kept:
            self._versions[key] = kept
        else:
            del self._versions[key]
            del self._keys[bisect_left(self._keys, key)]

    def _expire_after(self, key: str, ttl: int) -> None:
        heapq.heappush(self._expiries, (self._clock.monotonic() + ttl, key, self._revision))
        if self._expirer is None or self._expirer.done():
            self._expirer = asyncio.get_running_loop().create_task(self._expire())

    async def _expire(self) -> None:
        while self._expiries:
            wait = self._expiries[0][0] - self._clock.monotonic()
            if wait > 0:
                # At most a second at a time: a shorter one may come in meanwhile.
                await self._clock.sleep(min(wait, 1.0))
                continue
            _, key, revision = heapq.heappop(self._expiries)
            current = self._now.get(key)
            if current is not None and current.mod_revision == revision:
                self._write(key, None, 0)


def _revision_of(event: StoreEvent) -> int:
    return event.revision
