"""Bytes on a socket: what no HTTP client would send."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from api_harness import TOKEN

AUTH = f"Authorization: Bearer {TOKEN}\r\n".encode()
HOST = b"Host: x\r\n"
GET = b"GET /api/v1/namespaces/default HTTP/1.1\r\n" + HOST + AUTH + b"\r\n"
POST = b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\n" + HOST + AUTH


@dataclass
class Wire:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with suppress(ConnectionError):
            await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """One answer that has a length."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)).decode("latin-1")
        lines = head.split("\r\n")
        headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines[1:] if line)}
        body = await asyncio.wait_for(self.reader.readexactly(int(headers.get("content-length", "0"))), 60)
        return int(lines[0].split(" ")[1]), headers, body

    async def code(self) -> int:
        return (await self.answer())[0]

    async def ended(self, within: float = 60.0) -> bool:
        """Whether the server closes, reading away what it still says."""
        with suppress(ConnectionError):
            while await asyncio.wait_for(self.reader.read(65536), within):
                pass
        return True


@asynccontextmanager
async def wire(
    address: tuple[str, int], data: bytes = b"", context: ssl.SSLContext | None = None
) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection(*address, ssl=context)
    one = Wire(reader, writer)
    try:
        await one.send(data)
        yield one
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
