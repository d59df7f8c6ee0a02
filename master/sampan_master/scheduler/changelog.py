"""What changed, in order, for those that keep results and catch up before they use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Entry = TypeVar("Entry")
_LEAST = 256


class ChangeLog(Generic[Entry]):
    """A position is the number of changes ever written. At least the last `keep()`, and never fewer than 256, are
    remembered, at most twice as many: who missed more does better to look at everything anew. So what the entries hold
    on to follows from what there is now (`keep` is the number of rows) and not from how much ever happened."""

    def __init__(self, keep: Callable[[], int] = int) -> None:
        self._keep = keep
        self._entries: list[Entry] = []
        self._forgotten = 0
        self._most = 2 * _LEAST

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def position(self) -> int:
        return self._forgotten + len(self._entries)

    def append(self, entry: Entry) -> None:
        self._entries.append(entry)
        if len(self._entries) > self._most:
            self._forget()

    def since(self, position: int) -> list[Entry] | None:
        """What was written since `position`; None when that is no longer known."""
        if position < self._forgotten:
            return None
        return self._entries[position - self._forgotten :]

    def _forget(self) -> None:
        keep = max(_LEAST, self._keep())
        self._most = 2 * keep
        if len(self._entries) > self._most:
            self._forgotten += len(self._entries) - keep
            del self._entries[:-keep]
