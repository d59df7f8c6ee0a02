"""The stores, each a fixture. What a store must do is tested with every etcd that is here; the end of the run says
which they were."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sampan_master.storage.etcd import EtcdStore
from sampan_master.storage.memory import MemoryStore

sys.path.insert(0, str(Path(__file__).parent))
from etcd_server import ETCDS, FETCHED, EtcdServer

STORES = ["memory", *(pytest.param(name, marks=pytest.mark.etcd) for name in ETCDS)]


@pytest.fixture(scope="session")
def shared_etcds(tmp_path_factory):
    """By name, started when first asked for."""
    running = {}
    with ExitStack() as stack:

        def get(name):
            if name not in running:
                running[name] = EtcdServer(tmp_path_factory.mktemp("etcd"), ETCDS[name])
                running[name].start()
                stack.callback(running[name].kill)
            return running[name]

        yield get


@pytest.fixture
def own_etcd(tmp_path):
    server = EtcdServer(tmp_path / "etcd")
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=STORES)
async def store(request, shared_etcds):
    if request.param == "memory":
        made = MemoryStore()
    else:
        made = EtcdStore(shared_etcds(request.param).endpoint)
        for item in (await made.range("/")).items:
            await made.delete(item.key, expected=item.mod_revision)
    yield made
    await made.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if any("test_store_contract" in report.nodeid for report in terminalreporter.getreports("passed")):
        terminalreporter.write_line(f"stores under the contract: memory, {', '.join(ETCDS)}")
        if not FETCHED:
            terminalreporter.write_line("no etcd newer than the machine's was here: scripts/test fetches one")


async def _eventually(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        holds = condition()
        if asyncio.iscoroutine(holds):
            holds = await holds
        if holds:
            return
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)


@pytest.fixture
def eventually():
    return _eventually
