"""Clients that speak HTTP badly, slowly or without end: a clear 4xx, nothing grows, and the others are served."""

import asyncio
import inspect
import json
import resource
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from api_harness import ADMIN, TOKEN, Http, Running, config_map, running
from raw_http import AUTH, GET, HOST, POST, wire
from sampan_api.client import CONFIGMAPS
from sampan_master.apiserver.http.limits import Limits, make_room_for
from sampan_master.apiserver.server import ApiServerConfig
from sampan_master.pki import Authority

MAPS = "/api/v1/namespaces/default/configmaps"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"


def limited(**limits: Any) -> ApiServerConfig:
    return ApiServerConfig(listen=(("127.0.0.1", 0),), tokens={TOKEN: ADMIN}, limits=Limits(**limits))


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[tuple[Running, ssl.SSLContext]]:
    authority = Authority.load_or_create(tmp_path / "pki")
    pair = authority.issue_server(["127.0.0.1"])
    config = replace(
        limited(handshake=2),
        certificate=pair.cert_pem,
        key=pair.key_pem,
        client_ca=authority.ca_pem,
    )
    context = ssl.create_default_context(cadata=authority.ca_pem.decode())
    async with running(config) as one:
        yield one, context


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def served(api: Running) -> None:
    """Another client is served as ever."""
    assert (await api.http("GET", "/api/v1/namespaces/default")).code == 200


SMUGGLING = {
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
    "chunks and length": CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n" + GET,
    "coding that is none": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + GET,
    "chunked is not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + GET,
    "two codings": CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + GET,
    "space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + GET,
    "vertical tab": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + GET,
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" + GET,
    "list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc" + GET,
    "length with a sign": POST + b"Content-Length: +3\r\n\r\nabc" + GET,
    "negative length": POST + b"Content-Length: -3\r\n\r\nabc" + GET,
    "length beyond 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "folded header": b"GET /api HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "bare line feeds": b"GET /api HTTP/1.1\nHost: x\n\n",
    "NUL in a header": b"GET /api HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "no host": b"GET /api HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /api HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no path": b"GET http://x HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "no method": b"FOO /api HTTP/1.1\r\n" + HOST + b"\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10,
    "text beyond ASCII in the path": "GET /api/v1/ä HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
}


@pytest.mark.parametrize("shape", SMUGGLING)
async def test_what_two_readers_could_read_differently_is_refused(api: Running, shape: str) -> None:
    async with wire(api.http.address, SMUGGLING[shape]) as raw:
        code, headers, body = await raw.answer()
        assert (code, headers["connection"]) == (400, "close"), body
        assert await raw.reader.read() == b"", "nothing of what follows is answered"
    await served(api)


BAD_CHUNKS = {
    "size": b"zz\r\nabc\r\n0\r\n\r\n",
    "size beyond 64 bits": b"ffffffffffffffffff\r\nabc",
    "longer than said": b"3\r\nabcdef\r\n0\r\n\r\n",
    "line feed only": b"3\nabc\n0\n\n",
}


@pytest.mark.parametrize("shape", BAD_CHUNKS)
async def test_bad_chunks_are_400(api: Running, shape: str) -> None:
    async with wire(api.http.address, CHUNKED + b"\r\n" + BAD_CHUNKS[shape]) as raw:
        assert await raw.code() == 400
        assert await raw.ended()
    await served(api)


async def test_an_old_version_with_chunks_is_refused(api: Running) -> None:
    head = CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0")
    async with wire(api.http.address, head + b"\r\n3\r\nabc\r\n0\r\n\r\n") as raw:
        assert await raw.code() == 505
    async with wire(api.http.address, GET.replace(b"HTTP/1.1", b"HTTP/1.0")) as raw:
        assert await raw.code() == 200
        assert await raw.ended()


ENDLESS = {
    "one header": (b"GET /api HTTP/1.1\r\n" + HOST + b"X: ", b"x" * 8192),
    "many headers": (b"GET /api HTTP/1.1\r\n" + HOST, b"a:\r\n" * 1024),
    "the path": (b"GET /", b"x" * 8192),
    "a trailer": (CHUNKED + b"\r\n3\r\n{} \r\n0\r\nX: ", b"x" * 8192),
    "a chunk's extension": (CHUNKED + b"\r\n3;", b"x" * 8192),
}


@pytest.mark.parametrize("shape", ENDLESS)
async def test_what_has_no_end_is_cut_off_at_64_kib(api: Running, shape: str) -> None:
    begin, more = ENDLESS[shape]
    async with wire(api.http.address, begin) as raw:
        answer = asyncio.ensure_future(raw.answer())
        sent = 0
        while not answer.done() and sent < 4_000_000:
            await raw.send(more)
            sent += len(more)
            await asyncio.sleep(0)
        code, headers, _ = await answer
        assert (code, headers["connection"]) == (431, "close")
        assert sent < 1_000_000
    await served(api)


async def test_a_declared_body_that_is_too_large_is_refused_before_it_is_sent(api: Running) -> None:
    head = POST + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
    async with wire(api.http.address, head) as raw:
        code, headers, body = await raw.answer()
        assert (code, headers["connection"]) == (413, "close")
        assert json.loads(body)["message"] == "Request entity too large: limit is 3145728"
        assert await raw.ended()


async def test_a_hundred_megabytes_in_chunks_are_cut_off_and_leave_no_trace(api: Running) -> None:
    before = resident()
    async with wire(api.http.address, CHUNKED + b"\r\n") as raw:
        answer = asyncio.ensure_future(raw.answer())
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        for _ in range(100):
            if answer.done():
                break
            await raw.send(chunk)
        code, _, body = await answer
        assert (code, json.loads(body)["reason"]) == (413, "RequestEntityTooLarge")
        assert await raw.ended()
    assert resident() - before < 32 * 1024 * 1024
    await served(api)


async def test_strangers_are_refused_before_their_body_is_read(api: Running) -> None:
    head = POST.replace(AUTH, b"") + b"Content-Length: 3000000\r\n\r\n"
    async with wire(api.http.address, head) as raw:
        code, headers, _ = await raw.answer()
        assert (code, headers["connection"]) == (403, "close")


async def test_all_bodies_together_have_a_limit() -> None:
    async with running(limited(bodies=100_000)) as api, wire(api.http.address) as first:
        await first.send(POST + b"Content-Length: 90000\r\n\r\n" + b" " * 80_000)
        deadline = time.monotonic() + 60
        while (answer := await api.http("POST", MAPS, b" " * 50_000)).code != 429:
            assert time.monotonic() < deadline, "the first body has not arrived"
        assert (answer.json["reason"], answer.header("retry-after")) == ("TooManyRequests", "1")
        await first.send(b" " * 10_000)
        assert await first.code() == 400
        assert (await api.http("POST", MAPS, config_map("a"))).code == 201


@pytest.mark.parametrize(
    "part",
    [b"GET /api HTTP/1.1\r\nHost:", POST + b"Content-Length: 100\r\n\r\n{", CHUNKED + b"\r\n5\r\n{"],
    ids=["head", "body", "chunk"],
)
async def test_a_request_that_does_not_arrive_is_408(part: bytes) -> None:
    async with running(limited(arrival=2)) as api:
        async with wire(api.http.address, part) as raw:
            assert await raw.code() == 408
            assert await raw.ended()
        await served(api)


async def test_drops_of_a_head_do_not_win_time() -> None:
    async with running(limited(arrival=0.5)) as api, wire(api.http.address) as raw:
        answer = asyncio.ensure_future(raw.code())
        for byte in b"GET /api HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 100:
            await raw.send(bytes([byte]))
            done, _ = await asyncio.wait([answer], timeout=0.05)
            if done:
                break
        else:
            pytest.fail("each drop wins time")
        assert await answer == 408


@pytest.mark.parametrize("data", [b"", b"\r\n"])
async def test_a_connection_on_which_nothing_comes_is_closed(data: bytes) -> None:
    async with running(limited(arrival=0.3)) as api, wire(api.http.address, data) as raw:
        assert await raw.ended()


async def test_a_new_connection_takes_the_place_of_an_idle_one() -> None:
    async with running(limited(connections=3)) as api:
        raws = [wire(api.http.address, GET) for _ in range(3)]
        opened = [await raw.__aenter__() for raw in raws]
        for one in opened:
            assert await one.code() == 200
        await served(api)
        for raw in raws:
            await raw.__aexit__(None, None, None)


async def test_too_many_busy_connections_are_refused_and_the_busy_go_on() -> None:
    async with (
        running(limited(connections=2)) as api,
        api.http.stream(f"{MAPS}?watch=true") as watch,
        api.http.stream(f"{MAPS}?watch=true"),
    ):
        async with wire(api.http.address, GET) as raw:
            code, headers, _ = await raw.answer()
            assert (code, headers["connection"]) == (503, "close")
        await api.client.create(CONFIGMAPS, config_map("a"))
        assert (await watch.event())["object"]["metadata"]["name"] == "a"


async def test_requests_sent_ahead_are_answered_in_order(api: Running) -> None:
    gets = [GET.replace(b"/default", b"/n%d" % number) for number in range(10)]
    async with wire(api.http.address, b"".join(gets)) as raw:
        for number in range(10):
            code, _, body = await raw.answer()
            assert (code, json.loads(body)["details"]["name"]) == (404, f"n{number}")


async def test_too_many_requests_ahead_are_429_after_the_answers_to_the_first(api: Running) -> None:
    async with wire(api.http.address, GET * 1000) as raw:
        codes = [await raw.code() for _ in range(18)]
        assert codes == [200] * 17 + [429]
        assert await raw.reader.read() == b""


async def test_a_good_request_is_answered_before_the_bad_one_after_it(api: Running) -> None:
    for bad in (b"BAD\r\n\r\n", CHUNKED + b"\r\nzz\r\n"):
        async with wire(api.http.address, GET + GET + bad) as raw:
            assert [await raw.code() for _ in range(3)] == [200, 200, 400]
            assert await raw.reader.read() == b""


async def test_a_refused_body_that_turns_bad_gets_no_second_answer(api: Running) -> None:
    head = CHUNKED.replace(AUTH, b"")
    async with wire(api.http.address, head + b"\r\n1\r\n{\r\n") as raw:
        assert await raw.code() == 403
        await raw.send(b"zz\r\n")
        assert await asyncio.wait_for(raw.reader.read(), 60) == b""


@contextmanager
def _deaf(address: tuple[str, int]) -> Iterator[socket.socket]:
    """A client that takes next to nothing of its answer."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(address)
        yield raw


async def _let_go(api: Running, deaf: socket.socket) -> None:
    deaf.settimeout(60)

    def read() -> bytes:
        try:
            while data := deaf.recv(1 << 20):
                last = data
        except ConnectionError:
            return b""
        return last[-5:]

    async with asyncio.timeout(60):
        while api.server._state.connections:
            await asyncio.sleep(0.01)
    assert await asyncio.to_thread(read) != b"0\r\n\r\n", "broken off, not ended"
    await served(api)


async def test_who_does_not_read_a_list_is_let_go() -> None:
    async with running(limited(stall=1.0)) as api:
        for number in range(20):
            await api.client.create(CONFIGMAPS, config_map(f"cm{number}", data="x" * 900_000))
        with _deaf(api.http.address) as deaf:
            deaf.sendall(b"GET " + MAPS.encode() + b" HTTP/1.1\r\n" + HOST + AUTH + b"\r\n")
            await served(api)
            await _let_go(api, deaf)


async def test_who_does_not_read_a_watch_is_let_go_and_others_see_everything() -> None:
    async with running(limited(stall=1.0)) as api:
        with _deaf(api.http.address) as deaf:
            deaf.sendall(b"GET " + MAPS.encode() + b"?watch=true HTTP/1.1\r\n" + HOST + AUTH + b"\r\n")
            async with api.http.stream(f"{MAPS}?watch=true") as watch:
                for number in range(20):
                    await api.client.create(CONFIGMAPS, config_map(f"cm{number}", data="x" * 900_000))
                names = [(await watch.event())["object"]["metadata"]["name"] for _ in range(20)]
                assert names == [f"cm{number}" for number in range(20)]
            await _let_go(api, deaf)


UPGRADE = HOST + AUTH + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def test_an_upgrade_of_what_cannot_be_upgraded_is_an_ordinary_request(api: Running) -> None:
    async with wire(api.http.address, b"GET /api/v1/namespaces/default HTTP/1.1\r\n" + UPGRADE) as raw:
        assert await raw.code() == 200
        assert await raw.ended()


async def test_garbage_behind_an_upgrade_is_not_hoarded(api: Running) -> None:
    before = resident()
    async with wire(api.http.address, b"GET " + MAPS.encode() + b"?watch=true HTTP/1.1\r\n" + UPGRADE) as raw:
        await raw.reader.readuntil(b"\r\n\r\n")
        for _ in range(50):
            raw.writer.write(b"\xff" * 1_000_000)
            try:
                await asyncio.wait_for(raw.writer.drain(), 0.05)
            except TimeoutError:
                break
        else:
            pytest.fail("the server reads on and on")
        assert resident() - before < 32 * 1024 * 1024
        raw.writer.transport.abort()
    await served(api)


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_no_error(
    api: Running, caplog: pytest.LogCaptureFixture
) -> None:
    async with wire(api.http.address, POST + b"Content-Length: 100\r\n\r\n{") as raw:
        await served(api)
        raw.writer.transport.abort()
    await served(api)
    assert caplog.records == []


async def test_half_an_answer_is_nothing_to_the_master(api: Running) -> None:
    """A client may close its sending half or vanish; it costs a task and no more."""
    for _ in range(50):
        async with wire(api.http.address, GET) as raw:
            raw.writer.transport.abort()
    await served(api)
    async with asyncio.timeout(60):
        while len(api.server._state.tasks) > 1:
            await asyncio.sleep(0.01)


async def test_no_tls_and_bad_tls_at_the_tls_port(tls: tuple[Running, ssl.SSLContext]) -> None:
    api, context = tls
    for garbage in (GET, b"\x16\x03\x01\xff\xff" + b"\0" * 1000, b"\0" * 100_000):
        async with wire(api.http.address, garbage) as raw:
            assert await raw.ended()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.deprecated_call():
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        async with wire(api.http.address, GET, old):
            pass
    assert (await Http(api.http.address, context, api.http.defaults)("GET", "/version")).code == 200


async def test_a_handshake_that_does_not_come_is_given_up(tls: tuple[Running, ssl.SSLContext]) -> None:
    api, _ = tls
    async with wire(api.http.address) as raw:
        assert await raw.ended()


ON_UVLOOP = (
    test_an_old_version_with_chunks_is_refused,
    test_a_declared_body_that_is_too_large_is_refused_before_it_is_sent,
    test_a_hundred_megabytes_in_chunks_are_cut_off_and_leave_no_trace,
    test_strangers_are_refused_before_their_body_is_read,
    test_all_bodies_together_have_a_limit,
    test_drops_of_a_head_do_not_win_time,
    test_a_new_connection_takes_the_place_of_an_idle_one,
    test_too_many_busy_connections_are_refused_and_the_busy_go_on,
    test_requests_sent_ahead_are_answered_in_order,
    test_too_many_requests_ahead_are_429_after_the_answers_to_the_first,
    test_a_good_request_is_answered_before_the_bad_one_after_it,
    test_a_refused_body_that_turns_bad_gets_no_second_answer,
    test_who_does_not_read_a_list_is_let_go,
    test_who_does_not_read_a_watch_is_let_go_and_others_see_everything,
    test_an_upgrade_of_what_cannot_be_upgraded_is_an_ordinary_request,
    test_garbage_behind_an_upgrade_is_not_hoarded,
    test_half_an_answer_is_nothing_to_the_master,
)


@pytest.mark.parametrize("scenario", ON_UVLOOP, ids=lambda one: one.__name__.removeprefix("test_"))
def test_the_same_on_the_loop_that_the_master_runs_on(scenario: Callable[..., Awaitable[None]]) -> None:
    """Transports differ at just these edges."""

    async def played() -> None:
        if "api" in inspect.signature(scenario).parameters:
            async with running() as api:
                await scenario(api)
        else:
            await scenario()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(played())


def test_connections_are_as_many_as_the_process_may_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    for soft, hard, connections, raised in (
        (1024, 1 << 20, 10_000, [(10_512, 1 << 20)]),
        (1024, 4096, 3_584, [(4096, 4096)]),
        (1 << 20, 1 << 20, 10_000, []),
        (256, 256, 128, [(256, 256)]),
    ):
        asked.clear()
        monkeypatch.setattr(resource, "getrlimit", lambda _, found=(soft, hard): found)
        assert (make_room_for(10_000), asked) == (connections, raised)
