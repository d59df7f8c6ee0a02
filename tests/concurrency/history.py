"""What clients did and saw, and what the store says has happened: recorded, and held against each other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from linearizability import Operation, Read, Refused, Swap, Value, check


class Seen(NamedTuple):
    """An event as a watch tells it: DELETED shows the last value under the deletion's revision."""

    type: str
    name: str
    revision: int
    value: Value


class Write(NamedTuple):
    """One change in the store; `value` None deletes, `before` is what stood there."""

    name: str
    revision: int
    value: Value
    before: Value


@dataclass
class History:
    """Of all objects; every value is written at most once."""

    operations: defaultdict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    acknowledged: dict[int, tuple[str, Value]] = field(default_factory=dict)
    lost: int = 0

    def read(self, name: str, asked: float, answered: float, value: Value) -> None:
        self.operations[name].append(Read(asked, answered, value))

    def refused(self, name: str, asked: float, answered: float, expected: Value) -> None:
        self.operations[name].append(Refused(asked, answered, expected))

    def swapped(self, name: str, asked: float, answered: float, expected: Value, new: Value, revision: int) -> None:
        """`revision` 0: the answer does not say it, as for a deletion."""
        self.operations[name].append(Swap(asked, answered, expected, new))
        if revision:
            assert revision not in self.acknowledged
            self.acknowledged[revision] = (name, new)

    def unknown(self, name: str, asked: float, expected: Value, new: Value) -> None:
        self.operations[name].append(Swap(asked, inf, expected, new))
        self.lost += 1

    def check_linearizable(self) -> None:
        for operations in self.operations.values():
            check(operations)

    def check_against(self, writes: list[Write]) -> None:
        """Each write of the store is one that somebody asked for, once, and each acknowledged one is there."""
        there = {write.revision: (write.name, write.value) for write in writes}
        assert {revision: there.get(revision) for revision in self.acknowledged} == self.acknowledged
        asked = {
            (name, op.expected, op.new) for name, ops in self.operations.items() for op in ops if isinstance(op, Swap)
        }
        done = [(write.name, write.before, write.value) for write in writes]
        assert set(done) <= asked
        assert len(done) == len(set(done))


def expected_events(writes: list[Write], wanted: str = "", names: frozenset[str] | None = None) -> list[Seen]:
    """What a watch must tell of these writes; `wanted` is the beginning of the values its selector asks for."""
    events = []
    for name, revision, value, before in writes:
        if names is not None and name not in names:
            continue
        matched = before is not None and before.startswith(wanted)
        if value is not None and value.startswith(wanted):
            events.append(Seen("MODIFIED" if matched else "ADDED", name, revision, value))
        elif matched:
            events.append(Seen("DELETED", name, revision, before))
    return events
