"""`HttpsClient`: the `Client` protocol towards any Kubernetes API server, as a kubeconfig says.

    request ──► Status ──► the leaf of `errors` that it names
       │  └───► 429 or 5xx with Retry-After: the server did nothing; asked again after that time
       └── no answer (refused, reset, TLS, too slow) ──► ServiceUnavailable: whether it was done is not known

Invariants: a request that may have been seen is not sent again, except those HTTP calls idempotent, whose second answer
then tells what the first has done (RFC 9110, section 9.2.2); the objects given out are nobody else's.

Watches have connections of their own, so that no number of them keeps a request waiting.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from sampan_api import errors, tls
from sampan_api.client import DeleteOptions, EventType, ObjectList, PatchType, Resource, Selection, WatchEvent
from sampan_api.clock import Clock
from sampan_api.errors import ApiError, InternalError, NotFound, ServiceUnavailable, Unauthorized
from sampan_api.identity import Identity
from sampan_api.kubeconfig import Access, KubeconfigError
from sampan_api.meta import Object

log = logging.getLogger(__name__)

JSON = "application/json"
_EVERYTHING, _AS_IS = Selection(), DeleteOptions()
_CONNECTIONS = 32
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 65.0
"""An API server gives a request up after 60 s."""
_WATCH_SECONDS = (300, 600)
_WATCH_GRACE_SECONDS = 30.0
_TRIES = 10
_IDLE_SECONDS = 60.0
_DEAD_SECONDS = 30
_WARNINGS_REMEMBERED = 1000


class HttpsClient:
    """To be made inside a running event loop, and closed (`async with`). `manager` is the writer's name in
    managedFields. Raises KubeconfigError when what `access` holds cannot be used."""

    def __init__(self, access: Access, clock: Clock, manager: str, *, connections: int = _CONNECTIONS) -> None:
        self._clock = clock
        secured = bool(access.ca_pem or access.certificate_pem)
        server = access.server if "://" in access.server else f"http{'s' * secured}://{access.server}"
        url = URL(server)
        if url.scheme not in ("http", "https") or not url.host:
            raise KubeconfigError(f'"{access.server}" is not the URL of a server')
        self.server = server
        context = tls.client_context(access) if url.scheme == "https" else None
        near = url.host in ("localhost", "127.0.0.1", "::1")
        headers = {
            "Accept": JSON,
            "Accept-Encoding": "gzip" if access.compress and not near else "identity",
            "User-Agent": f"{manager}/sampan",
        }
        self._calls = _session(context, headers, connections, _ANSWER_SECONDS)
        self._watches = _session(context, headers, 0, None)
        self._identity = Identity(access, clock, context)
        self._options: dict[str, Any] = {"allow_redirects": False, "server_hostname": access.server_name or None}
        self._warned: set[str] = set()
        self.requests: Counter[tuple[str, str]] = Counter()
        """How many were asked, by method and code ("<error>" where there was no answer)."""

    async def close(self) -> None:
        await self._calls.close()
        await self._watches.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        return await self._call("GET", resource_path(resource, namespace, name))

    async def list(
        self, resource: Resource, selection: Selection = _EVERYTHING, *, limit: int = 0, continue_: str = ""
    ) -> ObjectList:
        query = _query(selection) | ({"limit": str(limit)} if limit else {})
        if continue_:
            query["continue"] = continue_
        answer = await self._call("GET", _with_query(resource_path(resource, selection.namespace or ""), query))
        metadata = answer.get("metadata") or {}
        items = answer.get("items") or []
        for item in items:
            # What a list holds has the list's kind, so servers leave it out of the items.
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return ObjectList(items, metadata.get("resourceVersion", ""), metadata.get("continue", ""))

    async def watch(
        self, resource: Resource, resource_version: str, selection: Selection = _EVERYTHING
    ) -> AsyncIterator[WatchEvent]:
        seconds = random.randint(*_WATCH_SECONDS)
        query = _query(selection) | {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        query["resourceVersion"] = resource_version
        target = _with_query(resource_path(resource, selection.namespace or ""), query)
        timeout = aiohttp.ClientTimeout(total=seconds + _WATCH_GRACE_SECONDS, sock_connect=_CONNECT_SECONDS)
        try:
            async with self._watches.get(
                self._url(target), headers=await self._identity.headers(), timeout=timeout, **self._options
            ) as answer:
                self.requests["GET", str(answer.status)] += 1
                self._log_warnings(answer.headers)
                if answer.status != 200:
                    raise self._error(answer.status, await answer.read())
                async for line in _lines(answer.content):
                    yield _event(line)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def create(self, resource: Resource, obj: Object, namespace: str = "", subresource: str = "") -> Object:
        namespace = namespace or obj["metadata"].get("namespace", "")
        name = obj["metadata"].get("name", "") if subresource else ""
        body = obj if subresource else _whole(resource, obj)
        return await self._call("POST", resource_path(resource, namespace, name, subresource), body)

    async def draft(self, resource: Resource, obj: Object, namespace: str = "") -> Object:
        """What a creation would store; nothing is stored."""
        target = _with_query(resource_path(resource, namespace), {"dryRun": "All", "fieldValidation": "Strict"})
        return await self._call("POST", target, _whole(resource, obj))

    async def update(self, resource: Resource, obj: Object, subresource: str = "") -> Object:
        metadata = obj["metadata"]
        target = resource_path(resource, metadata.get("namespace", ""), metadata["name"], subresource)
        return await self._call("PUT", target, obj if subresource == "scale" else _whole(resource, obj))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str = "",
        *,
        type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> Object:
        return await self._call("PATCH", resource_path(resource, namespace, name, subresource), patch, type.value)

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", options: DeleteOptions = _AS_IS
    ) -> Object:
        """What is left of it, or the Status of its deletion."""
        return await self._call("DELETE", resource_path(resource, namespace, name), _delete_options(options))

    async def _call(self, method: str, target: str, body: Any = None, content_type: str = JSON) -> Object:
        data = None if body is None else orjson.dumps(body)
        for attempt in count(1):
            code, headers, raw = await self._send(method, target, data, content_type)
            if code < 300:
                return self._read(raw)
            pause = _pause(code, headers)
            if pause is None or attempt == _TRIES:
                raise self._error(code, raw)
            await self._clock.sleep(pause)
        raise AssertionError("the count has no end")

    async def _send(
        self, method: str, target: str, data: bytes | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = await self._identity.headers()
        if data is not None:
            headers["Content-Type"] = content_type
        try:
            async with self._calls.request(
                method, self._url(target), data=data, headers=headers, **self._options
            ) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.requests[method, "<error>"] += 1
            raise self._unavailable(error) from error
        self.requests[method, str(answer.status)] += 1
        self._log_warnings(answer.headers)
        return answer.status, answer.headers, raw

    def _url(self, target: str) -> URL:
        return URL(self.server + target, encoded=True)

    def _error(self, code: int, raw: bytes) -> ApiError:
        error = _error(code, raw)
        if isinstance(error, Unauthorized):
            self._identity.refused()
        return error

    def _read(self, raw: bytes) -> Object:
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise InternalError(f"{self.server}: the answer is not JSON: {error}") from error
        if not isinstance(answer, dict):
            raise InternalError(f"{self.server}: the answer is not an object")
        return answer

    def _unavailable(self, error: Exception) -> ServiceUnavailable:
        return ServiceUnavailable(f"{self.server}: {_said(error)}")

    def _log_warnings(self, headers: Mapping[str, str]) -> None:
        """Each text once; servers send them with every answer that they concern (RFC 7234, section 5.5)."""
        text = headers.get("Warning")
        if text and text not in self._warned and len(self._warned) < _WARNINGS_REMEMBERED:
            self._warned.add(text)
            log.warning("%s warns: %s", self.server, text.partition('"')[2].rpartition('"')[0] or text)


def resource_path(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The resource's own path; without a namespace a namespaced one's is that over all namespaces."""
    parts = ["/apis", resource.group, resource.version] if resource.group else ["/api", resource.version]
    if resource.namespaced and namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(resource.plural)
    if name:
        parts.append(quote(name, safe=""))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def _query(selection: Selection) -> dict[str, str]:
    query = {"labelSelector": selection.label_selector, "fieldSelector": selection.field_selector}
    return {name: value for name, value in query.items() if value}


def _with_query(target: str, query: Mapping[str, str]) -> str:
    return f"{target}?{urlencode(query, quote_via=quote)}" if query else target


def _whole(resource: Resource, obj: Object) -> Object:
    """With its kind, which in process may be left out."""
    return obj if "kind" in obj else {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def _delete_options(options: DeleteOptions) -> Object | None:
    if options == _AS_IS:
        return None
    body: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if options.grace_seconds is not None:
        body["gracePeriodSeconds"] = options.grace_seconds
    if options.propagation:
        body["propagationPolicy"] = options.propagation
    conditions = {"uid": options.uid, "resourceVersion": options.resource_version}
    if preconditions := {name: value for name, value in conditions.items() if value}:
        body["preconditions"] = preconditions
    return body


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Each as soon as it is there. A last one without an end was cut off: the stream breaks in its place."""
    rest = b""
    while part := await content.readany():
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line
    if rest:
        raise aiohttp.ClientPayloadError("unexpected EOF in a watch")


def _event(line: bytes) -> WatchEvent:
    try:
        event = orjson.loads(line)
        kind, obj = event["type"], event["object"]
        if kind != "ERROR":
            return WatchEvent(EventType(kind), obj)
    except (ValueError, KeyError, TypeError) as error:
        raise InternalError(f"a watch sent what is no event: {line[:100]!r}") from error
    raise errors.from_status(obj.get("code", 500), obj)


def _pause(code: int, headers: Mapping[str, str]) -> float | None:
    """Seconds after which to ask again, where the server says that it did nothing (as client-go reads it)."""
    after = headers.get("Retry-After", "")
    return float(after) if (code == 429 or code >= 500) and after.isdigit() else None


def _error(code: int, raw: bytes) -> ApiError:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if isinstance(body, dict) and body.get("kind") == "Status":
        return errors.from_status(code, body)
    if code == 404:
        return NotFound("the server could not find the requested resource")
    text = raw[:200].decode(errors="replace").strip()
    return errors.from_status(code, {"message": text or f"the server answered with code {code} and nothing else"})


def _said(error: Exception) -> str:
    """The reason without aiohttp's picture of the connection."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"lookup {error.host}: no such host"
    cause: BaseException = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
    if isinstance(cause, ssl.SSLError):
        return tls.failure(cause)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno).lower()
    return str(cause) or type(cause).__name__


def _session(
    context: ssl.SSLContext | None, headers: Mapping[str, str], connections: int, seconds: float | None
) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=connections, ssl=context or False, keepalive_timeout=_IDLE_SECONDS, socket_factory=_socket
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=1 << 18,
    )


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A server that vanished without a word is noticed within half a minute (tcp(7)), also by a silent watch."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, _DEAD_SECONDS // 2),
        (socket.TCP_KEEPINTVL, 5),
        (socket.TCP_KEEPCNT, 3),
        (socket.TCP_USER_TIMEOUT, _DEAD_SECONDS * 1000),
    ):
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made
