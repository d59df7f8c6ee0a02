"""`NodeLink`: the two gRPC servers agents dial, and the sessions they hold.

A node has at most one session. A second agent under a node's name is refused while the first was heard within the grace
period; the same agent process (same certificate serial and session id) takes its own old session over at once.
A session starts with Welcome and a Snapshot, taken in the same turn of the loop in which the session is entered among
those that get changes, so no pod falls between.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from typing import Any

import grpc
import orjson
from sampan_api.client import CONFIGMAPS, NODES, PODS, SECRETS, SERVICEACCOUNTS, Client, EventType
from sampan_api.clock import Clock
from sampan_api.errors import ApiError, ServiceUnavailable
from sampan_api.informer import Informer
from sampan_api.meta import Object, uid
from sampan_proto import node_pb2, node_pb2_grpc

from sampan_master.apiserver.handlers.node_streams import ByteStream, StreamRequest
from sampan_master.nodelink.bootstrap import BootstrapService
from sampan_master.nodelink.errors import NameTaken
from sampan_master.nodelink.events import EventRecorder
from sampan_master.nodelink.nodes import NodeRegistry, internal_address, pod_cidr
from sampan_master.nodelink.objects import Reference, asks_for_token, references
from sampan_master.nodelink.pods import PodStatusWriter
from sampan_master.nodelink.service import NodeLinkService
from sampan_master.nodelink.session import Doors, Identity, Session
from sampan_master.nodelink.settings import Authority, NodeLinkSettings
from sampan_master.nodelink.statuses import concerns_node
from sampan_master.nodelink.streams import PendingStreams

_log = logging.getLogger(__name__)
_BY_NODE = "node"
_POD_CIDR_POLL = 0.02
_CHANNEL_OPTIONS = [
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 256 * 1024 * 1024),
    ("grpc.so_reuseport", 0),
]


class NodeLink:
    """Implements `sampan_master.apiserver.handlers.node_streams.NodeStreams`."""

    def __init__(self, client: Client, clock: Clock, authority: Authority, settings: NodeLinkSettings) -> None:
        self._client = client
        self._clock = clock
        self._authority = authority
        self.settings = settings
        self._sessions: dict[str, Session] = {}
        self.streams = PendingStreams()
        self._registry = NodeRegistry(client, clock, settings)
        self._events = EventRecorder(client, clock)
        self._pods = Informer(client, PODS, clock)
        self._nodes = Informer(client, NODES, clock)
        self._peers: dict[str, tuple[str, str]] = {}
        """Node -> its address and its range of pod addresses, for those that have both."""
        self._cluster = ipaddress.ip_network(settings.cluster_cidr)
        self._running: list[asyncio.Task[None]] = []
        self._servers: list[grpc.aio.Server] = []
        self.node_port = 0
        self.join_port = 0

    async def start(self) -> None:
        """Returns once agents can join and connect."""
        self._pods.add_index(_BY_NODE, _bound_to)
        self._pods.subscribe(self._pod_changed)
        self._nodes.subscribe(self._node_changed)
        self._running = [asyncio.create_task(i.run()) for i in (self._pods, self._nodes)]
        await self._pods.synced()
        await self._nodes.synced()
        await self._listen()

    async def _listen(self) -> None:
        pair = self._authority.issue_server(list(self.settings.server_names))
        keys = [(pair.key_pem, pair.cert_pem)]
        node, join = (grpc.aio.server(options=_CHANNEL_OPTIONS) for _ in range(2))
        node_pb2_grpc.add_NodeLinkServicer_to_server(NodeLinkService(self), node)
        join_service = BootstrapService(self._authority, self.settings.join_token)
        node_pb2_grpc.add_BootstrapServicer_to_server(join_service, join)
        mutual = grpc.ssl_server_credentials(keys, self._authority.ca_pem, require_client_auth=True)
        self.node_port = _bind(node, self.settings.node_listen, mutual)
        self.join_port = _bind(join, self.settings.join_listen, grpc.ssl_server_credentials(keys))
        self._servers = [node, join]
        for server in self._servers:
            await server.start()

    async def stop(self) -> None:
        for session in list(self._sessions.values()):
            session.end()
        for server in self._servers:
            await server.stop(grace=0.5)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def open(self, node: str, request: StreamRequest) -> ByteStream:
        session = self._sessions.get(node)
        if session is None:
            raise ServiceUnavailable(f'node "{node}" is not connected')
        return await self.streams.open(node, session, request)

    async def register(self, name: str, identity: Identity, hello: node_pb2.Hello) -> Session:
        """Claims the node's name and writes its Node and Lease. Raises NameTaken."""
        session = self._claim(name, identity)
        try:
            reported: Object = json.loads(hello.node) if hello.node else {"metadata": {}}
            taints: list[dict[str, Any]] = json.loads(hello.register_with_taints or b"[]")
            session.node = await self._with_pod_cidr(await self._registry.register(name, reported, taints))
            try:
                await self._registry.renew_lease(session.node)
            except ApiError as e:
                _log.warning("lease of node %s: %s", name, e)
        except BaseException:
            self.forget(session)
            raise
        return session

    async def _with_pod_cidr(self, node: Object) -> Object:
        """Waits for the controller that gives nodes their ranges, but not for ever: the agent can report without."""
        name = node["metadata"]["name"]
        end = self._clock.monotonic() + self.settings.pod_cidr_wait_seconds
        while not pod_cidr(node) and self._clock.monotonic() < end:
            await self._clock.sleep(_POD_CIDR_POLL)
            known = self._nodes.get(name)
            if known is not None and uid(known) == uid(node) and pod_cidr(known):
                return known
        if not pod_cidr(node):
            _log.warning("node %s has no range of pod addresses yet: its pods wait", name)
        return node

    def _claim(self, name: str, identity: Identity) -> Session:
        holder = self._sessions.get(name)
        if holder is not None:
            silent = self._clock.monotonic() - holder.heard_at
            if holder.identity != identity and silent < self.settings.session_grace_seconds:
                raise NameTaken(
                    f'another agent is connected as node "{name}" (certificate {holder.identity.serial}); '
                    "stop it, or give this one another --node-name"
                )
            self.forget(holder)
        writer = PodStatusWriter(self._client, self._clock, self._pods, name)
        doors = Doors(self._registry, writer, self._events, self.streams)
        session = Session(name, identity, doors, self._clock)
        self._sessions[name] = session
        return session

    def forget(self, session: Session) -> None:
        session.end()
        if self._sessions.get(session.name) is session:
            del self._sessions[session.name]
            self.streams.node_lost(session.name)

    def welcome(self, session: Session) -> None:
        """Queues Welcome, the Snapshot and the peers, and lets changes follow: one turn of the loop."""
        settings = self.settings
        welcome = node_pb2.Welcome(
            pod_cidr=pod_cidr(session.node),
            heartbeat_seconds=settings.heartbeat_seconds,
            status_seconds=settings.status_seconds,
            cluster_cidr=settings.cluster_cidr,
            cluster_dns=settings.cluster_dns,
            cluster_domain=settings.cluster_domain,
        )
        session.send(node_pb2.MasterMessage(welcome=welcome))
        pods = [orjson.dumps(pod) for pod in self._pods.by_index(_BY_NODE, session.name)]
        session.send(node_pb2.MasterMessage(snapshot=node_pb2.Snapshot(pods=pods)))
        session.send(self._peers_for(session.name))
        session.welcomed = True

    async def read_object(self, node: str, wanted: Reference) -> Object:
        """A ConfigMap or Secret, when a pod on that node names it; raises PermissionError when none does."""
        if not any(wanted in references(pod) for pod in self._pods.by_index(_BY_NODE, node)):
            raise PermissionError(f'no pod on node "{node}" uses {wanted.kind} {wanted.namespace}/{wanted.name}')
        resource = {"ConfigMap": CONFIGMAPS, "Secret": SECRETS}[wanted.kind]
        return await self._client.get(resource, wanted.name, wanted.namespace)

    async def issue_token(self, node: str, pod_uid: str, audience: str, seconds: int) -> Object:
        """A TokenRequest, answered, when a volume of that pod on that node asks for it; else raises PermissionError."""
        pod = next((one for one in self._pods.by_index(_BY_NODE, node) if uid(one) == pod_uid), None)
        if pod is None or not asks_for_token(pod, audience, seconds):
            raise PermissionError(f'no pod {pod_uid} on node "{node}" has a volume with such a token')
        metadata = pod["metadata"]
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": pod_uid}
        request = {
            "metadata": {"name": pod["spec"]["serviceAccountName"], "namespace": metadata["namespace"]},
            "spec": {
                "audiences": [audience] if audience else [],
                "expirationSeconds": seconds,
                "boundObjectRef": bound,
            },
        }
        return await self._client.create(SERVICEACCOUNTS, request, subresource="token")

    def _pod_changed(self, type_: EventType, new: Object, old: Object | None) -> None:
        for name in {*_bound_to(new), *(_bound_to(old) if old else ())}:
            session = self._sessions.get(name)
            if session is None or not session.welcomed:
                continue
            removed = type_ is EventType.DELETED or name not in _bound_to(new)
            if removed or concerns_node(old, new):
                session.send_pod(new["metadata"]["uid"], orjson.dumps(new), removed=removed)

    def _node_changed(self, type_: EventType, new: Object, old: Object | None) -> None:
        session = self._sessions.get(new["metadata"]["name"])
        if session is not None and session.welcomed and (type_ is EventType.DELETED or _differ(session.node, new)):
            # Its agent is alive: it connects again, and registers as the new node it is or hears of its range.
            session.end()
        name = new["metadata"]["name"]
        peer = self._peer(new) if type_ is not EventType.DELETED else None
        if peer == self._peers.get(name):
            return
        if peer is None:
            del self._peers[name]
        else:
            self._peers[name] = peer
        for session in self._sessions.values():
            if session.welcomed:
                session.send(self._peers_for(session.name))

    def _peer(self, node: Object) -> tuple[str, str] | None:
        """None for a node that nobody can send packets to: no address or range yet, or a range outside the cluster's
        network (simulated nodes)."""
        address, cidr = internal_address(node), pod_cidr(node)
        if not address or not cidr or not ipaddress.ip_network(cidr, strict=False).overlaps(self._cluster):
            return None
        return address, cidr

    def _peers_for(self, name: str) -> node_pb2.MasterMessage:
        peers = [
            node_pb2.Peer(name=peer, address=address, pod_cidr=cidr)
            for peer, (address, cidr) in sorted(self._peers.items())
            if peer != name
        ]
        return node_pb2.MasterMessage(peers=node_pb2.Peers(peers=peers))


def _bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials) -> int:
    """The port. Raises OSError, where gRPC tells of a taken one by a RuntimeError."""
    try:
        return int(server.add_secure_port(address, credentials))
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address} for nodes: is the port taken?") from error


def _bound_to(pod: Object) -> list[str]:
    node = (pod.get("spec") or {}).get("nodeName")
    return [node] if node else []


def _differ(told: Object, now: Object) -> bool:
    """Whether the node has got its range since its agent was welcomed."""
    return not pod_cidr(told) and bool(pod_cidr(now))
