"""Holds the cache against the store now and then.

etcd 3.4 is known to have lost watch events in rare cases (etcd issues 17529, 18089, 19179). A cache that missed one
would be wrong until the object changes again, so every few minutes a consistent list is compared with what the cache
believes for the same revision, and the cache is loaded anew when they differ.
"""

from __future__ import annotations

import logging

from sampan_api.clock import Clock

from sampan_master.storage.cache import PAGE, Cache
from sampan_master.storage.entry import read_entry
from sampan_master.storage.keys import REGISTRY, table_of
from sampan_master.storage.store import Compacted, FutureRevision, Store, StoreUnavailable

log = logging.getLogger(__name__)

PERIOD_SECONDS = 600.0


async def audit_periodically(cache: Cache, store: Store, clock: Clock, period: float = PERIOD_SECONDS) -> None:
    """Runs until cancelled."""
    while True:
        await clock.sleep(period)
        try:
            wrong = await differences(cache, store)
            if wrong:
                log.error("the cache differs from the store and is loaded anew: %s", ", ".join(sorted(wrong)[:10]))
                await cache.reload()
        except (StoreUnavailable, Compacted, FutureRevision) as error:
            log.warning("no audit of the cache this time: %s", error)


async def differences(cache: Cache, store: Store) -> set[str]:
    """The keys of which cache and store disagree at one and the same revision."""
    stored, revision = await _stored_revisions(store)
    cached = await cache.revisions_at(revision)
    wrong = {key for key in stored.keys() | cached.keys() if stored.get(key) != cached.get(key)}
    return {key for key in wrong if key in cached or await _is_object(store, key)}


async def _stored_revisions(store: Store) -> tuple[dict[str, int], int]:
    found: dict[str, int] = {}
    start, revision, more = "", 0, True
    while more:
        page = await store.range(REGISTRY, start=start, limit=PAGE, revision=revision)
        found.update((item.key, item.mod_revision) for item in page.items if table_of(item.key))
        revision, more = page.revision, page.more
        start = f"{page.items[-1].key}\0" if page.items else start
    return found, revision


async def _is_object(store: Store, key: str) -> bool:
    found = await store.get(key)
    return found is not None and read_entry(key, found.mod_revision, found.value) is not None
