"""`LocalClient`: the registry as a `sampan_api.client.Client`, without HTTP and without encoding.

What it does passes the same defaults, admission and validation as a request from outside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from sampan_api.client import DeleteOptions, ObjectList, PatchType, Resource, Selection, UserInfo, WatchEvent
from sampan_api.meta import Object


class LocalClient:
    def __init__(self, registry: Any, user: UserInfo) -> None:
        self._registry = registry
        self._user = user

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        raise AssertionError

    async def list(
        self, resource: Resource, selection: Selection = Selection(), *, limit: int = 0, continue_: str = ""
    ) -> ObjectList:
        raise AssertionError

    def watch(
        self, resource: Resource, resource_version: str, selection: Selection = Selection()
    ) -> AsyncIterator[WatchEvent]:
        raise AssertionError

    async def create(self, resource: Resource, obj: Object, namespace: str = "", subresource: str = "") -> Object:
        raise AssertionError

    async def update(self, resource: Resource, obj: Object, subresource: str = "") -> Object:
        raise AssertionError

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
        raise AssertionError

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", options: DeleteOptions = DeleteOptions()
    ) -> Object:
        raise AssertionError
