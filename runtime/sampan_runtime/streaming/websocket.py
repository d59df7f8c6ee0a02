"""Kubernetes' remote command protocols over WebSocket: every message is one byte of channel number and its data.

Channels: 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 terminal size, and from v5 on 255, which closes the channel
named by its second byte. The base64 variants carry the channel as a digit and the data in base64, as text.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator
from typing import Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from sampan_runtime.streaming.session import Event, Input, InputClosed, Resize

BINARY = ("v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
BASE64 = ("v5.base64.channel.k8s.io", "v4.base64.channel.k8s.io", "base64.channel.k8s.io")
TUNNEL = "SPDY/3.1+portforward.k8s.io"
STDIN, ERROR, RESIZE, CLOSE = 0, 3, 4, 255
_MESSAGE_LIMIT = 16 << 20
_READ = 64 * 1024


def accept(key: str, protocol: str) -> bytes:
    head = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {generate_accept_token(key.encode()).decode()}\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
    )
    return head.encode()


class WebSocket:
    """Whole messages over an upgraded connection; pings are answered while `messages` is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = Connection(ConnectionType.SERVER)

    async def messages(self) -> AsyncIterator[bytes | str]:
        """Ends with the connection, whether it was closed in good order or not."""
        parts: list[bytes | str] = []
        size = 0
        while data := await self._read():
            try:
                self._connection.receive_data(data)
                for event in self._connection.events():
                    if isinstance(event, Message):
                        size += len(event.data)
                        if size > _MESSAGE_LIMIT:
                            return
                        parts.append(event.data if isinstance(event, TextMessage) else bytes(event.data))
                        if event.message_finished:
                            yield _join(parts)
                            parts, size = [], 0
                    elif isinstance(event, Ping):
                        await self._send(self._connection.send(event.response()))
                    elif isinstance(event, CloseConnection):
                        if self._connection.state is ConnectionState.REMOTE_CLOSING:
                            await self._send(self._connection.send(event.response()))
                        return
            except RemoteProtocolError:
                return

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_READ)
        except ConnectionError:
            return b""

    async def send_bytes(self, data: bytes) -> None:
        await self._event(BytesMessage(data=data))

    async def send_text(self, text: str) -> None:
        await self._event(TextMessage(data=text))

    async def close(self, code: int = 1000) -> None:
        """With the answer awaited: the last bytes must not be overtaken by a reset of the connection."""
        try:
            await self._event(CloseConnection(code=code))
        except ConnectionError:
            return

    async def _event(self, event: BytesMessage | TextMessage | CloseConnection) -> None:
        try:
            data = self._connection.send(event)
        except LocalProtocolError as error:
            raise ConnectionError("the WebSocket is closed") from error
        await self._send(data)

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


def _join(parts: list[bytes | str]) -> bytes | str:
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else b"".join(part for part in parts if isinstance(part, bytes))


class ChannelStreams:
    """`session.Streams` over one WebSocket."""

    def __init__(self, socket: WebSocket, protocol: str) -> None:
        self._socket = socket
        self._base64 = protocol in BASE64
        self._v5 = protocol.startswith("v5.")
        self._structured = protocol[:2] in ("v4", "v5")

    async def open(self) -> None:
        """An empty message first: it tells a client that the stream is up."""
        await self.write(1, b"")

    async def events(self) -> AsyncIterator[Event]:
        async for message in self._socket.messages():
            event = self._decode(message)
            if event is not None:
                yield event

    def _decode(self, message: bytes | str) -> Event | None:
        if isinstance(message, str):
            channel, data = ord(message[:1] or "\xff") - ord("0"), _unbase64(message[1:])
        elif message:
            channel, data = message[0], message[1:]
        else:
            return None
        if channel == STDIN:
            return Input(data) if data else None
        if channel == RESIZE:
            return terminal_size(data)
        if channel == CLOSE and self._v5 and data[:1] == bytes([STDIN]):
            return InputClosed()
        return None

    async def write(self, stream: int, data: bytes) -> None:
        if self._base64:
            await self._socket.send_text(f"{stream}{base64.b64encode(data).decode()}")
        else:
            await self._socket.send_bytes(bytes((stream,)) + data)

    async def finish(self, status: dict[str, Any]) -> None:
        """Before v4 the last message is plain text, and success has none."""
        try:
            if self._structured:
                await self.write(ERROR, json.dumps(status, separators=(",", ":")).encode())
            elif status["status"] != "Success":
                await self.write(ERROR, str(status["message"]).encode())
        except ConnectionError:
            return
        await self._socket.close()


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def terminal_size(data: bytes) -> Resize | None:
    """{"Width": 80, "Height": 24}; nonsense changes nothing."""
    try:
        value = json.loads(data)
        width, height = int(value["Width"]), int(value["Height"])
    except (ValueError, KeyError, TypeError):
        return None
    return Resize(width, height) if 0 < width < 65536 and 0 < height < 65536 else None
