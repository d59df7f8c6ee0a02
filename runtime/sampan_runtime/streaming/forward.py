"""Port forwarding: connections from the client into the pod's network namespace, to its loopback."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
import threading
from dataclasses import dataclass, field

from sampan_runtime import syscalls
from sampan_runtime.streaming.spdy import Connection, Stream
from sampan_runtime.streaming.websocket import BASE64, WebSocket

_CHUNK = 32 * 1024
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Forwarding:
    netns: str
    """"" is the node's own namespace."""
    ports: tuple[int, ...] = ()


async def connect(netns: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    sock = _socket_in(netns) if netns else socket.socket()
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        return await asyncio.open_connection(sock=sock)
    except OSError:
        sock.close()
        raise


def _socket_in(netns: str) -> socket.socket:
    """A socket stays in the namespace where it was made. A thread of its own goes there and never comes back."""
    made: list[socket.socket | OSError] = []

    def make() -> None:
        try:
            descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
            try:
                syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
                made.append(socket.socket())
            finally:
                os.close(descriptor)
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=make, name="pod-netns")
    thread.start()
    thread.join()
    result = made[0]
    if isinstance(result, OSError):
        raise result
    return result


@dataclass(slots=True)
class _Pair:
    data: Stream | None = None
    error: Stream | None = None


@dataclass(slots=True)
class _Pairs:
    """Streams wait here for their partner: a connection is a data and an error stream with one request id."""

    waiting: dict[str, _Pair] = field(default_factory=dict)

    def add(self, stream: Stream) -> tuple[Stream, Stream] | None:
        kind = stream.headers.get("streamtype", "")
        key = stream.headers.get("requestid") or f"port {stream.headers.get('port')}"
        pair = self.waiting.setdefault(key, _Pair())
        if kind == "data":
            pair.data = stream
        elif kind == "error":
            pair.error = stream
        if pair.data is None or pair.error is None:
            return None
        del self.waiting[key]
        return pair.data, pair.error


async def forward_spdy(forwarding: Forwarding, connection: Connection) -> None:
    pairs = _Pairs()
    tasks: set[asyncio.Task[None]] = set()
    reading = asyncio.ensure_future(connection.run())
    try:
        while (stream := await connection.accepted.get()) is not None:
            pair = pairs.add(stream)
            if pair is not None:
                task = asyncio.create_task(_forward_pair(forwarding, connection, *pair))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
    finally:
        reading.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(reading, *tasks, return_exceptions=True)


async def _forward_pair(forwarding: Forwarding, connection: Connection, data: Stream, error: Stream) -> None:
    text = data.headers.get("port", "")
    port = int(text) if text.isdecimal() and 0 < int(text) <= _MAX_PORT else 0
    try:
        try:
            reader, writer = await connect(forwarding.netns, port)
        except OSError as problem:
            await error.write(f"failed to connect to localhost:{port} inside the pod: {problem.strerror}".encode())
            await error.finish()
            await data.reset()
            return
        incoming = asyncio.ensure_future(_into_pod(data, writer))
        try:
            while chunk := await _read(reader):
                await data.write(chunk)
            await data.finish()
            await error.finish()
            await incoming
        finally:
            incoming.cancel()
            writer.close()
    except ConnectionError:
        return
    finally:
        connection.forget(data, error)


async def _into_pod(data: Stream, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await data.read():
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        return


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK)
    except ConnectionError:
        return b""


async def forward_channels(forwarding: Forwarding, websocket: WebSocket, protocol: str) -> None:
    """The older way: one connection per port, channel 2i its data and 2i+1 its error, each beginning with the port."""
    channels = _Channels(websocket, protocol in BASE64)
    links: dict[int, asyncio.StreamWriter] = {}
    tasks: list[asyncio.Task[None]] = []
    try:
        for index, port in enumerate(forwarding.ports):
            for channel in (2 * index, 2 * index + 1):
                await channels.send(channel, struct.pack("<H", port))
        for index, port in enumerate(forwarding.ports):
            try:
                reader, links[2 * index] = await connect(forwarding.netns, port)
            except OSError as problem:
                text = f"failed to connect to localhost:{port} inside the pod: {problem.strerror}"
                await channels.send(2 * index + 1, text.encode())
                continue
            tasks.append(asyncio.create_task(_out_of_pod(channels, 2 * index, reader)))
        async for message in websocket.messages():
            channel, data = channels.split(message)
            if channel in links and data:
                links[channel].write(data)
                await links[channel].drain()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in links.values():
            writer.close()


async def _out_of_pod(channels: _Channels, channel: int, reader: asyncio.StreamReader) -> None:
    while chunk := await _read(reader):
        await channels.send(channel, chunk)
    await channels.close()


class _Channels:
    def __init__(self, websocket: WebSocket, base64_text: bool) -> None:
        self._websocket = websocket
        self._base64 = base64_text

    async def send(self, channel: int, data: bytes) -> None:
        if self._base64:
            await self._websocket.send_text(f"{channel}{base64.b64encode(data).decode()}")
        else:
            await self._websocket.send_bytes(bytes((channel,)) + data)

    async def close(self) -> None:
        await self._websocket.close()

    @staticmethod
    def split(message: bytes | str) -> tuple[int, bytes]:
        if isinstance(message, str):
            return (ord(message[0]) - ord("0"), base64.b64decode(message[1:])) if message else (-1, b"")
        return (message[0], message[1:]) if message else (-1, b"")
