"""uvicorn's HTTP/1.1 protocol with three additions: the client certificate in the scope, limits before any parsing of
content (`limits.py`), and handing over the raw connection for `Upgrade` (exec, attach and port-forward speak WebSocket
or SPDY, which the master only relays).

What is no HTTP is answered with a 4xx in plain text and the end of the connection, after the answers to the good
requests that came before it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias, cast

import httptools
from sampan_api.client import UserInfo
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from sampan_master.apiserver.auth.authentication import CREDENTIAL_ID, authenticated
from sampan_master.apiserver.http.limits import Bodies, Limits, find_dead_peers
from sampan_master.apiserver.http.raw_connection import RawConnection

Header: TypeAlias = tuple[bytes, bytes]
EXTENSION = "sampan.connection"
_HEADER_OVERHEAD = 32
"""What a header costs beside its text, so that many empty ones count too."""


class _Refused(Exception):
    """Leaves the parser; what to say is in `_refusal`."""


class _HeadJoiner:
    """The transport as uvicorn writes to it: a response head waits for the first piece of its body, so that both leave
    in one TLS record and one system call (a GET costs a tenth less, measured)."""

    def __init__(self, transport: asyncio.Transport, protocol: ApiProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._head = b""
        self._closing = False

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        if not self._closing:
            self._closing = True
            self._protocol.end(self._transport)

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def abort(self) -> None:
        self._transport.abort()


class ApiProtocol(HttpToolsProtocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        limits: Limits,
        bodies: Bodies,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self.limits = limits
        self.bodies = bodies
        self.certificate: UserInfo | None = None
        self.arriving = False
        """Whether a request has begun that is not complete."""
        self.patient = False
        """Whether the answer is one that people pause (a log): then a client that does not read is left alone."""
        self._head_size = 0
        self._hosts = 0
        self._unanswered = 0
        self._in_body = False
        self._progress = 0
        self._unparsed = 0
        self._refusal: tuple[int, str] | None = None
        self._deaf = False
        self._raw: RawConnection | None = None
        self._rest = b""
        self._upgrading = False
        self._lost = False
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        crowded = len(self.connections) >= self.limits.connections and not self._made_room()
        super().connection_made(transport)
        find_dead_peers(transport)
        self._socket = transport
        self._joiner = _HeadJoiner(transport, self)
        self.transport = cast(asyncio.Transport, self._joiner)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            user = user_of(tls.getpeercert(), tls.getpeercert(binary_form=True))
            self.certificate = authenticated(user) if user is not None else None
        if crowded:
            self._refuse(503, "too many connections")
        else:
            self._start_timer("arrival", self.limits.arrival, self._too_slow)

    def _made_room(self) -> bool:
        """Closes a connection that waits for its next request, if there is one."""
        idle = next((one for one in self.connections if isinstance(one, ApiProtocol) and one.idle), None)
        if idle is not None:
            self.connections.discard(idle)
            idle._socket.abort()
        return idle is not None

    @property
    def idle(self) -> bool:
        return not self.arriving and not self._unanswered

    def connection_lost(self, exc: Exception | None) -> None:
        for name in list(self._timers):
            self._stop_timer(name)
        self._lost = True
        if self._raw is not None:
            self._raw.feed_end()
        super().connection_lost(exc)

    def _start_timer(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        self._stop_timer(name)
        self._timers[name] = self.loop.call_later(seconds, then)

    def _stop_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _too_slow(self) -> None:
        if self.arriving:
            self._refuse(408, "the request took too long to arrive")
        else:
            self._socket.abort()

    def data_received(self, data: bytes) -> None:
        if self._raw is not None:
            self._raw.feed(data)
            return
        if self._upgrading:
            self._keep(data)
            return
        if self._deaf:
            return
        before = self._progress
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrading = True
            self._keep(data[upgrade.args[0] :])
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(*(self._refusal or (400, "not HTTP/1.1")))
        else:
            if self.arriving and "arrival" not in self._timers:
                self._start_timer("arrival", self.limits.arrival, self._too_slow)
            # The parser keeps what it has not understood yet: a header, a trailer or a chunk's extension without end.
            self._unparsed = self._unparsed + len(data) if before == self._progress else 0
            if self._unparsed > self.limits.head:
                self._refuse(431, "the request head is too large")

    def _keep(self, data: bytes) -> None:
        """Holds what comes after a request to upgrade, until somebody takes the connection over."""
        self._rest += data
        if len(self._rest) > self.limits.unread:
            self._socket.pause_reading()

    def _refuse(self, code: int, why: str) -> None:
        """No more requests are read. What is being answered is answered first."""
        self._refusal = (code, f"{code} {HTTPStatus(code).phrase}: {why}\n")
        self._deaf = True
        self._stop_timer("arrival")
        if self._in_body and self.cycle.response_complete:
            # The request has its answer; a second one would be taken for that of the next.
            self.transport.close()
            return
        broken = self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete
        if broken and self._unanswered > 1:
            self.pipeline.popleft()
            self._unanswered -= 1
        elif broken:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._unanswered = 0
            if self.cycle.response_started:
                self._socket.abort()
                return
        if not self._unanswered:
            self._say_refusal(*self._refusal)

    def _say_refusal(self, code: int, text: str) -> None:
        head = [
            f"HTTP/1.1 {code} {HTTPStatus(code).phrase}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(text)}",
            "x-content-type-options: nosniff",
            "connection: close",
        ]
        self._socket.write(("\r\n".join(head) + "\r\n\r\n" + text).encode())
        self.arriving = True
        self.transport.close()

    def end(self, transport: asyncio.Transport) -> None:
        """Closes. While the client still sends, a close would make its kernel throw our answer away: wait a moment and
        read on without listening."""
        if self.arriving and not self._upgrading:
            self._deaf = True
            if transport.can_write_eof():
                transport.write_eof()
            self._start_timer("linger", self.limits.linger, transport.close)
        else:
            transport.close()
        self._start_timer("closing", self.limits.stall, transport.abort)

    def _stop(self, code: int, why: str) -> None:
        self._refusal = (code, why)
        raise _Refused

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unset_keepalive_if_required()
        self._progress += 1
        self._head_size = self._hosts = 0
        self.arriving = True
        self.scope["extensions"] = {EXTENSION: self}  # type: ignore[dict-item]
        # Begun anew by `data_received`, if there is more to come: most requests arrive in one piece.
        self._stop_timer("arrival")

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + _HEADER_OVERHEAD)
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            if value.lower() != b"100-continue":
                self._stop(417, "the only expectation that can be met is 100-continue")
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _count(self, size: int) -> None:
        self._progress += 1
        self._head_size += size
        if self._head_size > self.limits.head:
            self._stop(431, "the request head is too large")

    def on_headers_complete(self) -> None:
        self._progress += 1
        version = self.parser.get_http_version()
        if version != "1.1":
            # A body in chunks is unknown to HTTP/1.0: who stands in between may see two requests where we see one.
            if version != "1.0" or any(name == b"transfer-encoding" for name, _ in self.headers):
                self._stop(505, "HTTP/1.1 is spoken here")
        elif self._hosts != 1:
            self._stop(400, "a request has exactly one Host header")
        if len(self.pipeline) >= self.limits.pipelined:
            self._stop(429, "too many requests were sent ahead of their answers")
        self._unset_keepalive_if_required()
        super().on_headers_complete()
        self._in_body = True
        self._unanswered += 1

    def on_body(self, body: bytes) -> None:
        self._progress += 1
        super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    async def answer(self, status: int, headers: list[Header], body: bytes) -> None:
        """The whole answer to the request whose turn it is, in one write. uvicorn's `send` takes it in two messages and
        costs four times as much. `headers` say its length, and the caller vouches that they are fit for a head."""
        cycle = self._answering
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        if cycle.response_started:
            raise RuntimeError("a request has one answer")
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        if (b"connection", b"close") in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        parts = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n")
        if cycle.scope["method"] != "HEAD":
            parts.append(body)
        self._socket.write(b"".join(parts))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def on_response_complete(self) -> None:
        self._joiner.flush()
        self._unanswered -= 1
        self.patient = False
        super().on_response_complete()
        if self._refusal is not None and not self._unanswered and not self.transport.is_closing():
            self._say_refusal(*self._refusal)

    def on_message_complete(self) -> None:
        self._progress += 1
        self.arriving = self._in_body = False
        self._stop_timer("arrival")
        super().on_message_complete()

    def pause_writing(self) -> None:
        if self._raw is not None:
            self._raw.set_writable(False)
        elif not self.patient:
            self._start_timer("stall", self.limits.stall, self._socket.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stop_timer("stall")
        if self._raw is not None:
            self._raw.set_writable(True)
        super().resume_writing()

    @property
    def wants_upgrade(self) -> bool:
        return self._upgrading

    def leaves_unread(self, scope: MutableMapping[str, Any], declared: str) -> bool:
        """Whether so much of this request's body is still to come that the connection is better closed than kept.
        `declared` is its Content-Length, "" when it comes in chunks."""
        mine = self._in_body and self.cycle.scope is scope
        return mine and (not declared or int(declared) > self.limits.unread)

    def take_over(self) -> RawConnection:
        """Ends HTTP on this connection: whoever calls writes the response head and everything after it himself."""
        self.cycle.response_started = self.cycle.response_complete = True
        self.connections.discard(self)
        self._stop_timer("arrival")
        self._stop_timer("stall")
        self._raw = RawConnection(self._socket, self._rest)
        self._rest = b""
        if self._lost:
            self._raw.feed_end()
        else:
            self._socket.resume_reading()
        return self._raw


def user_of(certificate: dict[str, Any] | None, der: bytes | None) -> UserInfo | None:
    """CN is the name, each O a group. None without a (verified) certificate or a CN."""
    if not certificate or der is None:
        return None
    pairs = [pair for rdn in certificate.get("subject", ()) for pair in rdn]
    name = next((value for key, value in pairs if key == "commonName"), "")
    groups = [value for key, value in pairs if key == "organizationName"]
    extra = {CREDENTIAL_ID: [f"X509SHA256={hashlib.sha256(der).hexdigest()}"]}
    return UserInfo(name, groups, extra=extra) if name else None
