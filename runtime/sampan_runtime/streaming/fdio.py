"""Reading and writing pipes and ptys on the event loop. The descriptors must be non-blocking."""

from __future__ import annotations

import asyncio
import os

CHUNK = 32 * 1024


async def read(fd: int) -> bytes:
    """b"" at the end. A pty whose other side is closed says EIO, which is its way to say so."""
    while True:
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:
            await _ready(fd, writing=False)
        except OSError:
            return b""


async def write(fd: int, data: bytes) -> bool:
    """False when nobody reads any more."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            await _ready(fd, writing=True)
        except OSError:
            return False
    return True


async def _ready(fd: int, *, writing: bool) -> None:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    add(fd, _complete, waiter)
    try:
        await waiter
    finally:
        remove(fd)


def _complete(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def pipe() -> tuple[int, int]:
    """(read end, write end), close-on-exec; which end is made non-blocking is the caller's choice."""
    return os.pipe2(os.O_CLOEXEC)
