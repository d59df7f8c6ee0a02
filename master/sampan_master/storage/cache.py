"""The watch cache (being written: the signatures below are the contract)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sampan_api.clock import Clock

from sampan_master.storage.change import Change, Matches
from sampan_master.storage.entry import Entry
from sampan_master.storage.store import Store


class Listing(NamedTuple):
    """A snapshot in key order, complete as of `revision`."""

    entries: Sequence[Entry]
    revision: int


class Watcher:
    """One reader's queue of shared changes. `async for batch in watcher` also works."""

    revision: int
    """Everything up to here has been handed out by `changes()`: what a bookmark may say."""

    async def changes(self) -> list[Change]:
        """Waits for and takes all that is queued, whole revisions only. [] when `close` was called or the watcher was
        ended because it lagged too far behind (the client resumes from its last revision)."""
        ...

    def close(self) -> None: ...


class Cache:
    def __init__(self, store: Store, clock: Clock, *, history_seconds: float = 330, history_events: int = 10_000) -> None: ...

    async def start(self) -> None:
        """Loads everything (waits for the store as long as it takes) and follows it from then on."""

    async def stop(self) -> None: ...

    @property
    def revision(self) -> int:
        """The cache is complete up to here."""
        ...

    async def fresh(self) -> int:
        """Returns when the cache has caught up with the store's revision as of this call. Raises StoreUnavailable."""
        ...

    async def at_least(self, revision: int, timeout: float = 3.0) -> int:
        """Waits until the cache has seen `revision` (NotOlderThan). Raises FutureRevision when it takes longer."""
        ...

    def get(self, key: str) -> Entry | None: ...

    def list(self, prefix: str, start: str = "") -> Listing:
        """The entries below `prefix` (from key `start` on), as the cache has them now: call `fresh` first for a
        consistent list."""
        ...

    async def list_at(self, prefix: str, revision: int, start: str = "") -> Listing:
        """As they were at exactly `revision`: pages of a continued list. Raises Compacted, FutureRevision."""
        ...

    def watch(self, prefix: str, after: int, matches: Matches | None = None, *, index: str | None = None) -> Watcher:
        """Changes below `prefix` with revision > `after` (a future one stays silent until reached). Raises Compacted
        when that is no longer in the history. `matches` is asked of old and new object; a change of matching is
        ADDED or DELETED (contract: watch). `index`: only objects whose index value (pods: spec.nodeName) is this
        before or after the change are asked about; it does not replace `matches`."""
        ...

    def expect(self, entry: Entry) -> None:
        """A write of ours whose event will come: the cache will use this very entry."""
