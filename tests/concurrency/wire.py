"""HTTP/1.1 over kept connections, and nothing hidden: what was not sent, what got no answer, and what was answered."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

TIMEOUT = 60.0


class NotSent(Exception):
    """There was nobody to send it to: it has not happened."""


class NoAnswer(Exception):
    """It was sent; whether it happened is not known."""


class Connection:
    """One at a time; opened when needed, thrown away when anything goes wrong."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port = port
        self._context = context
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and object. Raises NotSent, NoAnswer."""
        reader, writer = await self._open()
        try:
            async with asyncio.timeout(TIMEOUT):
                await _send(writer, method, path, body)
                status, headers = await _head(reader)
                answer = json.loads(b"".join([chunk async for chunk in _body(reader, headers)]))
        except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            self.close()
            raise NoAnswer(f"{method} {path}") from error
        return status, answer

    async def lines(self, path: str) -> AsyncIterator[Any]:
        """The events of a watch, each a whole line, until it ends. Raises NotSent, NoAnswer (also for what is no
        watch)."""
        reader, writer = await self._open()
        rest = b""
        try:
            async with asyncio.timeout(TIMEOUT):
                await _send(writer, "GET", path, None)
                status, headers = await _head(reader)
            async for chunk in _body(reader, headers):
                *whole, rest = (rest + chunk).split(b"\n")
                if status != 200:
                    raise NoAnswer(f"{status} {chunk!r}")
                for line in whole:
                    yield json.loads(line)
        except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise NoAnswer(path) from error
        finally:
            self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            try:
                async with asyncio.timeout(TIMEOUT):
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._context)
            except (OSError, TimeoutError) as error:
                raise NotSent from error
        return self._streams


async def _send(writer: asyncio.StreamWriter, method: str, path: str, body: Any) -> None:
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    await writer.drain()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    return int(first.split(" ")[1]), headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    if "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
        return
    while size := int((await reader.readuntil(b"\r\n")), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
