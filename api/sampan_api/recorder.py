"""Events: what a component did or could not do, told on the object it concerns.

`record` never waits and never fails: it puts the event on a bounded queue that `run` empties. An equal event
(same object, type, reason and message) raises the count of the one before it instead of making another; equal ones
have the same writer, so they never overtake each other. Of the older style only as much is written as
`event_correlation` lets through; what it holds back is counted with the next that is written.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict
from dataclasses import dataclass

from sampan_api import meta
from sampan_api.client import EVENTS, Client, Resource
from sampan_api.clock import Clock, rfc3339, rfc3339_micro
from sampan_api.errors import ApiError, NotFound
from sampan_api.event_correlation import COMBINED, Correlation
from sampan_api.meta import Object
from sampan_api.names import dns_subdomain

log = logging.getLogger(__name__)

_REMEMBERED = 4096
_WAITING = 2000
_WRITERS = 4


@dataclass(slots=True)
class _Occurrence:
    """One event as it will be written."""

    regarding: dict[str, str]
    type: str
    reason: str
    message: str
    action: str
    at: float
    identity: tuple[str, ...]


@dataclass(slots=True)
class _Written:
    name: str
    namespace: str
    count: int


def reference(resource: Resource, obj: Object) -> dict[str, str]:
    """The ObjectReference of `obj`, empty fields left out."""
    fields = {
        "kind": resource.kind,
        "namespace": meta.namespace(obj),
        "name": meta.name(obj),
        "uid": meta.uid(obj),
        "apiVersion": resource.api_version,
    }
    return {key: value for key, value in fields.items() if value}


class EventRecorder:
    """`series` writes the newer style of event (the scheduler's); everybody else counts."""

    def __init__(self, client: Client, clock: Clock, component: str, *, series: bool = False) -> None:
        self._client, self._clock, self._component, self._series = client, clock, component, series
        self._queues = [asyncio.Queue[_Occurrence](_WAITING) for _ in range(_WRITERS)]
        self._written: OrderedDict[tuple[str, ...], _Written] = OrderedDict()
        self._last_nanos = 0
        self._correlation = Correlation()

    def record(
        self, resource: Resource, obj: Object, type_: str, reason: str, message: str, *, action: str = ""
    ) -> None:
        """`type_` is Normal or Warning. When the queue is full the event is dropped: events are best effort."""
        regarding = reference(resource, obj)
        kind = (*regarding.values(), type_, reason)
        identity, now = (*kind, message), self._clock.monotonic()
        if not self._series:
            if self._correlation.combines(kind, message, now):
                identity, message = (*kind, COMBINED), COMBINED + message
            if not self._correlation.may_write(tuple(regarding.values()), now):
                if (written := self._written.get(identity)) is not None:
                    written.count += 1
                return
        occurrence = _Occurrence(regarding, type_, reason, message[:1024], action, self._clock.now(), identity)
        try:
            self._queues[hash(occurrence.identity) % _WRITERS].put_nowait(occurrence)
        except asyncio.QueueFull:
            log.debug("event dropped: %s %s", reason, message)

    async def run(self) -> None:
        """Writes what is recorded until cancelled; an event the API refuses is dropped."""
        async with asyncio.TaskGroup() as writers:
            for queue in self._queues:
                writers.create_task(self._empty(queue))

    async def _empty(self, queue: asyncio.Queue[_Occurrence]) -> None:
        while True:
            occurrence = await queue.get()
            try:
                await self._write(occurrence)
            except ApiError as error:
                log.debug("event %s not written: %s", occurrence.reason, error.message)

    async def _write(self, occurrence: _Occurrence) -> None:
        written = self._written.get(occurrence.identity)
        if written is not None:
            try:
                await self._repeat(written, occurrence)
                return
            except NotFound:
                del self._written[occurrence.identity]
        event = self._new(occurrence)
        await self._client.create(EVENTS, event, event["metadata"]["namespace"])
        self._written[occurrence.identity] = _Written(event["metadata"]["name"], event["metadata"]["namespace"], 1)
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    async def _repeat(self, written: _Written, occurrence: _Occurrence) -> None:
        count = written.count + 1
        if self._series:
            patch: Object = {"series": {"count": count, "lastObservedTime": rfc3339_micro(occurrence.at)}}
        else:
            patch = {"count": count, "lastTimestamp": rfc3339(occurrence.at), "message": occurrence.message}
        written.count = count
        await self._client.patch(EVENTS, written.name, patch, written.namespace)

    def _new(self, occurrence: _Occurrence) -> Object:
        nanos = max(self._last_nanos + 1, int(occurrence.at * 1e9))
        self._last_nanos = nanos
        namespace = occurrence.regarding.get("namespace", "default")
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": _name(occurrence.regarding["name"], nanos), "namespace": namespace},
            "involvedObject": occurrence.regarding,
            "type": occurrence.type,
            "reason": occurrence.reason,
            "message": occurrence.message,
            "reportingComponent": self._component,
        }
        if self._series:
            event["eventTime"] = rfc3339_micro(occurrence.at)
            event["action"] = occurrence.action
            event["reportingInstance"] = self._component
        else:
            stamp = rfc3339(occurrence.at)
            event |= {"source": {"component": self._component}, "count": 1}
            event |= {"firstTimestamp": stamp, "lastTimestamp": stamp, "reportingInstance": ""}
        return event


def _name(regarding: str, nanos: int) -> str:
    """That of the object is not always one that an event may have: it may be too long, or of a Role."""
    name = f"{regarding}.{nanos:016x}"
    return str(uuid.uuid4()) if dns_subdomain(name) else name
