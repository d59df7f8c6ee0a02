"""Deleting a namespace: first its pods, and only when the last has gone everything else, then the finalizer.

Pods go first so that none keeps running while the secrets and configuration it needs are taken away (KEP-5080). The API
refuses to create anything in a terminating namespace, so empty stays empty; what a master that has not heard of the
deletion lets in all the same is deleted when it is seen.

The cache says when to look, never what to delete: the namespace and its content are read live, each object is deleted
by its uid, and the finalizer by the resourceVersion that was judged, so another namespace of that name loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from sampan_api import meta
from sampan_api.client import EVENTS, NAMESPACES, PODS, Client, DeleteOptions, EventType, Resource, Selection
from sampan_api.clock import Clock, rfc3339
from sampan_api.errors import ApiError, Conflict, NotFound
from sampan_api.meta import Object, with_path

from sampan_master.controllers.informers import WATCHED, Informers
from sampan_master.controllers.namespace_conditions import draining_conditions
from sampan_master.controllers.namespace_drain import Drain
from sampan_master.controllers.workqueue import WorkQueue, work

log = logging.getLogger(__name__)

FINALIZER = "kubernetes"
_AT_ONCE = 50
_AFTER_PODS = tuple(r for r in (*WATCHED, EVENTS) if r.namespaced and r != PODS)


class NamespaceController:
    def __init__(self, client: Client, clock: Clock, informers: Informers) -> None:
        self._client, self._clock = client, clock
        self._namespaces = informers[NAMESPACES]
        self._contents = [informer for informer in informers.all if informer.resource.namespaced]
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._namespaces.subscribe(self._on_namespace)
        for informer in self._contents:
            informer.subscribe(self._on_content)

    async def run(self) -> None:
        await work("namespace", self._queue, self.sync, 2)

    def _on_namespace(self, _event: EventType, namespace: Object, _old: Object | None) -> None:
        if meta.is_deleting(namespace):
            self._queue.add(meta.name(namespace))

    def _on_content(self, event: EventType, obj: Object, _old: Object | None) -> None:
        if event is EventType.MODIFIED:
            return
        namespace = self._namespaces.get(meta.namespace(obj))
        homeless = event is EventType.ADDED and namespace is None
        one_less = event is EventType.DELETED and namespace is not None and meta.is_deleting(namespace)
        if homeless or one_less:
            self._queue.add(meta.namespace(obj))

    async def sync(self, name: str) -> float | None:
        cached = self._namespaces.get(name)
        if cached is None:
            await self._sweep(name)
            return None
        if not meta.is_deleting(cached):
            return None
        try:
            namespace = await self._client.get(NAMESPACES, name)
            if not meta.is_deleting(namespace) or FINALIZER not in _finalizers(namespace):
                return None
            drain = await self._empty(namespace)
            namespace = await self._tell(namespace, drain)
            if drain.is_empty:
                await self._finalize(namespace)
        except NotFound:
            return None
        for failure in drain.failures.values():
            raise failure
        return drain.look_again if drain.remaining else None

    async def _sweep(self, name: str) -> None:
        """Deletes what has outlived its namespace."""
        homeless = [(i.resource, obj) for i in self._contents for obj in i.by_index("namespace", name)]
        homeless = [(resource, obj) for resource, obj in homeless if not meta.is_deleting(obj)]
        if not homeless:
            return
        try:
            await self._client.get(NAMESPACES, name)
        except NotFound:
            for resource, obj in homeless:
                log.warning("%s %s has outlived its namespace", resource.plural, meta.key(obj))
                await self._delete(resource, obj)

    async def _empty(self, namespace: Object) -> Drain:
        """Deletes what is there."""
        drain = Drain()
        await self._delete_all(PODS, namespace, drain)
        if drain.is_empty:
            for resource in _AFTER_PODS:
                await self._delete_all(resource, namespace, drain)
        return drain

    async def _delete_all(self, resource: Resource, namespace: Object, drain: Drain) -> None:
        limit = asyncio.Semaphore(_AT_ONCE)
        name = meta.name(namespace)

        async def delete(obj: Object) -> None:
            async with limit:
                try:
                    await self._delete(resource, obj)
                except ApiError as error:
                    drain.fail(error)

        try:
            present = await self._list(resource, name)
            await asyncio.gather(*(delete(obj) for obj in present if not meta.is_deleting(obj)))
            left = await self._list(resource, name) if present else []
        except ApiError as error:
            # The other kinds need not wait for it; the namespace does, as nobody knows what is there.
            drain.fail(error)
            return
        drain.add(namespace, resource, left, self._clock.now())

    async def _delete(self, resource: Resource, obj: Object) -> None:
        options = DeleteOptions(propagation="Background", uid=meta.uid(obj))
        with suppress(NotFound, Conflict):
            await self._client.delete(resource, meta.name(obj), meta.namespace(obj), options)

    async def _list(self, resource: Resource, namespace: str) -> list[Object]:
        found: list[Object] = []
        continue_ = ""
        while True:
            page = await self._client.list(resource, Selection(namespace), limit=500, continue_=continue_)
            found += page.items
            if not (continue_ := page.continue_):
                return found

    async def _tell(self, namespace: Object, drain: Drain) -> Object:
        """Also that all is well now: other finalizers of the namespace may hold it longer than its content did."""
        now = rfc3339(self._clock.now())
        conditions = draining_conditions(namespace, drain.remaining, sorted(drain.failures), now)
        if conditions == (namespace.get("status") or {}).get("conditions"):
            return namespace
        return await self._client.update(
            NAMESPACES, with_path(namespace, ("status", "conditions"), conditions), "status"
        )

    async def _finalize(self, namespace: Object) -> None:
        left = [f for f in _finalizers(namespace) if f != FINALIZER]
        await self._client.update(NAMESPACES, with_path(namespace, ("spec", "finalizers"), left), "finalize")


def _finalizers(namespace: Object) -> list[str]:
    return (namespace.get("spec") or {}).get("finalizers") or []
