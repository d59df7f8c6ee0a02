"""One HTTP request as the handlers see it, and the ways to answer it. Thin over ASGI: the hot path has no framework."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from sampan_api.client import UserInfo
from sampan_api.errors import ApiError, RequestEntityTooLarge

from sampan_master.apiserver.encoding.negotiation import Accepted, negotiate
from sampan_master.apiserver.encoding.options import first
from sampan_master.apiserver.encoding.representations import JSON, Form, ListBody, encoded, pieces
from sampan_master.apiserver.http import compression
from sampan_master.apiserver.http.limits import Limits
from sampan_master.apiserver.http.protocol import EXTENSION, ApiProtocol, Header
from sampan_master.apiserver.http.warning_headers import warning_headers
from sampan_master.apiserver.resources.generated_names import random_uuid

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = tuple[Header, ...]

_PRETTY_AGENTS = (b"curl", b"Wget", b"Mozilla/5.0")
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")


class ApiRequest:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.segments = self.path.strip("/").split("/")
        if "sampan.headers" not in scope:
            # The first of a name counts, as for Go's readers of headers.
            scope["sampan.headers"] = dict(reversed(scope["headers"]))
        self.headers: dict[bytes, bytes] = scope["sampan.headers"]
        self.standing_warnings: tuple[str, ...] = ()
        """What every answer to this request warns of, before the warnings of its own."""
        self._query: Mapping[str, list[str]] | None = None
        self._accepted: Accepted | None = None

    @property
    def query(self) -> Mapping[str, list[str]]:
        if self._query is None:
            query = self.scope["query_string"]
            self._query = parse_qs(query.decode(), keep_blank_values=True) if query else {}
        return self._query

    @property
    def user(self) -> UserInfo:
        user: UserInfo = self.scope["user"]
        return user

    @user.setter
    def user(self, user: UserInfo) -> None:
        self.scope["user"] = user

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    def has(self, etag: str) -> bool:
        """Whether the client has this version already (`If-None-Match`)."""
        known = [one.strip().removeprefix("W/") for one in self.header(b"if-none-match").split(",")]
        return etag in known or "*" in known

    def accepted(self, *, watch: bool = False) -> Accepted:
        """Raises NotAcceptable."""
        if self._accepted is None:
            self._accepted = negotiate(self.header(b"accept"), first(self.query, "includeObject"), watch=watch)
        return self._accepted

    @property
    def protocol(self) -> ApiProtocol:
        protocol: ApiProtocol = self.scope["extensions"][EXTENSION]
        return protocol

    async def body(self) -> bytes:
        """Raises RequestEntityTooLarge, TooManyRequests; ConnectionResetError when the client is gone."""
        limits, bodies = self.protocol.limits, self.protocol.bodies
        if int(self.headers.get(b"content-length", b"0")) > limits.body:
            raise _too_large(limits)
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                message = await self._receive()
                if message["type"] != "http.request":
                    raise ConnectionResetError("the client went away")
                chunk = message.get("body", b"")
                size += len(chunk)
                bodies.take(len(chunk))
                if size > limits.body:
                    raise _too_large(limits)
                chunks.append(chunk)
                if not message.get("more_body"):
                    return b"".join(chunks)
        finally:
            bodies.give_back(size)

    async def disconnected(self) -> None:
        """Returns when the client has gone. Only after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        """Breaks the connection off, so that the client does not take half an answer for a whole one."""
        self.protocol.transport.abort()

    async def answer(
        self,
        data: bytes,
        *,
        status: int = 200,
        content_type: str = JSON,
        warnings: list[str] | None = None,
        headers: Headers = (),
        compress: bool = True,
    ) -> None:
        if compress and len(data) > compression.THRESHOLD and self._accepts_gzip:
            data = await compression.compressed(data)
            headers = (*headers, *compression.HEADERS)
        if status != 304:
            headers = (*headers, (b"content-length", b"%d" % len(data)))
        await self.protocol.answer(status, self._headers(status, content_type, warnings, headers), data)

    async def answer_object(
        self, obj: bytes | dict[str, Any], *, status: int = 200, warnings: list[str] | None = None, media: str = JSON
    ) -> None:
        """One object, encoded or not, in the media type and prettiness the client likes."""
        data = encoded(obj, Form(media, self.pretty))
        await self.answer(data, status=status, content_type=media, warnings=warnings)

    async def answer_list(self, listing: ListBody, media: str = JSON) -> None:
        """A list that fits into one piece goes with its length, a larger one in chunks."""
        parts = pieces(listing, Form(media, self.pretty))
        first_part = next(parts)
        second = next(parts, None)
        if second is None:
            await self.answer(first_part, content_type=media)
            return
        rest = _spaced(itertools.chain((first_part, second), parts))
        if self._accepts_gzip:
            await self.stream(compression.compressed_pieces(rest), media, headers=compression.HEADERS)
        else:
            await self.stream(rest, media)

    @property
    def _accepts_gzip(self) -> bool:
        return compression.is_accepted(self.header(b"accept-encoding"))

    @property
    def pretty(self) -> bool:
        asked = first(self.query, "pretty")
        if asked:
            return asked in _TRUE
        return self.headers.get(b"user-agent", b"").startswith(_PRETTY_AGENTS)

    async def answer_error(self, error: ApiError) -> None:
        headers: Headers = ()
        retry = (error.details or {}).get("retryAfterSeconds")
        if retry:
            headers = ((b"retry-after", str(retry).encode()),)
        if error.code == 403:
            headers = (*headers, _NO_SNIFF)
        body = encoded(error.status(), Form(JSON, self.pretty))
        await self.answer(body, status=error.code, headers=headers)

    async def answer_text(self, text: str, status: int = 200) -> None:
        await self.answer(text.encode(), status=status, content_type="text/plain; charset=utf-8", headers=(_NO_SNIFF,))

    async def stream(self, chunks: AsyncIterator[bytes], content_type: str = JSON, headers: Headers = ()) -> None:
        """A chunked answer, each piece sent as it comes. The caller sees to it that `chunks` ends with the client."""
        sent = self._headers(200, content_type, None, headers)
        await self._send({"type": "http.response.start", "status": 200, "headers": sent})
        async for chunk in chunks:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    def _headers(self, status: int, content_type: str, warnings: list[str] | None, headers: Headers) -> list[Header]:
        self.scope["sampan.measured"].code = status
        sent = [(b"audit-id", random_uuid().encode()), (b"content-type", content_type.encode()), *headers]
        if not any(name == b"cache-control" for name, _ in headers):
            sent.append((b"cache-control", b"no-cache, private"))
        if warnings or self.standing_warnings:
            sent += warning_headers([*self.standing_warnings, *(warnings or ())])
        if self.protocol.leaves_unread(self.scope, self.header(b"content-length")):
            sent.append((b"connection", b"close"))
        return sent


def _too_large(limits: Limits) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"Request entity too large: limit is {limits.body}")


async def _spaced(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Lets other requests be served between two pieces of a long list."""
    for part in parts:
        yield part
        await asyncio.sleep(0)
