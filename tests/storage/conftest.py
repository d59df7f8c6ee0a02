"""Etcds of the tests' own: random ports, a temporary directory, ended by their pid.

What a store must do is tested with every etcd that is here: the machine's, and the newer one that `scripts/test` has
fetched where it could. The end of the run says which they were.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sampan_master.storage.etcd import EtcdStore
from sampan_master.storage.memory import MemoryStore

ETCD = shutil.which("etcd") or "/usr/bin/etcd"
FETCHED = sorted(str(path) for path in Path(sys.prefix, "share/sampan").glob("etcd-*/etcd"))


def version_of(program: str) -> str:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except OSError:
        return "missing"
    return said.split()[2]


ETCDS = {f"etcd {version_of(program)}": program for program in (ETCD, *FETCHED)}
STORES = ["memory", *(pytest.param(name, marks=pytest.mark.etcd) for name in ETCDS)]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class EtcdServer:
    def __init__(self, directory, program=ETCD) -> None:
        self.directory = directory
        self.program = program
        self.client_port, self.peer_port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self.client_port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        client, peer = self.endpoint, f"http://127.0.0.1:{self.peer_port}"
        options = ["--data-dir", str(self.directory), "--name", "test", "--logger", "zap", "--log-level", "error"]
        options += ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer]
        options += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"test={peer}"]
        self.process = subprocess.Popen([self.program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Until it serves: etcd killed while it makes its first log never gets up again.
        deadline = time.monotonic() + 30
        while not self._healthy():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/health", timeout=1) as answer:
                return b'"true"' in answer.read()
        except OSError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


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


async def _eventually(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 10.0) -> None:
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
