from __future__ import annotations

import asyncio

import pytest
from sampan_agent.unary import reply_to


class Call:
    """A call that ends while its caller is being cancelled, and says nothing of that (as grpc.aio's may)."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def __await__(self):
        try:
            yield from asyncio.sleep(600).__await__()
        except asyncio.CancelledError:
            if self.error:
                raise self.error from None
        return "reply"


@pytest.mark.parametrize("error", [None, RuntimeError("UNAVAILABLE")])
async def test_a_cancelled_task_ends_even_when_its_call_keeps_the_cancellation(error):
    async def work() -> None:
        while True:
            try:
                await reply_to(Call(error))
            except RuntimeError:
                continue

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=60)
    assert done
    assert task.cancelled()


async def test_a_reply_passes_through():
    async def call() -> int:
        return 7

    assert await reply_to(call()) == 7
