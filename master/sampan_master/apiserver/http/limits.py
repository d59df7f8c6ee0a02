"""What one client may take of the server before anybody knows who it is: bytes, seconds, connections.

The numbers are far above what clients need and far below what hurts. Nothing of the content is looked at here.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from dataclasses import dataclass

from sampan_api.errors import TooManyRequests


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. `bodies`: request bodies being read, of all clients together. `unread`: what
    is still read of a body that nobody wants, so that the connection can be used again. `stall`: how long a client
    may refuse to read its answer; it has to take about 50 KiB in this time."""

    head: int = 64 * 1024
    body: int = 3 * 1024 * 1024
    bodies: int = 256 * 1024 * 1024
    unread: int = 256 * 1024
    connections: int = 10_000
    pipelined: int = 16
    handshake: float = 10.0
    arrival: float = 60.0
    stall: float = 60.0
    linger: float = 0.5


class Bodies:
    """The bytes of request bodies that are being read at this moment, all clients together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    def take(self, size: int) -> None:
        """Raises TooManyRequests."""
        self._held += size
        if self._held > self._limits.bodies:
            raise TooManyRequests("too many request bodies are being read, please try again", {"retryAfterSeconds": 1})

    def give_back(self, size: int) -> None:
        self._held -= size


_OTHER_FILES = 512
"""Files that are no client's connection: the store, the nodes, logs."""


def make_room_for(connections: int) -> int:
    """How many connections there can be: each is an open file, of which a process has few until it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else min(connections, max(soft - _OTHER_FILES, soft // 2))


_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    # In milliseconds: what was sent and not acknowledged for so long means that nobody is there.
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 90_000),
)


def find_dead_peers(transport: asyncio.BaseTransport) -> None:
    """A client that vanished without a word (power, cable) must not hold its watches for ever."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        for level, option, value in _KEEP_ALIVE:
            connection.setsockopt(level, option, value)
