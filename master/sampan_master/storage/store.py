"""The `Store` protocol: what Sampan needs of etcd v3, small enough to have two implementations.

A store maps string keys to bytes under one counter of revisions. Each write that takes effect raises the counter and
has its revision to itself; watches see the writes in that order. A value is JSON text: it does not end in a space or
a tab. `EtcdStore` is the real one; `MemoryStore` has the same semantics of revision, watch and compaction for unit
tests, the in-process cluster and simulation. One contract suite runs on both.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import NamedTuple, Protocol


class KeyValue(NamedTuple):
    key: str
    value: bytes
    mod_revision: int


class Page(NamedTuple):
    """One page of a range read. `revision` is the one the page is a snapshot of; `more` says keys remain;
    `total` is how many keys the range holds from `start` on at that revision."""

    items: list[KeyValue]
    revision: int
    more: bool
    total: int


class StoreEvent(NamedTuple):
    """One change. `value` is None when the key was deleted. `previous` is what stood there before, for those who asked;
    whoever follows from a snapshot on knows it anyway."""

    key: str
    value: bytes | None
    revision: int
    previous: KeyValue | None = None


class Unwritten(NamedTuple):
    """The condition of a write that decides by other keys: below `prefix` nothing was written after `revision`, one
    that a reader is complete up to (that of a page, a watch or `revision()`). Deletions do not count: what they give
    back may be taken later."""

    prefix: str
    revision: int


class WatchBatch(NamedTuple):
    """Events in the order of their revisions; the watch is complete up to `revision` (not below the last event's)."""

    events: list[StoreEvent]
    revision: int


class StoreError(Exception):
    """
    StoreError
    ├── KeyExists            create of a key that is there
    ├── KeyMissing           update or delete of a key that is not there (`Storage` raises it, not the stores)
    ├── RevisionMismatch     compare-and-swap lost; `.current` is what stands there now (None: nothing)
    ├── Compacted            the revision asked for is gone; `.compact_revision` is the oldest left
    ├── FutureRevision       the revision asked for has not happened yet
    ├── ValueTooLarge        the store refuses a value of that size
    └── StoreUnavailable     no answer; a write may or may not have happened only if it says so in `.unclear`
    """


class KeyExists(StoreError):
    pass


class KeyMissing(StoreError):
    pass


class RevisionMismatch(StoreError):
    def __init__(self, key: str, current: KeyValue | None) -> None:
        super().__init__(key)
        self.current = current


class Compacted(StoreError):
    def __init__(self, compact_revision: int) -> None:
        super().__init__(f"compacted at {compact_revision}")
        self.compact_revision = compact_revision


class FutureRevision(StoreError):
    pass


class WrittenMeanwhile(StoreError):
    """The `Unwritten` condition of a write did not hold; nothing was changed."""


class ValueTooLarge(StoreError):
    pass


class StoreUnavailable(StoreError):
    def __init__(self, message: str, *, unclear: bool = False) -> None:
        super().__init__(message)
        self.unclear = unclear


class Store(Protocol):
    async def get(self, key: str) -> KeyValue | None:
        """Linearizable read of one key."""
        ...

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        """Keys below `prefix` in order, from `start` (inclusive) on, at exactly `revision` (0: now). Raises Compacted,
        FutureRevision."""
        ...

    async def revision(self) -> int:
        """The store's revision now (linearizable)."""
        ...

    async def require_history(self, after: int) -> None:
        """Raises Compacted when not all changes after that revision are known any more."""
        ...

    async def past(self, changes: int) -> int:
        """A revision about `changes` changes ago, or the oldest that can still be read."""
        ...

    async def create(self, key: str, value: bytes, *, ttl: int = 0, given: Unwritten | None = None) -> int:
        """Writes a key that must not exist; returns the revision. `ttl` seconds > 0: the key expires after about
        that time. Raises KeyExists, WrittenMeanwhile."""
        ...

    async def update(
        self, key: str, value: bytes, *, expected: int, ttl: int = 0, given: Unwritten | None = None
    ) -> int:
        """Writes the key if its mod revision is `expected`; returns the new revision. Raises RevisionMismatch,
        WrittenMeanwhile."""
        ...

    async def delete(self, key: str, *, expected: int) -> int:
        """Deletes the key if its mod revision is `expected`; returns the deletion's revision. Raises
        RevisionMismatch."""
        ...

    def watch(self, prefix: str, *, after: int, previous: bool = False) -> AsyncGenerator[WatchBatch]:
        """Events below `prefix` with revision > `after`, forever. Reconnects by itself and loses nothing; raises
        Compacted when it cannot."""
        ...

    async def compact(self, revision: int) -> None:
        """Forgets history before `revision`, which itself can still be read and watched from. Raises Compacted when
        that has happened already, FutureRevision."""
        ...

    async def close(self) -> None: ...
