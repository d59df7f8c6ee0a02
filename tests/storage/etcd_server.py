"""Etcds of the tests' own: random ports, a temporary directory, ended by their pid.

`ETCDS`: what is here, by name: the machine's, and the newer one that `scripts/test` has fetched where it could.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ETCD = shutil.which("etcd") or "/usr/bin/etcd"
FETCHED = sorted(str(path) for path in Path(sys.prefix, "share/sampan").glob("etcd-*/etcd"))


def version_of(program: str) -> str:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except OSError:
        return "missing"
    return said.split()[2]


ETCDS = {f"etcd {version_of(program)}": program for program in (ETCD, *FETCHED)}


def free_port() -> int:
    """None of those that the kernel gives to whoever asks for any: it stays free while its server starts again."""
    first_of_any = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = secrets.randbelow(first_of_any - 19_000) + 19_000
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


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
        deadline = time.monotonic() + 60
        while not self._healthy():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/health", timeout=10) as answer:
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
