"""How a node becomes one: a key that never leaves it, and a certificate the master signs for a join token.

`join.json` may appear after the agent has started, and the master may not be up yet: both are waited for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sampan_proto import node_pb2, node_pb2_grpc

from sampan_agent.atomic import write_file
from sampan_agent.settings import Settings
from sampan_agent.unary import reply_to

_log = logging.getLogger(__name__)
_MAX_DELAY = 2.0


@dataclass(frozen=True, slots=True)
class JoinFile:
    server: str
    node_server: str
    token: str
    ca: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """What the agent dials the master with."""

    server: str
    key: bytes
    certificate: bytes
    ca: bytes

    def credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)


async def identity(settings: Settings) -> Identity:
    """The node's own, from its data directory, or a new one as soon as the master grants it."""
    directory = settings.data_dir / "pki"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, certificate = directory / "node.key", directory / "node.crt"
    file = await _join_file(settings.join)
    if kept := _kept(key, certificate, file.ca, settings.node_name):
        return Identity(file.node_server, *kept, file.ca)
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signed = await _join(settings, file, _request(private, settings.node_name))
    write_file(key, pem, 0o600, durable=True)
    write_file(certificate, signed, 0o600, durable=True)
    return Identity(file.node_server, pem, signed, file.ca)


def _read_join_file(path: Path) -> JoinFile:
    data = json.loads(path.read_text())
    return JoinFile(data["server"], data["node_server"], data["token"], data["ca"].encode())


async def _join_file(path: Path) -> JoinFile:
    announced = False
    while True:
        try:
            return _read_join_file(path)
        except (OSError, ValueError, KeyError) as e:
            if not announced:
                _log.warning("waiting for %s: %s", path, e)
                announced = True
        await asyncio.sleep(0.05)


def _kept(key: Path, certificate: Path, ca: bytes, node_name: str) -> tuple[bytes, bytes] | None:
    """Key and certificate from an earlier join, if they are still this node's and this cluster's."""
    try:
        pem = certificate.read_bytes()
        kept = x509.load_pem_x509_certificate(pem)
        kept.verify_directly_issued_by(x509.load_pem_x509_certificate(ca))
        names = kept.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if names and names[0].value == f"system:node:{node_name}":
            return key.read_bytes(), pem
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, InvalidSignature) as e:
        _log.warning("the kept certificate is of no use: %s", e)
    return None


def _request(private: ec.EllipticCurvePrivateKey, node_name: str) -> bytes:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node_name}"[:64]),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(private, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


async def _join(settings: Settings, file: JoinFile, request: bytes) -> bytes:
    delay = 0.05
    while True:
        try:
            credentials = grpc.ssl_channel_credentials(file.ca)
            async with grpc.aio.secure_channel(file.server, credentials, CHANNEL_OPTIONS) as channel:
                stub = node_pb2_grpc.BootstrapStub(channel)
                asked = node_pb2.JoinRequest(
                    node_name=settings.node_name, token=file.token, certificate_request=request
                )
                reply = await reply_to(stub.Join(asked, timeout=10))
                return bytes(reply.certificate)
        except grpc.aio.AioRpcError as e:
            _log.warning("joining %s: %s", file.server, e.details())
        await asyncio.sleep(delay * random.uniform(0.5, 1.5))
        delay = min(delay * 2, _MAX_DELAY)
        file = await _join_file(settings.join)


CHANNEL_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 3_000),  # also how long one attempt may take
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 256 * 1024 * 1024),
    ("grpc.enable_http_proxy", 0),
]
