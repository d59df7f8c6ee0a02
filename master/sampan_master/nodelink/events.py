"""Events a node reports, written as an old-style recorder does: repeats raise `count`, a noisy object is slowed down.

Names are `<object>.<16 hex digits>`. A repeat has the same source, object (and field), reason, message and
type within ten minutes.
Spam filter: a burst of 25 per source and object, then one per five minutes (the figures of the contract's section 16).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, TypeVar

from sampan_api.client import EVENTS, Client, PatchType
from sampan_api.clock import Clock, rfc3339
from sampan_api.errors import ApiError, NotFound

_log = logging.getLogger(__name__)
_WINDOW_SECONDS = 600.0
_BURST = 25
_REFILL_SECONDS = 300.0
_REMEMBERED = 4096
_V = TypeVar("_V")


@dataclass(slots=True)
class _Seen:
    namespace: str
    name: str
    count: int
    last: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    since: float


class EventRecorder:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._seen: OrderedDict[tuple[str, ...], _Seen] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, ...], _Bucket] = OrderedDict()

    async def record(self, event: dict[str, Any]) -> None:
        """Best effort: an event that cannot be written is dropped and logged."""
        involved = event.get("involvedObject") or {}
        source = event.get("source") or {}
        subject = (str(source.get("component", "")), str(source.get("host", "")), str(involved.get("uid", "")))
        if not self._admit(subject):
            return
        key = (
            *subject,
            str(involved.get("fieldPath", "")),
            *(str(event.get(f, "")) for f in ("reason", "message", "type")),
        )
        try:
            await self._write(key, event, involved)
        except ApiError as e:
            _log.warning("event %s of %s: %s", event.get("reason"), involved.get("name"), e)

    def _admit(self, subject: tuple[str, ...]) -> bool:
        now = self._clock.monotonic()
        bucket = self._buckets.get(subject) or _Bucket(_BURST, now)
        bucket.tokens = min(_BURST, bucket.tokens + (now - bucket.since) / _REFILL_SECONDS)
        bucket.since = now
        _remember(self._buckets, subject, bucket)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    async def _write(self, key: tuple[str, ...], event: dict[str, Any], involved: dict[str, Any]) -> None:
        now = self._clock.now()
        seen = self._seen.get(key)
        if seen and now - seen.last < _WINDOW_SECONDS:
            patch = {"count": seen.count + 1, "lastTimestamp": rfc3339(now)}
            seen.count, seen.last = seen.count + 1, now
            try:
                await self._client.patch(EVENTS, seen.name, patch, seen.namespace, type=PatchType.STRATEGIC)
                return
            except NotFound:
                pass
        namespace = involved.get("namespace") or "default"
        name = f"{involved.get('name', '')}.{int(now * 1e9):016x}"
        _remember(self._seen, key, _Seen(namespace, name, 1, now))
        stamp = rfc3339(now)
        created = {
            **event,
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
        }
        await self._client.create(EVENTS, created, namespace)


def _remember(table: OrderedDict[tuple[str, ...], _V], key: tuple[str, ...], value: _V) -> None:
    table[key] = value
    table.move_to_end(key)
    while len(table) > _REMEMBERED:
        table.popitem(last=False)
