from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from linked import Cluster


@pytest.fixture
async def cluster(tmp_path, monkeypatch):
    # Routes are this machine's: the peers of a test must not get any.
    monkeypatch.setattr("sampan_agent.routes.apply", lambda wanted: None)
    made = Cluster(tmp_path)
    await made.start()
    yield made
    await made.stop()
