"""Giving objects what no other of their kind may have (addresses and ports of services), also between masters.

There is no book of what is taken: the stored objects are the book. What they hold is read from the cache, and the write
names the revision it was read at; the store refuses the write when an object of the kind was written since, and then
all is decided anew. So nothing leaks, whoever crashes when. This master does one such write at a time, so only another
master can come in between.
"""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sampan_api.errors import ServiceUnavailable
from sampan_api.meta import Object

from sampan_master.apiserver.resources.resource_type import Allocation, ResourceType, ServiceNetwork
from sampan_master.apiserver.validation.fields import invalid_object
from sampan_master.storage import Entry, Storage, Unwritten, WrittenMeanwhile

_PATIENCE = 20.0


class Holdings:
    """What the objects of one kind hold, counted. It is brought up to date by the entries that have changed."""

    def __init__(self, holds: Callable[[Object], Iterable[str]]) -> None:
        self._holds = holds
        self._entries: dict[str, Entry] = {}
        self._held: dict[str, frozenset[str]] = {}
        self._count: Counter[str] = Counter()

    def others(self, entries: Sequence[Entry], key: str) -> Taken:
        """What all of `entries` but that of `key` hold."""
        for entry in entries:
            if self._entries.get(entry.key) is not entry:
                self._forget(entry.key)
                self._entries[entry.key] = entry
                held = self._held[entry.key] = frozenset(self._holds(entry.obj))
                self._count.update(held)
        if len(self._entries) > len(entries):
            there = {entry.key for entry in entries}
            for gone in [known for known in self._entries if known not in there]:
                self._forget(gone)
        return Taken(self._count, self._held.get(key, frozenset()))

    def _forget(self, key: str) -> None:
        if self._entries.pop(key, None) is not None:
            for what in self._held.pop(key):
                self._count[what] -= 1


@dataclass(frozen=True, slots=True)
class Taken:
    """Valid until the holdings are looked at again."""

    count: Mapping[str, int]
    own: frozenset[str]

    def __contains__(self, what: object) -> bool:
        return isinstance(what, str) and self.count.get(what, 0) > (what in self.own)


class Allocations:
    def __init__(self, storage: Storage, network: ServiceNetwork) -> None:
        self._storage = storage
        self._network = network
        self._lock = asyncio.Lock()
        self._holdings: dict[str, Holdings] = {}

    def allocate(self, rt: ResourceType, new: Object, old: Object | None, *, dry_run: bool) -> None:
        """Changes `new` in place; does nothing for a type that allocates nothing. Raises Invalid, InternalError."""
        if rt.allocator is None:
            return
        holdings = self._holdings.setdefault(rt.qualified, Holdings(rt.allocator.holds))
        entries = self._storage.cache.list(rt.prefix()).entries
        metadata = new["metadata"]
        taken = holdings.others(entries, rt.key(metadata.get("namespace", ""), metadata["name"]))
        errors = [*rt.allocator.allocate(new, old, Allocation(taken, self._network, dry_run))]
        if errors:
            raise invalid_object(rt.kind, rt.group, metadata["name"], errors)

    async def create(self, rt: ResourceType, key: str, obj: Object) -> Entry:
        """Raises KeyExists, and what `allocate` raises."""
        async with self.alone(rt) as seeing:
            while True:
                given = Unwritten(seeing, self._storage.cache.revision)
                complete = copy.deepcopy(obj)
                self.allocate(rt, complete, None, dry_run=False)
                try:
                    return await self._storage.create(key, complete, given=given)
                except WrittenMeanwhile:
                    await self._storage.cache.fresh()

    @asynccontextmanager
    async def alone(self, rt: ResourceType) -> AsyncIterator[str]:
        """For an update: gives the prefix of what it must have seen, "" for a type that allocates nothing."""
        if rt.allocator is None:
            yield ""
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._lock.acquire()
        except TimeoutError:
            said = f"other {rt.plural} are being written and the store does not answer"
            raise ServiceUnavailable(said, {"retryAfterSeconds": 1}) from None
        try:
            await self._storage.cache.fresh()
            yield rt.prefix()
        finally:
            self._lock.release()
