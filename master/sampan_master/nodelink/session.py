"""One agent's connection: what it sends is taken to the API, what concerns it is queued for it.

Outgoing messages are queued without bound on purpose: they are changes of the at most few hundred pods of one node, and
a node that does not read is ended by the keepalive.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import NamedTuple

from sampan_api.clock import Clock
from sampan_api.errors import ApiError
from sampan_api.meta import Object
from sampan_proto import node_pb2

from sampan_master.nodelink.events import EventRecorder
from sampan_master.nodelink.nodes import NodeRegistry
from sampan_master.nodelink.pods import PodStatusWriter
from sampan_master.nodelink.streams import PendingStreams

_log = logging.getLogger(__name__)


class Identity(NamedTuple):
    """Who is at the other end: certificate serial, and the session id the agent process chose at its start."""

    serial: str
    session: str


@dataclass(slots=True)
class Doors:
    """Where a session takes what it hears."""

    registry: NodeRegistry
    statuses: PodStatusWriter
    events: EventRecorder
    streams: PendingStreams


class Session:
    def __init__(self, name: str, identity: Identity, doors: Doors, clock: Clock) -> None:
        self.name = name
        self.identity = identity
        self.heard_at = clock.monotonic()
        self.ended = asyncio.Event()
        self._clock = clock
        self._doors = doors
        self._outgoing: asyncio.Queue[node_pb2.MasterMessage | None] = asyncio.Queue()
        self._reported: asyncio.Queue[node_pb2.NodeMessage] = asyncio.Queue()
        self.node: Object = {}
        self.welcomed = False

    def send(self, message: node_pb2.MasterMessage) -> None:
        self._outgoing.put_nowait(message)

    def send_pod(self, pod_uid: str, body: bytes, *, removed: bool) -> None:
        if removed:
            self._doors.statuses.forget(pod_uid)
        self.send(node_pb2.MasterMessage(pod=node_pb2.PodChange(pod=body, removed=removed)))

    async def next_outgoing(self) -> node_pb2.MasterMessage | None:
        """None: the session is over."""
        return await self._outgoing.get()

    def end(self) -> None:
        """Idempotent. Wakes the sender, and drops statuses not yet written."""
        if not self.ended.is_set():
            self.ended.set()
            self._doors.statuses.close()
            self._outgoing.put_nowait(None)

    def hear(self, message: node_pb2.NodeMessage) -> None:
        """Never waits: pod statuses go to their own tasks, the rest is written in order by `write_reports`."""
        self.heard_at = self._clock.monotonic()
        match message.WhichOneof("message"):
            case "pod_status":
                self._doors.statuses.put(message.pod_status)
            case "stream_refused":
                self._doors.streams.refused(self.name, message.stream_refused)
            case "heartbeat" | "node_status" | "event":
                self._reported.put_nowait(message)
            case _:
                _log.warning("node %s sent an unexpected message", self.name)

    async def write_reports(self) -> None:
        """Until cancelled: Lease, Node status and events, one after the other."""
        while True:
            message = await self._reported.get()
            try:
                match message.WhichOneof("message"):
                    case "heartbeat":
                        await self._doors.registry.renew_lease(self.node)
                    case "node_status":
                        status = json.loads(message.node_status.status)
                        await self._doors.registry.update_status(self.name, status)
                    case _:
                        await self._doors.events.record(json.loads(message.event.event))
            except ApiError as e:
                _log.warning("node %s: %s", self.name, e)
