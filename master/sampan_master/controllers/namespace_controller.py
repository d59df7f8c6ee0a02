"""Deleting a namespace: first its pods, and only when the last has gone everything else, then the finalizer.

Pods go first so that none keeps running while the secrets and configuration it needs are taken away (KEP-5080). The API
refuses to create anything in a terminating namespace, so empty stays empty.
"""

from __future__ import annotations

import asyncio

from sampan_api import meta
from sampan_api.client import EVENTS, NAMESPACES, PODS, Client, DeleteOptions, EventType, Resource, Selection
from sampan_api.clock import Clock, rfc3339
from sampan_api.errors import ApiError, Conflict, NotFound
from sampan_api.meta import Object, with_path

from sampan_master.controllers.informers import WATCHED, Informers
from sampan_master.controllers.namespace_conditions import draining_conditions
from sampan_master.controllers.workqueue import WorkQueue, work

FINALIZER = "kubernetes"
_LOOK_AGAIN = 2.0
_AT_ONCE = 50
_WITH_DEPENDENTS = DeleteOptions(propagation="Background")
_AFTER_PODS = tuple(r for r in (*WATCHED, EVENTS) if r.namespaced and r != PODS)


class NamespaceController:
    def __init__(self, client: Client, clock: Clock, informers: Informers) -> None:
        self._client, self._clock = client, clock
        self._namespaces = informers[NAMESPACES]
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._namespaces.subscribe(self._on_namespace)
        for informer in informers.all:
            if informer.resource.namespaced:
                informer.subscribe(self._on_content)

    async def run(self) -> None:
        await work("namespace", self._queue, self.sync, 2)

    def _on_namespace(self, _event: EventType, namespace: Object, _old: Object | None) -> None:
        if meta.is_deleting(namespace):
            self._queue.add(meta.name(namespace))

    def _on_content(self, event: EventType, obj: Object, _old: Object | None) -> None:
        if event is EventType.DELETED:
            namespace = self._namespaces.get(meta.namespace(obj))
            if namespace is not None and meta.is_deleting(namespace):
                self._queue.add(meta.name(namespace))

    async def sync(self, name: str) -> float | None:
        namespace = self._namespaces.get(name)
        if namespace is None or not meta.is_deleting(namespace):
            return None
        finalizers = (namespace.get("spec") or {}).get("finalizers") or []
        if FINALIZER not in finalizers:
            return None
        failures: set[str] = set()
        remaining = await self._empty(name, failures)
        if remaining:
            await self._tell(namespace, remaining, failures)
            return _LOOK_AGAIN
        left = [f for f in finalizers if f != FINALIZER]
        try:
            await self._client.update(NAMESPACES, with_path(namespace, ("spec", "finalizers"), left), "finalize")
        except NotFound:
            return None
        return None

    async def _empty(self, namespace: str, failures: set[str]) -> dict[Resource, list[Object]]:
        """Deletes what is there; returns what is still there, by resource. What could not be deleted tells why."""
        if pods := await self._delete_all(PODS, namespace, failures):
            return {PODS: pods}
        remaining = {resource: await self._delete_all(resource, namespace, failures) for resource in _AFTER_PODS}
        return {resource: objects for resource, objects in remaining.items() if objects}

    async def _delete_all(self, resource: Resource, namespace: str, failures: set[str]) -> list[Object]:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def delete(obj: Object) -> None:
            async with limit:
                try:
                    await self._client.delete(resource, meta.name(obj), namespace, _WITH_DEPENDENTS)
                except (NotFound, Conflict):
                    return
                except ApiError as error:
                    failures.add(error.message)

        present = await self._list(resource, namespace)
        await asyncio.gather(*(delete(obj) for obj in present if not meta.is_deleting(obj)))
        return await self._list(resource, namespace) if present else []

    async def _list(self, resource: Resource, namespace: str) -> list[Object]:
        found: list[Object] = []
        continue_ = ""
        while True:
            page = await self._client.list(resource, Selection(namespace), limit=500, continue_=continue_)
            found += page.items
            if not (continue_ := page.continue_):
                return found

    async def _tell(self, namespace: Object, remaining: dict[Resource, list[Object]], failures: set[str]) -> None:
        now = rfc3339(self._clock.now())
        conditions = draining_conditions(namespace, remaining, sorted(failures), now)
        if conditions == (namespace.get("status") or {}).get("conditions"):
            return
        updated = with_path(namespace, ("status", "conditions"), conditions)
        try:
            await self._client.update(NAMESPACES, updated, "status")
        except (NotFound, Conflict):
            return
