"""The client of a server that misbehaves; tests/apiserver/test_client_contract.py holds it against the other one."""

import asyncio
import json
import socket
from contextlib import aclosing, asynccontextmanager

import pytest
from sampan_api.client import CLUSTERROLES, LEASES, NODES, PODS, DeleteOptions, EventType, Selection
from sampan_api.clock import VirtualClock, rfc3339
from sampan_api.errors import (
    Expired,
    Forbidden,
    InternalError,
    NotFound,
    ServerTimeout,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
)
from sampan_api.exec_credential import ExecPlugin
from sampan_api.https import HttpsClient, resource_path
from sampan_api.kubeconfig import Access, KubeconfigError


class Script:
    """A server that answers each request with the next of its answers: bytes, then the end of the connection where
    `Connection: close` is said. What it was asked is in `requests`: (first line, headers, body)."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append((head[0], headers, body))
                answer = self.answers.pop(0)
                if answer is None:
                    writer.transport.abort()
                    return
                writer.write(answer)
                await writer.drain()
                if b"Connection: close" in answer:
                    return
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()


def answer(body, code=200, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {code} X", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


def status(code, reason, message="said"):
    return {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}


def stream(*lines, end=True):
    """A watch's answer in chunks; without its end it breaks off."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(line), line) for line in lines)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head + chunks + (b"0\r\n\r\n" if end else b"")


def line(type_, obj):
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


@asynccontextmanager
async def talking(*answers, clock=None, **access):
    script = Script(*answers)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with HttpsClient(
            Access(f"http://127.0.0.1:{port}", **access), clock or VirtualClock(), "tester"
        ) as client:
            yield client, script
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ((PODS,), "/api/v1/pods"),
        ((PODS, "ns"), "/api/v1/namespaces/ns/pods"),
        ((PODS, "ns", "p", "binding"), "/api/v1/namespaces/ns/pods/p/binding"),
        ((NODES, "ns", "n", "status"), "/api/v1/nodes/n/status"),
        ((LEASES, "ns", "l"), "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l"),
        ((CLUSTERROLES, "", "system:a/b"), "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa%2Fb"),
    ],
)
def test_paths(arguments, path):
    assert resource_path(*arguments) == path


async def test_requests_name_the_writer_and_who_asks():
    async with talking(answer({"metadata": {}}), token="t") as (client, script):
        await client.get(PODS, "p", "ns")
    first, headers, _ = script.requests[0]
    assert first == "GET /api/v1/namespaces/ns/pods/p HTTP/1.1"
    assert headers["user-agent"].startswith("tester/")
    assert headers["authorization"] == "Bearer t"


async def test_one_connection_serves_one_request_after_the_other():
    async with talking(*[answer({"metadata": {}})] * 3) as (client, script):
        for _ in range(3):
            await client.get(PODS, "p", "ns")
    assert len(script.requests) == 3


async def test_what_a_list_leaves_out_of_its_items_is_put_in():
    page = {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [{"metadata": {"name": "a"}}]}
    async with talking(answer(page)) as (client, script):
        got = await client.list(PODS, Selection("ns", "a in (b,c)", "spec.nodeName="), limit=2, continue_="x/y")
    assert (got.resource_version, got.continue_) == ("7", "more")
    assert got.items == [{"metadata": {"name": "a"}, "apiVersion": "v1", "kind": "Pod"}]
    asked = "labelSelector=a%20in%20%28b%2Cc%29&fieldSelector=spec.nodeName%3D&limit=2&continue=x%2Fy"
    assert script.requests[0][0] == f"GET /api/v1/namespaces/ns/pods?{asked} HTTP/1.1"


async def test_the_options_of_a_deletion_are_its_body():
    options = DeleteOptions(0, "Background", "u", "5")
    async with talking(*[answer({"kind": "Status"})] * 2) as (client, script):
        await client.delete(PODS, "p", "ns")
        await client.delete(PODS, "p", "ns", options)
    assert script.requests[0][2] == b""
    assert json.loads(script.requests[1][2]) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u", "resourceVersion": "5"},
    }


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (answer(status(403, "Forbidden", "no"), 403), Forbidden, "no"),
        (answer(status(410, "Gone"), 410), Expired, "said"),
        (answer(status(504, "Timeout"), 504), ServerTimeout, "said"),
        (answer(b"404 page not found", 404), NotFound, "could not find the requested resource"),
        (answer(b"bad gateway", 502), InternalError, "bad gateway"),
        (answer(b"", 503), ServiceUnavailable, "code 503 and nothing else"),
        (answer(b"<html>"), InternalError, "not JSON"),
        (answer(b"[]"), InternalError, "not an object"),
    ],
)
async def test_answers_that_are_none_become_errors(given, error, said):
    async with talking(given) as (client, _):
        with pytest.raises(error, match=said):
            await client.get(PODS, "p", "ns")


async def test_a_request_that_got_no_answer_is_not_sent_again():
    """A Binding may have been done: only its pod can tell."""
    async with talking(answer({"metadata": {}}), None, answer({"metadata": {}})) as (client, script):
        await client.get(PODS, "p", "ns")
        with pytest.raises(ServiceUnavailable):
            await client.create(PODS, {"metadata": {"name": "p"}}, "ns", "binding")
    assert len(script.requests) == 2


async def test_an_answer_that_breaks_off_is_none():
    cut = answer({"metadata": {"name": "p"}}, Connection="close")[:-5]
    async with talking(cut) as (client, _):
        with pytest.raises(ServiceUnavailable):
            await client.get(PODS, "p", "ns")


async def test_a_server_that_asks_for_patience_gets_it():
    """It did nothing, so everything may be asked again."""
    clock = VirtualClock()
    busy = answer(status(429, "TooManyRequests"), 429, Retry_After="2")
    async with talking(busy, busy, answer({"done": True}), clock=clock) as (client, script):
        asking = asyncio.create_task(client.create(PODS, {"metadata": {"name": "p"}}, "ns"))
        async with asyncio.timeout(60):
            while len(script.requests) < 3:
                await asyncio.sleep(0.005)
                await clock.advance(0.5)
        assert await asking == {"done": True}
    assert clock.monotonic() >= 4


async def test_a_refusal_without_a_time_is_the_caller_s():
    """As an eviction that a disruption budget forbids."""
    async with talking(answer(status(429, "TooManyRequests"), 429)) as (client, script):
        with pytest.raises(TooManyRequests):
            await client.create(PODS, {"metadata": {"name": "p"}}, "ns", "eviction")
    assert len(script.requests) == 1


async def test_a_token_is_read_again_each_minute_and_after_a_refusal(tmp_path):
    file, clock = tmp_path / "token", VirtualClock()
    file.write_text("first")
    refused = answer(status(401, "Unauthorized"), 401)
    answers = (answer({}), answer({}), answer({}), refused, answer({}))
    async with talking(*answers, clock=clock, token="first", token_file=str(file)) as (client, script):
        await client.get(PODS, "p", "ns")
        file.write_text("second\n")
        await client.get(PODS, "p", "ns")
        await clock.advance(60)
        await client.get(PODS, "p", "ns")
        file.write_text("third")
        with pytest.raises(Unauthorized):
            await client.get(PODS, "p", "ns")
        await client.get(PODS, "p", "ns")
    sent = [headers["authorization"].removeprefix("Bearer ") for _, headers, _ in script.requests]
    assert sent == ["first", "first", "second", "second", "third"]


async def test_a_program_is_run_again_when_what_it_gave_is_about_to_end(tmp_path):
    clock = VirtualClock()
    program = tmp_path / "get-token"

    def gives(token, seconds):
        status = {"token": token, "expirationTimestamp": rfc3339(clock.now() + seconds)}
        told = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
        program.write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\n")
        program.chmod(0o755)

    plugin = ExecPlugin("client.authentication.k8s.io/v1", str(program))
    given = {"plugin": plugin, "token": "first", "expires": clock.now() + 100}
    refused = answer(status(401, "Unauthorized"), 401)
    async with talking(answer({}), answer({}), refused, answer({}), clock=clock, **given) as (client, script):
        gives("second", 1000)
        await client.get(PODS, "p", "ns")
        await clock.advance(95)
        await client.get(PODS, "p", "ns")
        gives("third", 1000)
        await clock.advance(5)
        with pytest.raises(Unauthorized):
            await client.get(PODS, "p", "ns")
        await client.get(PODS, "p", "ns")
    sent = [headers["authorization"].removeprefix("Bearer ") for _, headers, _ in script.requests]
    assert sent == ["first", "second", "second", "third"]


async def test_a_token_that_cannot_be_read_leaves_the_last_in_force(tmp_path, caplog):
    clock = VirtualClock()
    async with talking(answer({}), clock=clock, token="t", token_file=str(tmp_path / "gone")) as (client, script):
        await clock.advance(60)
        await client.get(PODS, "p", "ns")
    assert script.requests[0][1]["authorization"] == "Bearer t"
    assert "gone: no such file" in caplog.text


async def test_events_come_one_by_one_however_they_are_cut():
    whole = line("ADDED", {"n": 1}) + line("BOOKMARK", {"n": 2}) + line("DELETED", {"n": "ü" * 300_000})
    pieces = [whole[:10], whole[10:60], whole[60:200_000], whole[200_000:]]
    async with talking(stream(*pieces)) as (client, script):
        events = [event async for event in client.watch(PODS, "5", Selection("ns"))]
    assert [event.type for event in events] == [EventType.ADDED, EventType.BOOKMARK, EventType.DELETED]
    assert len(events[2].object["n"]) == 300_000
    asked = script.requests[0][0]
    assert asked.startswith("GET /api/v1/namespaces/ns/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=")
    assert "&resourceVersion=5 " in asked


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (stream(line("ADDED", {}), line("ERROR", status(410, "Expired"))), Expired),
        (answer(status(410, "Expired"), 410), Expired),
        (answer(b"404 page not found", 404), NotFound),
        (stream(line("ADDED", {}), end=False), ServiceUnavailable),
        (stream(line("ADDED", {}), b'{"type": "ADD'), ServiceUnavailable),
        (stream(line("ADDED", {}), b"nonsense\n"), InternalError),
        (stream(line("RENAMED", {})), InternalError),
    ],
)
async def test_a_watch_that_fails_says_how(given, error):
    async with talking(given) as (client, _):
        with pytest.raises(error):
            async for _ in client.watch(PODS, "5"):
                pass


async def test_a_watch_left_early_lets_go_of_its_connection():
    async with talking(stream(line("ADDED", {}), end=False), answer({})) as (client, _):
        async with aclosing(client.watch(PODS, "5")) as events:
            async for _ in events:
                break
        assert await client.get(PODS, "p", "ns") == {}


async def test_a_server_that_is_not_there_is_unavailable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with HttpsClient(Access(f"http://127.0.0.1:{port}"), VirtualClock(), "tester") as client:
            with pytest.raises(ServiceUnavailable, match=f"http://127.0.0.1:{port}: connection refused"):
                await client.get(PODS, "p", "ns")
            with pytest.raises(ServiceUnavailable, match="connection refused"):
                async for _ in client.watch(PODS, "5"):
                    pass


async def test_warnings_are_logged_once(caplog):
    warned = answer({}, Warning='299 - "that is old"')
    async with talking(warned, warned) as (client, _):
        await client.get(PODS, "p", "ns")
        await client.get(PODS, "p", "ns")
    assert caplog.text.count("that is old") == 1


@pytest.mark.parametrize(
    ("access", "said"),
    [
        (Access("ftp://x"), "not the URL of a server"),
        (Access("https://x", ca_pem="nonsense"), "unable to load root certificates"),
        (Access("https://x", certificate_pem=b"nonsense", key_pem=b"x"), "certificate and key cannot be used"),
    ],
)
async def test_access_that_cannot_be_used_is_refused_at_once(access, said):
    with pytest.raises(KubeconfigError, match=said):
        HttpsClient(access, VirtualClock(), "tester")
