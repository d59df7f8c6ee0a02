"""Values as small integers: what is the same on many rows is asked about once and looked up for each row.

Values that no row has any more are forgotten when they outnumber those that some row has: names of hosts, and the
times autoscalers write into taints, are ever new. Codes may be others after each `put`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = "slice | npt.NDArray[np.int64]"
Value = TypeVar("Value")

ABSENT = -1
_SPARE = 16


class Codes(Generic[Value]):
    """`codes[row]`, ABSENT where a row has no value; `values` has the values in the order of their codes."""

    def __init__(self, capacity: int) -> None:
        self.codes: Ints = np.full(capacity, ABSENT, np.int64)
        self.values: dict[Value, int] = {}
        self._rows: list[int] = []
        """How many rows have each value."""
        self._unused = 0

    def put(self, row: int, value: Value | None) -> None:
        before = int(self.codes[row])
        code = ABSENT if value is None else self.values.setdefault(value, len(self.values))
        if code == before:
            return
        if code == len(self._rows):
            self._rows.append(0)
            self._unused += 1
        self.codes[row] = code
        self._count(code, 1)
        self._count(before, -1)
        if self._unused > _SPARE + len(self.values) - self._unused:
            self._forget()

    def value(self, row: int) -> Value | None:
        code = int(self.codes[row])
        return None if code == ABSENT else list(self.values)[code]

    def look_up(self, rows: Rows, answer: Callable[[Value], Any], absent: Any, dtype: Any) -> npt.NDArray[Any]:
        """`answer` to the value of each of these rows, `absent` for those without."""
        # The answer for ABSENT comes last in the table, where index -1 finds it.
        table = np.array([*map(answer, self.values), absent], dtype)
        found: npt.NDArray[Any] = table[self.codes[rows]]
        return found

    def extract(self, rows: Ints) -> Codes[Value]:
        """A copy of these rows alone, to be read."""
        part: Codes[Value] = Codes(0)
        part.codes, part.values = self.codes[rows], self.values
        return part

    def grow(self, more: int) -> None:
        self.codes = np.concatenate((self.codes, np.full(more, ABSENT, np.int64)))

    def _count(self, code: int, by: int) -> None:
        if code == ABSENT:
            return
        before = self._rows[code]
        self._rows[code] = before + by
        self._unused += (self._rows[code] == 0) - (before == 0)

    def _forget(self) -> None:
        kept = [(value, code) for value, code in self.values.items() if self._rows[code]]
        renamed = np.full(len(self.values) + 1, ABSENT, np.int64)
        renamed[[code for _, code in kept]] = np.arange(len(kept))
        self.codes = renamed[self.codes]
        self.values = {value: i for i, (value, _) in enumerate(kept)}
        self._rows = [self._rows[code] for _, code in kept]
        self._unused = 0
