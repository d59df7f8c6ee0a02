"""Exec over WebSocket with an independent client, against a shim whose processes are the host's."""

import asyncio
import json
import os
import signal
import subprocess

import pytest
from sampan_runtime.spec import ExecSpec
from sampan_runtime.streaming import session
from sampan_runtime.streaming.server import Remote
from sampan_runtime.streaming.session import StreamRequest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


class HostExec:
    tty = -1

    def __init__(self, process):
        self.process = process
        self.pid = process.pid
        self.sizes = []

    async def wait(self):
        while (code := self.process.poll()) is None:
            await asyncio.sleep(0.005)
        return code if code >= 0 else 128 - code

    def resize(self, width, height):
        self.sizes.append((width, height))

    async def kill(self, signal=9):
        self.process.send_signal(signal)
        self.process.wait()


class HostShim:
    """The seam of `sampan_runtime.shim.client.Shim`, with plain processes behind it."""

    def __init__(self):
        self.started = []

    async def exec(self, id, spec, stdin_fd=-1, stdout_fd=-1, stderr_fd=-1):
        def end(fd):
            return fd if fd >= 0 else subprocess.DEVNULL

        process = HostExec(
            subprocess.Popen(spec.args, stdin=end(stdin_fd), stdout=end(stdout_fd), stderr=end(stderr_fd))
        )
        self.started.append(process)
        return process


def offer(server, shim, *args, stdin=False):
    request = StreamRequest("c", stdin, True, True, False, ExecSpec(args, ("PATH=/bin:/usr/bin",), "/"))
    return server.offer("exec", Remote(shim, request)).replace("http:", "ws:")


async def received(socket):
    """Everything until the close, joined by channel."""
    output = {1: b"", 2: b"", 3: b""}
    async for message in socket:
        output[message[0]] += message[1:]
    return output


async def test_output_and_success_arrive_on_their_channels(server):
    url = offer(server, HostShim(), "sh", "-c", "echo out; echo err >&2")
    async with connect(url, subprotocols=["v5.channel.k8s.io"]) as socket:
        assert socket.subprotocol == "v5.channel.k8s.io"
        assert await socket.recv() == b"\x01"
        output = await received(socket)
    assert (output[1], output[2]) == (b"out\n", b"err\n")
    assert json.loads(output[3]) == {"metadata": {}, "status": "Success"}
    assert socket.close_code == 1000


async def test_a_non_zero_exit_is_told_as_kubectl_reads_it(server):
    async with connect(offer(server, HostShim(), "sh", "-c", "exit 7"), subprotocols=["v4.channel.k8s.io"]) as socket:
        status = json.loads((await received(socket))[3])
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]
    assert status["message"].endswith("command terminated with exit code 7")


async def test_closing_stdin_ends_a_reader_in_v5(server):
    async with connect(offer(server, HostShim(), "cat", stdin=True), subprotocols=["v5.channel.k8s.io"]) as socket:
        await socket.send(b"\x00hello ")
        await socket.send(b"\x00world")
        await socket.send(b"\xff\x00")
        output = await received(socket)
    assert output[1] == b"hello world"


async def test_a_large_stream_passes_both_ways(server):
    data = os.urandom(3_000_000)
    url = offer(server, HostShim(), "cat", stdin=True)
    async with connect(url, subprotocols=["v5.channel.k8s.io"], max_size=None) as socket:

        async def send():
            for offset in range(0, len(data), 100_000):
                await socket.send(b"\x00" + data[offset : offset + 100_000])
            await socket.send(b"\xff\x00")

        sending = asyncio.create_task(send())
        output = await received(socket)
        await sending
    assert output[1] == data


async def test_resize_reaches_the_process(server):
    shim = HostShim()
    async with connect(offer(server, shim, "cat", stdin=True), subprotocols=["v5.channel.k8s.io"]) as socket:
        await socket.send(b'\x04{"Width":99,"Height":33}')
        await socket.send(b"\x04nonsense")
        await socket.send(b"\xff\x00")
        await received(socket)
    assert shim.started[0].sizes == [(99, 33)]


async def test_the_process_of_a_client_that_went_away_is_killed(server):
    shim = HostShim()
    async with connect(offer(server, shim, "sleep", "100"), subprotocols=["v5.channel.k8s.io"]) as socket:
        await socket.recv()
    async with asyncio.timeout(60):
        assert await shim.started[0].wait() == 137


async def test_a_url_works_once(server):
    url = offer(server, HostShim(), "true")
    async with connect(url, subprotocols=["v5.channel.k8s.io"]) as socket:
        await received(socket)
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, subprotocols=["v5.channel.k8s.io"])
    assert refused.value.response.status_code == 404


async def test_an_unknown_protocol_is_forbidden(server):
    with pytest.raises(InvalidStatus) as refused:
        await connect(offer(server, HostShim(), "true"), subprotocols=["v9.channel.k8s.io"])
    assert refused.value.response.status_code == 403


async def test_base64_variants_are_text(server):
    async with connect(offer(server, HostShim(), "echo", "hi"), subprotocols=["base64.channel.k8s.io"]) as socket:
        messages = [message async for message in socket]
    assert "1aGkK" in messages


class SlowStreams:
    """A client that takes nothing until `taking` is set, and says nothing."""

    def __init__(self):
        self.taking, self.ended = asyncio.Event(), asyncio.Event()
        self.output, self.status = b"", {}

    async def events(self):
        await self.ended.wait()
        yield

    async def write(self, stream, data):
        await self.taking.wait()
        self.output += data

    async def finish(self, status):
        self.status = status


def exec_of(*args):
    return StreamRequest("c", False, True, True, False, ExecSpec(args, ("PATH=/bin:/usr/bin",), "/"))


async def test_a_client_that_is_slow_gets_all_that_an_ended_process_has_written(monkeypatch):
    monkeypatch.setattr(session, "_DRAIN_SECONDS", 0.01)
    shim, streams = HostShim(), SlowStreams()
    serving = asyncio.create_task(session.serve(shim, exec_of("head", "-c", "60000", "/dev/zero"), streams))
    while not shim.started:
        await asyncio.sleep(0)
    await shim.started[0].wait()
    # Ten times as long as a silent grandchild would be waited for.
    await asyncio.wait([serving], timeout=0.1)
    streams.taking.set()
    await serving
    assert streams.output == bytes(60000)
    assert streams.status == session.success()


async def test_a_grandchild_that_holds_the_output_does_not_hold_up_the_end(monkeypatch):
    monkeypatch.setattr(session, "_DRAIN_SECONDS", 0.01)
    streams = SlowStreams()
    streams.taking.set()
    await session.serve(HostShim(), exec_of("sh", "-c", "sleep 100 & echo $!"), streams)
    os.kill(int(streams.output), signal.SIGKILL)
    assert streams.status == session.success()
