"""The two-way bytes of a connection that HTTP has let go of (exec, attach and port-forward)."""

from __future__ import annotations

import asyncio

_BUFFER = 256 * 1024


class RawConnection:
    def __init__(self, transport: asyncio.Transport, first: bytes) -> None:
        self._transport = transport
        self._buffer = bytearray(first)
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = False
        if first:
            self._arrived.set()

    def feed(self, data: bytes) -> None:
        self._buffer += data
        self._arrived.set()
        if len(self._buffer) > _BUFFER:
            self._transport.pause_reading()

    def feed_end(self) -> None:
        self._ended = True
        self._arrived.set()
        self._writable.set()

    def set_writable(self, writable: bool) -> None:
        if writable:
            self._writable.set()
        else:
            self._writable.clear()

    async def recv(self) -> bytes:
        """What has arrived; b"" at the end."""
        await self._arrived.wait()
        data = bytes(self._buffer)
        self._buffer.clear()
        if not self._ended:
            self._arrived.clear()
            self._transport.resume_reading()
        return data

    async def send(self, data: bytes) -> None:
        """Raises ConnectionResetError when the client is gone."""
        await self._writable.wait()
        if self._ended or self._transport.is_closing():
            raise ConnectionResetError("the client has closed the connection")
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()
