"""Parts of a process that must not end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sampan_api.clock import Clock

log = logging.getLogger(__name__)

BACKOFF_FIRST, BACKOFF_LAST = 1.0, 30.0
HEALTHY_SECONDS = 60.0


async def keep_running(name: str, part: Callable[[], Coroutine[Any, Any, None]], clock: Clock) -> None:
    """Starts `part` again whenever it ends or fails, at first after a second, then less and less often."""
    backoff = BACKOFF_FIRST
    while True:
        started = clock.monotonic()
        try:
            await part()
            log.error("%s ended; it is started again in %.0f s", name, backoff)
        except Exception:
            log.exception("%s failed; it is started again in %.0f s", name, backoff)
        if clock.monotonic() - started > HEALTHY_SECONDS:
            backoff = BACKOFF_FIRST
        await clock.sleep(backoff)
        backoff = min(backoff * 2, BACKOFF_LAST)
