"""The HTTP side: a one-time token names what is to be streamed; the request's head decides in which protocol.

It listens on loopback in the node's network namespace. A token lives for 60 s and works once, so a URL that leaks
later opens nothing. The head is parsed by h11; after the upgrade the connection belongs to the session.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import h11

from sampan_runtime.shim.client import Shim
from sampan_runtime.streaming import session, spdy, websocket
from sampan_runtime.streaming.forward import Forwarding, forward_channels, forward_spdy
from sampan_runtime.streaming.session import StreamRequest

log = logging.getLogger(__name__)

TOKEN_SECONDS = 60.0
_HEAD_SECONDS = 10.0
_HEAD_LIMIT = 64 * 1024
_MAX_OFFERS = 1000

__all__ = ["Forwarding", "Remote", "StreamServer"]


@dataclass(frozen=True, slots=True)
class Remote:
    """An exec or attach waiting for its client."""

    shim: Shim
    request: StreamRequest


class Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class StreamServer:
    def __init__(self) -> None:
        self._offers: dict[str, tuple[str, Remote | Forwarding]] = {}
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_HEAD_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._sessions):
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    def offer(self, kind: str, what: Remote | Forwarding) -> str:
        """A URL for one connection within a minute."""
        if len(self._offers) >= _MAX_OFFERS:
            self._offers.pop(next(iter(self._offers)))
        token = secrets.token_urlsafe(24)
        self._offers[token] = (kind, what)
        asyncio.get_running_loop().call_later(TOKEN_SECONDS, self._offers.pop, token, None)
        return f"http://127.0.0.1:{self.port}/{kind}/{token}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        try:
            await self._serve(reader, writer)
        except Refused as refusal:
            writer.write(_response(refusal.status, str(refusal)))
        except (ConnectionError, TimeoutError) as error:
            log.info("stream ended: %s", error)
        finally:
            self._sessions.discard(task)
            await _close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            request = await _read_head(reader)
        _, kind, token = (*request.target.decode("ascii").partition("?")[0].split("/"), "", "", "")[:3]
        offered = self._offers.pop(token, None)
        if offered is None or offered[0] != kind:
            raise Refused(404, "404 page not found")
        headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers]
        upgrade = _first(headers, "upgrade").lower()
        if upgrade == "websocket":
            await _serve_websocket(offered[1], headers, reader, writer)
        elif upgrade == "spdy/3.1":
            await _serve_spdy(offered[1], headers, reader, writer)
        else:
            raise Refused(400, "Upgrade request required")


async def _read_head(reader: asyncio.StreamReader) -> h11.Request:
    """Exactly the head: a client may speak before our 101, and what follows belongs to the session."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("closed before the request was complete") from error
    except asyncio.LimitOverrunError as error:
        raise Refused(431, "request head too large") from error
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(head)
    try:
        event = parser.next_event()
    except h11.RemoteProtocolError as error:
        raise Refused(400, str(error)) from error
    if not isinstance(event, h11.Request):
        raise Refused(400, "no request")
    return event


def _first(headers: Iterable[tuple[str, str]], name: str) -> str:
    return next((value.strip() for key, value in headers if key.lower() == name), "")


def _listed(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    values = (value for key, value in headers if key.lower() == name)
    return [item.strip() for value in values for item in value.split(",") if item.strip()]


async def _serve_websocket(
    offered: Remote | Forwarding,
    headers: list[tuple[str, str]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    asked = _listed(headers, "sec-websocket-protocol")
    known: tuple[str, ...] = (*websocket.BINARY, *websocket.BASE64)
    if isinstance(offered, Forwarding):
        known = (websocket.TUNNEL, *(name for name in known if name.startswith("v4.")))
    # Without a request for any, the oldest is meant and the answer names none.
    protocol = next((name for name in known if name in asked), "" if not asked else None)
    key = _first(headers, "sec-websocket-key")
    if protocol is None or not key:
        raise Refused(403, f"unable to upgrade: no supported protocol in {', '.join(asked)}")
    writer.write(websocket.accept(key, protocol))
    socket = websocket.WebSocket(reader, writer)
    if isinstance(offered, Remote):
        streams = websocket.ChannelStreams(socket, protocol)
        await streams.open()
        await session.serve(offered.shim, offered.request, streams)
    elif protocol == websocket.TUNNEL:
        await forward_spdy(offered, spdy.over_websocket(socket))
    else:
        await forward_channels(offered, socket, protocol)


async def _serve_spdy(
    offered: Remote | Forwarding,
    headers: list[tuple[str, str]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    asked = _listed(headers, "x-stream-protocol-version")
    if not asked:
        raise Refused(400, "unable to upgrade: X-Stream-Protocol-Version is required")
    known = spdy.FORWARD_PROTOCOLS if isinstance(offered, Forwarding) else spdy.REMOTE_PROTOCOLS
    protocol = next((name for name in known if name in asked), None)
    if protocol is None:
        raise Refused(403, f"unable to upgrade: unable to negotiate protocol: client supports {asked}")
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        b"X-Stream-Protocol-Version: " + protocol.encode() + b"\r\n\r\n"
    )
    connection = spdy.over_socket(reader, writer)
    if isinstance(offered, Remote):
        await spdy.serve_remote(offered.shim, offered.request, connection, protocol)
    else:
        await forward_spdy(offered, connection)


def _response(status: int, text: str) -> bytes:
    reasons = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 431: "Request Header Fields Too Large"}
    body = text.encode(errors="replace") + b"\n"
    head = (
        f"HTTP/1.1 {status} {reasons.get(status, 'Error')}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        pass
