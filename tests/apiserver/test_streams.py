"""Logs, exec and port-forward: what is checked here, and that the bytes are carried as they are."""

import asyncio
from typing import Any

import pytest
from api_harness import Running, pod
from sampan_api.client import NODES, PODS, Client
from sampan_api.errors import InternalError, ServiceUnavailable
from sampan_master.apiserver.handlers.node_streams import StreamRequest

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
RUNNING = {"containerStatuses": [{"name": "c", "image": "x", "imageID": "", "state": {"running": {}}}]}


class FakeStream:
    """One side is the master's `ByteStream`; the other is the test's: `to_client`, `from_client`."""

    def __init__(self) -> None:
        self.to_client: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.from_client = b""
        self.client_ended = asyncio.Event()
        self.closed = asyncio.Event()

    async def recv(self) -> bytes:
        data = await self.to_client.get()
        if isinstance(data, Exception):
            raise data
        return data

    async def send(self, data: bytes) -> None:
        self.from_client += data

    async def send_eof(self) -> None:
        self.client_ended.set()

    async def close(self, error: str = "") -> None:
        self.closed.set()


class FakeNode:
    def __init__(self) -> None:
        self.requests: list[tuple[str, StreamRequest]] = []
        self.stream = FakeStream()

    async def open(self, node: str, request: StreamRequest) -> FakeStream:
        if node != "node1":
            raise ServiceUnavailable(f'node "{node}" is not connected')
        self.requests.append((node, request))
        return self.stream


@pytest.fixture
async def node(api: Running) -> FakeNode:
    await running_pod(api.client)
    fake = FakeNode()
    api.server.use_streams(fake)
    return fake


async def running_pod(client: Client, name: str = "web", **spec: Any) -> None:
    await client.create(PODS, pod(name, nodeName="node1", **spec))
    await client.patch(PODS, name, {"status": RUNNING}, "default", subresource="status")


LOG = "/api/v1/namespaces/default/pods/web/log"
EXEC = "/api/v1/namespaces/default/pods/web/exec"


async def test_logs_are_carried_as_they_are(api: Running, node: FakeNode) -> None:
    for piece in (b"one\n", b"two \xff\n", b""):
        node.stream.to_client.put_nowait(piece)
    answer = await api.http("GET", f"{LOG}?tailLines=2&timestamps=true")
    assert (answer.code, answer.header("content-type"), answer.raw) == (200, "text/plain", b"one\ntwo \xff\n")
    request = node.requests[0][1]
    assert (request.kind, request.container) == ("logs", "c")
    assert request.parameters == {"tailLines": 2, "timestamps": True}


async def test_the_only_main_container_is_meant_where_none_is_named(api: Running, node: FakeNode) -> None:
    await running_pod(api.client, "primed", initContainers=[{"name": "i", "image": "x"}])
    node.stream.to_client.put_nowait(b"")
    assert (await api.http("GET", LOG.replace("web", "primed"))).code == 200
    assert node.requests[0][1].container == "c"


async def test_following_a_log_ends_at_the_node_when_the_client_goes(api: Running, node: FakeNode) -> None:
    async with api.http.stream(f"{LOG}?follow=true") as stream:
        node.stream.to_client.put_nowait(b"line\n")
        assert await stream.chunk() == b"line\n"
    await asyncio.wait_for(node.stream.closed.wait(), 60)


async def test_a_nodes_first_word_may_be_an_error(api: Running, node: FakeNode) -> None:
    node.stream.to_client.put_nowait(InternalError("no such log"))
    answer = await api.http("GET", LOG)
    assert (answer.code, answer.json["message"]) == (500, "no such log")


async def test_a_log_that_breaks_does_not_end_as_if_it_were_whole(api: Running, node: FakeNode) -> None:
    async with api.http.stream(f"{LOG}?follow=true") as stream:
        node.stream.to_client.put_nowait(b"line\n")
        assert await stream.chunk() == b"line\n"
        node.stream.to_client.put_nowait(InternalError("the node went away"))
        assert await asyncio.wait_for(stream.reader.read(), 60) == b""


async def test_a_pod_without_node_has_an_empty_log(api: Running) -> None:
    await api.client.create(PODS, pod("idle"))
    answer = await api.http("GET", "/api/v1/namespaces/default/pods/idle/log")
    assert (answer.code, answer.raw) == (200, b"")


async def test_an_upgrade_is_relayed_both_ways(api: Running, node: FakeNode) -> None:
    headers = {**UPGRADE, "Sec-WebSocket-Protocol": "v5.channel.k8s.io"}
    reader, writer = await api.http.send(
        "GET", f"{EXEC}?command=echo&command=hi&stdout=true", headers=headers, close=False
    )
    node.stream.to_client.put_nowait(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    assert b"101" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    writer.write(b"\x81\x00raw bytes")
    node.stream.to_client.put_nowait(b"\x82\x05bytes")
    assert await reader.readexactly(7) == b"\x82\x05bytes"
    request = node.requests[0][1]
    assert request.parameters["command"] == ["echo", "hi"]
    assert request.request_head.startswith(b"GET /api/v1/namespaces/default/pods/web/exec?command=echo&")
    assert b"v5.channel.k8s.io" in request.request_head
    assert b"secret-token" not in request.request_head
    node.stream.to_client.put_nowait(b"")
    assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()
    assert node.stream.from_client == b"\x81\x00raw bytes"


async def test_the_node_hears_when_the_client_goes(api: Running, node: FakeNode) -> None:
    _, writer = await api.http.send("POST", f"{EXEC}?command=sh&stdin=true", headers=UPGRADE, close=False)
    writer.write(b"data")
    writer.close()
    await asyncio.wait_for(node.stream.closed.wait(), 60)
    assert node.stream.from_client == b"data"


async def test_errors_come_before_the_upgrade_as_status(api: Running, node: FakeNode) -> None:
    for path, code, said in (
        (f"{EXEC}?command=ls&stdout=true&container=zz", 400, "container zz is not valid for pod web"),
        ("/api/v1/namespaces/default/pods/nope/exec?command=ls", 404, 'pods "nope" not found'),
    ):
        answer = await api.http("GET", path, headers={**UPGRADE, "Connection": "Upgrade"})
        assert (answer.code, answer.json["message"]) == (code, said)
    answer = await api.http("GET", f"{EXEC}?command=ls")
    assert (answer.code, answer.json["message"]) == (400, "Upgrade request required")


async def test_an_unconnected_node_is_a_503(api: Running, node: FakeNode) -> None:
    await api.client.create(PODS, pod("far", nodeName="node9"))
    await api.client.patch(PODS, "far", {"status": RUNNING}, "default", subresource="status")
    answer = await api.http("GET", "/api/v1/namespaces/default/pods/far/log")
    assert (answer.code, answer.json["message"]) == (503, 'node "node9" is not connected')


async def test_a_pod_of_a_simulated_node_says_that_nothing_runs(api: Running, node: FakeNode) -> None:
    info = {"status": {"nodeInfo": {"containerRuntimeVersion": "sampan-sim://0.1.0"}}}
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}, **info}
    await api.client.create(NODES, made)
    for path, said in ((LOG, "there is no log"), (f"{EXEC}?command=ls", "nothing runs that exec could reach")):
        answer = await api.http("GET", path, headers=UPGRADE)
        told = f'pod web is simulated (node "node1" is one of sampan sim): {said}'
        assert (answer.code, answer.json["message"]) == (400, told)
    assert node.requests == []
