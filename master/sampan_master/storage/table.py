"""The objects of one resource inside the cache: entries in key order, their recent changes, and who watches them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from sampan_api.client import EventType
from sampan_api.meta import Object

from sampan_master.storage.change import Change
from sampan_master.storage.entry import Entry
from sampan_master.storage.keys import in_scope, prefix_end, scopes_of
from sampan_master.storage.watcher import Watcher

IndexFunction = Callable[[Object], str]

_AT_HAND = 1000
"""So many changes of a resource are kept encoded and with what stood there before decoded; older ones as bytes."""


class Table:
    """History holds every change with a revision above `floor`."""

    def __init__(self, floor: int, history_events: int, index: IndexFunction | None) -> None:
        self.entries: dict[str, Entry] = {}
        self.floor = floor
        self._keys: list[str] = []
        self._history: deque[Change] = deque()
        self._history_events = history_events
        self._index = index
        self._watchers: defaultdict[tuple[str, str | None], set[Watcher]] = defaultdict(set)
        self._indexed = 0

    def put(self, entry: Entry) -> Change | None:
        """None when the table has that revision already."""
        previous = self.entries.get(entry.key)
        if previous is None:
            insort(self._keys, entry.key)
        elif previous.revision >= entry.revision:
            return None
        self.entries[entry.key] = entry
        return Change(EventType.MODIFIED if previous else EventType.ADDED, entry, previous)

    def remove(self, key: str, revision: int) -> Change | None:
        previous = self.entries.get(key)
        if previous is None or previous.revision >= revision:
            return None
        del self.entries[key]
        del self._keys[bisect_left(self._keys, key)]
        return Change(EventType.DELETED, previous.at_revision(revision), previous)

    def tell(self, change: Change) -> None:
        """Keeps the change in the history and offers it to those it may concern."""
        self._history.append(change)
        if len(self._history) >= _AT_HAND:
            self._history[-_AT_HAND].shrink()
        if len(self._history) > self._history_events:
            self.floor = self._history.popleft().revision
        if not self._watchers:
            return
        hits: tuple[str | None, ...] = (None, *self._index_values(change)) if self._indexed else (None,)
        for scope in scopes_of(change.key):
            for hit in hits:
                # A copy: a watcher that is ended for its lag leaves the set meanwhile.
                for watcher in tuple(self._watchers.get((scope, hit), ())):
                    watcher.offer(change)

    def forget(self, revision: int) -> None:
        """Drops history up to and including `revision`."""
        while self._history and self._history[0].revision <= revision:
            self._history.popleft()
        self.floor = max(self.floor, revision)

    def join(self, watcher: Watcher, after: int) -> None:
        watcher.replay([change for change in self._changes_after(after) if in_scope(change.key, watcher.scope)])
        self._watchers[watcher.scope, watcher.index].add(watcher)
        self._indexed += watcher.index is not None

    def leave(self, watcher: Watcher) -> None:
        joined = self._watchers.get((watcher.scope, watcher.index))
        if joined is None or watcher not in joined:
            return
        joined.discard(watcher)
        self._indexed -= watcher.index is not None
        if not joined:
            del self._watchers[watcher.scope, watcher.index]

    def end_watchers(self) -> None:
        for watcher in [watcher for joined in self._watchers.values() for watcher in joined]:
            watcher.end()

    def list(self, prefix: str, start: str) -> list[Entry]:
        keys = self._keys
        begin = bisect_left(keys, max(prefix, start))
        entries = self.entries
        return [entries[key] for key in keys[begin : bisect_left(keys, prefix_end(prefix))]]

    def list_at(self, revision: int, prefix: str, start: str) -> Sequence[Entry]:
        """The past is the present with the changes since undone; `revision` must not be below `floor`."""
        undone: dict[str, Entry | None] = {}
        for change in reversed(self._history):
            if change.revision <= revision:
                break
            undone[change.key] = change.previous
        if not undone:
            return self.list(prefix, start)
        past = {entry.key: entry for entry in self.list(prefix, start) if entry.key not in undone}
        past.update((key, entry) for key, entry in undone.items() if entry and key.startswith(prefix) and key >= start)
        return [past[key] for key in sorted(past)]

    def _changes_after(self, after: int) -> Iterable[Change]:
        recent = []
        for change in reversed(self._history):
            if change.revision <= after:
                break
            recent.append(change)
        return reversed(recent)

    def _index_values(self, change: Change) -> set[str]:
        assert self._index is not None
        values = {self._index(change.obj)}
        if change.previous is not None:
            values.add(self._index(change.previous.obj))
        return values
