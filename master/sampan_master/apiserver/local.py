"""`LocalClient`: the registry as a `sampan_api.client.Client`, without HTTP and without encoding.

What it does passes the same defaults, admission and validation as a request from outside. Unknown fields are errors
here: our own parts have no excuse. Objects given out are shared with the cache.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from typing import Any

from sampan_api.client import (
    DeleteOptions,
    EventType,
    ObjectList,
    PatchType,
    Resource,
    Selection,
    UserInfo,
    WatchEvent,
)
from sampan_api.errors import NotFound
from sampan_api.meta import Object

from sampan_master.apiserver.auth.service_account_tokens import TokenIssuer
from sampan_master.apiserver.encoding.decoding import decode
from sampan_master.apiserver.encoding.options import FieldValidation, WriteOptions
from sampan_master.apiserver.registry.listing import ListOptions, list_page
from sampan_master.apiserver.registry.patching import Patch
from sampan_master.apiserver.registry.scopes import BY_SUBRESOURCE, Scope
from sampan_master.apiserver.registry.selecting import Selected, select
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.registry.watching import WatchOptions, open_watch
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.resources.table import ResourceTable
from sampan_master.apiserver.subresources import binding, eviction, scaling, token_requests

EVERYTHING, AS_IS = Selection(), DeleteOptions()
_FOREVER = 10 * 365 * 86400.0


class LocalClient:
    def __init__(
        self, registry: Registry, table: ResourceTable, user: UserInfo, issuer: TokenIssuer, manager: str = ""
    ) -> None:
        self._issuer = issuer
        self._registry = registry
        self._table = table
        self._manager = manager or user.name
        self.user = user

    def _type(self, resource: Resource) -> ResourceType:
        found = self._table.find(resource.group, resource.version, resource.plural)
        if found is None or found.conversion is not None:
            # In process everybody speaks the version that is stored.
            raise NotFound(problems.NO_RESOURCE, {})
        return found

    def _options(self) -> WriteOptions:
        return WriteOptions(validation=FieldValidation.STRICT, manager=self._manager, user=self.user)

    def _select(self, rt: ResourceType, selection: Selection) -> Selected:
        return select(rt, selection.namespace, selection.label_selector, selection.field_selector)

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        return (await self._registry.get(self._type(resource), namespace, name)).obj

    async def list(
        self, resource: Resource, selection: Selection = EVERYTHING, *, limit: int = 0, continue_: str = ""
    ) -> ObjectList:
        rt = self._type(resource)
        options = ListOptions(limit=limit, continue_=continue_)
        page = await list_page(self._registry.storage.cache, rt, self._select(rt, selection), options)
        return ObjectList([entry.obj for entry in page.entries], str(page.revision), page.continue_)

    async def watch(
        self, resource: Resource, resource_version: str, selection: Selection = EVERYTHING
    ) -> AsyncIterator[WatchEvent]:
        rt = self._type(resource)
        options = WatchOptions(resource_version=resource_version, bookmarks=True, timeout=_FOREVER)
        registry, selected = self._registry, self._select(rt, selection)
        watch = await open_watch(registry.storage.cache, registry.clock, rt, selected, options)
        with closing(watch):
            for entry in watch.initial:
                yield WatchEvent(EventType.ADDED, entry.obj)
            async with aclosing(watch.batches()) as batches:
                async for batch in batches:
                    for change in batch:
                        yield WatchEvent(change.type, change.obj)
                    if not batch:
                        yield WatchEvent(EventType.BOOKMARK, watch.bookmark())

    async def create(self, resource: Resource, obj: Object, namespace: str = "", subresource: str = "") -> Object:
        rt, options = self._type(resource), self._options()
        namespace = namespace or obj["metadata"].get("namespace", "")
        name = obj["metadata"].get("name", "")
        if subresource == "binding":
            await binding.bind(self._registry, rt, namespace, name, obj, options)
            return binding.SUCCESS_CREATED
        if subresource == "eviction":
            await eviction.evict(self._registry, rt, namespace, name, obj, options)
            return binding.SUCCESS_CREATED
        if subresource == "token":
            asked = decode(obj, token_requests.VERSION, token_requests.KIND, options)
            return await token_requests.request_token(self._registry, self._issuer, namespace, name, asked)
        if subresource:
            raise NotFound(problems.NO_RESOURCE, {})
        decoded = decode(obj, resource.api_version, resource.kind, options)
        return (await self._registry.create(rt, namespace, decoded, options)).obj

    async def update(self, resource: Resource, obj: Object, subresource: str = "") -> Object:
        rt, options = self._type(resource), self._options()
        namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        if subresource == "scale":
            return await scaling.update_scale(self._registry, rt, namespace, name, obj, options)
        decoded = decode(obj, resource.api_version, resource.kind, options)
        scope = _scope(subresource)
        written, _ = await self._registry.update(rt, namespace, name, decoded, options, scope)
        return written.obj

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
        rt, options = self._type(resource), self._options()
        request = Patch(type, patch)
        if subresource == "scale":
            return await scaling.patch_scale(self._registry, rt, namespace, name, request, options)
        scope = _scope(subresource)
        return (await self._registry.patch(rt, namespace, name, request, options, scope)).obj

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", options: DeleteOptions = AS_IS
    ) -> Object:
        return (await self._registry.delete(self._type(resource), namespace, name, options)).written.obj


def _scope(subresource: str) -> Scope:
    scope = BY_SUBRESOURCE.get(subresource)
    if scope is None:
        raise NotFound(problems.NO_RESOURCE, {})
    return scope
