"""What the node link needs to know, and what it needs of the cluster's certificate authority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NodeLinkSettings:
    """`node_listen` and `join_listen` are "IP:PORT", port 0 picks a free one (see `NodeLink.node_port`, `.join_port`).
    `server_names` are the names and addresses agents dial; `join_token` is "id.secret"."""

    node_listen: str
    join_listen: str
    server_names: tuple[str, ...]
    join_token: str
    cluster_cidr: str = "10.244.0.0/16"
    pod_cidr_wait_seconds: float = 5.0
    """How long a new node waits for its range of pod addresses before it is welcomed without."""
    heartbeat_seconds: int = 10
    status_seconds: int = 60
    session_grace_seconds: float = 50.0
    """How long a silent session keeps its node's name: the monitor grace period, so a name is never held longer
    than the node counts as alive."""
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"


class Pair(Protocol):
    @property
    def cert_pem(self) -> bytes: ...
    @property
    def key_pem(self) -> bytes: ...


class Authority(Protocol):
    @property
    def ca_pem(self) -> bytes: ...

    def issue_server(self, names: Sequence[str]) -> Pair: ...

    def sign_node_request(self, csr_pem: bytes, node_name: str) -> bytes:
        """Raises ValueError when the request is not one, or its signature does not hold."""
        ...
