"""Is a concurrent history one that a single register with compare-and-swap could have shown?

The history of one object is a list of operations with the moments they were asked and answered. It is linearizable
when each can be given one moment between the two at which it takes effect at once, so that all answers are right.
An operation without an answer took effect at any later moment, or never.

The search is Lowe's ("just in time" linearization): the moments of asking and answering are gone through in order with
the set of configurations that are possible up to there, each the register's value and the operations asked but not yet
placed. Only when an answer demands that its operation has taken effect are pending ones placed. What changes nothing
is placed as soon as the value agrees with it, which rules nothing out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

Value = str | None
"""None: the object is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """`asked` and `answered` are moments of one clock; `answered` is inf when no answer came."""

    asked: float
    answered: float

    def agrees(self, value: Value) -> bool:
        """Whether it can take effect while the register holds `value`."""
        raise NotImplementedError

    def after(self, value: Value) -> Value:
        return value

    @property
    def changes(self) -> bool:
        return False


@dataclass(frozen=True, slots=True, eq=False)
class Read(Operation):
    value: Value

    def agrees(self, value: Value) -> bool:
        return value == self.value


@dataclass(frozen=True, slots=True, eq=False)
class Swap(Operation):
    """A write of `new` under the condition that `expected` stands there, which succeeded, or may have."""

    expected: Value
    new: Value

    def agrees(self, value: Value) -> bool:
        return value == self.expected

    def after(self, value: Value) -> Value:
        return self.new

    @property
    def changes(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, eq=False)
class Refused(Operation):
    """A write that was refused because something else than `expected` stood there."""

    expected: Value

    def agrees(self, value: Value) -> bool:
        return value != self.expected


class _Configuration(NamedTuple):
    value: Value
    pending: frozenset[Operation]


class NotLinearizable(AssertionError):
    def __init__(self, operation: Operation, before: set[_Configuration]) -> None:
        values = sorted({str(configuration.value) for configuration in before})
        super().__init__(f"no order explains {operation}; before it the register could hold {values}")


def check(history: Iterable[Operation], initial: Value = None) -> int:
    """Raises NotLinearizable. Returns the largest number of configurations that had to be kept."""
    moments = [(moment, answer, op) for op in history for moment, answer in _moments(op)]
    moments.sort(key=lambda entry: entry[:2])
    possible = {_Configuration(initial, frozenset())}
    most = 1
    for _, is_answer, op in moments:
        if not is_answer:
            possible = {_settled(value, pending | {op}) for value, pending in possible}
            continue
        placed = {found for configuration in possible for found in _placing(configuration, op)}
        if not placed:
            raise NotLinearizable(op, possible)
        possible = placed
        most = max(most, len(possible))
    return most


def _moments(op: Operation) -> list[tuple[float, bool]]:
    """What touches at one moment is concurrent: asking sorts before answering."""
    return [(op.asked, False), (op.answered, True)] if op.answered < inf else [(op.asked, False)]


def _settled(value: Value, pending: frozenset[Operation]) -> _Configuration:
    return _Configuration(value, frozenset(op for op in pending if op.changes or not op.agrees(value)))


def _placing(start: _Configuration, op: Operation) -> set[_Configuration]:
    """The configurations that pending operations lead to, up to the first in each order where `op` is placed."""
    found: set[_Configuration] = set()
    seen = {start}
    todo = [start]
    while todo:
        value, pending = todo.pop()
        if op not in pending:
            found.add(_Configuration(value, pending))
            continue
        for next_one in pending:
            if next_one.changes and next_one.agrees(value):
                configuration = _settled(next_one.after(value), pending - {next_one})
                if configuration not in seen:
                    seen.add(configuration)
                    todo.append(configuration)
    return found
