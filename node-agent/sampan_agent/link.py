"""The agent's end of the node link: dial, say Hello, hear what to run, say what became of it; again and again.

Nothing is lost when the link is: the newest status of every pod is kept and all are sent anew on each connect. Events
wait in a bounded queue. Losing the master changes nothing on the node.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections import deque
from typing import Any, Protocol

import grpc
from sampan_proto import node_pb2, node_pb2_grpc

from sampan_agent.errors import ObjectUnavailable
from sampan_agent.join import CHANNEL_OPTIONS, Identity
from sampan_agent.tokens import Token, Wanted
from sampan_agent.unary import reply_to

_log = logging.getLogger(__name__)
_FIRST_DELAY, _MAX_DELAY = 0.05, 2.0
_EVENTS_KEPT = 1000


class Listener(Protocol):
    """What the link tells. None of these may wait long: the link hears nothing else meanwhile."""

    async def hello(self) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """The Node object as the agent sees itself, and the taints to register with."""
        ...

    async def welcomed(self, welcome: node_pb2.Welcome) -> None: ...
    def snapshot(self, pods: list[dict[str, Any]]) -> None: ...
    def pod_changed(self, pod: dict[str, Any], removed: bool) -> None: ...
    def peers_changed(self, peers: dict[str, str]) -> None: ...
    def stream_asked(self, request: node_pb2.OpenStream) -> None: ...
    async def status(self) -> dict[str, Any]: ...


class Link:
    def __init__(self, node_name: str, identity: Identity) -> None:
        self._node_name = node_name
        self._identity = identity
        self._session = secrets.token_hex(16)
        self._statuses: dict[str, node_pb2.PodStatus] = {}
        self._unsent: dict[str, None] = {}
        self._events: deque[bytes] = deque(maxlen=_EVENTS_KEPT)
        self._priority: deque[node_pb2.NodeMessage] = deque()
        self._something = asyncio.Event()
        self._status_wanted = asyncio.Event()
        self._stub: node_pb2_grpc.NodeLinkStub | None = None
        self._heartbeat_seconds = 10
        self._status_seconds = 60
        self.connected = False

    def put_status(self, status: node_pb2.PodStatus) -> None:
        """Replaces what was to be said of that pod."""
        self._statuses[status.uid] = status
        self._unsent[status.uid] = None
        self._something.set()

    def forget(self, uid: str) -> None:
        self._statuses.pop(uid, None)
        self._unsent.pop(uid, None)

    def put_event(self, event: dict[str, Any]) -> None:
        self._events.append(json.dumps(event).encode())
        self._something.set()

    def refuse(self, refusal: node_pb2.StreamRefused) -> None:
        self._priority.append(node_pb2.NodeMessage(stream_refused=refusal))
        self._something.set()

    def node_status_changed(self) -> None:
        """Send NodeStatus now."""
        self._status_wanted.set()

    async def read_object(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """Raises ObjectUnavailable."""
        if self._stub is None or not self.connected:
            raise ObjectUnavailable(f"{kind} {namespace}/{name}: the master is away")
        request = node_pb2.ObjectRequest(kind=kind, namespace=namespace, name=name)
        try:
            reply: node_pb2.ObjectReply = await reply_to(self._stub.GetObject(request, timeout=10))
        except grpc.aio.AioRpcError as e:
            missing = e.code() is grpc.StatusCode.NOT_FOUND
            text = f'{kind.lower()} "{name}" not found' if missing else f"{kind} {namespace}/{name}: {e.details()}"
            raise ObjectUnavailable(text, missing=missing) from e
        obj: dict[str, Any] = json.loads(reply.object)
        return {**obj, "kind": kind}

    async def read_token(self, wanted: Wanted) -> Token:
        """Raises ObjectUnavailable."""
        if self._stub is None or not self.connected:
            raise ObjectUnavailable("token: the master is away")
        request = node_pb2.TokenRequest(
            pod_uid=wanted.pod_uid, audience=wanted.audience, expiration_seconds=wanted.seconds
        )
        try:
            reply: node_pb2.TokenReply = await reply_to(self._stub.GetToken(request, timeout=10))
        except grpc.aio.AioRpcError as e:
            raise ObjectUnavailable(f"failed to fetch token: {e.details()}") from e
        return Token(reply.token, reply.expires_at)

    def open_stream(self) -> Any:
        """A new `Stream` call; None when the master is away."""
        return self._stub.Stream() if self._stub is not None else None

    async def run(self, listener: Listener) -> None:
        """Until cancelled."""
        delay, said = _FIRST_DELAY, ""
        while True:
            try:
                if await self._connect(listener):
                    delay, said = _FIRST_DELAY, ""
            except grpc.aio.AioRpcError as e:
                trouble = f"{e.code().name}: {e.details()}"
                if trouble != said:
                    _log.warning("master %s: %s", self._identity.server, trouble)
                    said = trouble
                if e.code() is grpc.StatusCode.ALREADY_EXISTS:
                    delay = _MAX_DELAY
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, _MAX_DELAY)

    async def _connect(self, listener: Listener) -> bool:
        """One session; True when it got as far as Welcome."""
        credentials = self._identity.credentials()
        async with grpc.aio.secure_channel(self._identity.server, credentials, CHANNEL_OPTIONS) as channel:
            stub = node_pb2_grpc.NodeLinkStub(channel)
            call = stub.Connect()
            node, taints = await listener.hello()
            hello = node_pb2.Hello(
                node_name=self._node_name,
                session=self._session,
                node=json.dumps(node).encode(),
                register_with_taints=json.dumps(taints).encode(),
            )
            try:
                await call.write(node_pb2.NodeMessage(hello=hello))
            except asyncio.InvalidStateError:
                pass  # The call is over: reading says why.
            first = await call.read()
            if first is grpc.aio.EOF:
                await _end(call)
                return False
            if first.WhichOneof("message") != "welcome":
                return False
            self._stub = stub
            self._heartbeat_seconds = first.welcome.heartbeat_seconds or 10
            self._status_seconds = first.welcome.status_seconds or 60
            await listener.welcomed(first.welcome)
            await self._talk(call, listener)
            return True

    async def _talk(self, call: Any, listener: Listener) -> None:
        _log.info("connected to %s", self._identity.server)
        self.connected = True
        self._unsent.update(dict.fromkeys(self._statuses))
        self._something.set()
        self._status_wanted.set()
        sending = asyncio.Lock()
        tasks = [
            asyncio.create_task(work)
            for work in (
                self._hear(call, listener),
                self._send_waiting(call, sending),
                self._send_heartbeats(call, sending),
                self._send_node_status(call, sending, listener),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.InvalidStateError:
            await _end(call)
        finally:
            self.connected = False
            self._stub = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, call: Any, listener: Listener) -> None:
        while (message := await call.read()) is not grpc.aio.EOF:
            match message.WhichOneof("message"):
                case "snapshot":
                    listener.snapshot([json.loads(pod) for pod in message.snapshot.pods])
                case "pod":
                    listener.pod_changed(json.loads(message.pod.pod), message.pod.removed)
                case "peers":
                    peers = {p.pod_cidr: p.address for p in message.peers.peers}
                    listener.peers_changed(peers)
                case "open_stream":
                    listener.stream_asked(message.open_stream)
        await _end(call)

    async def _send_waiting(self, call: Any, sending: asyncio.Lock) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while message := self._next():
                async with sending:
                    await call.write(message)

    def _next(self) -> node_pb2.NodeMessage | None:
        if self._priority:
            return self._priority.popleft()
        while self._unsent:
            uid = next(iter(self._unsent))
            del self._unsent[uid]
            if uid in self._statuses:
                return node_pb2.NodeMessage(pod_status=self._statuses[uid])
        if self._events:
            return node_pb2.NodeMessage(event=node_pb2.NodeEvent(event=self._events.popleft()))
        return None

    async def _send_heartbeats(self, call: Any, sending: asyncio.Lock) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            async with sending:
                await call.write(node_pb2.NodeMessage(heartbeat=node_pb2.Heartbeat()))

    async def _send_node_status(self, call: Any, sending: asyncio.Lock, listener: Listener) -> None:
        while True:
            try:
                async with asyncio.timeout(self._status_seconds):
                    await self._status_wanted.wait()
            except TimeoutError:
                pass
            self._status_wanted.clear()
            status = json.dumps(await listener.status()).encode()
            async with sending:
                await call.write(node_pb2.NodeMessage(node_status=node_pb2.NodeStatus(status=status)))


async def _end(call: Any) -> None:
    """Of a call that is over, for who noticed it by writing or at the end of reading. Raises AioRpcError unless the
    master said goodbye in order."""
    if await call.code() is not grpc.StatusCode.OK:
        await call.wait_for_connection()
