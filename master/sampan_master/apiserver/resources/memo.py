"""What a pure function has said of equal values, kept by their JSON.

Pods of one template have the same spec, and it is what most of a pod's creation is spent on: reading it, checking it,
naming its owners. Looking it up costs a tenth of that. Values go in and come out by their text, so nobody shares
anything that somebody may change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")

_MOST = 256
_LARGEST = 16 * 1024


def text_of(value: Any) -> bytes:
    """b"" for what is too large to be kept, or is no JSON (a number beyond 64 bits)."""
    try:
        text = orjson.dumps(value)
    except TypeError:
        return b""
    return text if len(text) <= _LARGEST else b""


class Memo(Generic[T]):
    """At most `_MOST` answers; when there are more, all are forgotten and those that are asked for come again."""

    def __init__(self) -> None:
        self._known: dict[bytes, T] = {}

    def get(self, text: bytes) -> T | None:
        return self._known.get(text)

    def keep(self, text: bytes, answer: T) -> T:
        if text:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[text] = answer
        return answer

    def of(self, value: Any, compute: Callable[[], T]) -> T:
        """`compute` must follow from `value` alone and raise, or answer what nobody changes."""
        text = text_of(value)
        known = self._known.get(text) if text else None
        return known if known is not None else self.keep(text, compute())
