"""A live, local copy of one resource: list once, then follow the watch.

    list ──► diff into items ──► watch from the list's revision ──► event ──► items, callbacks
      ▲                             │ server closes: watch again from the last revision seen
      └──── Expired (410) ──────────┘ any other failure: back off, then watch again

Invariants: `items` never goes back in time (a list older than what was seen is refused); callbacks are called in
revision order, after `items` has changed, once per change; bookmarks advance the revision. Callbacks run inside the
loop and must only note what to do.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from sampan_api import meta
from sampan_api.client import Client, EventType, Resource, Selection, WatchEvent
from sampan_api.clock import Clock
from sampan_api.errors import ApiError, Expired
from sampan_api.meta import Key, Object

_log = logging.getLogger(__name__)

Callback: TypeAlias = Callable[[EventType, Object, Object | None], None]
"""(ADDED, new, None), (MODIFIED, new, old) or (DELETED, last, old)."""

_ALL = Selection()
_PAGE = 500
_FIRST_DELAY = 0.1
_LAST_DELAY = 10.0


class StaleList(Exception):
    """The server answered with a list older than what this informer has already seen."""


class Informer:
    """Follows one resource through a Client. `run` does the work until cancelled; the rest may be used at any time."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        clock: Clock,
        selection: Selection = _ALL,
        *,
        keep: Callable[[Object], Object] | None = None,
    ) -> None:
        """`keep` gives what is kept of an object (it must not change it); key, uid and resourceVersion must stay."""
        self.resource = resource
        self._keep = keep
        self._client, self._clock, self._selection = client, clock, selection
        self._items: dict[Key, Object] = {}
        self.items: Mapping[Key, Object] = MappingProxyType(self._items)
        self._revision = ""
        self._synced = asyncio.Event()
        self._callbacks: list[Callback] = []
        self._indexers: dict[str, Callable[[Object], Iterable[str]]] = {}
        self._indexes: dict[str, dict[str, dict[Key, Object]]] = {}

    @property
    def revision(self) -> str:
        """The resourceVersion up to which `items` is complete; "" before the first list."""
        return self._revision

    @property
    def has_synced(self) -> bool:
        return self._synced.is_set()

    async def synced(self) -> None:
        """Returns once the first list is in `items`."""
        await self._synced.wait()

    def get(self, name: str, namespace: str = "") -> Object | None:
        return self._items.get(Key(namespace, name))

    def subscribe(self, callback: Callback) -> None:
        """Calls back for every change from now on, after an ADDED for each object that is already there."""
        for obj in list(self._items.values()):
            callback(EventType.ADDED, obj, None)
        self._callbacks.append(callback)

    def add_index(self, name: str, function: Callable[[Object], Iterable[str]]) -> None:
        """Keeps the objects findable by the values `function` gives for each."""
        self._indexers[name] = function
        self._indexes[name] = {}
        for key, obj in self._items.items():
            self._index(name, key, None, obj)

    def by_index(self, name: str, value: str) -> list[Object]:
        return list(self._indexes[name].get(value, {}).values())

    async def run(self) -> None:
        """Lists and watches until cancelled. A server that fails, or closes every watch before it has told anything,
        is asked again with growing, jittered pauses."""
        delay = _FIRST_DELAY
        relist = True
        while True:
            before = self._revision
            try:
                if relist:
                    await self._list()
                    relist = False
                await self._watch()
            except Expired:
                relist = True
            except (ApiError, OSError, StaleList) as error:
                _log.warning("%s: %s; next try in %.1f s", self.resource.plural, error, delay)
            if self._revision != before:
                delay = _FIRST_DELAY
            await self._clock.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, _LAST_DELAY)

    async def _list(self) -> None:
        objects: dict[Key, Object] = {}
        continue_ = ""
        while True:
            page = await self._client.list(self.resource, self._selection, limit=_PAGE, continue_=continue_)
            objects.update((meta.key(obj), obj) for obj in page.items)
            continue_ = page.continue_
            if not continue_:
                break
        if self._revision and int(page.resource_version) < int(self._revision):
            raise StaleList(f"listed at {page.resource_version} after {self._revision} was seen")
        if self._synced.is_set():
            self._replace(objects)
        else:
            await self._fill(objects)
        self._revision = page.resource_version
        self._synced.set()

    async def _fill(self, objects: dict[Key, Object]) -> None:
        """Nobody relies on `items` yet, so all else may go on while tens of thousands of them are taken in."""
        for number, (key, obj) in enumerate(objects.items(), 1):
            self._put(key, obj)
            if number % _PAGE == 0:
                await asyncio.sleep(0)

    def _replace(self, objects: dict[Key, Object]) -> None:
        for key in [key for key in self._items if key not in objects]:
            self._delete(key, self._items[key])
        for key, obj in objects.items():
            self._put(key, obj)

    async def _watch(self) -> None:
        async for event in self._client.watch(self.resource, self._revision, self._selection):
            self._apply(event)

    def _apply(self, event: WatchEvent) -> None:
        if event.type is not EventType.BOOKMARK:
            key = meta.key(event.object)
            if event.type is EventType.DELETED:
                self._delete(key, event.object)
            else:
                self._put(key, event.object)
        self._revision = meta.resource_version(event.object)

    def _put(self, key: Key, obj: Object) -> None:
        if self._keep is not None:
            obj = self._keep(obj)
        old = self._items.get(key)
        if old is not None and meta.resource_version(old) == meta.resource_version(obj):
            return
        self._items[key] = obj
        for name in self._indexers:
            self._index(name, key, old, obj)
        if old is not None and meta.uid(old) != meta.uid(obj):
            # Deleted and made again while nobody looked: two lives, two events.
            self._notify(EventType.DELETED, old, old)
            old = None
        self._notify(EventType.ADDED if old is None else EventType.MODIFIED, obj, old)

    def _delete(self, key: Key, last: Object) -> None:
        old = self._items.pop(key, None)
        if old is None:
            return
        for name in self._indexers:
            self._index(name, key, old, None)
        self._notify(EventType.DELETED, last, old)

    def _notify(self, type_: EventType, obj: Object, old: Object | None) -> None:
        for callback in self._callbacks:
            callback(type_, obj, old)

    def _index(self, name: str, key: Key, old: Object | None, new: Object | None) -> None:
        index, function = self._indexes[name], self._indexers[name]
        if old is not None:
            for value in function(old):
                bucket = index.get(value, {})
                bucket.pop(key, None)
                if not bucket:
                    index.pop(value, None)
        if new is not None:
            for value in function(new):
                index.setdefault(value, {})[key] = new
