import sys
from pathlib import Path

import pytest_asyncio
from sampan_api.clock import RealClock, VirtualClock

sys.path.insert(0, str(Path(__file__).parents[1] / "controllers"))
from cluster import Cluster


@pytest_asyncio.fixture
async def cluster():
    made = Cluster(RealClock())
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def timeless():
    """A cluster whose clock stands still until it is advanced."""
    made = Cluster(VirtualClock())
    await made.start()
    yield made
    await made.stop()
