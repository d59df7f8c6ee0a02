"""How a write in etcd gets a revision of its own.

Group commit puts many writes into one etcd transaction, and etcd gives them all one mod revision. As resourceVersions
that would be wrong: a client that was cut off between two events of one revision resumes after it and never sees the
second. So revisions of the `Store` number the writes within etcd's revision as well:

    revision = etcd's mod revision * 1000 + place of the write within it

and the last place, 999, stands for the whole: a snapshot or a watch is complete up to "…999". etcd keeps no place with
a key, so the writer puts it behind the value as blanks and tabs (binary, nothing for place 0), which JSON readers skip
over. A deletion has no value; its place is one after that of the event before it, the same for every observer,
because etcd tells the events of one revision in order and together, and every observer looks at the whole tree that a
transaction writes to. Places only grow within a revision, so watches see strictly increasing revisions, and every
master derives the same numbers.
"""

from __future__ import annotations

STEP = 1000
WHOLE = STEP - 1
FIRST = -1
"""The place before the first one of a revision."""

_BLANKS = b" \t"


def whole(main: int) -> int:
    """The revision at which all of etcd's revision `main` has happened."""
    return main * STEP + WHOLE


def main_of(revision: int) -> int:
    return revision // STEP


def is_whole(revision: int) -> bool:
    """Whether it stands for the end of etcd's revision and not for one write within it."""
    return revision % STEP == WHOLE


def watch_start(after: int) -> int:
    """etcd's revision from which a watch must begin to see all that is after `after` (and perhaps a little more)."""
    main, place = divmod(after, STEP)
    return main + 1 if place == WHOLE else main


def mark(value: bytes, place: int) -> bytes:
    """The value with its place behind it."""
    marked = bytearray(value)
    while place:
        marked.append(_BLANKS[place & 1])
        place >>= 1
    return bytes(marked)


def unmark(stored: bytes) -> tuple[bytes, int]:
    """Value and place. A value somebody else wrote has place 0."""
    value = stored.rstrip(_BLANKS)
    place = 0
    for digit in reversed(stored[len(value) :]):
        place = place << 1 | (digit == _BLANKS[1])
    return value, min(place, WHOLE - 1)


class Places:
    """Gives the events of one watch, or the results of one transaction, their revisions in turn."""

    def __init__(self) -> None:
        self._main = 0
        self._place = FIRST

    def put(self, main: int, place: int) -> int:
        self._enter(main)
        self._place = max(place, min(self._place + 1, WHOLE - 1))
        return main * STEP + self._place

    def delete(self, main: int) -> int:
        self._enter(main)
        # More deletions than places (an etcdctl del of thousands) share the last one.
        self._place = min(self._place + 1, WHOLE - 1)
        return main * STEP + self._place

    def _enter(self, main: int) -> None:
        if main != self._main:
            self._main, self._place = main, FIRST
