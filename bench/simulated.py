"""Pods created through the HTTPS API, scheduled, bound through etcd and reported running by simulated nodes.

    .venv/bin/python bench/simulated.py [--nodes 1000] [--pods 5000] [--connections 48]
    .venv/bin/python bench/simulated.py --pods 20000 --hold 600     # then held: API latencies, memory and its slope

A master, an etcd and a simulation of their own, each a process; this one creates and watches. What a pod costs each of
them is their CPU time over the whole way: create, bind, event, status. The peer on a machine like this one: the real
thing bound 159 pods/s with 5,000 such nodes (docs/ARCHITECTURE.md, Budgets).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import orjson
from cluster import print_machine, quantiles
from https import Connection, Request, all_at
from lone_master import Master, cpu_seconds, master, pss_mb

JSON, MERGE = "application/json", "application/merge-patch+json"
NAMESPACE = "bench"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
SAMPLE_SECONDS = 10.0
SIM = """
nodes:
- name: node
  capacity: {cpu: 32, memory: 128Gi, pods: 110}
  zones: [a, b, c, d]
  region: bench
"""


def pod(number: int) -> bytes:
    requests = {"cpu": "100m", "memory": "256Mi"}
    container = {"name": "app", "image": "registry.example.com/app:1.2.3", "resources": {"requests": requests}}
    metadata = {"name": f"pod-{number}", "labels": {"app": f"app-{number % 100}"}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}).encode()


@dataclass
class Seen:
    """When each pod was sent, seen bound and seen Ready, by this process's clock."""

    sent: dict[str, float] = field(default_factory=dict)
    bound: dict[str, float] = field(default_factory=dict)
    ready: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, obj: dict[str, object], now: float) -> None:
        name = obj["metadata"]["name"]
        if obj["spec"].get("nodeName"):
            self.bound.setdefault(name, now)
            if any(one["type"] == "Ready" and one["status"] == "True" for one in obj["status"].get("conditions", ())):
                self.ready.setdefault(name, now)
        self.changed.set()

    async def until_ready(self, count: int, seconds: float) -> None:
        deadline = time.perf_counter() + seconds
        while len(self.ready) < count:
            self.changed.clear()
            left = deadline - time.perf_counter()
            if left <= 0:
                raise SystemExit(f"{len(self.bound)} of {count} pods bound and {len(self.ready)} Ready in {seconds} s")
            await asyncio.wait({asyncio.ensure_future(self.changed.wait())}, timeout=min(left, 1.0))


@contextmanager
def simulation(server: Master, nodes: int) -> Iterator[int]:
    """The process id of a simulation whose nodes are all there."""
    directory = Path(server.api.kubeconfig).parent
    said = directory / "sim.yaml"
    said.write_text(SIM)
    command = [sys.executable, "-m", "sampan_sim", "--kubeconfig", server.api.kubeconfig, "--nodes", str(nodes)]
    began = time.perf_counter()
    with open(directory / "sim.log", "w") as log:
        process = subprocess.Popen([*command, "-f", said, "--keep"], stdout=log, stderr=log)
    try:
        while (found := ready_nodes(server)) < nodes:
            if process.poll() is not None:
                raise SystemExit((directory / "sim.log").read_text())
            time.sleep(0.2)
        print(f"{found} simulated nodes Ready and untainted: {time.perf_counter() - began:.1f} s")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        print("sim:", (directory / "sim.log").read_text().strip().splitlines()[-1])


def ready_nodes(server: Master) -> int:
    nodes = server.api.call("GET", "/api/v1/nodes")["items"]
    return sum(1 for node in nodes if not node["spec"].get("taints"))


@asynccontextmanager
async def watched(server: Master) -> AsyncIterator[Seen]:
    seen = Seen()
    revision = server.api.call("GET", PODS)["metadata"]["resourceVersion"]
    connection = await Connection(server.api.host, server.api.context).open()
    connection.send("GET", f"{PODS}?watch=true&resourceVersion={revision}")

    async def follow() -> None:
        await connection.head()
        rest = b""
        async for chunk in connection.chunks():
            now = time.perf_counter()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                seen.note(orjson.loads(line)["object"], now)

    following = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        following.cancel()
        connection.close()


async def flood(server: Master, sim: int, options: argparse.Namespace) -> None:
    watchers = {"master": server.pid, "etcd": server.etcd_pid, "sim": sim, "this program": os.getpid()}
    async with watched(server) as seen:
        connections = [await Connection(server.api.host, server.api.context).open() for _ in range(options.connections)]
        began, cpu = time.perf_counter(), {name: cpu_seconds(pid) for name, pid in watchers.items()}

        def requests() -> Iterator[Request]:
            for number in range(options.pods):
                seen.sent[f"pod-{number}"] = time.perf_counter()
                yield "POST", PODS, pod(number), JSON

        taken = await all_at(connections, requests())
        created = time.perf_counter() - began
        await seen.until_ready(options.pods, 60 + options.pods / 50)
    bound, ready = max(seen.bound.values()) - began, max(seen.ready.values()) - began
    count = options.pods
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"create, {options.connections} connections: {count / created:,.0f}/s, {quantiles(taken)}")
    print(f"bound: {count / bound:,.0f}/s; Ready: {count / ready:,.0f}/s; load {load}")
    print(f"create sent → seen bound: {quantiles([seen.bound[name] - at for name, at in seen.sent.items()])}")
    print(f"create sent → seen Ready: {quantiles([seen.ready[name] - at for name, at in seen.sent.items()])}")
    used = {name: (cpu_seconds(pid) - cpu[name]) / count * 1e6 for name, pid in watchers.items()}
    print("CPU for each pod: " + ", ".join(f"{name} {spent:,.0f} us" for name, spent in used.items()))
    for connection in connections:
        connection.close()


@dataclass
class Memory:
    """PSS of a process over time, in MB."""

    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)

    def sample(self, now: float) -> None:
        self.samples.append((now, pss_mb(self.pid)))

    def said(self) -> str:
        at = [mb for _, mb in self.samples]
        last = self.samples[-max(len(at) // 3, 2) :]
        return (
            f"{at[0]:.0f} → {at[len(at) // 2]:.0f} → {at[-1]:.0f} MB, {slope(self.samples):+.2f} MB/min,"
            f" in the last third {slope(last):+.2f}"
        )


def slope(samples: list[tuple[float, float]]) -> float:
    """Of the straight line through the samples (least squares), for a minute."""
    mean_t, mean = (sum(part) / len(samples) for part in zip(*samples, strict=True))
    spread = sum((t - mean_t) ** 2 for t, _ in samples) or 1.0
    return sum((t - mean_t) * (mb - mean) for t, mb in samples) / spread * 60


async def hold(server: Master, sim: int, options: argparse.Namespace) -> None:
    """One request at a time, one after the other, with short rests: what a client meets while nothing else is done."""
    memories = {"master": Memory(server.pid), "etcd": Memory(server.etcd_pid), "sim": Memory(sim)}
    connection = await Connection(server.api.host, server.api.context).open()
    taken: dict[str, list[float]] = {"GET": [], "PATCH": [], "LIST": []}
    cpu = {name: cpu_seconds(memory.pid) for name, memory in memories.items()}
    began = last = time.perf_counter()
    for memory in memories.values():
        memory.sample(0.0)
    for number in itertools.count():
        name = f"{PODS}/pod-{number * 37 % options.pods}"
        label = json.dumps({"metadata": {"labels": {"turn": str(number)}}}).encode()
        calls: list[tuple[str, Request]] = [
            ("GET", ("GET", name, b"", JSON)),
            ("PATCH", ("PATCH", name, label, MERGE)),
        ]
        if number % 50 == 0:
            calls.append(("LIST", ("GET", PODS, b"", JSON)))
        for what, request in calls:
            taken[what] += await all_at([connection], [request])
            await asyncio.sleep(0.05)
        now = time.perf_counter()
        if now - last >= SAMPLE_SECONDS:
            last = now
            for memory in memories.values():
                memory.sample(now - began)
        if now - began >= options.hold:
            break
    for what, seconds in taken.items():
        print(f"held {options.hold:.0f} s, {what}: {quantiles(seconds)}, most {max(seconds) * 1e3:.0f} ms")
    for who, memory in memories.items():
        share = (cpu_seconds(memory.pid) - cpu[who]) / (time.perf_counter() - began)
        print(f"{who}: {memory.said()}; {share:.0%} of a core")
    print("load " + " ".join(f"{value:.2f}" for value in os.getloadavg()))
    connection.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--nodes", type=int, default=1000)
    arguments.add_argument("--pods", type=int, default=5000)
    arguments.add_argument("--connections", type=int, default=48)
    arguments.add_argument("--hold", type=float, default=0, help="seconds to hold the pods and measure meanwhile")
    arguments.add_argument("--pause", action="store_true", help="wait for Enter before the pods (to attach a profiler)")
    options = arguments.parse_args()
    print_machine()
    etcd = subprocess.run(["etcd", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    print(f"sampan {version('sampan')}, {etcd}, {options.nodes} nodes, {options.pods} pods")
    # The simulation's nodes are judged as any others.
    with master("--node-monitor-grace-seconds", "50") as server, simulation(server, options.nodes) as sim:
        server.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        time.sleep(2)
        if options.pause:
            input(f"master {server.pid}, sim {sim}: Enter to go on ")
        asyncio.run(flood(server, sim, options))
        if options.hold:
            asyncio.run(hold(server, sim, options))


if __name__ == "__main__":
    main()
