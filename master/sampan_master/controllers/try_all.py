from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_I = TypeVar("_I")
_T = TypeVar("_T")


async def try_all(act: Callable[[_I], Awaitable[_T]], items: Iterable[_I], at_once: int) -> list[_T]:
    """Acts on every item, so many at a time, whatever becomes of the others; then raises the first error."""
    limit = asyncio.Semaphore(at_once)

    async def one(item: _I) -> _T:
        async with limit:
            return await act(item)

    results: list[_T] = []
    for result in await asyncio.gather(*(one(item) for item in items), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
