"""What a request costs the program that makes it: `HttpsClient` against a master and an etcd of their own, over TLS.

    .venv/bin/python bench/client.py [--requests 5000] [--at-once 64]

Its own CPU time for each GET, creation and watched event, beside the client the benchmarks use (no pool, no retries, no
decoding), which is what sockets, TLS and the event loop cost anyhow.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import uvloop
from cluster import print_machine
from https import Connection
from lone_master import TOKEN, Master, master
from sampan_api.client import CONFIGMAPS, Selection
from sampan_api.clock import RealClock
from sampan_api.https import HttpsClient
from sampan_api.kubeconfig import Access

NAMESPACE = "default"


async def measured(what: str, count: int, at_once: int, one: Callable[[int], Awaitable[object]]) -> None:
    turns = asyncio.Semaphore(at_once)

    async def turn(number: int) -> None:
        async with turns:
            await one(number)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(turn(number) for number in range(count)))
    told(what, count, time.perf_counter() - began, time.process_time() - cpu)


def told(what: str, count: int, seconds: float, cpu: float) -> None:
    print(f"{what}: {count / seconds:,.0f}/s, {cpu / count * 1e6:,.0f} us of CPU here for each, n={count}")


async def bare(running: Master, count: int) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/cm-0"
    connection = await Connection(running.api.host, running.api.context).open()
    await measured("GET, bare connection", count, 1, lambda _number: connection.call("GET", path))
    connection.writer.close()


async def main(running: Master, count: int, at_once: int) -> None:
    access = Access(server=f"https://{running.api.host}", token=TOKEN, verify=False)
    async with HttpsClient(access, RealClock(), "bench") as client:
        before = (await client.list(CONFIGMAPS)).resource_version

        async def create(number: int) -> None:
            made = {"metadata": {"name": f"cm-{number}"}, "data": {"text": "x" * 200}}
            await client.create(CONFIGMAPS, made, NAMESPACE)

        async def get(_number: int) -> None:
            await client.get(CONFIGMAPS, "cm-0", NAMESPACE)

        await measured("create", count, at_once, create)
        await measured("GET", count, at_once, get)
        await bare(running, count)
        began, cpu, seen = time.perf_counter(), time.process_time(), 0
        async with aclosing(client.watch(CONFIGMAPS, before, Selection(NAMESPACE))) as events:
            async for _event in events:
                seen += 1
                if seen == count:
                    break
        told("watched events", seen, time.perf_counter() - began, time.process_time() - cpu)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--requests", type=int, default=5000)
    arguments.add_argument("--at-once", type=int, default=64)
    options = arguments.parse_args()
    print_machine()
    with master() as running:
        uvloop.run(main(running, options.requests, options.at_once))
