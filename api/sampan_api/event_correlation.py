"""Which events are written at all, as client-go has it: whoever tells of an object again and again must not drown the
API in it.

    similar   from the tenth message of one reason on, none more than ten minutes behind the one before it, all that
              follow are one event, which has the newest message
    spam      25 events about one object at once, then one in five minutes
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

COMBINED = "(combined from similar events): "
_REMEMBERED = 4096
_SIMILAR, _SIMILAR_SECONDS = 10, 600.0
_BURST, _REFILL_SECONDS = 25, 300.0

Names = tuple[str, ...]


@dataclass(slots=True)
class _Similar:
    at: float
    messages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Tokens:
    at: float
    left: float = _BURST


class Correlation:
    """Of one component. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._similar: OrderedDict[Names, _Similar] = OrderedDict()
        self._tokens: OrderedDict[Names, _Tokens] = OrderedDict()

    def combines(self, kind: Names, message: str, now: float) -> bool:
        """`kind`: all by which events are alike that differ in their message only."""
        similar = _used(self._similar, kind, lambda: _Similar(now))
        if now - similar.at > _SIMILAR_SECONDS:
            similar.messages.clear()
        similar.at = now
        similar.messages.add(message)
        if len(similar.messages) < _SIMILAR:
            return False
        similar.messages.pop()
        return True

    def may_write(self, regarding: Names, now: float) -> bool:
        tokens = _used(self._tokens, regarding, lambda: _Tokens(now))
        tokens.left = min(float(_BURST), tokens.left + (now - tokens.at) / _REFILL_SECONDS)
        tokens.at = now
        if tokens.left < 1.0:
            return False
        tokens.left -= 1.0
        return True


def _used(kept: OrderedDict[Names, T], key: Names, make: Callable[[], T]) -> T:
    """Who was not used for longest is forgotten when there are too many."""
    if key not in kept:
        kept[key] = make()
        if len(kept) > _REMEMBERED:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
