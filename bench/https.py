"""A small HTTPS client for benchmarks: many keep-alive connections in one asyncio loop, answers as bytes."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable


class Connection:
    def __init__(self, host: str, context: ssl.SSLContext) -> None:
        self.host, self.context = host, context

    async def open(self) -> Connection:
        address, _, port = self.host.rpartition(":")
        self.reader, self.writer = await asyncio.open_connection(address, int(port), ssl=self.context, limit=1 << 22)
        return self

    def send(self, method: str, path: str, body: bytes = b"", media: str = "application/json") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(f"{head}Content-Type: {media}\r\n\r\n".encode() + body)

    async def head(self) -> tuple[int, bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head[9:12]), head.lower()

    async def call(self, method: str, path: str, body: bytes = b"", media: str = "application/json") -> int:
        """How many bytes came. Raises SystemExit on an error."""
        self.send(method, path, body, media)
        status, head = await self.head()
        size = 0
        if b"transfer-encoding: chunked" in head:
            async for chunk in self.chunks():
                size += len(chunk)
        else:
            size = int(head.partition(b"content-length:")[2].split(None, 1)[0])
            answer = await self.reader.readexactly(size)
        if status >= 400:
            raise SystemExit(f"{method} {path}: {status} {answer.decode(errors='replace')[:300]}")
        return size

    async def chunks(self) -> AsyncIterator[bytes]:
        while length := int(await self.reader.readline(), 16):
            yield (await self.reader.readexactly(length + 2))[:-2]
        await self.reader.readline()

    def close(self) -> None:
        self.writer.close()


Request = tuple[str, str, bytes, str]


async def all_at(connections: list[Connection], requests: Iterable[Request]) -> list[float]:
    """Sends all requests, one at a time on each connection; the seconds each took."""
    waiting, taken = iter(requests), []

    async def work(connection: Connection) -> None:
        for method, path, body, media in waiting:
            began = time.perf_counter()
            await connection.call(method, path, body, media)
            taken.append(time.perf_counter() - began)

    await asyncio.gather(*(work(connection) for connection in connections))
    return taken
