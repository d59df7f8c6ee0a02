"""A `Client` for a controller under test: it counts and can spoil each write, holds watch events back, breaks watches.

`faults.py` has the scenarios it is made for, and says how to use it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from sampan_api.client import EVENTS, EVENTS_V1, Client, Resource, Selection, WatchEvent
from sampan_api.errors import ApiError, Expired, ServiceUnavailable
from sampan_api.meta import Object

_ALL = Selection()


class Fate(Enum):
    """What becomes of a write, and of who asked for it."""

    DONE = "done"
    DIE_BEFORE = "killed before it"
    DIE_AFTER = "killed after it"
    REFUSED = "not done, and the answer does not say so"
    LOST = "done, and the answer does not say so"
    LATE = "done when all is quiet, long after an answer that does not say so"


class Outcome(Enum):
    """What the controller knows of its write."""

    OPEN = "no answer yet"
    DONE = "done"
    FAILED = "refused for a reason"
    IN_DOUBT = "it may be done or not"


@dataclass(repr=False)
class Write:
    number: int
    verb: str
    resource: Resource
    arguments: tuple[Any, ...]
    fate: Fate = Fate.DONE
    outcome: Outcome = Outcome.OPEN
    result: Object | None = None
    """What the server answered, whether the controller was told or not; None when it did nothing."""

    def __repr__(self) -> str:
        return f"write {self.number} ({self.verb} {self.resource.plural})"


Fates = Callable[[Write], Fate]


def calm(write: Write) -> Fate:
    return Fate.DONE


def only(number: int, fate: Fate) -> Fates:
    """`fate` for write `number`, all others are done."""
    return lambda write: fate if write.number == number else Fate.DONE


class Break(NamedTuple):
    """The watch of `resource` ends before its `event`-th event arrives; `expired`: it cannot be resumed either."""

    resource: Resource
    event: int
    expired: bool


class FaultyClient:
    """A `Client` to give to the controller under test.

    `writes` is the journal of all it wrote; Events are swallowed. Once it `is_dead` none of its calls and streams ever
    returns, those under way included; what the server had begun is done or not, as with a process that is killed.
    """

    def __init__(
        self,
        client: Client,
        fate: Fates = calm,
        *,
        lag: Mapping[Resource, int] | None = None,
        breaks: Break | None = None,
        journal: list[Write] | None = None,
    ) -> None:
        """`lag`: so many events of a resource are held back until more come, or until `catch_up`."""
        self._client, self._fate, self._lag, self._breaks = client, fate, dict(lag or {}), breaks
        self.writes: list[Write] = [] if journal is None else journal
        self.is_dead = asyncio.Event()
        self.delivered: Counter[Resource] = Counter()
        self._forgotten: set[Resource] = set()
        self._streams: list[_Stream] = []
        self._under_way: list[tuple[Write, Callable[[], Awaitable[Object]]]] = []

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        return await self._read(self._client.get(resource, name, namespace))

    async def list(self, resource: Resource, selection: Selection = _ALL, **options: Any) -> Any:
        return await self._read(self._client.list(resource, selection, **options))

    async def create(self, resource: Resource, *arguments: Any, **options: Any) -> Object:
        return await self._write("create", resource, arguments, options)

    async def update(self, resource: Resource, *arguments: Any, **options: Any) -> Object:
        return await self._write("update", resource, arguments, options)

    async def patch(self, resource: Resource, *arguments: Any, **options: Any) -> Object:
        return await self._write("patch", resource, arguments, options)

    async def delete(self, resource: Resource, *arguments: Any, **options: Any) -> Object:
        return await self._write("delete", resource, arguments, options)

    async def _read(self, call: Awaitable[Any]) -> Any:
        result = await call
        await self._outlive()
        return result

    async def _outlive(self) -> None:
        if self.is_dead.is_set():
            await asyncio.Event().wait()

    async def _write(self, verb: str, resource: Resource, arguments: tuple[Any, ...], options: Any) -> Object:
        await self._outlive()
        if resource in (EVENTS, EVENTS_V1):
            event: Object = arguments[0] if verb == "create" else {}
            return event
        write = Write(len(self.writes) + 1, verb, resource, arguments)
        self.writes.append(write)
        fate = write.fate = self._fate(write)
        if fate is Fate.DIE_BEFORE:
            write.outcome = Outcome.FAILED
            self.is_dead.set()
        await self._outlive()
        if fate in (Fate.REFUSED, Fate.LATE):
            write.outcome = Outcome.IN_DOUBT
            if fate is Fate.LATE:
                self._under_way.append((write, partial(getattr(self._client, verb), resource, *arguments, **options)))
            raise ServiceUnavailable("the server could not be reached")
        refusal: ApiError | None = None
        call = getattr(self._client, verb)
        try:
            write.result = await call(resource, *arguments, **options)
            write.outcome = Outcome.IN_DOUBT if fate is Fate.LOST else Outcome.DONE
        except ApiError as error:
            write.outcome, refusal = Outcome.FAILED, error
        if fate is Fate.DIE_AFTER:
            self.is_dead.set()
        await self._outlive()
        if refusal is not None:
            raise refusal
        if fate is Fate.LOST:
            raise ServiceUnavailable("the connection was lost before the answer")
        return write.result

    async def watch(
        self, resource: Resource, resource_version: str, selection: Selection = _ALL
    ) -> AsyncIterator[WatchEvent]:
        await self._outlive()
        if resource in self._forgotten:
            self._forgotten.discard(resource)
            raise Expired(f"too old resource version: {resource_version}")
        events = self._client.watch(resource, resource_version, selection)
        stream = _Stream(resource, events, self._lag.get(resource, 0))
        self._streams.append(stream)
        try:
            async for event in stream:
                await self._outlive()
                self.delivered[resource] += 1
                if self._breaks_at(resource):
                    return
                yield event
        finally:
            self._streams.remove(stream)
            await stream.close()

    def _breaks_at(self, resource: Resource) -> bool:
        fault = self._breaks
        if fault is None or fault.resource != resource or self.delivered[resource] != fault.event:
            return False
        if fault.expired:
            self._forgotten.add(resource)
        return True

    def lag(self, resource: Resource, events: int) -> None:
        """From now on, also for the streams that are open."""
        self._lag[resource] = events
        for stream in self._open(resource):
            stream.lag = events
            stream.wake.set()

    def cut(self, resource: Resource, *, expired: bool = False) -> None:
        """Breaks the watches of `resource` that are open; what they held back is not delivered."""
        if expired:
            self._forgotten.add(resource)
        for stream in self._open(resource):
            stream.end()

    def heal(self) -> None:
        """No more faults from now on."""
        self._fate, self._breaks = calm, None
        for resource in list(self._lag):
            self.lag(resource, 0)

    def _open(self, resource: Resource) -> list[_Stream]:
        return [stream for stream in self._streams if stream.resource == resource]

    async def catch_up(self) -> bool:
        """Delivers all events that are held back and does all writes that are late; False when there were none."""
        if self.is_dead.is_set():
            return False
        held = [stream for stream in self._streams if stream.release()]
        late, self._under_way = self._under_way, []
        for write, call in late:
            with contextlib.suppress(ApiError):
                write.result = await call()
        return bool(held or late)


class _Stream:
    """The events of one watch, the last `lag` of them held back."""

    def __init__(self, resource: Resource, events: AsyncIterator[WatchEvent], lag: int) -> None:
        self.resource, self.lag = resource, lag
        self.wake = asyncio.Event()
        self._waiting: deque[WatchEvent] = deque()
        self._due = 0
        self._ended = False
        self._reader = asyncio.create_task(self._read(events))

    async def _read(self, events: AsyncIterator[WatchEvent]) -> None:
        try:
            async for event in events:
                self._waiting.append(event)
                self.wake.set()
        finally:
            self.wake.set()

    def end(self) -> None:
        self._ended = True
        self.wake.set()

    def release(self) -> bool:
        """Lets go all that is held back; False when nothing is."""
        self._due = len(self._waiting)
        self.wake.set()
        return self._due > 0

    async def __aiter__(self) -> AsyncIterator[WatchEvent]:
        while not self._ended:
            if len(self._waiting) > self.lag or self._due:
                self._due = max(0, self._due - 1)
                yield self._waiting.popleft()
            elif self._reader.done():
                self._reader.result()
                return
            else:
                self.wake.clear()
                await self.wake.wait()

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.wait([self._reader])
