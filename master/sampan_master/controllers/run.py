from __future__ import annotations

from sampan_api.client import Client
from sampan_api.clock import Clock

from sampan_master.controllers.config import ControllersConfig


async def run(client: Client, clock: Clock, config: ControllersConfig) -> None:
    """Runs every controller until cancelled."""
    while True:
        await clock.sleep(3600)
