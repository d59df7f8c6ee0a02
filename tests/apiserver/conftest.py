import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sampan_api.client import Client

sys.path.insert(0, str(Path(__file__).parent))
from api_harness import Http, Running, running
from fuzzing import LONG
from hypothesis import settings

settings.register_profile("long", max_examples=LONG, derandomize=False)


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running() as one:
        yield one


@pytest.fixture
async def http(api: Running) -> Http:
    return api.http


@pytest.fixture
async def client(api: Running) -> Client:
    return api.client
