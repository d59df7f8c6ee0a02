"""Keeps the store's history to the last five to ten minutes. The store never compacts by itself.

Each period the revision is noted in the store with the time, and what is older than the note before is forgotten. As
the note is in the store, it does not matter which master comes next, how many there are, or how often they restart.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import orjson
from sampan_api.clock import Clock

from sampan_master.storage.keys import REGISTRY
from sampan_master.storage.store import Compacted, KeyExists, KeyValue, RevisionMismatch, Store, StoreUnavailable

log = logging.getLogger(__name__)

PERIOD_SECONDS = 300.0
NOTE_KEY = f"{REGISTRY}~compaction"


class Note(NamedTuple):
    at: float
    revision: int


async def compact_periodically(store: Store, clock: Clock, period: float = PERIOD_SECONDS) -> None:
    """Runs until cancelled. Several masters may do it."""
    while True:
        wait = period
        try:
            wait = await _compact_when_due(store, clock, period)
        except StoreUnavailable as error:
            log.warning("no compaction this time: %s", error)
        await clock.sleep(wait)


async def _compact_when_due(store: Store, clock: Clock, period: float) -> float:
    """How long there is nothing to do."""
    current = await store.get(NOTE_KEY)
    note = _read(current)
    now = clock.now()
    if note is not None and 0 <= now - note.at < period:
        return period - (now - note.at)
    # A note of the future was written by a wrong clock; its revision may be new.
    if note is not None and now >= note.at:
        try:
            await store.compact(note.revision)
            log.info("compacted the store up to %d", note.revision)
        except Compacted:
            log.info("the store was compacted up to %d already", note.revision)
    await _write(store, current, Note(now, await store.revision()))
    return period


def _read(stored: KeyValue | None) -> Note | None:
    """None also for what is no note: somebody else's bytes."""
    try:
        content = orjson.loads(stored.value) if stored is not None else {}
        return Note(float(content["at"]), int(content["revision"]))
    except (ValueError, KeyError, TypeError):
        return None


async def _write(store: Store, current: KeyValue | None, note: Note) -> None:
    value = orjson.dumps(note._asdict())
    try:
        if current is None:
            await store.create(NOTE_KEY, value)
        else:
            await store.update(NOTE_KEY, value, expected=current.mod_revision)
    except (KeyExists, RevisionMismatch):
        # Another master noted it at this moment.
        pass
