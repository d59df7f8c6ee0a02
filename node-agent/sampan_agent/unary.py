"""One gRPC request and its reply, for tasks that somebody may cancel.

grpc.aio keeps a cancellation to itself when it comes in the moment in which the call ends by itself: the awaiting task
sees the reply, or the call's error, and goes on as if nobody had asked it to stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Reply = TypeVar("Reply")


async def reply_to(call: Awaitable[Reply]) -> Reply:
    """The call's reply. Raises its AioRpcError, and CancelledError whenever this task was told to stop meanwhile."""
    task = asyncio.current_task()
    assert task is not None
    told = task.cancelling()
    try:
        return await call
    finally:
        if task.cancelling() > told:
            raise asyncio.CancelledError
