"""The generic handlers: every verb of every resource comes through `ResourceEndpoint`.

Below `/api/v1` and `/apis/<group>/<version>`: resolve the path, answer. Who may not ask was refused at the door
(`app.py`), which also answers what is raised here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
from sampan_api import schema
from sampan_api.client import PatchType
from sampan_api.errors import ApiError, BadRequest, MethodNotAllowed, NotFound, UnsupportedMediaType

from sampan_master.apiserver.auth.service_account_tokens import TokenIssuer
from sampan_master.apiserver.encoding.decoding import media_type, read_object
from sampan_master.apiserver.encoding.options import WriteOptions, first, flag, write_options
from sampan_master.apiserver.encoding.representations import ListBody
from sampan_master.apiserver.encoding.tables import View, partial, partial_body, table, table_body
from sampan_master.apiserver.handlers.delete_requests import gone_status, read_delete_request
from sampan_master.apiserver.handlers.pod_streams import PodStreams
from sampan_master.apiserver.handlers.routing import Target, resolve
from sampan_master.apiserver.handlers.watch_streams import WatchStreams
from sampan_master.apiserver.http.requests import ApiRequest
from sampan_master.apiserver.registry.applying import APPLY, read_configuration
from sampan_master.apiserver.registry.listing import Page, list_options, list_page, whole_body
from sampan_master.apiserver.registry.patching import Patch
from sampan_master.apiserver.registry.revisions import parse_revision, reach
from sampan_master.apiserver.registry.scopes import BY_SUBRESOURCE
from sampan_master.apiserver.registry.selecting import select
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.table import ResourceTable
from sampan_master.apiserver.subresources import binding, eviction, scaling
from sampan_master.apiserver.subresources.token_requests import request_token

_AT_ONCE = 50
_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_SUBRESOURCE_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class ResourceEndpoint:
    def __init__(
        self,
        registry: Registry,
        resources: ResourceTable,
        streams: PodStreams,
        watches: WatchStreams,
        issuer: TokenIssuer,
    ) -> None:
        self._issuer = issuer
        self._registry = registry
        self._resources = resources
        self._streams = streams
        self._watches = watches
        self._handlers: dict[str, Callable[[ApiRequest, Target], Awaitable[None]]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def answer(self, request: ApiRequest, group: str, version: str, rest: list[str]) -> None:
        """`rest`: what the path says behind the version. Raises ApiError."""
        target = resolve(self._resources, group, version, rest)
        if target.type.deprecated:
            request.standing_warnings = (target.type.deprecated,)
        verb = self._verb(request, target)
        request.scope["sampan.measured"].resolved(verb, target)
        sub = target.subresource
        if sub is not None and self._streams.serves(sub.name):
            await self._streams.serve(request, target)
            return
        await self._handlers[verb](request, target)

    def _verb(self, request: ApiRequest, target: Target) -> str:
        """Raises MethodNotAllowed."""
        if target.subresource is not None:
            verb = _SUBRESOURCE_VERBS.get(request.method, "")
            allowed = verb in target.subresource.verbs
        else:
            verb = (_OBJECT_VERBS if target.name else _COLLECTION_VERBS).get(request.method, "")
            if target.watch:
                verb = "watch" if request.method == "GET" else ""
            elif verb == "list" and flag(request.query, "watch"):
                verb = "watch"
            allowed = verb in target.type.verbs
            if verb in ("create", "deletecollection") and target.type.namespaced and target.namespace is None:
                allowed = False
        if not allowed:
            raise MethodNotAllowed(problems.NO_METHOD, {})
        return verb

    async def _get(self, request: ApiRequest, target: Target) -> None:
        request.accepted()
        try:
            not_before = parse_revision(first(request.query, "resourceVersion"))
        except ValueError as error:
            raise ApiError(str(error)) from error
        await reach(self._registry.storage.cache, not_before)
        entry = await self._registry.get(target.type, target.namespace or "", target.name)
        if target.subresource is not None and target.subresource.name == "scale":
            await self._answer_scale(request, target, scaling.scale_of(target.type, entry.obj))
            return
        await self._answer(request, target, entry.obj, entry.data)

    async def _answer(
        self,
        request: ApiRequest,
        target: Target,
        obj: dict[str, Any],
        data: bytes,
        *,
        status: int = 200,
        warnings: list[str] | None = None,
    ) -> None:
        """One object in the form that the client asked for."""
        accepted = request.accepted()
        body: bytes | dict[str, Any] = data if target.type.conversion is None else target.type.from_stored(obj)
        if accepted.view.kind == "Table":
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            body = table(target.type, [obj], metadata, self._now(), accepted.view)
        elif accepted.view.kind == "PartialObjectMetadata":
            body = partial(target.type.from_stored(obj), accepted.view)
        await request.answer_object(body, status=status, warnings=warnings, media=accepted.media)

    async def _answer_scale(
        self, request: ApiRequest, target: Target, scale: dict[str, Any], warnings: list[str] | None = None
    ) -> None:
        seen = replace(target, type=scaling.SCALE)
        await self._answer(request, seen, scale, orjson.dumps(scale), warnings=warnings)

    def _now(self) -> float:
        return self._registry.clock.now()

    async def _list(self, request: ApiRequest, target: Target) -> None:
        await self._answer_page(request, target, await self._page(request, target))

    async def _page(self, request: ApiRequest, target: Target) -> Page:
        request.accepted()
        selected = select(
            target.type,
            target.namespace,
            first(request.query, "labelSelector"),
            first(request.query, "fieldSelector"),
        )
        return await list_page(self._registry.storage.cache, target.type, selected, list_options(request.query))

    async def _answer_page(self, request: ApiRequest, target: Target, page: Page) -> None:
        accepted = request.accepted()
        await request.answer_list(self._body(target, page, accepted.view), accepted.media)

    def _body(self, target: Target, page: Page, view: View) -> ListBody:
        if view.kind == "Table":
            return table_body(target.type, page.objects, page.metadata, self._now(), view)
        if view.kind:
            return partial_body(target.type, page.objects, page.metadata, view)
        return whole_body(target.type, page)

    async def _watch(self, request: ApiRequest, target: Target) -> None:
        await self._watches.serve(request, target)

    async def _create(self, request: ApiRequest, target: Target) -> None:
        options = write_options(request.query, "CreateOptions", request.header(b"user-agent"))
        options.user = request.user
        body = await request.body()
        if target.subresource is not None:
            await self._create_subresource(request, target, body, options)
            return
        request.accepted()
        rt = target.type
        obj = read_object(body, request.header(b"content-type"), rt.resource.api_version, rt.kind, options)
        written = await self._registry.create(rt, target.namespace or "", rt.to_stored(obj), options)
        await self._answer(request, target, written.obj, written.data, status=201, warnings=options.warnings)

    async def _create_subresource(
        self, request: ApiRequest, target: Target, body: bytes, options: WriteOptions
    ) -> None:
        rt, namespace, name = target.type, target.namespace or "", target.name
        assert target.subresource is not None
        accepted, sub = request.accepted(), target.subresource
        version = f"{sub.group}/{sub.version}" if sub.version else rt.resource.api_version
        obj = read_object(body, request.header(b"content-type"), version, sub.kind, options)
        answer = binding.SUCCESS_CREATED
        if sub.kind == "Binding":
            await binding.bind(self._registry, rt, namespace, name, obj, options)
        elif sub.kind == "TokenRequest":
            answer = await request_token(self._registry, self._issuer, namespace, name, obj)
        else:
            await eviction.evict(self._registry, rt, namespace, name, obj, options)
        await request.answer_object(answer, status=201, warnings=options.warnings, media=accepted.media)

    async def _update(self, request: ApiRequest, target: Target) -> None:
        rt, namespace = target.type, target.namespace or ""
        options = write_options(request.query, "UpdateOptions", request.header(b"user-agent"))
        options.user = request.user
        body = await request.body()
        content_type = request.header(b"content-type")
        name_of_scope = target.subresource.name if target.subresource else ""
        if name_of_scope == "scale":
            said = scaling.SCALE
            scale = read_object(body, content_type, said.resource.api_version, said.kind, options)
            result = await scaling.update_scale(self._registry, rt, namespace, target.name, scale, options)
            await self._answer_scale(request, target, result, options.warnings)
            return
        obj = read_object(body, content_type, rt.resource.api_version, rt.kind, options)
        written, created = await self._registry.update(
            rt, namespace, target.name, rt.to_stored(obj), options, BY_SUBRESOURCE[name_of_scope]
        )
        status = 201 if created else 200
        await self._answer(request, target, written.obj, written.data, status=status, warnings=options.warnings)

    async def _patch(self, request: ApiRequest, target: Target) -> None:
        rt, namespace = target.type, target.namespace or ""
        if media_type(request.header(b"content-type")) == APPLY:
            await self._apply(request, target)
            return
        patch = read_patch(await request.body(), request.header(b"content-type"))
        options = write_options(request.query, "PatchOptions", request.header(b"user-agent"))
        options.user = request.user
        scope = target.subresource.name if target.subresource else ""
        if scope == "scale":
            result = await scaling.patch_scale(self._registry, rt, namespace, target.name, patch, options)
            await self._answer_scale(request, target, result, options.warnings)
            return
        written = await self._registry.patch(rt, namespace, target.name, patch, options, BY_SUBRESOURCE[scope])
        await self._answer(request, target, written.obj, written.data, warnings=options.warnings)

    async def _apply(self, request: ApiRequest, target: Target) -> None:
        rt, namespace = target.type, target.namespace or ""
        options = write_options(request.query, "PatchOptions", request.header(b"user-agent"), apply=True)
        config = read_configuration(await request.body())
        scope = target.subresource.name if target.subresource else ""
        if scope == "scale":
            result = await scaling.apply_scale(self._registry, rt, namespace, target.name, config, options)
            await self._answer_scale(request, target, result, options.warnings)
            return
        door = BY_SUBRESOURCE[scope]
        written, created = await self._registry.apply(rt, namespace, target.name, config, options, door)
        status = 201 if created else 200
        await self._answer(request, target, written.obj, written.data, status=status, warnings=options.warnings)

    async def _delete(self, request: ApiRequest, target: Target) -> None:
        asked = await read_delete_request(request)
        deleted = await self._registry.delete(
            target.type, target.namespace or "", target.name, asked.options, dry_run=asked.dry_run
        )
        warnings = [target.type.delete_warning] if target.type.delete_warning and not asked.options.propagation else []
        if deleted.gone and not target.type.answers_object:
            status_of_it = gone_status(target.type, deleted, dry_run=asked.dry_run)
            await request.answer_object(status_of_it, warnings=warnings)
            return
        status = 202 if asked.dependents_now and not deleted.gone else 200
        await self._answer(request, target, deleted.written.obj, deleted.written.data, status=status, warnings=warnings)

    async def _delete_collection(self, request: ApiRequest, target: Target) -> None:
        """Deletes what a list with the same query answers, and answers that list."""
        page = await self._page(request, target)
        asked = await read_delete_request(request)
        limit = asyncio.Semaphore(_AT_ONCE)

        async def delete(metadata: dict[str, Any]) -> None:
            namespace, name = metadata.get("namespace", ""), metadata["name"]
            async with limit:
                try:
                    await self._registry.delete(target.type, namespace, name, asked.options, dry_run=asked.dry_run)
                except NotFound:
                    return

        results = await asyncio.gather(*(delete(e.obj["metadata"]) for e in page.entries), return_exceptions=True)
        for failure in results:
            if failure is not None:
                raise failure
        await self._answer_page(request, target, page)


def read_patch(body: bytes, content_type: str) -> Patch:
    """Raises UnsupportedMediaType, BadRequest."""
    media = media_type(content_type) if content_type else ""
    try:
        kind = PatchType(media)
    except ValueError:
        raise UnsupportedMediaType("415: Unsupported Media Type", {}) from None
    try:
        return Patch(kind, schema.load_json(body)[0])
    except ValueError as error:
        raise BadRequest(f"error decoding patch: {error}") from error
