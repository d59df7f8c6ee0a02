"""The cluster's certificate authority (signatures first, bodies follow)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Pair(NamedTuple):
    """A certificate and its private key, PEM."""

    cert_pem: bytes
    key_pem: bytes


class Authority:
    ca_pem: bytes

    @classmethod
    def load_or_create(cls, directory: Path) -> Authority: ...

    def issue_server(self, names: Iterable[str]) -> Pair: ...

    def issue_client(self, cn: str, organisations: Iterable[str] = ()) -> Pair: ...

    def sign_node_request(self, csr_pem: bytes, node_name: str) -> bytes:
        """CN=system:node:<name>, O=system:nodes, for the key of the request. Raises ValueError when it is not a CSR with a good signature."""
        ...

    def check_token(self, token: str) -> bool:
        """Whether this is the join token, in constant time."""
        ...
