"""`ApiServer`: the registry behind HTTPS listeners, and the in-process door to it.

Order of a start: `ApiServer(...)`, `await start()` (initial objects, listeners), `client(user)` for the scheduler,
controllers and the node link, then `use_streams(node_link)` so that logs and exec reach the nodes. The storage's
cache must be running before.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate

from sampan_api.client import Client, UserInfo
from sampan_api.clock import Clock
from sampan_api.errors import ServiceUnavailable
from uvicorn.config import Config
from uvicorn.server import ServerState

from sampan_master.apiserver.app import Asgi, Handler, build
from sampan_master.apiserver.auth.authentication import Authenticator
from sampan_master.apiserver.auth.authorization import MASTERS
from sampan_master.apiserver.auth.reviews import REVIEWS, Reviews
from sampan_master.apiserver.auth.service_account_tokens import ISSUER, ServiceAccountTokens, TokenIssuer
from sampan_master.apiserver.bootstrap import (
    InitialObjects,
    create_initial_objects,
    initial_objects,
    keep_initial_objects,
)
from sampan_master.apiserver.discovery.groups import Discovery
from sampan_master.apiserver.handlers.api_groups import ApiGroups
from sampan_master.apiserver.handlers.documents import VERSION, Check, Documents
from sampan_master.apiserver.handlers.endpoint import ResourceEndpoint
from sampan_master.apiserver.handlers.explaining import PATHS, Answers, Explaining, NoAnswers
from sampan_master.apiserver.handlers.metrics import Metrics
from sampan_master.apiserver.handlers.node_streams import NodeStreams, NoNodes
from sampan_master.apiserver.handlers.openapi import OpenApi
from sampan_master.apiserver.handlers.pod_streams import PodStreams
from sampan_master.apiserver.handlers.watch_streams import WatchStreams
from sampan_master.apiserver.http.limits import Bodies, Limits, make_room_for
from sampan_master.apiserver.http.protocol import ApiProtocol
from sampan_master.apiserver.local import LocalClient
from sampan_master.apiserver.registry.admission import Admission
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.resources.resource_type import SERVICE_NETWORK, ServiceNetwork
from sampan_master.apiserver.resources.table import BUILT_IN
from sampan_master.prometheus import Source
from sampan_master.storage import Storage, StoreUnavailable

_KEEP_ALIVE_SECONDS = 120
_STOP_SECONDS = 5.0
_BACKLOG = 2048
_DEFAULT_PORT = 6443
SYSTEM = UserInfo("system:apiserver", [MASTERS])


@dataclass(frozen=True, slots=True)
class ApiServerConfig:
    """`listen` holds (address, port) pairs, port 0 picks a free one (see `ApiServer.addresses`). Certificates are PEM.
    `tokens` are static bearer tokens. An empty `certificate` serves plain HTTP (tests only).
    `token_key` (PEM, RSA) signs service accounts' tokens in the name of `issuer`, which is also the audience that the
    API server is. Servers that share a store must share the key; an empty one is replaced by one that ends with the
    server."""

    listen: tuple[tuple[str, int], ...] = (("127.0.0.1", _DEFAULT_PORT),)
    certificate: bytes = b""
    key: bytes = b""
    client_ca: bytes = b""
    tokens: Mapping[str, UserInfo] = field(default_factory=dict)
    token_key: bytes = b""
    issuer: str = ISSUER
    default_toleration_seconds: int = 300
    event_ttl_seconds: int = 3600
    limits: Limits = field(default_factory=Limits)
    network: ServiceNetwork = SERVICE_NETWORK


class ApiServer:
    def __init__(self, storage: Storage, config: ApiServerConfig, clock: Clock) -> None:
        self._storage = storage
        self._config = config
        self._clock = clock
        self._streams: NodeStreams = NoNodes()
        admission = Admission(storage.cache, toleration_seconds=config.default_toleration_seconds)
        self.registry = Registry(storage, clock, admission, event_ttl=config.event_ttl_seconds, network=config.network)
        self._issuer = TokenIssuer(config.token_key, config.issuer)
        self._watches = WatchStreams(self.registry)
        self._pod_streams = PodStreams(self.registry, lambda: self._streams)
        self._metrics: list[Source] = []
        self._answers: Answers = NoAnswers()
        self.addresses: list[tuple[str, int]] = []
        self._servers: list[asyncio.Server] = []
        self._state = ServerState()
        self._dates: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Makes the initial objects and listens; returns when requests are answered."""
        await create_initial_objects(self.client(SYSTEM, "kube-apiserver"), self._initial_objects)
        uvicorn = Config(
            self._application(),
            http=ApiProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            backlog=_BACKLOG,
        )
        uvicorn.load()
        loop = asyncio.get_running_loop()
        self._state.default_headers = [_date()]
        self._dates = asyncio.create_task(self._keep_date(), name="date header")

        asked = self._config.limits
        limits, bodies = replace(asked, connections=make_room_for(asked.connections)), Bodies(asked)

        def protocol() -> ApiProtocol:
            return ApiProtocol(uvicorn, self._state, limits, bodies, loop)

        context = _tls(self._config) if self._config.certificate else None
        for address, port in self._config.listen:
            server = await loop.create_server(
                protocol,
                address,
                port,
                ssl=context,
                backlog=_BACKLOG,
                ssl_handshake_timeout=limits.handshake if context else None,
                ssl_shutdown_timeout=limits.linger if context else None,
            )
            self._servers.append(server)
            self.addresses.append((address, int(server.sockets[0].getsockname()[1])))

    def _application(self) -> Asgi:
        discovery = Discovery(BUILT_IN, REVIEWS)
        metrics = Metrics(self._objects, VERSION["gitVersion"], self._metrics)
        checks: dict[str, Check] = {"ping": _fine, "etcd": self._check_store}
        documents = Documents(discovery, self._public_address, checks, self._issuer, metrics)
        endpoint = ResourceEndpoint(self.registry, BUILT_IN, self._pod_streams, self._watches, self._issuer)
        openapi = OpenApi(BUILT_IN, REVIEWS, self._clock)
        routes: dict[str, Asgi] = {}
        for path, function in (
            ("/version", documents.version),
            ("/api", documents.core_versions),
            ("/apis", documents.groups),
            ("/apis/{group}", documents.group),
            ("/.well-known/openid-configuration", documents.openid_configuration),
            ("/openid/v1/jwks", documents.token_keys),
            ("/metrics", documents.metrics),
            ("/openapi/v2", openapi.version_2),
            ("/openapi/v3", openapi.index),
        ):
            routes[path] = routes[path + "/"] = Handler(function)
        for kind in ("healthz", "livez", "readyz"):
            routes[f"/{kind}"] = routes[f"/{kind}/{{check}}"] = Handler(documents.health, any_method=True)
        routes["/openapi/v3/{group:path}"] = Handler(openapi.version_3)
        routes["/"] = Handler(documents.root)
        explaining = Explaining(self.registry, BUILT_IN, lambda: self._answers)
        for path, function in zip(PATHS, (explaining.why, explaining.whatif), strict=True):
            routes[path] = Handler(function, any_method=True)
        reader = ServiceAccountTokens(self._issuer, self._storage.cache, self._clock)
        authenticator = Authenticator(self._config.tokens, self._issuer.issuer, reader)
        groups = ApiGroups(discovery, endpoint, Reviews(authenticator, self._clock.now))
        return build(authenticator, groups.answer, routes, metrics)

    def _objects(self) -> dict[str, int]:
        sizes = self._storage.cache.sizes()
        return {rt.qualified: sizes[rt.storage_name] for rt in BUILT_IN.types if rt.storage_name in sizes}

    def _public_address(self) -> str:
        address, port = self.addresses[0]
        return f"{address}:{port}"

    async def _check_store(self) -> str:
        try:
            async with asyncio.timeout(3.0):
                await self._storage.cache.fresh()
        except (StoreUnavailable, ServiceUnavailable, TimeoutError):
            return "reason withheld"
        return ""

    @property
    def _initial_objects(self) -> InitialObjects:
        port = next((port for _, port in self._config.listen if port), _DEFAULT_PORT)
        return initial_objects(self._config.network, port)

    async def keep_initial_objects(self) -> None:
        """Runs for ever."""
        await keep_initial_objects(self.client(SYSTEM, "kube-apiserver"), self._initial_objects, self._clock)

    async def _keep_date(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._state.default_headers = [_date()]

    async def stop(self) -> None:
        """Stops accepting, lets running requests finish for a moment, then closes what is left (watches)."""
        for server in self._servers:
            server.close()
        self._watches.close()
        await self._pod_streams.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=_STOP_SECONDS)
        for task in list(self._state.tasks):
            task.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()
        # The transports say that they are closed in the next turn of the loop.
        await asyncio.sleep(0)
        if self._dates is not None:
            self._dates.cancel()
            self._dates = None

    def client(self, user: UserInfo, manager: str = "") -> Client:
        """The in-process client; everything it does is done as `user`, who is not asked for permission. `manager` is
        its name in managedFields, the user's when it has none."""
        return LocalClient(self.registry, BUILT_IN, user, self._issuer, manager)

    def add_metrics(self, source: Source) -> None:
        """`/metrics` tells of it, too."""
        self._metrics.append(source)

    def use_answers(self, answers: Answers) -> None:
        """The scheduler beside this server."""
        self._answers = answers

    def use_streams(self, streams: NodeStreams) -> None:
        self._streams = streams


async def _fine() -> str:
    return ""


def _date() -> tuple[bytes, bytes]:
    return b"date", formatdate(usegmt=True).encode()


def _tls(config: ApiServerConfig) -> ssl.SSLContext:
    """TLS 1.2 and up; a client certificate is asked for and, if shown, must be of our CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    # ssl reads certificates from files only; a memory file leaves no key on a disk.
    file = os.memfd_create("certificate")
    try:
        with open(file, "wb", closefd=False) as out:
            out.write(config.certificate + b"\n" + config.key)
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
    if config.client_ca:
        context.load_verify_locations(cadata=config.client_ca.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
