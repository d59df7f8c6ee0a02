"""One HTTP request as the handlers see it, and the ways to answer it. Thin over ASGI: the hot path has no framework."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

import orjson
import yaml
from sampan_api.client import UserInfo
from sampan_api.errors import ApiError, RequestEntityTooLarge

from sampan_master.apiserver.accept import Accepted, negotiate
from sampan_master.apiserver.decoding import JSON, YAML
from sampan_master.apiserver.options import first, flag
from sampan_master.apiserver.protocol import EXTENSION

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY = 3 * 1024 * 1024
_PRETTY_AGENTS = ("curl", "Wget", "Mozilla/")


class ApiRequest:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        if "sampan.headers" not in scope:
            scope["sampan.headers"] = dict(scope["headers"])
        self.headers: dict[bytes, bytes] = scope["sampan.headers"]

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        query = self.scope["query_string"]
        return parse_qs(query.decode(), keep_blank_values=True) if query else {}

    @property
    def user(self) -> UserInfo:
        user: UserInfo = self.scope["user"]
        return user

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    def accepted(self, *, watch: bool = False) -> Accepted:
        """Raises NotAcceptable."""
        return negotiate(self.header(b"accept"), first(self.query, "includeObject"), watch=watch)

    async def body(self) -> bytes:
        """Raises RequestEntityTooLarge."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ConnectionResetError("the client went away")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY:
                raise RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BODY}")
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)

    async def disconnected(self) -> None:
        """Returns when the client has gone. Only after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        """Breaks the connection off, so that the client does not take half an answer for a whole one."""
        self.scope["extensions"][EXTENSION].transport.abort()

    async def answer(
        self,
        data: bytes,
        *,
        status: int = 200,
        content_type: str = JSON,
        warnings: list[str] | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        if status != 304:
            headers = (*headers, (b"content-length", b"%d" % len(data)))
        await self._start(status, content_type, warnings, headers)
        await self._send({"type": "http.response.body", "body": data})

    async def answer_object(
        self, obj: bytes | dict[str, Any], *, status: int = 200, warnings: list[str] | None = None, media: str = JSON
    ) -> None:
        """One object, encoded or not, in the media type and prettiness the client likes."""
        if media == YAML:
            decoded = orjson.loads(obj) if isinstance(obj, bytes) else obj
            text = yaml.safe_dump(decoded, sort_keys=False, default_flow_style=False)
            await self.answer(text.encode(), status=status, content_type=YAML, warnings=warnings)
            return
        if self.pretty:
            decoded = orjson.loads(obj) if isinstance(obj, bytes) else obj
            data = orjson.dumps(decoded, option=orjson.OPT_INDENT_2)
        else:
            data = obj if isinstance(obj, bytes) else orjson.dumps(obj)
        await self.answer(data + b"\n", status=status, warnings=warnings)

    @property
    def pretty(self) -> bool:
        if "pretty" in self.query:
            return flag(self.query, "pretty")
        return self.header(b"user-agent").startswith(_PRETTY_AGENTS)

    async def answer_error(self, error: ApiError) -> None:
        headers: tuple[tuple[bytes, bytes], ...] = ()
        retry = (error.details or {}).get("retryAfterSeconds")
        if retry:
            headers = ((b"retry-after", str(retry).encode()),)
        body = orjson.dumps(error.status(), option=orjson.OPT_INDENT_2 if self.pretty else 0) + b"\n"
        await self.answer(body, status=error.code, headers=headers)

    async def answer_text(self, text: str, status: int = 200) -> None:
        headers = ((b"x-content-type-options", b"nosniff"),)
        await self.answer(text.encode(), status=status, content_type="text/plain; charset=utf-8", headers=headers)

    async def stream(
        self, chunks: AsyncIterator[bytes], content_type: str = JSON, warnings: list[str] | None = None
    ) -> None:
        """A chunked answer, each piece sent as it comes. The caller sees to it that `chunks` ends with the client."""
        await self._start(200, content_type, warnings, ())
        async for chunk in chunks:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(
        self, status: int, content_type: str, warnings: list[str] | None, headers: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        sent = [
            (b"audit-id", str(uuid.uuid4()).encode()),
            (b"content-type", content_type.encode()),
            *headers,
        ]
        if not any(name == b"cache-control" for name, _ in headers):
            sent.append((b"cache-control", b"no-cache, private"))
        sent += [(b"warning", _warning(text)) for text in warnings or ()]
        await self._send({"type": "http.response.start", "status": status, "headers": sent})


def _warning(text: str) -> bytes:
    """RFC 7234 warning 299; quotes and backslashes inside are escaped, control characters do not get through."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'.encode("latin-1", errors="replace").replace(b"\n", b" ").replace(b"\r", b" ")
