"""`/openapi/v2` and `/openapi/v3` over HTTP. Each document is made when it is first asked for and kept as bytes.

The hash in a version 3 address is of the content: such an answer may be kept for ever, and clients fetch a document
again only when its hash changed.
"""

from __future__ import annotations

import hashlib
from email.utils import formatdate

import orjson
from sampan_api.clock import Clock

from sampan_master.apiserver.discovery.groups import Virtual
from sampan_master.apiserver.discovery.openapi import gnostic
from sampan_master.apiserver.discovery.openapi.documents import group_path, version_2, version_3
from sampan_master.apiserver.encoding.options import first
from sampan_master.apiserver.http.requests import ApiRequest
from sampan_master.apiserver.resources.table import ResourceTable

_GNOSTIC = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_YEAR = 365 * 86400


class OpenApi:
    def __init__(self, table: ResourceTable, virtual: tuple[Virtual, ...], clock: Clock) -> None:
        self._table = table
        self._virtual = virtual
        self._clock = clock
        self._made_at = clock.now()
        self._groups = {
            group_path(group, version): (group, version)
            for group, versions in table.groups.items()
            for version in versions
        } | {group_path(one.group, one.version): (one.group, one.version) for one in virtual}
        self._version_3: dict[str, tuple[bytes, str]] = {}
        self._version_2: dict[bool, tuple[bytes, str]] = {}

    def _document_3(self, path: str) -> tuple[bytes, str]:
        found = self._version_3.get(path)
        if found is None:
            body = orjson.dumps(version_3(self._table, self._virtual, *self._groups[path]))
            found = self._version_3[path] = (body, _hash(body))
        return found

    def _document_2(self, *, protobuf: bool) -> tuple[bytes, str]:
        found = self._version_2.get(protobuf)
        if found is None:
            document = version_2(self._table, self._virtual)
            body = gnostic.encode(document) if protobuf else orjson.dumps(document)
            found = self._version_2[protobuf] = (body, _hash(body))
        return found

    async def index(self, request: ApiRequest) -> None:
        paths = {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={self._document_3(path)[1]}"} for path in self._groups
        }
        body = orjson.dumps({"paths": paths})
        await self._answer(request, body, _hash(body), "application/json")

    async def version_3(self, request: ApiRequest) -> None:
        path = request.path.removeprefix("/openapi/v3/").strip("/")
        if path not in self._groups:
            await request.answer_text("404 page not found\n", 404)
            return
        body, etag = self._document_3(path)
        asked = first(request.query, "hash")
        if asked and asked != etag:
            location = f"/openapi/v3/{path}?hash={etag}".encode()
            await request.answer(b"", status=301, headers=((b"location", location),))
            return
        forever: tuple[tuple[bytes, bytes], ...] = ()
        if asked:
            expires = formatdate(self._clock.now() + _YEAR, usegmt=True).encode()
            forever = ((b"cache-control", b"public, immutable"), (b"expires", expires))
        await self._answer(request, body, etag, "application/json", forever)

    async def version_2(self, request: ApiRequest) -> None:
        protobuf = "proto-openapi.spec.v2" in request.header(b"accept")
        body, etag = self._document_2(protobuf=protobuf)
        modified = formatdate(self._made_at, usegmt=True).encode()
        content_type = _GNOSTIC if protobuf else "application/json"
        await self._answer(request, body, etag, content_type, ((b"last-modified", modified),), compress=True)

    async def _answer(
        self,
        request: ApiRequest,
        body: bytes,
        etag: str,
        content_type: str,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        *,
        compress: bool = False,
    ) -> None:
        quoted = f'"{etag}"'.encode()
        headers = (*headers, (b"etag", quoted), (b"vary", b"Accept"))
        if request.has(f'"{etag}"'):
            await request.answer(b"", status=304, content_type=content_type, headers=headers)
        else:
            await request.answer(body, content_type=content_type, headers=headers, compress=compress)


def _hash(body: bytes) -> str:
    return hashlib.sha512(body).hexdigest().upper()
