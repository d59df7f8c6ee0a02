"""Fifty writers compare and swap ten objects through the HTTPS API while the master is killed and started again.

What they were answered must be linearizable, object by object; what the store has kept must be what was answered; and
watches that resume from where they were must tell every revision once, in order, whatever broke them off.

`SAMPAN_PROOF_KILLS=100` makes it a long run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from etcd_server import EtcdServer, free_port
from history import History, Seen, Write, expected_events
from master_process import Process
from sampan_master.storage.etcd import EtcdStore
from wire import Connection, NoAnswer, NotSent

pytestmark = pytest.mark.etcd

KILLS = int(os.environ.get("SAMPAN_PROOF_KILLS", "3"))
WRITERS, OBJECTS = 50, 10
ACKNOWLEDGED_BETWEEN_KILLS = 100
MAPS = "/api/v1/namespaces/proof/configmaps"
KEYS = "/registry/configmaps/proof/"
NAMES = [f"register-{n}" for n in range(OBJECTS)]
CONFLICT, NOT_FOUND = 409, 404


def config_map(name: str, value: str, version: str = "") -> dict[str, Any]:
    # The label is what one of the watches selects by.
    metadata = {"name": name, "namespace": "proof", "labels": {"side": value[0]}}
    if version:
        metadata["resourceVersion"] = version
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}


def value_of(obj: dict[str, Any]) -> str:
    return obj["data"]["value"]


class Writer:
    """Remembers what it saw of each object, and swaps on that basis: the older it is, the surer the refusal."""

    def __init__(self, number: int, connection: Connection, history: History) -> None:
        self._number = number
        self._connection = connection
        self._history = history
        self._count = 0
        self._known: dict[str, tuple[str, str] | None] = {}
        self._random = random.Random(number)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            name = self._random.choice(NAMES)
            try:
                if name not in self._known or self._random.random() < 0.2:
                    await self._read(name)
                else:
                    await self._write(name)
            except NotSent:
                await asyncio.sleep(0.05)
        self._connection.close()

    async def _read(self, name: str) -> None:
        asked = time.monotonic()
        try:
            status, obj = await self._connection.request("GET", f"{MAPS}/{name}")
        except NoAnswer:
            return
        if status >= 500:
            return
        assert status in (200, NOT_FOUND), obj
        self._learn(name, obj if status == 200 else None)
        self._history.read(name, asked, time.monotonic(), value_of(obj) if status == 200 else None)

    def _learn(self, name: str, obj: dict[str, Any] | None) -> None:
        self._known[name] = None if obj is None else (value_of(obj), obj["metadata"]["resourceVersion"])

    async def _write(self, name: str) -> None:
        expected, version = self._known[name] or (None, "")
        new: str | None = f"{self._random.choice('ab')}-{self._number}-{self._count}"
        self._count += 1
        if expected is None:
            method, path, body = "POST", MAPS, config_map(name, new)
        elif self._random.random() < 0.1:
            new = None
            method, path, body = "DELETE", f"{MAPS}/{name}", {"preconditions": {"resourceVersion": version}}
        else:
            method, path, body = "PUT", f"{MAPS}/{name}", config_map(name, new, version)
        asked = time.monotonic()
        try:
            status, obj = await self._connection.request(method, path, body)
        except NoAnswer:
            self._history.unknown(name, asked, expected, new)
            return
        self._answered(name, (asked, time.monotonic()), expected, new, status, obj)

    def _answered(
        self, name: str, moments: tuple[float, float], expected: str | None, new: str | None, status: int, obj: Any
    ) -> None:
        if status >= 500:
            self._history.unknown(name, moments[0], expected, new)
        elif status == CONFLICT:
            self._history.refused(name, *moments, expected)
            self._known.pop(name)
        elif status == NOT_FOUND:
            self._history.read(name, *moments, None)
            self._learn(name, None)
        else:
            assert status in (200, 201), obj
            revision = int(obj["metadata"]["resourceVersion"]) if new is not None else 0
            self._history.swapped(name, *moments, expected, new, revision)
            self._learn(name, obj if new is not None else None)


class Watching:
    """One watch after the other, each from where the one before ended, be it in time or broken off."""

    def __init__(self, connection: Connection, query: str, start: str) -> None:
        self._connection = connection
        self._query = query
        self._version = start
        self.seen: list[Seen] = []
        self.streams = 0

    async def run(self) -> None:
        while True:
            query = f"watch=true&allowWatchBookmarks=true&resourceVersion={self._version}&{self._query}"
            path = f"{MAPS}?{query}&timeoutSeconds={random.randint(1, 4)}"
            try:
                async with aclosing(self._connection.lines(path)) as lines:
                    self.streams += 1
                    async for event in lines:
                        self._take(event)
            except (NotSent, NoAnswer):
                await asyncio.sleep(0.05)

    def _take(self, event: dict[str, Any]) -> None:
        obj = event["object"]
        assert event["type"] != "ERROR", obj
        self._version = obj["metadata"]["resourceVersion"]
        if event["type"] != "BOOKMARK" and obj["metadata"]["name"] in NAMES:
            self.seen.append(Seen(event["type"], obj["metadata"]["name"], int(self._version), value_of(obj)))


class Cluster:
    """An etcd, and a master on it that is killed and started again on the same port."""

    def __init__(self, directory: Path, etcd: EtcdServer) -> None:
        self.port = free_port()
        self._directory = directory
        self.etcd = etcd
        self._master: Process | None = None

    async def start(self) -> None:
        options = ("--etcd", self.etcd.endpoint, "--listen", f"127.0.0.1:{self.port}")
        self._master = Process(self._directory, *options)
        await asyncio.to_thread(self._master.wait_until_ready)

    async def kill(self) -> None:
        if self._master is not None:
            await asyncio.to_thread(self._master.close)

    def context(self) -> ssl.SSLContext:
        assert self._master is not None
        return self._master.context()


async def follow(store: EtcdStore, writes: list[Write]) -> None:
    """What happens to the registers, from etcd itself."""
    standing: dict[str, str | None] = {}
    async with aclosing(store.watch(KEYS, after=0)) as batches:
        async for batch in batches:
            for event in batch.events:
                name = event.key.removeprefix(KEYS)
                if name in NAMES:
                    value = None if event.value is None else value_of(json.loads(event.value))
                    writes.append(Write(name, event.revision, value, standing.get(name)))
                    standing[name] = value


async def finish(connection: Connection, history: History) -> int:
    """A last write of every register that each watch must tell; the revision of the last of them."""
    revision = 0
    for name in NAMES:
        status, obj = await connection.request("GET", f"{MAPS}/{name}")
        expected, version = (value_of(obj), obj["metadata"]["resourceVersion"]) if status == 200 else (None, "")
        new, asked = f"a-last-{name}", time.monotonic()
        method, path = ("PUT", f"{MAPS}/{name}") if expected is not None else ("POST", MAPS)
        status, obj = await connection.request(method, path, config_map(name, new, version))
        assert status in (200, 201), obj
        revision = int(obj["metadata"]["resourceVersion"])
        history.swapped(name, asked, time.monotonic(), expected, new, revision)
    return revision


WATCHES: dict[str, dict[str, Any]] = {
    "": {},
    "fieldSelector=metadata.name%3Dregister-3": {"names": frozenset({"register-3"})},
    "labelSelector=side%3Da": {"wanted": "a"},
    "labelSelector=side+in+(a,c)": {"wanted": "a"},
}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    etcd = EtcdServer(tmp_path / "etcd")
    await asyncio.to_thread(etcd.start)
    made = Cluster(tmp_path, etcd)
    await made.start()
    yield made
    await made.kill()
    await asyncio.to_thread(etcd.kill)


async def eventually(condition: Callable[[], bool], tasks: Iterable[asyncio.Task[None]], seconds: float = 60.0) -> None:
    """A task that fails meanwhile is what is told."""
    deadline = time.monotonic() + seconds
    while not condition():
        for task in tasks:
            if task.done():
                task.result()
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


async def test_what_clients_see_while_the_master_is_killed_is_one_history(cluster: Cluster) -> None:
    history, writes, store = History(), [], EtcdStore(cluster.etcd.endpoint)
    context = cluster.context()
    steady = Connection(cluster.port, context)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "proof"}}
    assert (await steady.request("POST", "/api/v1/namespaces", namespace))[0] == 201
    start = (await steady.request("GET", MAPS))[1]["metadata"]["resourceVersion"]
    watches = {query: Watching(Connection(cluster.port, context), query, start) for query in WATCHES}
    stop = asyncio.Event()
    writers = [Writer(number, Connection(cluster.port, context), history) for number in range(WRITERS)]
    background = [asyncio.create_task(follow(store, writes)), *(asyncio.create_task(w.run()) for w in watches.values())]
    writing = [asyncio.create_task(writer.run(stop)) for writer in writers]
    for kill in range(KILLS + 1):
        enough = len(history.acknowledged) + ACKNOWLEDGED_BETWEEN_KILLS
        await eventually(lambda enough=enough: len(history.acknowledged) >= enough, background + writing)
        if kill < KILLS:
            await cluster.kill()
            await cluster.start()
    stop.set()
    await asyncio.gather(*writing)
    last = await finish(steady, history)
    await eventually(lambda: bool(writes) and writes[-1].revision >= last, background)
    for query, watch in watches.items():
        expected = expected_events(writes, **WATCHES[query])
        await eventually(lambda w=watch, e=expected: bool(w.seen) and w.seen[-1].revision >= e[-1].revision, background)
        assert watch.seen == expected, query
        assert watch.streams > KILLS
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    await store.close()
    steady.close()
    history.check_against(writes)
    history.check_linearizable()
    assert len(history.acknowledged) >= (KILLS + 1) * ACKNOWLEDGED_BETWEEN_KILLS
