"""`EtcdStore`: the `Store` in etcd 3.4 and later.

Writes go through group commit (`etcd_commit`), revisions are etcd's with a place of their own for each write
(`etcd_revisions`). Keys that expire share leases by the moment they were written, because a lease costs etcd far more
than a key. etcd may be killed and come back at any time: reads and writes wait for it up to a bound, watches go on
from where they were.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc
from aetcd import rpc
from sampan_api.clock import Clock, RealClock

from sampan_master.storage.etcd_commit import PATIENCE, GroupCommit, key_value
from sampan_master.storage.etcd_link import BACKOFF_FIRST, BACKOFF_LAST, EtcdLink, LeaseGone, passing, translated
from sampan_master.storage.etcd_revisions import Places, is_whole, main_of, unmark, watch_start, whole
from sampan_master.storage.keys import prefix_end, tree_of
from sampan_master.storage.store import (
    Compacted,
    KeyExists,
    KeyValue,
    Page,
    RevisionMismatch,
    StoreEvent,
    StoreUnavailable,
    Unwritten,
    ValueTooLarge,
    WatchBatch,
)

log = logging.getLogger(__name__)

READ_PATIENCE = 5.0
FIRST_REVISION = 1
"""etcd's, at which there is nothing yet. To etcd itself 0 means "now"."""
BUCKETS_PER_TTL = 20
BUCKET_KEYS = 900
"""All keys of a lease go in one etcd revision, which has places for fewer than 1000."""


class EtcdStore:
    def __init__(self, endpoints: str, clock: Clock | None = None, *, patience: float = PATIENCE) -> None:
        self._link = EtcdLink(endpoints)
        self._writes = GroupCommit(self._link, patience)
        self._leases = _LeaseBuckets(self._link, clock or RealClock())
        self._writes_seen: tuple[int, str, list[StoreEvent]] = (0, "", [])

    async def get(self, key: str) -> KeyValue | None:
        answer = await self._link.call(self._link.kv.Range, rpc.RangeRequest(key=key.encode()), READ_PATIENCE)
        return key_value(answer.kvs[0]) if answer.kvs else None

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        if not revision:
            return await self._page(prefix, start, limit, 0)
        main = main_of(revision)
        if is_whole(revision) or main <= FIRST_REVISION:
            return await self._page(prefix, start, limit, max(main, FIRST_REVISION))
        # Between two writes of one etcd revision: what stood there before it, and its first writes.
        before = await self._page(prefix, start, limit, main - 1)
        writes = [event for event in await self._writes_of(main, tree_of(prefix)) if event.revision <= revision]
        page = with_writes(before, writes, prefix, start)
        while not page.items and page.more:
            start = f"{before.items[-1].key}\0"
            before = await self._page(prefix, start, limit, main - 1)
            page = with_writes(before, writes, prefix, start)
        return page._replace(revision=revision)

    async def _page(self, prefix: str, start: str, limit: int, main: int) -> Page:
        request = rpc.RangeRequest(
            key=max(prefix, start).encode(), range_end=prefix_end(prefix).encode(), limit=limit, revision=main
        )
        while True:
            try:
                answer = await self._link.call(self._link.kv.Range, request, READ_PATIENCE)
                break
            except ValueTooLarge:
                # Objects near the size limit: fewer of them fit into one answer.
                if request.limit == 1:
                    raise
                request.limit = max((request.limit or 1024) // 4, 1)
        return Page(
            [key_value(found) for found in answer.kvs], whole(main or answer.header.revision), answer.more, answer.count
        )

    async def revision(self) -> int:
        # A linearizable read; the key does not matter.
        request = rpc.RangeRequest(key=b"/registry/", count_only=True)
        answer = await self._link.call(self._link.kv.Range, request, READ_PATIENCE)
        return whole(answer.header.revision)

    async def require_history(self, after: int) -> None:
        main = main_of(after) - (not is_whole(after))
        request = rpc.RangeRequest(key=b"/registry/", count_only=True, revision=max(main, FIRST_REVISION))
        await self._link.call(self._link.kv.Range, request, READ_PATIENCE)

    async def past(self, changes: int) -> int:
        # etcd does not say what it has compacted; the oldest revision that can be read is found by halving.
        readable = main_of(await self.revision())
        candidate = oldest = max(readable - changes, 1)
        while oldest < readable:
            try:
                request = rpc.RangeRequest(key=b"/registry/", count_only=True, revision=candidate)
                await self._link.call(self._link.kv.Range, request, READ_PATIENCE)
                readable = candidate
            except Compacted:
                oldest = candidate + 1
            candidate = (oldest + readable) // 2
        return whole(readable)

    async def create(self, key: str, value: bytes, *, ttl: int = 0, given: Unwritten | None = None) -> int:
        try:
            return await self._write(key, value, expected=0, ttl=ttl, given=given)
        except RevisionMismatch as there:
            raise KeyExists(key) from there

    async def update(
        self, key: str, value: bytes, *, expected: int, ttl: int = 0, given: Unwritten | None = None
    ) -> int:
        return await self._write(key, value, expected=main_of(expected), ttl=ttl, given=given)

    async def delete(self, key: str, *, expected: int) -> int:
        return await self._writes.write(key, None, expected=main_of(expected))

    async def watch(self, prefix: str, *, after: int, previous: bool = False) -> AsyncGenerator[WatchBatch]:
        backoff = BACKOFF_FIRST
        if not is_whole(after):
            # etcd would begin at the revision compacted last and leave out its deletions; this refuses instead.
            await self.require_history(after)
        while True:
            try:
                async with aclosing(self._watch_once(prefix, after, previous)) as batches:
                    async for batch in batches:
                        backoff = BACKOFF_FIRST
                        after = batch.revision
                        yield batch
            except grpc.aio.AioRpcError as error:
                if not passing(error):
                    raise translated(error) from error
                log.warning("etcd: the watch ended (%s) and is opened again after %d", error.details(), after)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, BACKOFF_LAST)

    async def compact(self, revision: int) -> None:
        request = rpc.CompactionRequest(revision=main_of(revision))
        await self._link.call(self._link.kv.Compact, request, READ_PATIENCE)

    async def close(self) -> None:
        await self._writes.close()
        await self._link.close()

    async def _write(self, key: str, value: bytes, *, expected: int, ttl: int, given: Unwritten | None) -> int:
        write = partial(self._writes.write, key, value, expected=expected, given=given)
        if ttl <= 0:
            return await write()
        try:
            return await write(lease=await self._leases.lease(ttl))
        except LeaseGone:
            self._leases.forget(ttl)
            return await write(lease=await self._leases.lease(ttl))

    async def _watch_once(self, prefix: str, after: int, previous: bool) -> AsyncGenerator[WatchBatch]:
        tree = tree_of(prefix)
        create = rpc.WatchCreateRequest(
            key=tree.encode(),
            range_end=prefix_end(tree).encode(),
            start_revision=max(watch_start(after), FIRST_REVISION),
            prev_kv=previous,
            # A catch-up may be larger than a message may be; etcd then cuts it into several.
            fragment=True,
        )
        places = Places()
        async with aclosing(self._answers(create)) as answers:
            async for answer in answers:
                events = [event for event in _told(answer.events, places, previous) if event.revision > after]
                if events:
                    last = events[-1].revision
                    after = last if answer.fragment else whole(main_of(last))
                    below = [event for event in events if event.key.startswith(prefix)]
                    if below:
                        yield WatchBatch(below, after)

    async def _answers(self, create: Any) -> AsyncGenerator[Any]:
        call = self._link.watches.Watch(wait_for_ready=True)
        try:
            await call.write(rpc.WatchRequest(create_request=create))
            async for answer in call:
                if answer.canceled:
                    _raise_cancelled(answer)
                yield answer
        finally:
            call.cancel()

    async def _writes_of(self, main: int, tree: str) -> list[StoreEvent]:
        """What etcd's revision `main` changed in the tree. Every revision has changed something: the watch of all keys
        never waits. The pages of a list ask the same again."""
        if self._writes_seen[:2] == (main, tree):
            return self._writes_seen[2]
        create = rpc.WatchCreateRequest(key=b"\0", range_end=b"\0", start_revision=main, fragment=True)
        places = Places()
        events: list[StoreEvent] = []
        async with aclosing(self._answers(create)) as answers:
            async for answer in answers:
                found = [event for event in answer.events if event.kv.key.startswith(tree.encode())]
                events += [event for event in _told(found, places, False) if main_of(event.revision) == main]
                if answer.events and (not answer.fragment or answer.events[-1].kv.mod_revision > main):
                    break
        self._writes_seen = (main, tree, events)
        return events


def with_writes(page: Page, writes: list[StoreEvent], prefix: str, start: str) -> Page:
    """The page after these writes; those behind its last key belong to the next one."""
    there = {item.key: item for item in page.items}
    last = page.items[-1].key if page.more and page.items else None
    total = page.total
    for event in writes:
        if not event.key.startswith(prefix) or event.key < start:
            continue
        if last is not None and event.key > last:
            continue
        total += (event.value is not None) - (event.key in there)
        if event.value is None:
            there.pop(event.key, None)
        else:
            there[event.key] = KeyValue(event.key, event.value, event.revision)
    return page._replace(items=[there[key] for key in sorted(there)], total=total)


def _told(found: Iterable[Any], places: Places, previous: bool) -> list[StoreEvent]:
    """Raises Compacted when what stood there before is wanted and no longer known."""
    events = []
    for event in found:
        key, main = event.kv.key.decode(), event.kv.mod_revision
        before = key_value(event.prev_kv) if previous and event.prev_kv.mod_revision else None
        if event.type == rpc.Event.DELETE:
            revision, value = places.delete(main), None
        else:
            value, place = unmark(event.kv.value)
            revision = places.put(main, place)
        if previous and before is None and event.kv.create_revision != main:
            raise Compacted(whole(main))
        events.append(StoreEvent(key, value, revision, before))
    return events


def _raise_cancelled(answer: Any) -> None:
    if answer.compact_revision:
        raise Compacted(whole(answer.compact_revision))
    raise StoreUnavailable(f"etcd cancelled the watch: {answer.cancel_reason}")


class _LeaseBuckets:
    """One lease for all keys of the same `ttl` written within a twentieth of it. A key lives for its ttl and up to a
    twentieth longer."""

    def __init__(self, link: EtcdLink, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._buckets: dict[int, tuple[float, asyncio.Task[int]]] = {}
        self._used: dict[int, int] = {}

    async def lease(self, ttl: int) -> int:
        now = self._clock.monotonic()
        width = max(ttl / BUCKETS_PER_TTL, 1.0)
        until, grant = self._buckets.get(ttl, (0.0, None))
        if grant is None or now >= until or self._used[ttl] >= BUCKET_KEYS or _failed(grant):
            grant = asyncio.create_task(self._grant(ttl + int(width) + 1), name="etcd lease")
            self._buckets[ttl] = (now + width, grant)
            self._used[ttl] = 0
        self._used[ttl] += 1
        return await asyncio.shield(grant)

    def forget(self, ttl: int) -> None:
        self._buckets.pop(ttl, None)

    async def _grant(self, seconds: int) -> int:
        request = rpc.LeaseGrantRequest(TTL=seconds)
        answer = await self._link.call(self._link.leases.LeaseGrant, request, PATIENCE)
        return int(answer.ID)


def _failed(grant: asyncio.Task[int]) -> bool:
    return grant.done() and (grant.cancelled() or grant.exception() is not None)
