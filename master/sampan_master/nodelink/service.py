"""The gRPC face of the node link: reads who calls from the certificate, and maps outcomes to gRPC codes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Protocol

import grpc
import orjson
from cryptography import x509
from sampan_api.clock import parse_time
from sampan_api.errors import ApiError, NotFound
from sampan_api.meta import Object
from sampan_proto import node_pb2, node_pb2_grpc

from sampan_master.nodelink.errors import NameTaken
from sampan_master.nodelink.objects import Reference
from sampan_master.nodelink.session import Identity, Session
from sampan_master.nodelink.streams import PendingStreams

_log = logging.getLogger(__name__)
_PREFIX = "system:node:"


class Link(Protocol):
    """What the service needs of `NodeLink`."""

    streams: PendingStreams

    async def register(self, name: str, identity: Identity, hello: node_pb2.Hello) -> Session: ...
    def welcome(self, session: Session) -> None: ...
    def forget(self, session: Session) -> None: ...
    async def read_object(self, node: str, wanted: Reference) -> Object: ...
    async def issue_token(self, node: str, pod_uid: str, audience: str, seconds: int) -> Object: ...


class NodeLinkService(node_pb2_grpc.NodeLinkServicer):
    def __init__(self, link: Link) -> None:
        self._link = link

    async def Connect(
        self, request_iterator: AsyncIterator[node_pb2.NodeMessage], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[node_pb2.MasterMessage]:
        node, serial = await _caller(context)
        session = await self._greet(node, serial, request_iterator, context)
        work = [
            asyncio.create_task(_listen(session, request_iterator)),
            asyncio.create_task(session.write_reports()),
        ]
        try:
            self._link.welcome(session)
            while (message := await session.next_outgoing()) is not None:
                yield message
        finally:
            self._link.forget(session)
            for task in work:
                task.cancel()
            _log.info("node %s disconnected", node)

    async def _greet(
        self,
        node: str,
        serial: str,
        messages: AsyncIterator[node_pb2.NodeMessage],
        context: grpc.aio.ServicerContext,
    ) -> Session:
        first = await anext(messages, None)
        if first is None or first.hello.node_name != node:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"expected Hello of node {node!r} first")
        assert first is not None
        try:
            session = await self._link.register(node, Identity(serial, first.hello.session), first.hello)
        except NameTaken as e:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, str(e))
        except ApiError as e:
            await context.abort(grpc.StatusCode.UNAVAILABLE, e.message)
        _log.info("node %s connected", node)
        return session

    async def Stream(  # type: ignore[override]  # a coroutine: it reads and writes through its context
        self, request_iterator: AsyncIterator[node_pb2.Frame], context: grpc.aio.ServicerContext
    ) -> None:
        node, _ = await _caller(context)
        await self._link.streams.accept(node, context)

    async def GetObject(
        self, request: node_pb2.ObjectRequest, context: grpc.aio.ServicerContext
    ) -> node_pb2.ObjectReply:
        node, _ = await _caller(context)
        try:
            obj = await self._link.read_object(node, Reference(request.kind, request.namespace, request.name))
        except PermissionError as e:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(e))
        except NotFound as e:
            await context.abort(grpc.StatusCode.NOT_FOUND, e.message)
        except ApiError as e:
            await context.abort(grpc.StatusCode.UNAVAILABLE, e.message)
        return node_pb2.ObjectReply(object=orjson.dumps(obj))

    async def GetToken(self, request: node_pb2.TokenRequest, context: grpc.aio.ServicerContext) -> node_pb2.TokenReply:
        node, _ = await _caller(context)
        try:
            issued = await self._link.issue_token(node, request.pod_uid, request.audience, request.expiration_seconds)
        except PermissionError as e:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(e))
        except NotFound as e:
            await context.abort(grpc.StatusCode.NOT_FOUND, e.message)
        except ApiError as e:
            await context.abort(grpc.StatusCode.UNAVAILABLE, e.message)
        status = issued["status"]
        return node_pb2.TokenReply(token=status["token"], expires_at=int(parse_time(status["expirationTimestamp"])))


async def _listen(session: Session, messages: AsyncIterator[node_pb2.NodeMessage]) -> None:
    try:
        async for message in messages:
            session.hear(message)
    finally:
        session.end()


async def _caller(context: grpc.aio.ServicerContext) -> tuple[str, str]:
    """Node name and certificate serial, from the verified client certificate."""
    auth = context.auth_context()
    names = [n.decode() for n in auth.get("x509_common_name", [])]
    pems = auth.get("x509_pem_cert", [])
    if len(names) != 1 or not names[0].startswith(_PREFIX) or not pems:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the certificate is not a node's")
    certificate = x509.load_pem_x509_certificate(pems[0])
    return names[0].removeprefix(_PREFIX), f"{certificate.serial_number:x}"
