"""`ApiServer`: the registry behind HTTPS listeners, and the in-process door to it.

Order of a start: `ApiServer(...)`, `await start()` (initial objects, listeners), `client(user)` for the scheduler,
controllers and the node link, then `use_streams(node_link)` so that logs and exec reach the nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sampan_api.client import Client, UserInfo
from sampan_api.clock import Clock
from sampan_master.apiserver.local import LocalClient
from sampan_master.apiserver.streams import NodeStreams, NoNodes

if TYPE_CHECKING:
    from sampan_master.storage.storage import Storage


@dataclass(frozen=True, slots=True)
class ApiServerConfig:
    """`listen` holds (address, port) pairs, port 0 picks a free one (see `ApiServer.addresses`). Certificates are PEM.
    `tokens` are static bearer tokens. An empty `certificate` serves plain HTTP (tests only)."""

    listen: tuple[tuple[str, int], ...] = (("127.0.0.1", 6443),)
    certificate: bytes = b""
    key: bytes = b""
    client_ca: bytes = b""
    tokens: Mapping[str, UserInfo] = field(default_factory=dict)
    default_toleration_seconds: int = 300
    event_ttl_seconds: int = 3600


class ApiServer:
    def __init__(
        self, storage: Storage, config: ApiServerConfig, clock: Clock, streams: NodeStreams | None = None
    ) -> None:
        self._storage = storage
        self._config = config
        self._clock = clock
        self._streams: NodeStreams = streams or NoNodes()
        self.addresses: list[tuple[str, int]] = []

    async def start(self) -> None:
        """Makes the initial objects and listens; returns when requests are answered."""

    async def stop(self) -> None:
        """Stops accepting, ends watches with a clean EOF, lets running writes finish."""

    def client(self, user: UserInfo) -> Client:
        """The in-process client; everything it does is done as `user`, who is not asked for permission."""
        return LocalClient(self._storage, user)

    def use_streams(self, streams: NodeStreams) -> None:
        self._streams = streams
