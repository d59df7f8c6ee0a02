"""What the cluster benchmarks share: a cluster of their own, and an API client with nothing of ours in it.

The client is the standard library's: what is measured is the server, seen as any client sees it.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import platform
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

SAMPAN = Path(sys.executable).with_name("sampan")


class Api:
    """One keep-alive HTTPS connection with the admin's certificate."""

    def __init__(self, kubeconfig: str) -> None:
        self.kubeconfig = kubeconfig
        config = yaml.safe_load(Path(kubeconfig).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.host = cluster["server"].removeprefix("https://")
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.context = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            self.context.load_cert_chain(pair.name)
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, context=self.context, timeout=120)

    def call(self, method: str, path: str, body: Any = None, media: str = "application/json") -> Any:
        payload = None if body is None else json.dumps(body)
        self.connection.request(method, path, payload, {"Content-Type": media} if payload else {})
        response = self.connection.getresponse()
        data = response.read()
        if response.status >= 400:
            raise SystemExit(f"{method} {path}: {response.status} {data.decode()[:500]}")
        return json.loads(data)

    def watch(self, path: str, revision: str) -> Iterator[dict[str, Any]]:
        connection = self.connect()
        connection.request("GET", f"{path}{'&' if '?' in path else '?'}watch=true&resourceVersion={revision}")
        response = connection.getresponse()
        while line := response.readline():
            yield json.loads(line)


class PodWatcher:
    """Notes when each pod was first seen in a state, by this process's monotonic clock."""

    def __init__(self, api: Api, namespace: str) -> None:
        path = f"/api/v1/namespaces/{namespace}/pods"
        self.moments: dict[tuple[str, str], float] = {}
        self.changed = threading.Condition()
        revision = api.call("GET", path)["metadata"]["resourceVersion"]
        self.thread = threading.Thread(target=self._follow, args=(api, path, revision), daemon=True)
        self.thread.start()

    def _follow(self, api: Api, path: str, revision: str) -> None:
        for event in api.watch(path, revision):
            pod, now = event["object"], time.monotonic()
            name = pod["metadata"]["name"]
            with self.changed:
                if event["type"] == "DELETED":
                    self.moments.setdefault((name, "deleted"), now)
                for condition in pod.get("status", {}).get("conditions", []):
                    if condition["status"] == "True":
                        self.moments.setdefault((name, condition["type"]), now)
                self.changed.notify_all()

    def wait(self, done: Callable[[dict[tuple[str, str], float]], bool], timeout: float = 120) -> None:
        with self.changed:
            if not self.changed.wait_for(lambda: done(self.moments), timeout):
                raise SystemExit(f"not within {timeout} s; seen: {sorted(self.moments)[:40]}")

    def count(self, state: str, prefix: str = "") -> int:
        return sum(1 for name, seen in self.moments if seen == state and name.startswith(prefix))


@contextmanager
def cluster(nodes: int = 3) -> Iterator[str]:
    """A cluster for this benchmark alone; yields the path of its kubeconfig and takes it down in the end."""
    name = f"bench{os.getpid()}"
    began = time.monotonic()
    subprocess.run(
        [SAMPAN, "up", "--cluster", name, "--nodes", str(nodes), "--port", "26443", "--no-apply"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    print(f"sampan up, {nodes} nodes, until all Ready: {time.monotonic() - began:.2f} s")
    try:
        out = subprocess.run([SAMPAN, "kubeconfig", "--cluster", name], check=True, capture_output=True, text=True)
        yield out.stdout.strip()
    finally:
        subprocess.run([SAMPAN, "down", "--cluster", name], check=True, stdout=subprocess.DEVNULL)


def quantiles(values: list[float]) -> str:
    ordered = sorted(values)

    def at(part: float) -> float:
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    return f"p50 {at(0.5) * 1e3:.0f} ms, p90 {at(0.9) * 1e3:.0f} ms, p99 {at(0.99) * 1e3:.0f} ms, n={len(ordered)}"


def print_machine() -> None:
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores, load {load}")
