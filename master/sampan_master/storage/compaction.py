"""Keeps the store's history to about the last minutes. The store never compacts by itself."""

from __future__ import annotations

import logging

from sampan_api.clock import Clock

from sampan_master.storage.store import Compacted, Store, StoreUnavailable

log = logging.getLogger(__name__)

PERIOD_SECONDS = 300.0


async def compact_periodically(store: Store, clock: Clock, period: float = PERIOD_SECONDS) -> None:
    """Every `period`, forgets what is older than the period before. Several masters may do it: the later one finds it
    done. Runs until cancelled."""
    last = 0
    while True:
        try:
            now = await store.revision()
            if last:
                await store.compact(last)
                log.info("compacted the store up to %d", last)
            last = now
        except Compacted:
            last = now
        except StoreUnavailable as error:
            log.warning("no compaction this time: %s", error)
        await clock.sleep(period)
