"""Watches over HTTP: events as lines of JSON. What is shared by all watchers is encoded once; Tables are per client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from typing import Any

from sampan_api.client import EventType
from sampan_api.errors import ApiError, Expired, ServerTimeout
from sampan_api.meta import Object

from sampan_master.apiserver.encoding.options import first
from sampan_master.apiserver.encoding.representations import gathered
from sampan_master.apiserver.encoding.tables import View, bookmark_table, partial, table
from sampan_master.apiserver.handlers.routing import Target
from sampan_master.apiserver.http.requests import ApiRequest
from sampan_master.apiserver.registry.selecting import select
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.registry.watching import Watch, added_line, event_line, open_watch, watch_options
from sampan_master.apiserver.resources.resource_type import ResourceType


class _Lines:
    """Turns events into the lines of one client."""

    def __init__(self, rt: ResourceType, view: View, registry: Registry) -> None:
        self._rt = rt
        self._view = view
        self._clock = registry.clock
        self._first = True

    @property
    def shared(self) -> bool:
        return not self._view.kind and self._rt.conversion is None

    def line(self, type_: EventType, obj: Object) -> bytes:
        return event_line(type_, self._seen(obj))

    def _seen(self, obj: Object) -> dict[str, Any]:
        if not self._view.kind:
            return self._rt.from_stored(obj)
        if self._view.kind != "Table":
            return partial(self._rt.from_stored(obj), self._view)
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        return table(self._rt, [obj], metadata, self._clock.now(), self._view, columns=self._columns())

    def _columns(self) -> bool:
        """The first event of a Table's stream defines the columns, whatever it is."""
        first_one, self._first = self._first, False
        return first_one

    def bookmark(self, obj: Object) -> bytes:
        if self._view.kind == "Table":
            return event_line(EventType.BOOKMARK, bookmark_table(self._rt, obj, self._view, columns=self._columns()))
        if self._view.kind:
            return event_line(EventType.BOOKMARK, partial(obj, self._view))
        return event_line(EventType.BOOKMARK, obj)


class WatchStreams:
    """Serves watches, and ends all of them when the server stops."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._open: set[Watch] = set()

    def close(self) -> None:
        for watch in list(self._open):
            watch.close()

    async def serve(self, request: ApiRequest, target: Target) -> None:
        opened = await _open(request, target, self._registry)
        if isinstance(opened, ApiError):
            await request.stream(_one(event_line("ERROR", opened.status())))
            return
        watch, lines = opened
        self._open.add(watch)
        gone = asyncio.ensure_future(request.disconnected())
        gone.add_done_callback(lambda _: watch.close())
        try:
            async with aclosing(_stream(watch, lines)) as stream:
                await request.stream(stream)
        finally:
            self._open.discard(watch)
            watch.close()
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone


async def _open(
    request: ApiRequest, target: Target, registry: Registry
) -> tuple[Watch, _Lines] | Expired | ServerTimeout:
    """A revision of the past or the future is not an answer's status but an event of the stream."""
    accepted = request.accepted(watch=True)
    options = watch_options(request.query)
    labels, fields = first(request.query, "labelSelector"), first(request.query, "fieldSelector")
    selected = select(target.type, target.namespace, labels, fields, name=target.name)
    await request.body()
    try:
        watch = await open_watch(registry.storage.cache, registry.clock, target.type, selected, options)
    except (Expired, ServerTimeout) as error:
        return error
    return watch, _Lines(target.type, accepted.view, registry)


async def _one(line: bytes) -> AsyncIterator[bytes]:
    yield line


def _initial(watch: Watch, lines: _Lines) -> Iterator[bytes]:
    for entry in watch.initial:
        yield added_line(entry) if lines.shared else lines.line(EventType.ADDED, entry.glance())
    if watch.marks_end:
        yield lines.bookmark(watch.bookmark(initial_end=True))


async def _stream(watch: Watch, lines: _Lines) -> AsyncGenerator[bytes, None]:
    # An empty piece sends the response head at once: clients wait for it before they go on.
    yield b""
    for piece in gathered(_initial(watch, lines)):
        yield piece
        await asyncio.sleep(0)
    # Entries that have changed since would otherwise live as long as the watch.
    watch.initial = ()
    async with aclosing(watch.batches()) as batches:
        async for batch in batches:
            if not batch:
                yield lines.bookmark(watch.bookmark())
                continue
            shared = lines.shared
            for piece in gathered(change.line if shared else lines.line(change.type, change.obj) for change in batch):
                yield piece
