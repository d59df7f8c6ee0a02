"""SPDY with frames built here by hand, so that both sides cannot share a mistake."""

import asyncio
import json
import struct
import subprocess
import zlib

from sampan_runtime.spec import ExecSpec
from sampan_runtime.streaming.server import Forwarding, Remote
from sampan_runtime.streaming.session import StreamRequest
from sampan_runtime.streaming.spdy import DICTIONARY


class HostExec:
    tty, pid = -1, 0

    def __init__(self, process):
        self.process = process

    async def wait(self):
        while (code := self.process.poll()) is None:
            await asyncio.sleep(0.005)
        return code

    async def kill(self, signal=9):
        self.process.send_signal(signal)
        self.process.wait()


class HostShim:
    async def exec(self, id, spec, stdin_fd=-1, stdout_fd=-1, stderr_fd=-1):
        ends = [fd if fd >= 0 else subprocess.DEVNULL for fd in (stdin_fd, stdout_fd, stderr_fd)]
        return HostExec(subprocess.Popen(spec.args, stdin=ends[0], stdout=ends[1], stderr=ends[2]))


class Client:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.deflate = zlib.compressobj(zdict=DICTIONARY)
        self.data, self.ended = {}, set()

    def open(self, id, **headers):
        block = struct.pack("!I", len(headers))
        for name, value in headers.items():
            block += struct.pack("!I", len(name)) + name.encode() + struct.pack("!I", len(value)) + value.encode()
        block = self.deflate.compress(block) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        payload = struct.pack("!IIH", id, 0, 0) + block
        self.writer.write(struct.pack("!HHI", 0x8003, 1, len(payload)) + payload)

    def send(self, id, data, fin=False):
        self.writer.write(struct.pack("!II", id, fin << 24 | len(data)) + data)

    async def until(self, *ids):
        """Reads frames until these streams have ended; counts replies as proof of their acceptance."""
        while not set(ids) <= self.ended:
            first, last = struct.unpack("!II", await self.reader.readexactly(8))
            payload = await self.reader.readexactly(last & 0xFFFFFF)
            if not first >> 31:
                self.data[first] = self.data.get(first, b"") + payload
                if last >> 24 & 1:
                    self.ended.add(first)


async def upgrade(url, *protocols):
    host, _, path = url.removeprefix("http://").partition("/")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    head = f"POST /{path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    head += "".join(f"X-Stream-Protocol-Version: {name}\r\n" for name in protocols)
    writer.write(head.encode() + b"\r\n")
    answer = await reader.readuntil(b"\r\n\r\n")
    return answer.decode(), Client(reader, writer)


def offer(server, *args, stdin=False):
    request = StreamRequest("c", stdin, True, True, False, ExecSpec(args, (), "/"))
    return server.offer("exec", Remote(HostShim(), request))


def test_the_dictionary_is_the_protocols():
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


async def test_exec_gives_output_and_status(server):
    answer, client = await upgrade(offer(server, "sh", "-c", "cat; exit 3", stdin=True), "v4.channel.k8s.io", "v3.x")
    assert "101 Switching Protocols" in answer
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in answer
    for id, kind in ((1, "error"), (3, "stdin"), (5, "stdout"), (7, "stderr")):
        client.open(id, streamtype=kind)
    client.send(3, b"hello", fin=True)
    await client.until(1, 5, 7)
    client.writer.close()
    assert client.data[5] == b"hello"
    assert json.loads(client.data[1])["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_a_request_without_a_protocol_is_refused(server):
    answer, client = await upgrade(offer(server, "true"))
    client.writer.close()
    assert answer.startswith("HTTP/1.1 400")


async def echo(reader, writer):
    writer.write(await reader.read(100))
    await writer.drain()
    writer.close()


async def test_a_port_is_forwarded_and_a_closed_one_explained(server):
    target = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = target.sockets[0].getsockname()[1]
    _, client = await upgrade(server.offer("portforward", Forwarding("")), "portforward.k8s.io")
    client.open(1, streamtype="error", port=str(port), requestid="0")
    client.open(3, streamtype="data", port=str(port), requestid="0")
    client.send(3, b"ping")
    await client.until(3)
    assert client.data[3] == b"ping"
    client.open(5, streamtype="error", port="1", requestid="1")
    client.open(7, streamtype="data", port="1", requestid="1")
    await client.until(5)
    assert b"failed to connect to localhost:1 inside the pod" in client.data[5]
    client.writer.close()
    target.close()
