"""Deleting a namespace: first its pods, and only when the last has gone everything else, then the finalizer.

Pods go first so that none keeps running while the secrets and configuration it needs are taken away (KEP-5080). The API
refuses to create anything in a terminating namespace, so empty stays empty.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sampan_api import meta
from sampan_api.client import EVENTS, NAMESPACES, PODS, Client, EventType, Resource, Selection
from sampan_api.clock import Clock, rfc3339
from sampan_api.errors import Conflict, NotFound
from sampan_api.meta import Object, with_path

from sampan_master.controllers.informers import WATCHED, Informers
from sampan_master.controllers.workqueue import WorkQueue, work

FINALIZER = "kubernetes"
_LOOK_AGAIN = 2.0
_AT_ONCE = 50
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
        remaining = await self._empty(name)
        if remaining:
            await self._tell(namespace, remaining)
            return _LOOK_AGAIN
        left = [f for f in finalizers if f != FINALIZER]
        try:
            await self._client.update(NAMESPACES, with_path(namespace, ("spec", "finalizers"), left), "finalize")
        except NotFound:
            return None
        return None

    async def _empty(self, namespace: str) -> dict[Resource, list[Object]]:
        """Deletes what is there; returns what is still there, by resource."""
        if pods := await self._delete_all(PODS, namespace):
            return {PODS: pods}
        remaining = {resource: await self._delete_all(resource, namespace) for resource in _AFTER_PODS}
        return {resource: objects for resource, objects in remaining.items() if objects}

    async def _delete_all(self, resource: Resource, namespace: str) -> list[Object]:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def delete(obj: Object) -> None:
            async with limit:
                try:
                    await self._client.delete(resource, meta.name(obj), namespace)
                except (NotFound, Conflict):
                    return

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

    async def _tell(self, namespace: Object, remaining: dict[Resource, list[Object]]) -> None:
        conditions = draining_conditions(namespace, remaining, rfc3339(self._clock.now()))
        if conditions == (namespace.get("status") or {}).get("conditions"):
            return
        updated = with_path(namespace, ("status", "conditions"), conditions)
        try:
            await self._client.update(NAMESPACES, updated, "status")
        except (NotFound, Conflict):
            return


def draining_conditions(namespace: Object, remaining: dict[Resource, list[Object]], now: str) -> list[dict[str, Any]]:
    counts = ", ".join(f"{_name(r)} has {len(objects)} resource instances" for r, objects in remaining.items())
    holders: dict[str, int] = {}
    for objects in remaining.values():
        for obj in objects:
            for finalizer in obj["metadata"].get("finalizers") or []:
                holders[finalizer] = holders.get(finalizer, 0) + 1
    held = ", ".join(f"{finalizer} in {count} resource instances" for finalizer, count in sorted(holders.items()))
    return [
        _condition(
            namespace,
            "NamespaceContentRemaining",
            ("SomeResourcesRemain", f"Some resources are remaining: {counts}"),
            ("ContentRemoved", "All content successfully removed"),
            bool(remaining),
            now,
        ),
        _condition(
            namespace,
            "NamespaceFinalizersRemaining",
            ("SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {held}"),
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
            bool(holders),
            now,
        ),
    ]


def _condition(
    namespace: Object, kind: str, true: tuple[str, str], false: tuple[str, str], holds: bool, now: str
) -> dict[str, Any]:
    before = meta.condition(namespace, kind) or {}
    status = "True" if holds else "False"
    reason, message = true if holds else false
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": since or now,
        "reason": reason,
        "message": message,
    }


def _name(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}"
