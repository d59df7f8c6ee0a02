"""A master and an etcd for benchmarks of the API alone: no nodes, a token for programs that know no certificates."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import Api

TOKEN = "bench-token"


@dataclass(frozen=True)
class Master:
    api: Api
    pid: int
    etcd_pid: int

    def memory_mb(self) -> tuple[float, float]:
        """PSS of the master and of etcd."""
        return pss_mb(self.pid), pss_mb(self.etcd_pid)


def pss_mb(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0]) / 1024


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def master(*flags: str) -> Iterator[Master]:
    directory = Path(tempfile.mkdtemp(prefix="sampan-bench-"))
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    etcd = subprocess.Popen(
        ["etcd", "--data-dir", directory / "etcd", "--name", "bench", "--logger", "zap", "--log-level", "error",
         "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
         "--initial-advertise-peer-urls", peer, "--initial-cluster", f"bench={peer}",
         "--quota-backend-bytes", str(4 << 30), "--snapshot-count", "10000"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    tokens = directory / "tokens.csv"
    tokens.write_text(f'{TOKEN},bench,bench,"system:masters"\n')
    tokens.chmod(0o600)
    address = f"127.0.0.1:{free_port()}"
    with open(directory / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sampan_master", "--data-dir", directory / "master", "--etcd", client,
             "--listen", address, "--node-listen", f"127.0.0.1:{free_port()}", "--join-listen",
             f"127.0.0.1:{free_port()}", "--token-auth-file", tokens, "--node-monitor-grace-seconds", "360000", *flags],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield Master(_ready(directory, process), process.pid, etcd.pid)
    finally:
        for child in (process, etcd):
            child.terminate()
            child.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _ready(directory: Path, process: subprocess.Popen[bytes]) -> Api:
    deadline = time.monotonic() + 60
    kubeconfig = directory / "master" / "admin.kubeconfig"
    while time.monotonic() < deadline and process.poll() is None:
        if kubeconfig.exists():
            api = Api(str(kubeconfig))
            try:
                with urllib.request.urlopen(f"https://{api.host}/readyz", context=api.context, timeout=2):
                    return api
            except (OSError, urllib.error.URLError):
                pass
        time.sleep(0.05)
    raise SystemExit(f"the master did not get ready:\n{(directory / 'log').read_text()[-3000:]}")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
