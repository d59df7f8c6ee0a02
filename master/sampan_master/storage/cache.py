"""The watch cache: one watch of `/registry/` feeds all readers.

* Everything the store holds below `/registry/` is here, each object as one `Entry`; the cache is complete up to
  `revision`. Lists and reads are answered from it, consistent ones after `fresh()`.
* **fresh** asks the store for its revision and waits until the cache has seen it. Readers that come at the same
  moment share one question; one that was asked before they came is never used. The revision may have been moved by a
  key outside `/registry/`, of which no event comes: when the cache seems to lag, a key of the registry is written.
* **History**: the changes of the last minutes are kept per resource, up to a number, so that a watch may begin in the
  past; what is older is read from the store (`past`). Below that it is `Compacted`, and the client lists again.
* **Gaps**: when the store cannot continue the watch (it was compacted past it), everything is listed anew and the
  differences are told as changes. What happened in between is not known, so the history begins there; several
  deletions then share a revision and could not be resumed between them, so watchers of such a resource are ended.
* **reload** does the same at once, for an audit that found the cache wrong (`audit`), and when the store's revision has
  gone back, which means that somebody put an older backup in its place: then all watchers are ended.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import NamedTuple, TypeAlias

from sampan_api.client import EventType
from sampan_api.clock import Clock
from sampan_api.meta import Object

from sampan_master.storage.change import Change, Matches
from sampan_master.storage.entry import Entry, read_entry, with_resource_version
from sampan_master.storage.keys import REGISTRY, resource_prefix, table_of
from sampan_master.storage.past import PastWatcher
from sampan_master.storage.sharing import NOTHING, shared
from sampan_master.storage.store import (
    Compacted,
    FutureRevision,
    KeyExists,
    KeyValue,
    RevisionMismatch,
    Store,
    StoreEvent,
    StoreUnavailable,
    WatchBatch,
)
from sampan_master.storage.table import IndexFunction, Table
from sampan_master.storage.watcher import Watcher

log = logging.getLogger(__name__)

PAGE = 500
TOUCH_KEY = f"{REGISTRY}~"
TOUCH_AFTER = 0.05
LAG_LIMIT = 5.0
RETRY_SECONDS = 1.0
MARK_SECONDS = 5.0
HISTORY_AT_START = 2000


class Listing(NamedTuple):
    """A snapshot in key order, complete as of `revision`."""

    entries: Sequence[Entry]
    revision: int


Observer: TypeAlias = "Callable[[Change | None], None]"


class Cache:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        indexes: Mapping[str, IndexFunction] | None = None,
        history_seconds: float = 330,
        history_events: int = 10_000,
    ) -> None:
        """`indexes`: resource -> the value its watchers may be indexed by (see `watch`)."""
        self._store = store
        self._clock = clock
        self._indexes = dict(indexes or {})
        self._history_seconds = history_seconds
        self._history_events = history_events
        self._tables: dict[str, Table] = {}
        self._observers: dict[str, Observer] = {}
        self._revision = 0
        self._floor = 0
        self._expected: dict[str, Entry] = {}
        self._sent: dict[str, tuple[bytes, Object, Object]] = {}
        self._marks: deque[tuple[float, int]] = deque()
        self._order = count()
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._askers: list[asyncio.Future[int]] = []
        self._asking: asyncio.Task[None] | None = None
        self._touching: asyncio.Task[None] | None = None
        self._follower: asyncio.Task[None] | None = None
        self._reloading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Loads everything (waits for the store as long as it takes) and follows it from then on. It begins a little in
        the past, so that watches of the time before a restart can be resumed."""
        await self._relist(HISTORY_AT_START)
        self._follower = asyncio.create_task(self._follow(), name="watch cache")
        await self._caught_up()

    async def stop(self) -> None:
        all_tasks = (self._reloading, self._follower, self._asking, self._touching)
        tasks = [task for task in all_tasks if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for table in self._tables.values():
            table.end_watchers()

    async def reload(self) -> None:
        """Lists everything anew and tells the differences."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.wait([self._follower])
        if await self._store.revision() < self._revision:
            self._forget()
        await self._relist()
        self._follower = asyncio.create_task(self._follow(), name="watch cache")

    @property
    def revision(self) -> int:
        """The cache is complete up to here."""
        return self._revision

    async def fresh(self) -> int:
        """Returns when the cache has caught up with the store as of this call. Raises StoreUnavailable."""
        asked: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._askers.append(asked)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="cache freshness")
        await self._reach(await asked)
        return self._revision

    async def at_least(self, revision: int, timeout: float = 3.0) -> int:
        """Waits until the cache has seen `revision` (NotOlderThan). Raises FutureRevision when it takes longer."""
        if self._revision < revision and not await self._seen(revision, timeout):
            raise FutureRevision(f"{revision} is after {self._revision}")
        return self._revision

    def get(self, key: str) -> Entry | None:
        table = self._tables.get(table_of(key))
        return table.entries.get(key) if table else None

    def list(self, prefix: str, start: str = "") -> Listing:
        """The entries below `prefix` (from key `start` on) as the cache has them; after `fresh` it is consistent."""
        table = self._tables.get(table_of(prefix))
        return Listing(table.list(prefix, start) if table else (), self._revision)

    def sizes(self) -> dict[str, int]:
        """How many objects there are, by the directory of their keys."""
        return {name: len(table.entries) for name, table in self._tables.items()}

    async def list_at(self, prefix: str, revision: int, start: str = "") -> Listing:
        """As they were at exactly `revision`: pages of a continued list. Raises Compacted, FutureRevision."""
        await self.at_least(revision)
        table = self._tables.get(table_of(prefix))
        if revision >= (table.floor if table else self._floor):
            return Listing(table.list_at(revision, prefix, start) if table else (), revision)
        return Listing(await _stored(self._store, prefix, revision, start), revision)

    async def revisions_at(self, revision: int) -> dict[str, int]:
        """Key and revision of every object as of `revision`. Raises Compacted, FutureRevision."""
        await self.at_least(revision)
        if any(table.floor > revision for table in self._tables.values()):
            raise Compacted(revision)
        return {
            entry.key: entry.revision
            for name, table in self._tables.items()
            for entry in table.list_at(revision, f"{REGISTRY}{name}/", "")
        }

    def watch(self, prefix: str, after: int, matches: Matches | None = None, *, index: str | None = None) -> Watcher:
        """Changes with revision > `after` (a future one: silent until reached) below `prefix`, or of one key when it
        does not end in a slash. Raises Compacted when `after` is no longer in the history. `matches` is asked of old
        and new object; a change of matching is told as ADDED or DELETED. `index`: only objects whose index value is
        this before or after the change are asked about; `matches` must still hold the condition."""
        table = self._table(prefix)
        if after < table.floor:
            raise Compacted(table.floor)
        watcher = Watcher(prefix, after, matches, index, lambda: self._revision, table.leave)
        table.join(watcher, after)
        return watcher

    async def watch_past(
        self, prefix: str, after: int, matches: Matches | None = None, *, index: str | None = None
    ) -> PastWatcher:
        """As `watch`, from before the cache's history: what it has forgotten is read from the store. Raises Compacted
        when the store has forgotten it too, StoreUnavailable."""
        await self._store.require_history(after)
        join = partial(self.watch, prefix, matches=matches, index=index)
        return PastWatcher(self._store, prefix, after, matches, join)

    def expect(self, entry: Entry) -> Entry:
        """A write of ours whose event will come, or came already: returns the one entry to share for it."""
        current = self.get(entry.key)
        if current is not None and current.revision >= entry.revision:
            return current.decoded_by(entry) if current.revision == entry.revision else entry
        self._expected[entry.key] = entry
        return entry

    def sending(self, key: str, value: bytes, obj: Object, before: Object = NOTHING) -> None:
        """A write of ours is on its way, of `obj` in the place of `before`. Its event often comes before its answer,
        and need not be decoded then."""
        self._sent[key] = value, obj, before

    def answered(self, key: str, value: bytes) -> None:
        """The write is done, or has failed."""
        if key in self._sent and self._sent[key][0] is value:
            del self._sent[key]

    def observe(self, resource: str, observer: Observer) -> None:
        """Tells every change of a resource's objects the moment the cache takes it, those that are there already first.
        The observer must be quick; None means that nothing is there any more. One observer a resource."""
        self._observers[resource] = observer
        for entry in self.list(resource_prefix(resource)).entries:
            observer(Change(EventType.ADDED, entry, None))

    def _observed(self, change: Change) -> None:
        observer = self._observers.get(table_of(change.key))
        if observer is not None:
            observer(change)

    def _table(self, key: str) -> Table:
        name = table_of(key)
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = Table(self._floor, self._history_events, self._indexes.get(name))
        return table

    async def _follow(self) -> None:
        while True:
            try:
                async for batch in self._store.watch(REGISTRY, after=self._revision):
                    self._apply(batch)
            except Compacted as gap:
                log.warning("the store's history is gone (%s): listing everything again", gap)
                await self._relist()
            except StoreUnavailable as error:
                log.warning("the store's watch ended: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                # A cache that stands still is worse than one that starts over.
                log.exception("following the store failed: listing everything again")
                await asyncio.sleep(RETRY_SECONDS)
                await self._relist()

    def _apply(self, batch: WatchBatch) -> None:
        for event in batch.events:
            name = table_of(event.key)
            if name and (change := self._changed(event)) is not None:
                self._observed(change)
                self._tables[name].tell(change)
        self._advance(batch.revision)

    def _changed(self, event: StoreEvent) -> Change | None:
        table = self._table(event.key)
        if event.value is None:
            self._expected.pop(event.key, None)
            return table.remove(event.key, event.revision)
        entry = self._expected.get(event.key)
        if entry is not None and entry.revision <= event.revision:
            del self._expected[event.key]
        if entry is None or entry.revision != event.revision:
            entry = self._own(event.key, event.revision, event.value) or read_entry(
                event.key, event.revision, event.value
            )
        return table.put(entry) if entry is not None else None

    def _own(self, key: str, revision: int, value: bytes) -> Entry | None:
        sent = self._sent.get(key)
        if sent is None or sent[0] != value:
            return None
        return Entry(key, revision, value, shared(with_resource_version(sent[1], revision), sent[2]))

    def _advance(self, revision: int) -> None:
        self._revision = max(self._revision, revision)
        while self._waiters and self._waiters[0][0] <= self._revision:
            waiter = heapq.heappop(self._waiters)[2]
            if not waiter.done():
                waiter.set_result(None)
        self._trim()

    def _trim(self) -> None:
        """Forgets history by age: every few seconds the revision is noted with the time."""
        now = self._clock.monotonic()
        if self._marks and now - self._marks[-1][0] < MARK_SECONDS:
            return
        self._marks.append((now, self._revision))
        while now - self._marks[0][0] > self._history_seconds:
            self._floor = self._marks.popleft()[1]
        for table in self._tables.values():
            if table.floor < self._floor:
                table.forget(self._floor)

    def _forget(self) -> None:
        for table in self._tables.values():
            table.end_watchers()
        self._tables.clear()
        for observer in self._observers.values():
            observer(None)
        self._expected.clear()
        self._marks.clear()
        self._revision = 0

    async def _caught_up(self) -> None:
        while True:
            try:
                await self.fresh()
                return
            except StoreUnavailable as error:
                log.warning("waiting for the store: %s", error)

    async def _relist(self, changes_ago: int = 0) -> None:
        while True:
            try:
                found, revision = await self._load(await self._store.past(changes_ago) if changes_ago else 0)
                break
            except (StoreUnavailable, Compacted) as error:
                log.warning("waiting for the store: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
        self._expected.clear()
        self._replace(found, revision)

    async def _load(self, revision: int) -> tuple[Sequence[KeyValue], int]:
        """All of the registry at one revision (0: now), in pages."""
        page = await self._store.range(REGISTRY, limit=PAGE, revision=revision)
        found, revision = page.items, page.revision
        while page.more:
            page = await self._store.range(REGISTRY, start=f"{page.items[-1].key}\0", limit=PAGE, revision=revision)
            found.extend(page.items)
        return found, revision

    def _replace(self, found: Sequence[KeyValue], revision: int) -> None:
        first = self._revision == 0
        changes = []
        for item in sorted(found, key=lambda item: item.mod_revision):
            if table_of(item.key) and (entry := read_entry(item.key, item.mod_revision, item.value)):
                change = self._table(item.key).put(entry)
                if change is not None:
                    changes.append(change)
        there = {item.key for item in found}
        for table in self._tables.values():
            gone = [key for key in table.entries if key not in there]
            if len(gone) > 1:
                table.end_watchers()
            changes.extend(change for key in gone if (change := table.remove(key, revision)) is not None)
        for change in changes:
            self._observed(change)
            if not first:
                self._table(change.key).tell(change)
        self._floor = revision
        for table in self._tables.values():
            table.forget(revision)
        self._advance(revision)

    async def _ask(self) -> None:
        """One question after the other, as long as somebody waits for an answer."""
        askers: list[asyncio.Future[int]] = []
        try:
            while self._askers:
                askers, self._askers = self._askers, []
                try:
                    revision = await self._store_revision()
                except Exception as error:
                    for asker in askers:
                        if not asker.done():
                            asker.set_exception(error)
                else:
                    for asker in askers:
                        if not asker.done():
                            asker.set_result(revision)
        finally:
            self._asking = None
            for asker in (*askers, *self._askers):
                asker.cancel()

    async def _store_revision(self) -> int:
        """As of this call. Raises StoreUnavailable."""
        seen = self._revision
        revision = await self._store.revision()
        if revision < seen:
            if self._reloading is None or self._reloading.done():
                log.error("the store went back from %d to %d: was a backup restored? reading it anew", seen, revision)
                self._reloading = asyncio.create_task(self.reload(), name="cache reload")
                self._reloading.add_done_callback(_retrieve)
            raise StoreUnavailable("the store went back in time; it is read anew")
        return revision

    async def _reach(self, revision: int) -> None:
        if self._revision >= revision or await self._seen(revision, TOUCH_AFTER):
            return
        if self._touching is None or self._touching.done():
            self._touching = asyncio.create_task(self._touch(), name="cache touch")
            self._touching.add_done_callback(_retrieve)
        if not await self._seen(revision, LAG_LIMIT):
            raise StoreUnavailable(f"the watch of the store is behind: at {self._revision}, wanted {revision}")

    async def _seen(self, revision: int, timeout: float) -> bool:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (revision, next(self._order), waiter))
        try:
            await asyncio.wait([waiter], timeout=timeout)
            return waiter.done()
        finally:
            waiter.cancel()

    async def _touch(self) -> None:
        """Writes a key of the registry, so that an event brings the cache past the revision of a foreign key."""
        try:
            current = await self._store.get(TOUCH_KEY)
            if current is None:
                await self._store.create(TOUCH_KEY, b"{}")
            else:
                await self._store.update(TOUCH_KEY, b"{}", expected=current.mod_revision)
        except (KeyExists, RevisionMismatch):
            # Another master touched it at this moment; its event serves as well.
            pass


async def _stored(store: Store, prefix: str, revision: int, start: str) -> list[Entry]:
    entries: list[Entry] = []
    more = True
    while more:
        page = await store.range(prefix, start=start, limit=PAGE, revision=revision)
        entries.extend(entry for item in page.items if (entry := read_entry(item.key, item.mod_revision, item.value)))
        more = page.more
        start = f"{page.items[-1].key}\0" if page.items else start
    return entries


def _retrieve(task: asyncio.Task[None]) -> None:
    """Takes the error of a task whose waiters may all have gone, so that asyncio does not complain."""
    if not task.cancelled():
        task.exception()
