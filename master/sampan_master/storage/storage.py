"""Writes of objects: read-modify-compare-and-swap over the store, answered with the same `Entry` the cache will hold.

Reads and watches are the `Cache`'s; `Storage` holds it as `.cache` and keeps both in step. Keys are
`object_key`'s.

* `change` and `check` functions get the current `Entry` and answer at once (no await). What they raise passes
  through, but only after it was raised for the state the store really holds: the first try takes the entry from the
  cache, and a refusal or a no-op on that basis is tried again on what is read from the store.
* A change that leaves the content equal is not written: same revision, no event.
* StoreUnavailable passes through: the caller answers 503.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sampan_api.meta import Object

from sampan_master.storage.cache import Cache
from sampan_master.storage.entry import Entry, encode, with_resource_version
from sampan_master.storage.sharing import NOTHING, shared
from sampan_master.storage.store import KeyMissing, KeyValue, RevisionMismatch, Store, Unwritten, WrittenMeanwhile

ChangeFunction: TypeAlias = Callable[[Entry], Object | None]
"""Current entry -> the new object (never the old one mutated; its resourceVersion is ignored), or None: no change."""

CheckFunction: TypeAlias = Callable[[Entry], None]
"""Raises to refuse a deletion."""


class Storage:
    def __init__(self, store: Store, cache: Cache) -> None:
        self._store = store
        self.cache = cache

    async def get(self, key: str) -> Entry | None:
        """The object as of this call (consistent): the cache, once it is caught up."""
        await self.cache.fresh()
        return self.cache.get(key)

    async def create(self, key: str, obj: Object, *, ttl: int = 0, given: Unwritten | None = None) -> Entry:
        """Raises KeyExists, WrittenMeanwhile. `ttl` seconds > 0: the object goes by itself after about that time."""
        value = encode(obj)
        self.cache.sending(key, value, obj)
        try:
            revision = await self._store.create(key, value, ttl=ttl, given=given)
        finally:
            self.cache.answered(key, value)
        return self._written(key, revision, value, obj)

    async def update(self, key: str, change: ChangeFunction, *, ttl: int = 0, seeing: str = "") -> Entry:
        """Raises KeyMissing, and whatever `change` raises. `seeing`: a prefix of which `change` reads other objects
        from the cache; it is asked again when one of them was written meanwhile."""
        current, sure = await self._current(key)
        while True:
            given = Unwritten(seeing, self.cache.revision) if seeing else None
            try:
                changed = change(current)
            except Exception:
                if sure:
                    raise
                changed = None
            if changed is None or _same_content(changed, current):
                if sure:
                    return current
                current, sure = await self._read(key), True
                continue
            value = encode(changed)
            self.cache.sending(key, value, changed, current.obj)
            try:
                revision = await self._store.update(key, value, expected=current.revision, ttl=ttl, given=given)
            except RevisionMismatch as lost:
                current, sure = _entry(key, lost.current), True
                continue
            except WrittenMeanwhile:
                await self.cache.fresh()
                current, sure = await self._read(key), True
                continue
            finally:
                self.cache.answered(key, value)
            return self._written(key, revision, value, changed, current.obj)

    async def delete(self, key: str, check: CheckFunction | None = None) -> Entry:
        """The last state under the deletion's revision. Raises KeyMissing, and whatever `check` raises."""
        current, sure = await self._current(key)
        while True:
            try:
                if check is not None:
                    check(current)
            except Exception:
                if sure:
                    raise
                current, sure = await self._read(key), True
                continue
            try:
                revision = await self._store.delete(key, expected=current.revision)
            except RevisionMismatch as lost:
                current, sure = _entry(key, lost.current), True
                continue
            return current.at_revision(revision)

    async def _current(self, key: str) -> tuple[Entry, bool]:
        """The entry to try first, and whether it is known to be what the store holds now."""
        cached = self.cache.get(key)
        return (cached, False) if cached is not None else (await self._read(key), True)

    async def _read(self, key: str) -> Entry:
        return _entry(key, await self._store.get(key))

    def _written(self, key: str, revision: int, value: bytes, obj: Object, before: Object = NOTHING) -> Entry:
        known = self.cache.get(key)
        if known is not None and known.revision == revision and known.is_decoded:
            return known
        return self.cache.expect(Entry(key, revision, value, shared(with_resource_version(obj, revision), before)))


def _entry(key: str, found: KeyValue | None) -> Entry:
    if found is None:
        raise KeyMissing(key)
    return Entry(key, found.mod_revision, found.value)


def _same_content(changed: Object, current: Entry) -> bool:
    """Whether nothing but the resourceVersion differs."""
    old = current.obj
    if changed is old:
        return True
    before, after = old["metadata"], changed["metadata"]
    return (
        changed.keys() == old.keys()
        and after.keys() | _VERSION == before.keys() | _VERSION
        and all(value == old[field] for field, value in changed.items() if field != "metadata")
        and all(value == before[field] for field, value in after.items() if field != "resourceVersion")
    )


_VERSION = {"resourceVersion"}
