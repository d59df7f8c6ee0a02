"""SPDY/3.1 as far as kubectl's exec, attach and port-forward use it (draft-mbelshe-httpbis-spdy-00, sections 2 and 3).

Frames travel on the raw connection after the upgrade, or as arbitrary slices inside WebSocket messages. Header blocks
of one direction share one zlib context. There is no flow control, as the clients of this protocol have none.
"""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sampan_runtime.shim.client import Shim
from sampan_runtime.streaming import session
from sampan_runtime.streaming.session import STDERR, STDOUT, Event, Input, InputClosed, StreamRequest
from sampan_runtime.streaming.websocket import WebSocket, terminal_size

REMOTE_PROTOCOLS = tuple(f"{version}channel.k8s.io" for version in ("v5.", "v4.", "v3.", "v2.", ""))
FORWARD_PROTOCOLS = ("portforward.k8s.io",)

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN = 1
_CONTROL = 0x8000
_VERSION = 3
_CANCEL = 5
_FRAME_LIMIT = 1 << 20
_HEADERS_LIMIT = 64 * 1024
_MAX_STREAMS = 1000
_BACKLOG = 64
_STREAMS_SECONDS = 30.0

_WORDS = (
    *("options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding"),
    *("accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection"),
    *("content-base", "content-encoding", "content-language", "content-length", "content-location"),
    *("content-md5", "content-range", "content-type", "date", "etag", "expect", "expires", "from", "host"),
    *("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified"),
    *("location", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer"),
    *("retry-after", "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via"),
    *("warning", "www-authenticate", "method", "get", "status"),
)
_MORE_WORDS = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack("!I", len(word)) + word.encode() for word in (*_WORDS, *_MORE_WORDS)) + _TAIL.encode()
"""The initial zlib dictionary that the protocol prescribes (section 2.6.10.1)."""

Read = Callable[[], Awaitable[bytes]]
Write = Callable[[bytes], Awaitable[None]]


class ProtocolError(ConnectionError):
    pass


class Stream:
    def __init__(self, connection: Connection, id: int, headers: dict[str, str]) -> None:
        self._connection = connection
        self.id = id
        self.headers = headers
        self.incoming: asyncio.Queue[bytes | None] = asyncio.Queue(_BACKLOG)
        self.ended = False

    async def read(self) -> bytes:
        """b"" at the end; after it, again."""
        data = None if self.ended and self.incoming.empty() else await self.incoming.get()
        return data or b""

    async def write(self, data: bytes) -> None:
        await self._connection.send_data(self.id, data)

    async def finish(self) -> None:
        await self._connection.send_data(self.id, b"", fin=True)

    async def reset(self) -> None:
        await self._connection.send_control(_RST_STREAM, struct.pack("!II", self.id, _CANCEL))


class Connection:
    """`run` reads until the end; meanwhile `accepted` gives the streams in the order in which the client opens them."""

    def __init__(self, read: Read, write: Write) -> None:
        self._read = read
        self._write = write
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._streams: dict[int, Stream] = {}
        self.accepted: asyncio.Queue[Stream | None] = asyncio.Queue()

    async def run(self) -> None:
        try:
            while True:
                head = await self._take(8)
                first, last = struct.unpack("!II", head)
                flags, length = last >> 24, last & 0xFFFFFF
                if length > _FRAME_LIMIT:
                    raise ProtocolError("SPDY frame too large")
                payload = await self._take(length)
                if first >> 31:
                    await self._control(first & 0xFFFF, flags, payload)
                else:
                    await self._data(first, flags, payload)
        except asyncio.IncompleteReadError:
            pass
        finally:
            for stream in self._streams.values():
                self._end(stream)
            self.accepted.put_nowait(None)

    async def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = await self._read()
            if not data:
                raise asyncio.IncompleteReadError(bytes(self._buffer), size)
            self._buffer += data
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def _control(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _SYN_STREAM and len(payload) >= 10:
            (id,) = struct.unpack_from("!I", payload)
            if len(self._streams) >= _MAX_STREAMS:
                raise ProtocolError("too many SPDY streams")
            stream = self._streams[id] = Stream(self, id, self._headers(payload[10:]))
            await self.send_control(_SYN_REPLY, struct.pack("!I", id) + self._block({}))
            self.accepted.put_nowait(stream)
            if flags & _FIN:
                self._end(stream)
        elif kind == _RST_STREAM and len(payload) >= 4:
            found = self._streams.pop(struct.unpack_from("!I", payload)[0], None)
            if found is not None:
                self._end(found)
        elif kind == _PING:
            await self.send_control(_PING, payload)
        elif kind == _GOAWAY:
            return

    async def _data(self, id: int, flags: int, payload: bytes) -> None:
        stream = self._streams.get(id)
        if stream is None or stream.ended:
            return
        if payload:
            await stream.incoming.put(payload)
        if flags & _FIN:
            self._end(stream)

    @staticmethod
    def _end(stream: Stream) -> None:
        if not stream.ended:
            stream.ended = True
            if not stream.incoming.full():
                stream.incoming.put_nowait(None)

    def forget(self, *streams: Stream) -> None:
        for stream in streams:
            self._streams.pop(stream.id, None)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            data = self._inflate.decompress(block, _HEADERS_LIMIT)
            (count,) = struct.unpack_from("!I", data)
            offset, texts = 4, []
            for _ in range(min(count, 100) * 2):
                (size,) = struct.unpack_from("!I", data, offset)
                texts.append(data[offset + 4 : offset + 4 + size].decode("latin-1"))
                offset += 4 + size
        except (zlib.error, struct.error) as error:
            raise ProtocolError(f"SPDY header block: {error}") from error
        return {name.lower(): value for name, value in zip(texts[::2], texts[1::2], strict=True)}

    def _block(self, headers: dict[str, str]) -> bytes:
        data = struct.pack("!I", len(headers))
        for name, value in headers.items():
            for text in (name.encode(), value.encode()):
                data += struct.pack("!I", len(text)) + text
        return self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    async def send_control(self, kind: int, payload: bytes) -> None:
        head = struct.pack("!HHI", _CONTROL | _VERSION, kind, len(payload))
        await self._write(head + payload)

    async def send_data(self, id: int, data: bytes, *, fin: bool = False) -> None:
        await self._write(struct.pack("!II", id, (_FIN if fin else 0) << 24 | len(data)) + data)

    async def go_away(self) -> None:
        last = max(self._streams, default=0)
        await self.send_control(_GOAWAY, struct.pack("!II", last, 0))


def over_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connection:
    async def read() -> bytes:
        try:
            return await reader.read(64 * 1024)
        except ConnectionError:
            return b""

    async def write(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    return Connection(read, write)


def over_websocket(socket: WebSocket) -> Connection:
    messages = socket.messages()

    async def read() -> bytes:
        async for message in messages:
            if isinstance(message, bytes) and message:
                return message
        return b""

    return Connection(read, socket.send_bytes)


async def serve_remote(shim: Shim, request: StreamRequest, connection: Connection, protocol: str) -> None:
    reading = asyncio.ensure_future(connection.run())
    try:
        streams = _RemoteStreams(connection, protocol)
        async with asyncio.timeout(_STREAMS_SECONDS):
            complete = await streams.collect(_expected(request, protocol))
        if complete:
            await session.serve(shim, request, streams)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def _expected(request: StreamRequest, protocol: str) -> set[str]:
    kinds = {"error"}
    for kind, wanted in (("stdin", request.stdin), ("stdout", request.stdout), ("stderr", request.stderr)):
        if wanted:
            kinds.add(kind)
    if request.tty and protocol[:2] in ("v3", "v4", "v5"):
        kinds.add("resize")
    return kinds


class _RemoteStreams:
    """`session.Streams` over the streams named error, stdin, stdout, stderr and resize."""

    def __init__(self, connection: Connection, protocol: str) -> None:
        self._connection = connection
        self._structured = protocol[:2] in ("v4", "v5")
        self._streams: dict[str, Stream] = {}

    async def collect(self, expected: set[str]) -> bool:
        while expected - self._streams.keys():
            stream = await self._connection.accepted.get()
            if stream is None:
                return False
            self._streams[stream.headers.get("streamtype", "")] = stream
        return True

    async def events(self) -> AsyncIterator[Event]:
        """Ends when the connection does; a client without stdin is watched through its error stream."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(1)
        tasks = [asyncio.ensure_future(self._feed(name, queue)) for name in self._streams]
        tasks.append(asyncio.ensure_future(self._watch(queue)))
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _feed(self, name: str, queue: asyncio.Queue[Event | None]) -> None:
        stream = self._streams[name]
        while data := await stream.read():
            if name == "stdin":
                await queue.put(Input(data))
            elif name == "resize" and (size := terminal_size(data)) is not None:
                await queue.put(size)
        if name == "stdin":
            await queue.put(InputClosed())

    async def _watch(self, queue: asyncio.Queue[Event | None]) -> None:
        while await self._connection.accepted.get() is not None:
            pass
        await queue.put(None)

    async def write(self, stream: int, data: bytes) -> None:
        name = {STDOUT: "stdout", STDERR: "stderr"}[stream]
        if name in self._streams:
            await self._streams[name].write(data)

    async def finish(self, status: dict[str, Any]) -> None:
        """Before v4 the error stream carries plain text, and nothing on success."""
        try:
            if self._structured:
                await self._streams["error"].write(json.dumps(status, separators=(",", ":")).encode())
            elif status["status"] != "Success":
                await self._streams["error"].write(str(status["message"]).encode())
            for name in ("error", "stdout", "stderr"):
                if name in self._streams:
                    await self._streams[name].finish()
            await self._connection.go_away()
        except ConnectionError:
            return
