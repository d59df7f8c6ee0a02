from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


async def try_all(calls: Iterable[Awaitable[_T]], at_once: int) -> list[_T]:
    """Runs all calls to their end, so many at a time, whatever becomes of the others; then raises the first error."""
    limit = asyncio.Semaphore(at_once)

    async def one(call: Awaitable[_T]) -> _T:
        async with limit:
            return await call

    results: list[_T] = []
    for result in await asyncio.gather(*(one(call) for call in calls), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
