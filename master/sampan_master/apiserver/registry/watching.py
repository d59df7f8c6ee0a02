"""Watches: a stream of encoded events that starts where the client says and ends when its time is over.

WatchList (`sendInitialEvents`) begins with everything there is as ADDED and a marked bookmark, then goes on live: one
request instead of list and watch.

    resourceVersion   sendInitialEvents   what is told
    unset, 0          not given, true     what there is (unset: as of now), a marked bookmark, then changes
    unset, 0          false               changes from here on
    N                 not given, false    changes after N; nothing until N is reached
    N                 true                what there is once N is reached, a marked bookmark, then changes
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sampan_api.client import EventType
from sampan_api.clock import Clock
from sampan_api.errors import ApiError, Expired
from sampan_api.meta import Object

from sampan_master.apiserver.encoding.options import Query, first, flag, integer
from sampan_master.apiserver.registry.revisions import parse_revision, reach
from sampan_master.apiserver.registry.selecting import Selected, chosen
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import FieldError, forbidden, invalid_object, unsupported
from sampan_master.storage import Cache, Change, Compacted, Entry, PastWatcher, Watcher

_BOOKMARK_SECONDS = 60.0
_BEFORE_END_SECONDS = 2.0
_SHORTEST, _LONGEST = 1800, 3600
_MATCH = "NotOlderThan"
INITIAL_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """`initial`: whether what is there is told first; None leaves it to the resourceVersion."""

    resource_version: str = ""
    bookmarks: bool = False
    initial: bool | None = None
    timeout: float = 0


def watch_options(query: Query) -> WatchOptions:
    """Raises BadRequest, Invalid."""
    integer(query, "limit")
    initial = flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    match = first(query, "resourceVersionMatch")
    errors: list[FieldError] = []
    path = "resourceVersionMatch"
    if initial is not None and match != _MATCH:
        errors.append(forbidden(path, f"sendInitialEvents requires setting resourceVersionMatch to {_MATCH}"))
    if match:
        if initial is None:
            said = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            errors.append(forbidden(path, said))
        if match != _MATCH:
            errors.append(unsupported(path, match, (_MATCH,)))
        if first(query, "continue"):
            errors.append(forbidden(path, "resourceVersionMatch is forbidden when continue is provided"))
    if errors:
        raise invalid_object("ListOptions", "meta.k8s.io", "", errors)
    return WatchOptions(
        resource_version=first(query, "resourceVersion"),
        bookmarks=flag(query, "allowWatchBookmarks"),
        initial=initial,
        timeout=float(integer(query, "timeoutSeconds") or random.randint(_SHORTEST, _LONGEST)),
    )


class Watch:
    """One client's watch: `initial` entries first, then `batches()` until the time is over or the watcher ends."""

    def __init__(
        self,
        rt: ResourceType,
        watcher: Watcher | PastWatcher,
        initial: Sequence[Entry] | None,
        revision: int,
        options: WatchOptions,
        clock: Clock,
    ) -> None:
        """`initial` None: only changes are told."""
        self.rt = rt
        self.initial: Sequence[Entry] = initial or ()
        self.marks_end = initial is not None and options.bookmarks
        """Whether the end of the initial events is told by a bookmark."""
        self.revision = revision
        self._watcher = watcher
        self._options = options
        self._clock = clock

    def close(self) -> None:
        """Idempotent; whoever reads `batches` gets their end."""
        self._watcher.close()

    def bookmark(self, *, initial_end: bool = False) -> Object:
        metadata: dict[str, Any] = {"resourceVersion": str(max(self.revision, self._watcher.revision))}
        if initial_end:
            metadata["resourceVersion"] = str(self.revision)
            metadata["annotations"] = {INITIAL_END: "true"}
        return {"kind": self.rt.kind, "apiVersion": self.rt.resource.api_version, "metadata": metadata}

    async def batches(self) -> AsyncGenerator[list[Change], None]:
        """Changes as they come; an empty batch says that a bookmark is due. The end is a clean one."""
        clock = self._clock
        end = clock.monotonic() + self._options.timeout
        bookmark = next_bookmark(clock.monotonic(), end) if self._options.bookmarks else end
        alarm = asyncio.ensure_future(self._interrupt_at(min(bookmark, end)))
        try:
            while True:
                batch = await self._watcher.changes()
                if batch:
                    yield batch
                elif self._watcher.ended:
                    return
                if not alarm.done():
                    continue
                now = clock.monotonic()
                if now >= end:
                    return
                if now >= bookmark:
                    yield []
                    bookmark = next_bookmark(now, end)
                alarm = asyncio.ensure_future(self._interrupt_at(min(bookmark, end)))
        finally:
            alarm.cancel()
            self.close()

    async def _interrupt_at(self, moment: float) -> None:
        # One task a minute, not one per batch: waiting for both each time cost three times as much per delivery.
        await self._clock.sleep(moment - self._clock.monotonic())
        self._watcher.interrupt()


def next_bookmark(now: float, end: float) -> float:
    """About every minute, and shortly before the end, so that the client resumes from close to now."""
    before_end = end - _BEFORE_END_SECONDS
    return min(now + _BOOKMARK_SECONDS, before_end) if before_end > now else now + _BOOKMARK_SECONDS


async def open_watch(cache: Cache, clock: Clock, rt: ResourceType, selected: Selected, options: WatchOptions) -> Watch:
    """Raises Expired when the revision is no longer known, ServerTimeout when initial events cannot be as new as asked,
    a plain 500 when the revision is none."""
    prefix = selected.prefix(rt)
    try:
        asked = parse_revision(options.resource_version)
    except ValueError as error:
        raise ApiError(str(error)) from error
    with problems.translated(rt, ""):
        if not options.resource_version:
            await cache.fresh()
        initial: Sequence[Entry] | None = None
        revision = asked or cache.revision
        if options.initial or (options.initial is None and asked == 0):
            await reach(cache, asked)
            initial, revision = cache.list(prefix)
            initial = await chosen(selected, initial)
        watcher = await _watcher(cache, prefix, selected, revision)
    return Watch(rt, watcher, initial, revision, options, clock)


async def _watcher(cache: Cache, prefix: str, selected: Selected, after: int) -> Watcher | PastWatcher:
    try:
        return cache.watch(prefix, after, selected.matches, index=selected.node)
    except Compacted as forgotten:
        try:
            return await cache.watch_past(prefix, after, selected.matches, index=selected.node)
        except Compacted as error:
            raise Expired(f"too old resource version: {after} ({forgotten.compact_revision})") from error


def event_line(type_: EventType | str, obj: Object) -> bytes:
    return orjson.dumps({"type": type_, "object": obj}) + b"\n"


def added_line(entry: Entry) -> bytes:
    return b'{"type":"ADDED","object":' + entry.data + b"}\n"
