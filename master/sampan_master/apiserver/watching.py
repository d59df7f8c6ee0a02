"""Watches: a stream of encoded events that starts where the client says and ends when its time is over.

WatchList (`sendInitialEvents`) begins with everything there is as ADDED and a marked bookmark, then goes on live: one
request instead of list and watch.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sampan_api.client import EventType
from sampan_api.errors import ApiError, Expired
from sampan_api.meta import Object

from sampan_master.apiserver import problems
from sampan_master.apiserver.listing import too_large
from sampan_master.apiserver.options import Query, first, flag, integer
from sampan_master.apiserver.resource import ResourceType
from sampan_master.apiserver.selecting import Selected
from sampan_master.apiserver.validation.fields import FieldError, forbidden, go_quote, invalid_object
from sampan_master.storage import Cache, Change, Compacted, Entry, FutureRevision, Watcher

_BOOKMARK_SECONDS = 60.0
_SHORTEST, _LONGEST = 1800, 3600
INITIAL_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """`initial`: None when not asked; True sends what is there first and marks its end."""

    resource_version: str = ""
    bookmarks: bool = False
    initial: bool = False
    timeout: float = 0


def watch_options(query: Query) -> WatchOptions:
    """Raises BadRequest, Invalid."""
    initial = flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    match = first(query, "resourceVersionMatch")
    errors: list[FieldError] = []
    path = "resourceVersionMatch"
    if initial is not None and match != "NotOlderThan":
        errors.append(forbidden(path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
    elif initial is None and match:
        said = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(forbidden(path, said))
    if errors:
        raise invalid_object("ListOptions", "meta.k8s.io", "", errors)
    return WatchOptions(
        resource_version=first(query, "resourceVersion"),
        bookmarks=flag(query, "allowWatchBookmarks"),
        initial=bool(initial),
        timeout=float(integer(query, "timeoutSeconds") or random.randint(_SHORTEST, _LONGEST)),
    )


class Watch:
    """One client's watch: `initial` entries first, then `batches()` until the time is over or the watcher ends."""

    def __init__(
        self, rt: ResourceType, watcher: Watcher, initial: Sequence[Entry], revision: int, options: WatchOptions
    ) -> None:
        self.rt = rt
        self.initial = initial
        self.revision = revision
        self._watcher = watcher
        self._options = options

    def close(self) -> None:
        self._watcher.close()

    @property
    def marks_end(self) -> bool:
        """Whether the end of the initial events is told by a bookmark."""
        return self._options.initial and self._options.bookmarks

    def bookmark(self, *, initial_end: bool = False) -> Object:
        metadata: dict[str, Any] = {"resourceVersion": str(max(self.revision, self._watcher.revision))}
        if initial_end:
            metadata["resourceVersion"] = str(self.revision)
            metadata["annotations"] = {INITIAL_END: "true"}
        return {"kind": self.rt.kind, "apiVersion": self.rt.resource.api_version, "metadata": metadata}

    async def batches(self) -> AsyncGenerator[list[Change], None]:
        """Changes as they come; an empty batch says that a bookmark is due. The end is a clean one."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._options.timeout
        bookmark = loop.time() + _BOOKMARK_SECONDS
        pending = asyncio.ensure_future(self._watcher.changes())
        try:
            while True:
                until = min(end, bookmark) if self._options.bookmarks else end
                done, _ = await asyncio.wait([pending], timeout=max(0.0, until - loop.time()))
                if done:
                    changes = pending.result()
                    if not changes:
                        return
                    yield changes
                    pending = asyncio.ensure_future(self._watcher.changes())
                    continue
                if self._options.bookmarks:
                    yield []
                if loop.time() >= end:
                    return
                bookmark = loop.time() + _BOOKMARK_SECONDS
        finally:
            pending.cancel()
            self._watcher.close()


async def open_watch(cache: Cache, rt: ResourceType, selected: Selected, options: WatchOptions) -> Watch:
    """Raises Expired when the revision is no longer known, a plain 500 when it is none."""
    prefix = selected.prefix(rt)
    text = options.resource_version
    try:
        after = int(text or "0")
    except ValueError:
        shown = go_quote(text)
        why = f"strconv.ParseUint: parsing {shown}: invalid syntax"
        raise ApiError(f"resourceVersion: Invalid value: {shown}: {why}") from None
    initial: Sequence[Entry] = ()
    revision = after
    with problems.translated(rt, ""):
        if options.initial or after == 0:
            if options.initial and after:
                await _reach(cache, after)
            else:
                await cache.fresh()
            initial, revision = cache.list(prefix)
            if selected.matches is not None:
                initial = [entry for entry in initial if selected.matches(entry.obj)]
    try:
        watcher = cache.watch(prefix, revision, selected.matches, index=selected.node)
    except Compacted as error:
        raise Expired(f"too old resource version: {after} ({error.compact_revision})") from error
    return Watch(rt, watcher, initial, revision, options)


async def _reach(cache: Cache, revision: int) -> None:
    try:
        await cache.at_least(revision)
    except FutureRevision as error:
        raise too_large(revision, cache.revision) from error


def event_line(type_: EventType | str, obj: Object) -> bytes:
    return orjson.dumps({"type": type_, "object": obj}) + b"\n"


def added_line(entry: Entry) -> bytes:
    return b'{"type":"ADDED","object":' + entry.data + b"}\n"
