"""The verbs on stored objects, free of HTTP. Both doors, HTTPS and `LocalClient`, end here.

    create   place → default → admit → prepare → validate → allocate → storage.create
    update   storage.update(current → check → change → default → restrict → prepare → validate → allocate)
    delete   storage.delete when nothing holds the object, else it is marked and waits

`update` and `patch` take a scope: which part of the object this door may change (main, status, finalize, …).
Objects given in are decoded already, are of the version that is stored and belong to the registry from then on; entries
given out are shared.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from sampan_api.client import DeleteOptions
from sampan_api.clock import Clock
from sampan_api.errors import AlreadyExists
from sampan_api.fieldsets.updating import Write, empty
from sampan_api.meta import Object

from sampan_master.apiserver.encoding.options import WriteOptions
from sampan_master.apiserver.registry import deletion, preparing
from sampan_master.apiserver.registry.admission import Admission
from sampan_master.apiserver.registry.allocation import Allocations
from sampan_master.apiserver.registry.applying import Configuration, applied_to
from sampan_master.apiserver.registry.node_room import NodeRoom
from sampan_master.apiserver.registry.ownership import keep_times, own_created, owners_after, with_owners, write_of
from sampan_master.apiserver.registry.patching import Patch, apply_patch
from sampan_master.apiserver.registry.scopes import MAIN, Scope
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.generated_names import generated_name
from sampan_master.apiserver.resources.resource_type import SERVICE_NETWORK, ResourceType, ServiceNetwork
from sampan_master.apiserver.validation import metadata as object_meta
from sampan_master.apiserver.validation.fields import invalid_object
from sampan_master.storage import Entry, KeyExists, KeyMissing, Storage

_NAME_ATTEMPTS = 8


class Draft:
    """What a dry run would have stored: like an `Entry`, but under no revision of its own."""

    __slots__ = ("data", "obj")

    def __init__(self, obj: Object) -> None:
        self.obj = obj
        self.data = orjson.dumps(obj)


Written = Entry | Draft


@dataclass(frozen=True, slots=True)
class Deleted:
    """`gone`: nothing is left; else `written` is the object as it lingers."""

    written: Written
    gone: bool


class _Lingers(Exception):
    """Raised inside storage.delete: the object must be marked, not removed."""


class _Finished(Exception):
    """Raised inside storage.update: with this update nothing holds the deleted object any more."""

    def __init__(self, obj: Object, revision: int) -> None:
        super().__init__()
        self.obj = obj
        self.revision = revision


class _Moved(Exception):
    """Raised inside storage.delete: the object is not the one that was decided upon."""


class Registry:
    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        admission: Admission,
        *,
        event_ttl: int = 3600,
        network: ServiceNetwork = SERVICE_NETWORK,
    ) -> None:
        self.storage = storage
        self.clock = clock
        self._admission = admission
        self._event_ttl = event_ttl
        self._allocations = Allocations(storage, network)
        self.node_room = NodeRoom(storage.cache)

    async def get(self, rt: ResourceType, namespace: str, name: str) -> Entry:
        """The object as of now. Raises NotFound."""
        with problems.translated(rt, name):
            entry = await self.storage.get(rt.key(namespace, name))
        if entry is None:
            raise problems.not_found(rt, name)
        return entry

    async def create(self, rt: ResourceType, namespace: str, obj: Object, options: WriteOptions) -> Written:
        if not options.dry_run:
            preparing.refuse_version_on_create(obj)
        preparing.place(rt, namespace, obj)
        rt.default(obj)
        own_created(rt, obj, options, self.clock.now())
        return await self._create(rt, obj, options)

    async def _create(self, rt: ResourceType, obj: Object, options: WriteOptions) -> Written:
        """Of an object that has its defaults and owners."""
        await self._admission.on_create(rt, obj, options)
        generated = not obj["metadata"].get("name") and bool(obj["metadata"].get("generateName"))
        preparing.for_create(rt, obj, self.clock.now())
        self._validate(rt, obj, [*rt.validate(obj), *rt.validate_create(obj)])
        options.warnings += rt.warnings(obj)
        if rt.idle:
            options.warnings.append(f"{rt.qualified} are stored, but no part of Sampan acts on them yet")
        for _ in range(_NAME_ATTEMPTS if generated else 1):
            try:
                return await self._store_new(rt, obj, options)
            except KeyExists:
                name = obj["metadata"]["name"]
            if generated:
                obj["metadata"]["name"] = generated_name(obj["metadata"]["generateName"])
                rt.rename(obj, name)
        raise problems.already_exists(rt, name)

    async def _store_new(self, rt: ResourceType, obj: Object, options: WriteOptions) -> Written:
        name = obj["metadata"]["name"]
        key = rt.key(obj["metadata"].get("namespace", ""), name)
        ttl = self._event_ttl if rt.expires else 0
        if options.dry_run:
            if self.storage.cache.get(key) is not None:
                raise KeyExists(key)
            self._allocations.allocate(rt, obj, None, dry_run=True)
            return Draft(obj)
        try:
            with problems.translated_refusal():
                if rt.allocator is not None:
                    return await self._allocations.create(rt, key, obj)
                return await self.storage.create(key, obj, ttl=ttl)
        except KeyMissing as error:
            raise problems.not_found(rt, name) from error

    def _validate(self, rt: ResourceType, obj: Object, specific: Any) -> None:
        metadata = obj["metadata"]
        errors = [*object_meta.validate(metadata, rt.name_rule, rt.namespaced), *specific]
        if errors:
            raise invalid_object(rt.kind, rt.group, metadata.get("name", ""), errors)

    async def update(
        self, rt: ResourceType, namespace: str, name: str, obj: Object, options: WriteOptions, scope: Scope = MAIN
    ) -> tuple[Written, bool]:
        """Replaces (PUT). The second value says whether it was created, which few kinds allow."""
        preparing.check_name(name, namespace, rt, obj)

        def replace(entry: Entry) -> Object:
            old = entry.obj
            self._check_current(rt, obj, old)
            # The change may be tried twice, and what follows writes into the object.
            return copy.deepcopy(obj) if rt.allocator else {**obj, "metadata": dict(obj["metadata"])}

        try:
            return await self._change(rt, namespace, name, replace, options, scope), False
        except KeyMissing as error:
            if not rt.create_on_update or scope is not MAIN:
                raise problems.not_found(rt, name) from error
        return await self.create(rt, namespace, obj, options), True

    def _check_current(self, rt: ResourceType, new: Object, old: Object) -> None:
        """Raises Conflict when the client's object is not (of) the stored one."""
        metadata, current = new["metadata"], old["metadata"]
        name = current["name"]
        asked_uid = metadata.get("uid")
        if asked_uid and asked_uid != current.get("uid"):
            why = (
                f"StorageError: invalid object, Code: 4, Key: {rt.key(current.get('namespace', ''), name)},"
                f" ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {asked_uid},"
                f" UID in object meta: {current.get('uid')}"
            )
            raise problems.conflict(rt, name, why)
        version = metadata.get("resourceVersion")
        if version and preparing.version_number(version) != int(current["resourceVersion"]):
            raise problems.conflict(rt, name)

    async def patch(
        self, rt: ResourceType, namespace: str, name: str, patch: Patch, options: WriteOptions, scope: Scope = MAIN
    ) -> Written:
        def apply(entry: Entry) -> Object:
            old = entry.obj
            new = apply_patch(rt, patch, old, options, apart=scope.apart)
            preparing.check_name(name, namespace, rt, new)
            version = new["metadata"].get("resourceVersion")
            if version and version != old["metadata"]["resourceVersion"]:
                raise problems.conflict(rt, name)
            return new

        try:
            return await self._change(rt, namespace, name, apply, options, scope)
        except KeyMissing as error:
            raise problems.not_found(rt, name) from error

    async def apply(
        self,
        rt: ResourceType,
        namespace: str,
        name: str,
        config: Configuration,
        options: WriteOptions,
        scope: Scope = MAIN,
    ) -> tuple[Written, bool]:
        """Server-side apply. The second value says whether the object was created, which only the main door does."""
        write = write_of(rt, options, self.clock.now(), scope)

        def configure(entry: Entry) -> Object:
            old = entry.obj
            new = rt.to_stored(applied_to(rt.from_stored(old), config, rt.kind, write, options))
            preparing.check_name(name, namespace, rt, new)
            version = new["metadata"].get("resourceVersion")
            if version and version != old["metadata"]["resourceVersion"]:
                raise problems.conflict(rt, name)
            return new

        while True:
            try:
                return await self._change(rt, namespace, name, configure, options, scope, owned=True), False
            except KeyMissing as error:
                if scope is not MAIN:
                    raise problems.not_found(rt, name) from error
            with suppress(AlreadyExists):
                return await self._create_applied(rt, namespace, name, config, write, options), True

    async def _create_applied(
        self,
        rt: ResourceType,
        namespace: str,
        name: str,
        config: Configuration,
        write: Write,
        options: WriteOptions,
    ) -> Written:
        obj = rt.to_stored(applied_to(empty(write.model), config, rt.kind, write, options))
        uid = obj["metadata"].get("uid")
        if uid:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise problems.conflict(rt, name, why)
        preparing.check_name(name, namespace, rt, obj)
        if not options.dry_run:
            preparing.refuse_version_on_create(obj)
        rt.default(obj)
        return await self._create(rt, obj, options)

    async def modify(
        self,
        rt: ResourceType,
        namespace: str,
        name: str,
        change: Callable[[Entry], Object],
        options: WriteOptions,
    ) -> Written:
        """A change by the server's own hand (binding, scale): counts generations as an update does, checks nothing else
        than `change` does. Raises NotFound."""
        draft: list[Object] = []

        def counted(entry: Entry) -> Object | None:
            new = change(entry)
            draft[:] = [preparing.counted(rt, new, entry.obj)]
            return None if options.dry_run else draft[0]

        with problems.translated(rt, name):
            entry = await self.storage.update(rt.key(namespace, name), counted)
        return Draft(draft[0]) if options.dry_run else entry

    async def _change(
        self,
        rt: ResourceType,
        namespace: str,
        name: str,
        make: Callable[[Entry], Object],
        options: WriteOptions,
        scope: Scope,
        *,
        owned: bool = False,
    ) -> Written:
        """Raises KeyMissing; the callers know what that means for them. `owned`: what `make` gives has its owners."""
        key = rt.key(namespace, name)
        warnings = list(options.warnings)
        draft: list[Object] = []

        def change(entry: Entry) -> Object | None:
            options.warnings[:] = warnings
            new = self._prepared(rt, make(entry), entry.obj, options, scope, owned=owned)
            draft[:] = [new]
            if options.dry_run:
                return None
            if deletion.is_finished(rt, new):
                raise _Finished(new, entry.revision)
            return new

        while True:
            try:
                with problems.translated_refusal():
                    async with self._allocations.alone(rt) as seeing:
                        ttl = self._event_ttl if rt.expires else 0
                        entry = await self.storage.update(key, change, ttl=ttl, seeing=seeing)
            except _Finished as finished:
                if await self._remove_finished(key, finished.revision):
                    return Draft(finished.obj)
                continue
            return Draft(draft[0]) if options.dry_run else entry

    def _prepared(
        self, rt: ResourceType, new: Object, old: Object, options: WriteOptions, scope: Scope, *, owned: bool
    ) -> Object:
        if scope.defaults:
            rt.default(new)
        if owned:
            owners = new["metadata"]["managedFields"]
        else:
            claimed = scope.restrict(rt, new, old) if scope.narrow else new
            owners = owners_after(rt, claimed, old, options, self.clock.now(), scope)
        if scope.defaults:
            self._admission.on_update(rt, new, old)
        new = with_owners(scope.restrict(rt, new, old), owners)
        rt.stamp(new, old, self.clock.now())
        preparing.for_update(rt, new, old)
        specific = [*object_meta.validate_update(new, old), *scope.validate(rt, new, old)]
        self._validate(rt, new, specific)
        if scope.defaults:
            self._allocations.allocate(rt, new, old, dry_run=options.dry_run)
            known = set(rt.warnings(old))
            options.warnings += [said for said in rt.warnings(new) if said not in known]
        return keep_times(new, old)

    async def _remove_finished(self, key: str, revision: int) -> bool:
        def unchanged(entry: Entry) -> None:
            if entry.revision != revision:
                raise _Moved

        try:
            await self.storage.delete(key, unchanged)
        except KeyMissing:
            return True
        except _Moved:
            return False
        return True

    async def delete(
        self, rt: ResourceType, namespace: str, name: str, options: DeleteOptions, *, dry_run: bool = False
    ) -> Deleted:
        if name in rt.protected:
            raise problems.forbidden(rt, name, f"this {rt.singular} may not be deleted")
        key = rt.key(namespace, name)
        if dry_run:
            return self._would_delete(rt, await self.get(rt, namespace, name), options)

        def mark(entry: Entry) -> Object | None:
            deletion.check_preconditions(rt, entry.obj, options)
            after = deletion.marked(rt, entry.obj, options, self.clock.now())
            if after is None:
                raise _Finished(entry.obj, entry.revision)
            return after

        def must_go(entry: Entry) -> None:
            deletion.check_preconditions(rt, entry.obj, options)
            if deletion.marked(rt, entry.obj, options, self.clock.now()) is not None:
                raise _Lingers

        while True:
            with problems.translated(rt, name):
                try:
                    return self._gone(rt, await self.storage.delete(key, must_go), options)
                except _Lingers:
                    pass
                try:
                    return Deleted(await self.storage.update(key, mark), False)
                except _Finished:
                    continue

    def _gone(self, rt: ResourceType, last: Entry, options: DeleteOptions) -> Deleted:
        """Kinds with a grace period are answered as they went: deleted, with no time left."""
        if rt.graceful:
            return Deleted(Draft(deletion.outcome(rt, last.obj, options, self.clock.now())), True)
        return Deleted(last, True)

    def _would_delete(self, rt: ResourceType, entry: Entry, options: DeleteOptions) -> Deleted:
        deletion.check_preconditions(rt, entry.obj, options)
        after = deletion.marked(rt, entry.obj, options, self.clock.now())
        return self._gone(rt, entry, options) if after is None else Deleted(Draft(after), False)
