import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sampan_api.client import Client

sys.path.insert(0, str(Path(__file__).parent))
from api_harness import Http, Running, running
from kubectl_cases import summary


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The cases that wait for a later issue are counted wherever the others were run."""
    if any("test_kubectl_cases" in report.nodeid for report in terminalreporter.getreports("passed")):
        terminalreporter.write_line(summary())
