from __future__ import annotations

from sampan_api.client import Client
from sampan_api.clock import Clock
from sampan_master.scheduler.config import SchedulerConfig


async def run(client: Client, clock: Clock, config: SchedulerConfig = SchedulerConfig()) -> None:
    """Schedules pods until cancelled."""
    while True:
        await clock.sleep(3600)
