"""The seam through which the API server reaches a pod's node: one byte stream per logs, exec, attach or port-forward.

The node link implements `NodeStreams`. For everything but logs the stream carries a raw HTTP/1.1 exchange: the master
sends nothing but what the client sends after its request head (the head itself travels in `StreamRequest`), and what
comes back begins with the response head, which the master relays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from sampan_api.errors import ServiceUnavailable


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What to open on a node.

    `kind` is "logs", "exec", "attach" or "portforward". `parameters` holds the PodLogOptions fields for logs
    (`follow`, `previous`, `timestamps`: bool; `tailLines`, `sinceSeconds`, `limitBytes`: int; `sinceTime`: str; absent
    when not asked for); `command` (list), `stdin`, `stdout`, `stderr`, `tty` (bool) or `ports` (list of int) otherwise.
    `request_head` is the client's request line and headers, empty line included; b"" for logs.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    container: str
    parameters: dict[str, Any] = field(default_factory=dict)
    request_head: bytes = b""


class ByteStream(Protocol):
    async def recv(self) -> bytes:
        """The next bytes; b"" once the other side has sent all. Raises ApiError when the stream broke."""
        ...

    async def send(self, data: bytes) -> None: ...

    async def send_eof(self) -> None:
        """Half-close: this side sends no more."""
        ...

    async def close(self, error: str = "") -> None:
        """Gives both directions up; idempotent."""
        ...


class NodeStreams(Protocol):
    async def open(self, node: str, request: StreamRequest) -> ByteStream:
        """Raises ApiError when the node is not connected or refuses."""
        ...


class NoNodes:
    """Stands in until a node link is connected: every stream is refused."""

    async def open(self, node: str, request: StreamRequest) -> ByteStream:
        raise ServiceUnavailable(f'node "{node}" is not connected')
