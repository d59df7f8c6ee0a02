"""Owner garbage collection, the loop.

owner gone          → look at its dependents
dependent seen      → judge its owners (`garbage`): an absent one is verified by a live GET first
owner waits         → look at its dependents; when none blocks it any more, take its foregroundDeletion finalizer away
owner orphans       → take its reference from each dependent, then its orphan finalizer away

Every write is fenced by uid and resourceVersion. What a conflict hides is read live: an object whose owners are still
the same is judged the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from sampan_api import meta
from sampan_api.client import Client, DeleteOptions, EventType, Resource, Selection
from sampan_api.clock import Clock
from sampan_api.errors import Conflict, NotFound
from sampan_api.informer import Informer
from sampan_api.meta import Object
from sampan_api.recorder import EventRecorder

from sampan_master.controllers import garbage
from sampan_master.controllers.garbage import Owner, Verdict
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.owners import Owners
from sampan_master.controllers.try_all import try_all
from sampan_master.controllers.workqueue import WorkQueue, work

_LOOK_AGAIN = 2.0
_ATTEMPTS = 5
_AT_ONCE = 50


class _Item(NamedTuple):
    plural: str
    group: str
    namespace: str
    name: str


class GarbageController:
    def __init__(self, client: Client, clock: Clock, informers: Informers, workers: int) -> None:
        self._client, self._workers = client, workers
        self._informers = informers
        self._owners = Owners(client, informers)
        self._by_plural: dict[tuple[str, str], Informer] = {}
        self._queue: WorkQueue[_Item] = WorkQueue(clock)
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
                self._owners_may_go(obj, meta.owner_references(obj))
                return
            if old is not None:
                self._owners_may_go(obj, garbage.no_longer_blocked(old, obj))
            if _concerns_us(obj) and (old is None or _changed(old, obj)):
                self._queue.add(_item(resource, obj))

        informer.subscribe(on_event)

    def _owner_gone(self, uid: str) -> None:
        for resource, dependent in self._dependents(uid):
            self._queue.add(_item(resource, dependent))

    def _owners_may_go(self, dependent: Object, references: list[dict[str, Any]]) -> None:
        """The dependent went, or holds these owners no more: one that waits for it may go on."""
        for reference in references:
            resource = garbage.owner_resource(reference)
            if resource is not None and self._informers.follows(resource):
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
        states = [await self._owners.state(obj, reference) for reference in references]
        self._tell_of_foreign_owners(resource, obj, states)
        dependents = self._dependents(meta.uid(obj)) if Owner.WAITING in states else []
        verdict = garbage.judge(states, has_dependents=bool(dependents))
        if verdict is Verdict.DROP_REFERENCES:
            lost = [r["uid"] for r, state in zip(references, states, strict=True) if state is not Owner.SOLID]
            await self._edit(resource, obj, lambda now: {"ownerReferences": garbage.without(now, lost) or None})
        elif verdict is Verdict.DELETE_IN_FOREGROUND:
            if any(garbage.waits_for_dependents(dependent) for _, dependent in dependents):
                obj = await self._edit(resource, obj, _unblock) or obj
            await self._delete(resource, obj, "Foreground")
        elif verdict is Verdict.DELETE:
            await self._delete(resource, obj, garbage.propagation(obj))
        return None

    def _tell_of_foreign_owners(self, resource: Resource, obj: Object, states: list[Owner]) -> None:
        """An owner in another namespace is none: who wrote the reference should hear why the object goes."""
        for reference, state in zip(meta.owner_references(obj), states, strict=True):
            if state in (Owner.ABSENT, Owner.UNKNOWN) and self._owners.is_elsewhere(obj, reference):
                message = garbage.foreign_owner(reference, meta.namespace(obj))
                self._recorder.record(resource, obj, "Warning", "OwnerRefInvalidNamespace", message)

    async def _wait_for_dependents(self, resource: Resource, owner: Object) -> float | None:
        uid = meta.uid(owner)
        dependents = self._dependents(uid)
        for dependent_resource, dependent in dependents:
            if not meta.is_deleting(dependent):
                self._queue.add(_item(dependent_resource, dependent))
        if any(self._holds(dependent, uid) for _, dependent in dependents):
            return _LOOK_AGAIN
        await self._drop_finalizer(resource, owner, garbage.FOREGROUND)
        return None

    def _holds(self, dependent: Object, owner_uid: str) -> bool:
        """Whether the owner must wait for the dependent: not when that waits for the owner, by however long a way."""
        if not garbage.blocks(dependent, owner_uid):
            return False
        seen, ahead = set[str](), [dependent]
        while ahead:
            uid = meta.uid(one := ahead.pop())
            if uid == owner_uid:
                return False
            if uid not in seen and garbage.waits_for_dependents(one):
                ahead += [d for _, d in self._dependents(uid) if garbage.blocks(d, uid)]
            seen.add(uid)
        return True

    async def _orphan(self, resource: Resource, owner: Object) -> float | None:
        uid = meta.uid(owner)

        def without(dependent: Object) -> dict[str, Any]:
            return {"ownerReferences": garbage.without(dependent, [uid]) or None}

        dependents = await self._all_dependents(owner)
        await try_all(lambda dependent: self._edit(*dependent, without), dependents, _AT_ONCE)
        await self._drop_finalizer(resource, owner, garbage.ORPHAN)
        return None

    async def _all_dependents(self, owner: Object) -> list[tuple[Resource, Object]]:
        """Asked of the API: one that the cache does not show would keep its reference, and go with the owner."""
        uid, namespace = meta.uid(owner), meta.namespace(owner)
        return [
            (informer.resource, obj)
            for informer in self._informers.all
            if informer.resource.namespaced or not namespace
            for obj in await self._list(informer.resource, namespace)
            if any(reference["uid"] == uid for reference in meta.owner_references(obj))
        ]

    async def _list(self, resource: Resource, namespace: str) -> list[Object]:
        found: list[Object] = []
        continue_ = ""
        while True:
            page = await self._client.list(resource, Selection(namespace or None), limit=500, continue_=continue_)
            found += page.items
            if not (continue_ := page.continue_):
                return found

    async def _drop_finalizer(self, resource: Resource, obj: Object, finalizer: str) -> None:
        await self._edit(
            resource, obj, lambda now: {"finalizers": [f for f in garbage.finalizers(now) if f != finalizer] or None}
        )

    async def _edit(self, resource: Resource, obj: Object, change: Callable[[Object], dict[str, Any]]) -> Object | None:
        """The object as written; None when it is gone. Who was faster is not overwritten: the change is made anew."""
        now: Object | None = obj
        for _ in range(_ATTEMPTS):
            if now is None:
                return None
            metadata = {"uid": meta.uid(now), "resourceVersion": meta.resource_version(now)} | change(now)
            try:
                return await self._client.patch(resource, meta.name(obj), {"metadata": metadata}, meta.namespace(obj))
            except NotFound:
                return None
            except Conflict as error:
                conflict = error
                now = await self._live(resource, obj)
        raise conflict

    async def _delete(self, resource: Resource, obj: Object, propagation: str) -> None:
        """An object that has meanwhile got other owners is judged again; one that only changed is not spared by it."""
        now: Object | None = obj
        for _ in range(_ATTEMPTS):
            if now is None:
                return
            options = DeleteOptions(
                propagation=propagation, uid=meta.uid(now), resource_version=meta.resource_version(now)
            )
            try:
                await self._client.delete(resource, meta.name(obj), meta.namespace(obj), options)
            except NotFound:
                return
            except Conflict as error:
                conflict = error
                now = await self._live(resource, obj)
                if now is not None and meta.owner_references(now) != meta.owner_references(obj):
                    raise
            else:
                return
        raise conflict

    async def _live(self, resource: Resource, obj: Object) -> Object | None:
        try:
            live = await self._client.get(resource, meta.name(obj), meta.namespace(obj))
        except NotFound:
            return None
        return live if meta.uid(live) == meta.uid(obj) else None


def _unblock(obj: Object) -> dict[str, Any]:
    return {"ownerReferences": garbage.unblocking(obj)}


def _item(resource: Resource, obj: Object) -> _Item:
    return _Item(resource.plural, resource.group, meta.namespace(obj), meta.name(obj))


def _concerns_us(obj: Object) -> bool:
    return bool(meta.owner_references(obj)) or garbage.waits_for_dependents(obj) or garbage.orphans_dependents(obj)


def _changed(old: Object, new: Object) -> bool:
    before, after = old["metadata"], new["metadata"]
    return any(before.get(name) != after.get(name) for name in ("ownerReferences", "finalizers", "deletionTimestamp"))
