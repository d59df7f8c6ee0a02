"""An API server in this process, over a store in memory, reached by real HTTP on a loopback port."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sampan_api.client import Client, UserInfo
from sampan_api.clock import Clock, RealClock
from sampan_master.apiserver.server import ApiServer, ApiServerConfig
from sampan_master.storage import Cache, Storage
from sampan_master.storage.memory import MemoryStore

ADMIN = UserInfo("admin", ["system:masters"])
TOKEN = "secret-token"
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
IMAGE = "registry.k8s.io/e2e-test-images/busybox:1.37.0-1"


@dataclass
class Answer:
    code: int
    headers: list[tuple[str, str]]
    raw: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name.lower()), "")

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def text(self) -> str:
        return self.raw.decode()


@dataclass
class Stream:
    """An answer that is still coming: lines of JSON, or raw bytes."""

    code: int
    headers: list[tuple[str, str]]
    reader: asyncio.StreamReader
    buffer: bytes = b""
    ended: bool = False

    async def chunk(self) -> bytes:
        """The next piece of the body; b"" at its (clean) end."""
        size = int(await asyncio.wait_for(self.reader.readline(), 60), 16)
        data = await self.reader.readexactly(size + 2)
        self.ended = size == 0
        return data[:-2]

    async def event(self) -> Any:
        """The next line as JSON; None at the end."""
        while b"\n" not in self.buffer:
            data = await self.chunk()
            if self.ended:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)


@dataclass
class Http:
    """A small HTTP/1.1 client: one connection per request, nothing hidden."""

    address: tuple[str, int]
    context: ssl.SSLContext | None = None
    defaults: dict[str, str] = field(default_factory=dict)

    async def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, *, close: bool = True
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address, ssl=self.context)
        data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else b""
        if body is not None and not isinstance(body, bytes | str):
            data = json.dumps(body).encode()
        sent = {"Host": "test", **self.defaults, **(headers or {})}
        if close:
            sent.setdefault("Connection", "close")
        if data or method in ("POST", "PUT", "PATCH"):
            sent["Content-Length"] = str(len(data))
        head = [f"{method} {path.replace(' ', '%20')} HTTP/1.1"]
        head += [f"{name}: {value}" for name, value in sent.items() if value]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + data)
        await writer.drain()
        return reader, writer

    async def head(self, reader: asyncio.StreamReader) -> tuple[int, list[tuple[str, str]]]:
        lines = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode("latin-1").split("\r\n")
        headers = [(key.lower(), value) for key, _, value in (line.partition(": ") for line in lines[1:] if line)]
        return int(lines[0].split(" ")[1]), headers

    async def __call__(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        reader, writer = await self.send(method, path, body, headers)
        code, got = await self.head(reader)
        try:
            if ("transfer-encoding", "chunked") in got:
                stream, raw = Stream(code, got, reader), b""
                while not stream.ended:
                    raw += await stream.chunk()
            else:
                raw = await asyncio.wait_for(reader.read(), 60)
        finally:
            writer.close()
        return Answer(code, got, raw)

    @asynccontextmanager
    async def stream(self, path: str, headers: dict[str, str] | None = None) -> AsyncIterator[Stream]:
        reader, writer = await self.send("GET", path, headers=headers)
        try:
            code, got = await self.head(reader)
            yield Stream(code, got, reader)
        finally:
            writer.close()


@dataclass
class Running:
    server: ApiServer
    storage: Storage
    store: MemoryStore
    http: Http
    client: Client


@asynccontextmanager
async def running(config: ApiServerConfig | None = None, clock: Clock | None = None) -> AsyncIterator[Running]:
    clock = clock or RealClock()
    store = MemoryStore(clock)
    cache = Cache(store, clock, indexes={"pods": lambda obj: obj["spec"].get("nodeName", "")})
    await cache.start()
    storage = Storage(store, cache)
    config = config or ApiServerConfig(listen=(("127.0.0.1", 0),), tokens={TOKEN: ADMIN})
    server = ApiServer(storage, config, clock)
    try:
        await server.start()
        http = Http(server.addresses[0], defaults={"Authorization": f"Bearer {TOKEN}"})
        yield Running(server, storage, store, http, server.client(ADMIN))
    finally:
        await server.stop()
        await cache.stop()
        await store.close()


def pod(name: str = "web", **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": IMAGE}]
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "spec": {"containers": containers, **spec},
    }


def config_map(name: str = "cm", **data: str) -> dict[str, Any]:
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


def replica_set(name: str = "rs", replicas: int = 2) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": IMAGE}]}}
    return {
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def workload(**spec: Any) -> dict[str, Any]:
    """What every kind with a template and a selector takes."""
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": IMAGE}]}}
    return {
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
    }


def causes(answer: Answer) -> list[str]:
    """Each mistake that a 422 tells, with its path."""
    assert answer.code == 422, answer.text
    return [f"{cause['field']}: {cause['message']}" for cause in answer.json["details"]["causes"]]
