"""Byte streams to a node: the master asks over the node's session, the agent answers with one `Stream` call each.

A stream is matched by an id that only the asked node ever sees, and the caller's certificate must be that node's. Reads
and writes go straight to the gRPC call, so a slow reader holds back the writer at the other end.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Protocol

import grpc
from sampan_api.errors import (
    ApiError,
    BadRequest,
    InternalError,
    NotFound,
    ServiceUnavailable,
    from_status,
)
from sampan_proto import node_pb2

from sampan_master.apiserver.handlers.node_streams import StreamRequest

OPEN_TIMEOUT_SECONDS = 15.0
_CHUNK = 64 * 1024


class Asker(Protocol):
    """The session of one node: able to pass an OpenStream on."""

    def send(self, message: node_pb2.MasterMessage) -> None: ...


class NodeStream:
    """`ByteStream` over one gRPC call; made by the handler of that call, which lives until `done` is set."""

    def __init__(self, context: grpc.aio.ServicerContext) -> None:
        self._context = context
        self._ended = False
        self._writing = asyncio.Lock()
        self.done = asyncio.Event()

    async def recv(self) -> bytes:
        while not self._ended:
            if self.done.is_set():
                return b""
            try:
                frame = await self._context.read()
            except (grpc.RpcError, asyncio.InvalidStateError) as e:
                raise ServiceUnavailable("the stream to the node broke") from e
            if frame is grpc.aio.EOF or frame is None:
                self._ended = True
            elif frame.error:
                self._ended = True
                self.done.set()
                raise InternalError(frame.error)
            else:
                self._ended = frame.eof
                if frame.data:
                    return bytes(frame.data)
        return b""

    async def send(self, data: bytes) -> None:
        for start in range(0, len(data), _CHUNK):
            await self._write(node_pb2.Frame(data=data[start : start + _CHUNK]))

    async def send_eof(self) -> None:
        await self._write(node_pb2.Frame(eof=True))

    async def close(self, error: str = "") -> None:
        if self.done.is_set():
            return
        if error:
            try:
                await self._write(node_pb2.Frame(error=error))
            except ServiceUnavailable:
                pass
        self.done.set()

    async def _write(self, frame: node_pb2.Frame) -> None:
        # A caller that is cancelled must not leave gRPC with a write under way: the call could not be finished.
        await asyncio.shield(asyncio.ensure_future(self._write_whole(frame)))

    async def _write_whole(self, frame: node_pb2.Frame) -> None:
        async with self._writing:
            if self.done.is_set():
                raise ServiceUnavailable("the stream to the node is closed")
            try:
                await self._context.write(frame)
            except (grpc.RpcError, asyncio.InvalidStateError, grpc.aio.UsageError) as e:
                self.done.set()
                raise ServiceUnavailable("the stream to the node broke") from e

    async def finished(self) -> None:
        """Returns when the stream is over and gRPC has nothing of it under way."""
        await self.done.wait()
        async with self._writing:
            pass


class PendingStreams:
    """Streams asked for and not yet answered, by id."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[str, asyncio.Future[NodeStream]]] = {}

    async def open(self, node: str, session: Asker, request: StreamRequest) -> NodeStream:
        stream_id = secrets.token_hex(16)
        answer: asyncio.Future[NodeStream] = asyncio.get_running_loop().create_future()
        self._waiting[stream_id] = (node, answer)
        session.send(
            node_pb2.MasterMessage(
                open_stream=node_pb2.OpenStream(
                    stream_id=stream_id,
                    kind=request.kind,
                    namespace=request.namespace,
                    name=request.name,
                    uid=request.uid,
                    container=request.container,
                    parameters=json.dumps(request.parameters).encode(),
                    request_head=request.request_head,
                )
            )
        )
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_SECONDS):
                return await answer
        except TimeoutError as e:
            raise ServiceUnavailable(f'node "{node}" does not answer') from e
        finally:
            self._waiting.pop(stream_id, None)

    async def accept(self, node: str, context: grpc.aio.ServicerContext) -> None:
        """Serves the agent's `Stream` call until the stream is over."""
        first = await context.read()
        waiting = None if first is grpc.aio.EOF else self._waiting.get(first.stream_id)
        if waiting is None or waiting[0] != node or waiting[1].done():
            await context.abort(grpc.StatusCode.NOT_FOUND, "nobody waits for this stream")
            return
        stream = NodeStream(context)
        waiting[1].set_result(stream)
        await stream.finished()

    def refused(self, node: str, refusal: node_pb2.StreamRefused) -> None:
        waiting = self._waiting.get(refusal.stream_id)
        if waiting and waiting[0] == node and not waiting[1].done():
            waiting[1].set_exception(_error(refusal))

    def node_lost(self, node: str) -> None:
        for asked, answer in self._waiting.values():
            if asked == node and not answer.done():
                answer.set_exception(ServiceUnavailable(f'node "{node}" is not connected'))


def _error(refusal: node_pb2.StreamRefused) -> ApiError:
    known = {400: BadRequest, 404: NotFound}
    if leaf := known.get(refusal.code):
        return leaf(refusal.message)
    return from_status(refusal.code, {"reason": refusal.reason, "message": refusal.message})
