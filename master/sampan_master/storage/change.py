"""One change of one object, shared by all watchers that see it.

What a watcher is told depends on its filter: an object that begins to match is ADDED for it, one that stops to match
is DELETED with its previous content under the new resourceVersion. The three forms are made at most once per change
and shared, as is the encoded line of each.
"""

from __future__ import annotations

from collections.abc import Callable

from sampan_api.client import EventType
from sampan_api.meta import Object

from sampan_master.storage.entry import Entry

Matches = Callable[[Object], bool]


class Change:
    """`entry` is the object after the change, and for DELETED the last state under the deletion's revision.
    `previous` is what stood there before (None for ADDED)."""

    __slots__ = ("_arrival", "_departure", "_line", "entry", "previous", "type")

    def __init__(self, type: EventType, entry: Entry, previous: Entry | None) -> None:
        self.type = type
        self.entry = entry
        self.previous = previous
        self._line: bytes | None = None
        self._arrival: Change | None = None
        self._departure: Change | None = None

    @property
    def key(self) -> str:
        return self.entry.key

    @property
    def revision(self) -> int:
        return self.entry.revision

    @property
    def obj(self) -> Object:
        return self.entry.obj

    @property
    def line(self) -> bytes:
        """The watch event as it goes over the wire: `{"type":…,"object":…}` and a newline."""
        if self._line is None:
            self._line = b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.entry.data)
        return self._line

    def shrink(self) -> None:
        """Gives up what can be made again: few ask for a change of long ago."""
        self._line = self._arrival = self._departure = None
        if self.previous is not None:
            self.previous.shrink()

    def seen_through(self, matches: Matches | None) -> Change | None:
        """What a watcher with this filter is told of the change; None when nothing."""
        if matches is None:
            return self
        before = self.previous is not None and matches(self.previous.obj)
        after = self.type is not EventType.DELETED and matches(self.entry.obj)
        if before and after:
            return self
        if after:
            return self._as_arrival()
        return self._as_departure() if before else None

    def _as_arrival(self) -> Change:
        if self.type is EventType.ADDED:
            return self
        if self._arrival is None:
            self._arrival = Change(EventType.ADDED, self.entry, None)
        return self._arrival

    def _as_departure(self) -> Change:
        if self.type is EventType.DELETED:
            return self
        if self._departure is None:
            assert self.previous is not None
            gone = self.previous.at_revision(self.entry.revision)
            self._departure = Change(EventType.DELETED, gone, self.previous)
        return self._departure

    def __repr__(self) -> str:
        return f"Change({self.type} {self.entry.key} @{self.entry.revision})"
