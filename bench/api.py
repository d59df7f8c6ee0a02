"""The API server with 20,000 pods over real etcd: reads, lists, writes, and a change on its way to 200 watchers.

    .venv/bin/python bench/api.py [--pods 20000] [--watchers 200] [--seconds 5]

Needs etcd and wrk (apt-get install wrk). The peers on a machine like this one are the real API server's figures in
docs/ARCHITECTURE.md, Budgets. Latencies are one request at a time unless a number of connections is said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import time

from cluster import print_machine, quantiles
from https import Connection, Request, all_at
from lone_master import TOKEN, Master, cpu_seconds, master

JSON, MERGE = "application/json", "application/merge-patch+json"
SMALL, LARGE, SMALL_PODS = "small", "large", 2000
NODES = 200


def pod(number: int) -> bytes:
    """About 1.75 kB when stored, as pods of the real thing are."""
    env = [{"name": f"VARIABLE_{i}", "value": "some value of the application"} for i in range(6)]
    container = {
        "name": "app",
        "image": "registry.example.com/team/app:1.2.3",
        "env": env,
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    }
    labels = {"app": f"app-{number % 100}", "tier": "backend"}
    spec = {"nodeName": f"node-{number % NODES}", "containers": [container]}
    return json.dumps({"metadata": {"name": f"pod-{number}", "labels": labels}, "spec": spec}).encode()


def place(number: int) -> str:
    return SMALL if number < SMALL_PODS else LARGE


def pods_of(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


async def fill(server: Master, pods: int) -> None:
    for name in (SMALL, LARGE):
        server.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    for number in range(NODES):  # Pods of nodes that do not exist would be removed.
        server.api.call("POST", "/api/v1/nodes", {"metadata": {"name": f"node-{number}"}})
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        server.api.call("PATCH", f"/api/v1/nodes/node-{number}/status", ready, MERGE)
    while True:
        accounts = server.api.call("GET", "/api/v1/serviceaccounts")["items"]
        if {SMALL, LARGE} <= {account["metadata"]["namespace"] for account in accounts}:
            break
        await asyncio.sleep(0.1)
    connections = await opened(server, 48)
    began, cpu = time.perf_counter(), cpu_seconds(server.pid)
    taken = await all_at(connections, (("POST", pods_of(place(i)), pod(i), JSON) for i in range(pods)))
    seconds = time.perf_counter() - began
    used = (cpu_seconds(server.pid) - cpu) / pods
    print(f"create, 48 connections: {pods / seconds:,.0f}/s, {quantiles(taken)}; {used * 1e6:.0f} us of CPU each")
    close(connections)


async def opened(server: Master, count: int) -> list[Connection]:
    return [await Connection(server.api.host, server.api.context).open() for _ in range(count)]


def close(connections: list[Connection]) -> None:
    for connection in connections:
        connection.close()


async def one_by_one(server: Master, what: str, requests: list[Request]) -> None:
    connections = await opened(server, 1)
    print(f"{what}: {quantiles(await all_at(connections, requests))}")
    close(connections)


async def reads(server: Master, pods: int) -> None:
    def get(path: str, times: int) -> list[Request]:
        return [("GET", path, b"", JSON)] * times

    await one_by_one(server, "GET", [("GET", f"{pods_of(place(i))}/pod-{i}", b"", JSON) for i in range(0, pods, 40)])
    await one_by_one(server, f"LIST {pods:,}", get("/api/v1/pods", 10))
    await one_by_one(server, "LIST by label", get("/api/v1/pods?labelSelector=app%3Dapp-7", 50))
    await one_by_one(server, "LIST by node", get("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-7", 50))
    await one_by_one(server, "LIST limit=500", get("/api/v1/pods?limit=500", 50))


async def writes(server: Master, pods: int) -> None:
    def patch(number: int, value: str) -> Request:
        body = json.dumps({"metadata": {"labels": {"bench": value}}}).encode()
        return "PATCH", f"{pods_of(place(number))}/pod-{number}", body, MERGE

    await one_by_one(server, "PATCH", [patch(i, "one") for i in range(0, pods, 40)])
    await one_by_one(server, "POST", [("POST", pods_of(LARGE), pod(pods + i), JSON) for i in range(500)])
    connections = await opened(server, 48)
    began = time.perf_counter()
    taken = await all_at(connections, (patch(i, "many") for i in range(0, pods, 10)))
    print(f"PATCH, 48 connections: {len(taken) / (time.perf_counter() - began):,.0f}/s, {quantiles(taken)}")
    close(connections)


async def fan_out(server: Master, watchers: int) -> None:
    """From the moment a patch is sent until a watcher has its event; all in this one process, which costs it time."""
    seen: list[float] = []

    async def follow(connection: Connection) -> None:
        connection.send("GET", f"{pods_of(SMALL)}?watch=true&resourceVersion={revision}")
        await connection.head()
        async for chunk in connection.chunks():
            now, rest = time.perf_counter(), chunk.partition(b'"stamp":"')[2]
            if rest:
                seen.append(now - float(rest.partition(b'"')[0]))

    revision = server.api.call("GET", f"{pods_of(SMALL)}?limit=1")["metadata"]["resourceVersion"]
    connections = await opened(server, watchers)
    following = [asyncio.create_task(follow(connection)) for connection in connections]
    await asyncio.sleep(1)
    (writer,) = await opened(server, 1)
    answered = []
    for number in range(50):
        began = time.perf_counter()
        body = json.dumps({"metadata": {"annotations": {"stamp": str(began)}}}).encode()
        await writer.call("PATCH", f"{pods_of(SMALL)}/pod-{number}", body, MERGE)
        answered.append(time.perf_counter() - began)
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    close([*connections, writer])
    print(f"a patch is answered: {quantiles(answered)}; seen by {watchers} watchers: {quantiles(seen)}")


def throughput(server: Master, what: str, path: str, connections: int, seconds: int) -> None:
    argv = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency"]
    url = f"https://{server.api.host}{path}"
    cpu = cpu_seconds(server.pid)
    out = subprocess.run(
        [*argv, "-H", f"Authorization: Bearer {TOKEN}", url], capture_output=True, text=True, check=True
    )
    cpu = cpu_seconds(server.pid) - cpu
    refused = out.stdout.partition("Non-2xx or 3xx responses:")[2].split()
    rate = float(out.stdout.partition("Requests/sec:")[2].split()[0])
    p99 = out.stdout.partition("99%")[2].split()[0]
    each = cpu / seconds / rate * 1e3
    refusals = f"; {refused[0]} ANSWERS WERE ERRORS" if refused else ""
    print(f"{what}, wrk, {connections} connections: {rate:,.1f}/s, p99 {p99}; {each:.2f} ms of CPU each{refusals}")


async def measure(server: Master, options: argparse.Namespace) -> None:
    print("master, etcd at the start: {:.0f} MB, {:.0f} MB PSS".format(*server.memory_mb()))
    await fill(server, options.pods)
    print("with {:,} pods: {:.0f} MB, {:.0f} MB PSS".format(options.pods, *server.memory_mb()))
    await reads(server, options.pods)
    throughput(server, "GET", f"{pods_of(SMALL)}/pod-1", 32, options.seconds)
    throughput(server, f"LIST {SMALL_PODS:,}", pods_of(SMALL), 4, options.seconds)
    await writes(server, options.pods)
    await fan_out(server, options.watchers)
    print("in the end: {:.0f} MB, {:.0f} MB PSS".format(*server.memory_mb()))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pods", type=int, default=20_000)
    arguments.add_argument("--watchers", type=int, default=200)
    arguments.add_argument("--seconds", type=int, default=5)
    options = arguments.parse_args()
    for program in ("etcd", "wrk"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is missing: apt-get install {'etcd-server' if program == 'etcd' else program}")
    print_machine()
    with master() as server:
        asyncio.run(measure(server, options))


if __name__ == "__main__":
    main()
