"""Owner garbage collection, the loop.

owner gone          → look at its dependents
dependent seen      → judge its owners (`garbage`): an absent one is verified by a live GET first
owner waits         → delete what blocks it; when nothing does, take its foregroundDeletion finalizer away
owner orphans       → take its reference from each dependent, then its orphan finalizer away
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, NamedTuple

from sampan_api import meta
from sampan_api.client import Client, DeleteOptions, EventType, Resource
from sampan_api.clock import Clock
from sampan_api.errors import Conflict, NotFound
from sampan_api.informer import Informer
from sampan_api.meta import Object
from sampan_api.recorder import EventRecorder

from sampan_master.controllers import garbage
from sampan_master.controllers.garbage import Owner, Verdict
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.workqueue import WorkQueue, work

_REMEMBERED_ABSENT = 5000
_LOOK_AGAIN = 2.0


class _Item(NamedTuple):
    plural: str
    group: str
    namespace: str
    name: str


class GarbageController:
    def __init__(self, client: Client, clock: Clock, informers: Informers, workers: int) -> None:
        self._client, self._workers = client, workers
        self._informers = informers
        self._by_plural: dict[tuple[str, str], Informer] = {}
        self._queue: WorkQueue[_Item] = WorkQueue(clock)
        self._absent: OrderedDict[str, None] = OrderedDict()
        self._recorder = EventRecorder(client, clock, "garbage-collector-controller")
        for informer in informers.all:
            self._by_plural[informer.resource.plural, informer.resource.group] = informer
            self._follow(informer)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(work("garbage collector", self._queue, self.sync, self._workers))

    def _follow(self, informer: Informer) -> None:
        resource = informer.resource

        def on_event(event: EventType, obj: Object, old: Object | None) -> None:
            if event is EventType.DELETED:
                self._owner_gone(meta.uid(obj))
                self._blockers_changed(obj)
            elif _concerns_us(obj) and (old is None or _changed(old, obj)):
                self._queue.add(_item(resource, obj))

        informer.subscribe(on_event)

    def _owner_gone(self, uid: str) -> None:
        for resource, dependent in self._dependents(uid):
            self._queue.add(_item(resource, dependent))

    def _blockers_changed(self, dependent: Object) -> None:
        """A dependent went: an owner that waits for it may go on."""
        for reference in meta.owner_references(dependent):
            resource = garbage.owner_resource(reference)
            if resource is not None:
                namespace = meta.namespace(dependent) if resource.namespaced else ""
                self._queue.add(_Item(resource.plural, resource.group, namespace, reference["name"]))

    def _dependents(self, uid: str) -> list[tuple[Resource, Object]]:
        return [(i.resource, obj) for i in self._informers.all for obj in i.by_index("owner", uid)]

    async def sync(self, item: _Item) -> float | None:
        informer = self._by_plural[item.plural, item.group]
        obj = informer.get(item.name, item.namespace)
        if obj is None:
            return None
        if garbage.orphans_dependents(obj):
            return await self._orphan(informer.resource, obj)
        if garbage.waits_for_dependents(obj):
            return await self._wait_for_dependents(informer.resource, obj)
        if meta.is_deleting(obj):
            return None
        return await self._collect(informer.resource, obj)

    async def _collect(self, resource: Resource, obj: Object) -> float | None:
        references = meta.owner_references(obj)
        states = [await self._state(obj, reference) for reference in references]
        self._tell_of_foreign_owners(resource, obj, states)
        verdict = garbage.judge(states, has_dependents=bool(self._dependents(meta.uid(obj))))
        if verdict is Verdict.DROP_REFERENCES:
            solid = [r for r, state in zip(references, states, strict=True) if state is Owner.SOLID]
            await self._set_references(resource, obj, solid)
        elif verdict is not Verdict.KEEP:
            propagation = "Foreground" if verdict is Verdict.DELETE_IN_FOREGROUND else "Background"
            await self._delete(resource, obj, propagation)
        return None

    def _tell_of_foreign_owners(self, resource: Resource, obj: Object, states: list[Owner]) -> None:
        """An owner in another namespace is none: who wrote the reference should hear why the object goes."""
        namespace = meta.namespace(obj)
        for reference, state in zip(meta.owner_references(obj), states, strict=True):
            owned_by = garbage.owner_resource(reference)
            if state is not Owner.ABSENT or owned_by is None or not owned_by.namespaced:
                continue
            if any(meta.uid(other) == reference["uid"] for other in self._informers[owned_by].items.values()):
                message = garbage.foreign_owner(reference, namespace)
                self._recorder.record(resource, obj, "Warning", "OwnerRefInvalidNamespace", message)

    async def _state(self, obj: Object, reference: dict[str, Any]) -> Owner:
        resource = garbage.owner_resource(reference)
        if resource is None or (resource.namespaced and not meta.namespace(obj)):
            return Owner.SOLID
        if reference["uid"] in self._absent:
            return Owner.ABSENT
        namespace = meta.namespace(obj) if resource.namespaced else ""
        cached = self._informers[resource].get(reference["name"], namespace)
        if cached is not None and meta.uid(cached) == reference["uid"]:
            return garbage.state_of(reference, cached)
        return garbage.state_of(reference, await self._live(resource, reference, namespace))

    async def _live(self, resource: Resource, reference: dict[str, Any], namespace: str) -> Object | None:
        try:
            live = await self._client.get(resource, reference["name"], namespace)
        except NotFound:
            live = None
        if live is not None and meta.uid(live) == reference["uid"]:
            return live
        self._absent[reference["uid"]] = None
        if len(self._absent) > _REMEMBERED_ABSENT:
            self._absent.popitem(last=False)
        return None

    async def _wait_for_dependents(self, resource: Resource, owner: Object) -> float | None:
        uid = meta.uid(owner)
        blocking = [(r, d) for r, d in self._dependents(uid) if garbage.blocks(d, uid)]
        for dependent_resource, dependent in blocking:
            if not meta.is_deleting(dependent):
                self._queue.add(_item(dependent_resource, dependent))
        if blocking:
            return _LOOK_AGAIN
        await self._drop_finalizer(resource, owner, garbage.FOREGROUND)
        return None

    async def _orphan(self, resource: Resource, owner: Object) -> float | None:
        uid = meta.uid(owner)
        for dependent_resource, dependent in self._dependents(uid):
            kept = [r for r in meta.owner_references(dependent) if r["uid"] != uid]
            await self._set_references(dependent_resource, dependent, kept)
        if self._dependents(uid):
            return _LOOK_AGAIN / 20
        await self._drop_finalizer(resource, owner, garbage.ORPHAN)
        return None

    async def _set_references(self, resource: Resource, obj: Object, references: list[dict[str, Any]]) -> None:
        await self._patch(resource, obj, {"ownerReferences": references or None})

    async def _drop_finalizer(self, resource: Resource, obj: Object, finalizer: str) -> None:
        left = [f for f in garbage.finalizers(obj) if f != finalizer]
        await self._patch(resource, obj, {"finalizers": left or None})

    async def _patch(self, resource: Resource, obj: Object, metadata: dict[str, Any]) -> None:
        fence = {"uid": meta.uid(obj), "resourceVersion": meta.resource_version(obj)}
        try:
            await self._client.patch(resource, meta.name(obj), {"metadata": fence | metadata}, meta.namespace(obj))
        except NotFound:
            return

    async def _delete(self, resource: Resource, obj: Object, propagation: str) -> None:
        """Fenced by resourceVersion: an object that has meanwhile been adopted is judged again."""
        options = DeleteOptions(propagation=propagation, uid=meta.uid(obj), resource_version=meta.resource_version(obj))
        try:
            await self._client.delete(resource, meta.name(obj), meta.namespace(obj), options)
        except NotFound:
            return
        except Conflict:
            self._queue.retry(_item(resource, obj))


def _item(resource: Resource, obj: Object) -> _Item:
    return _Item(resource.plural, resource.group, meta.namespace(obj), meta.name(obj))


def _concerns_us(obj: Object) -> bool:
    return bool(meta.owner_references(obj)) or garbage.waits_for_dependents(obj) or garbage.orphans_dependents(obj)


def _changed(old: Object, new: Object) -> bool:
    before, after = old["metadata"], new["metadata"]
    return any(before.get(name) != after.get(name) for name in ("ownerReferences", "finalizers", "deletionTimestamp"))
