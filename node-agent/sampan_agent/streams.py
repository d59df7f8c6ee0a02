"""Serving the byte streams the master asks for: logs from files, the rest relayed to the runtime's streaming server.

For exec, attach and port-forward the runtime says where on loopback to go; the client's own request head is replayed
there with another request line and Host, and bytes pass both ways from then on. What they mean is not for the agent.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import grpc
from cri_api.v1 import api_pb2 as cri
from sampan_proto import node_pb2

from sampan_agent.errors import CriError, StreamError
from sampan_agent.link import Link
from sampan_agent.logs import LogOptions, read_log
from sampan_agent.observed import Observed, ObservedContainer

if TYPE_CHECKING:
    from sampan_agent.worker import Node

_log = logging.getLogger(__name__)
_CHUNK = 64 * 1024
_LINGER_SECONDS = 30.0
Chunks = AsyncIterator[bytes]


async def serve_stream(node: Node, link: Link, request: node_pb2.OpenStream) -> None:
    """Opens, refuses or serves one stream to its end."""
    try:
        if request.kind == "logs":
            chunks = await _open_logs(node, request)
            await _send_all(link, request.stream_id, chunks)
        else:
            url = await _streaming_url(node, request)
            await _relay(link, request, url)
    except StreamError as e:
        _refuse(link, request, e)
    except CriError as e:
        _refuse(link, request, StreamError(e.message))


def _refuse(link: Link, request: node_pb2.OpenStream, error: StreamError) -> None:
    link.refuse(
        node_pb2.StreamRefused(stream_id=request.stream_id, code=error.code, reason=error.reason, message=str(error))
    )


async def _open_logs(node: Node, request: node_pb2.OpenStream) -> Chunks:
    parameters: dict[str, Any] = json.loads(request.parameters or b"{}")
    observed = await node.cri.observe(request.uid)
    container = _for_logs(observed, request, previous=bool(parameters.get("previous")))
    options = LogOptions.of(parameters, node.clock.now())
    return read_log(Path(container.log_path), options, _ended(node, request.uid, container.id), node.clock)


def _for_logs(observed: Observed, request: node_pb2.OpenStream, *, previous: bool) -> ObservedContainer:
    name = request.container
    found = observed.previous(name) if previous else observed.latest(name)
    latest = observed.latest(name)
    if previous and found is None and latest is not None and latest.finished and latest.attempt > 0:
        found = latest
    if found is not None:
        return found
    if previous:
        text = f'previous terminated container "{name}" in pod "{request.name}" not found'
    else:
        text = f'container "{name}" in pod "{request.name}" is waiting to start: ContainerCreating'
    raise StreamError(text, 400, "BadRequest")


def _ended(node: Node, uid: str, container_id: str) -> Callable[[], Awaitable[bool]]:
    """Whether a container has ended; asks the runtime at most once a second."""
    asked_at = float("-inf")

    async def ended() -> bool:
        nonlocal asked_at
        if node.clock.monotonic() - asked_at < 0.5:
            return False
        asked_at = node.clock.monotonic()
        try:
            observed = await node.cri.observe(uid)
        except CriError:
            return False
        return not any(c.id == container_id and not c.finished for c in observed.containers)

    return ended


async def _send_all(link: Link, stream_id: str, chunks: Chunks) -> None:
    call = link.open_stream()
    if call is None:
        return
    try:
        await call.write(node_pb2.Frame(stream_id=stream_id))
        reader = asyncio.ensure_future(_until_closed(call))
        try:
            await _pump(call, chunks, reader)
        finally:
            reader.cancel()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        _log.debug("the reader of stream %s went away", stream_id)
    finally:
        call.cancel()


async def _pump(call: Any, chunks: Chunks, reader: asyncio.Future[None]) -> None:
    """Sends chunks until they end or the other side closes, which a follower must notice while the log is silent."""
    iterator = aiter(chunks)
    while True:
        following = asyncio.ensure_future(anext(iterator, b""))
        await asyncio.wait((following, reader), return_when=asyncio.FIRST_COMPLETED)
        if not following.done():
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            return
        data = following.result()
        if not data:
            await call.write(node_pb2.Frame(eof=True))
            await call.done_writing()
            await reader
            return
        for start in range(0, len(data), _CHUNK):
            await call.write(node_pb2.Frame(data=data[start : start + _CHUNK]))


async def _until_closed(call: Any) -> None:
    while (frame := await call.read()) is not grpc.aio.EOF:
        if frame.error:
            return


async def _streaming_url(node: Node, request: node_pb2.OpenStream) -> str:
    parameters: dict[str, Any] = json.loads(request.parameters or b"{}")
    observed = await node.cri.observe(request.uid)
    if request.kind == "portforward":
        if observed.sandbox is None or not observed.sandbox.ready:
            raise StreamError(f'pod "{request.name}" has no running sandbox')
        asked = cri.PortForwardRequest(pod_sandbox_id=observed.sandbox.id, port=parameters.get("ports") or [])
        return await node.cri.port_forward_url(asked)
    container = observed.latest(request.container)
    if container is None or not container.alive:
        raise StreamError(f'container not found ("{request.container}")')
    streams = {k: bool(parameters.get(k)) for k in ("stdin", "stdout", "stderr", "tty")}
    if streams["tty"]:
        streams["stderr"] = False
    if request.kind == "attach":
        return await node.cri.attach_url(cri.AttachRequest(container_id=container.id, **streams))
    command = parameters.get("command") or []
    return await node.cri.exec_url(cri.ExecRequest(container_id=container.id, cmd=command, **streams))


def replayed_head(head: bytes, url: str) -> bytes:
    """The client's request head, addressed to the streaming server."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method = lines[0].split(b" ", 1)[0]
    kept = [line for line in lines[1:] if line.split(b":", 1)[0].strip().lower() not in _HOP_HEADERS]
    first = method + b" " + target.encode() + b" HTTP/1.1"
    return b"\r\n".join([first, b"Host: " + parts.netloc.encode(), *kept, b"", b""])


_HOP_HEADERS = (b"host", b"authorization", b"cookie")


async def _relay(link: Link, request: node_pb2.OpenStream, url: str) -> None:
    parts = urlsplit(url)
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError as e:
        raise StreamError(f"the runtime's streaming server does not answer: {e}") from e
    try:
        writer.write(replayed_head(request.request_head, url))
        await writer.drain()
        call = link.open_stream()
        if call is None:
            return
        try:
            await call.write(node_pb2.Frame(stream_id=request.stream_id))
            await _both_ways(call, reader, writer)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, ConnectionError):
            _log.debug("stream %s broke", request.stream_id)
        finally:
            call.cancel()
    finally:
        writer.close()


async def _both_ways(call: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the runtime has said all, or the client has gone; a client that only half-closes may still be answered."""
    down = asyncio.ensure_future(_to_runtime(call, writer))
    up = asyncio.ensure_future(_to_master(call, reader))
    try:
        done, _ = await asyncio.wait((down, up), return_when=asyncio.FIRST_COMPLETED)
        if up not in done and down.result():
            await up
        for task in done:
            task.result()
        # The master ends the call when it has passed the last bytes on; cancelling before would lose them.
        await asyncio.wait((down,), timeout=_LINGER_SECONDS)
    finally:
        down.cancel()
        up.cancel()
        await asyncio.gather(down, up, return_exceptions=True)


async def _to_runtime(call: Any, writer: asyncio.StreamWriter) -> bool:
    """True when the client only half-closed."""
    while (frame := await call.read()) is not grpc.aio.EOF:
        if frame.error:
            return False
        if frame.data:
            writer.write(frame.data)
            await writer.drain()
        if frame.eof:
            if writer.can_write_eof():
                writer.write_eof()
            return True
    return False


async def _to_master(call: Any, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(_CHUNK):
        await call.write(node_pb2.Frame(data=data))
    await call.write(node_pb2.Frame(eof=True))
    await call.done_writing()
