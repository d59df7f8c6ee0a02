"""The cluster's certificate authority, its join token and the administrator's kubeconfig, kept in one directory.

Keys are EC P-256. Certificates begin a few minutes in the past, so that a node whose clock is behind can use them.
What is kept on disk survives restarts: the authority always; a server certificate until its names change or it is
about to expire. Files appear whole or not at all, and only their owner may read them.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sampan_api.clock import Clock, RealClock

SKEW = timedelta(minutes=5)
CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
ADMIN_NAME, ADMIN_GROUP = "kubernetes-admin", "system:masters"
NODE_PREFIX, NODE_GROUP = "system:node:", "system:nodes"

COMMON_NAME_LIMIT = 64
"""RFC 5280, appendix A.1, ub-common-name."""

_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_PRIVATE = ec.EllipticCurvePrivateKey


class Pair(NamedTuple):
    """A certificate and its private key, PEM."""

    cert_pem: bytes
    key_pem: bytes


class Authority:
    """Signs everything in the cluster. Made by `load_or_create`."""

    def __init__(self, directory: Path, certificate: x509.Certificate, key: _PRIVATE, clock: Clock) -> None:
        self._directory = directory
        self._certificate = certificate
        self._key = key
        self._clock = clock
        self.ca_pem = certificate.public_bytes(serialization.Encoding.PEM)

    @classmethod
    def load_or_create(cls, directory: Path, clock: Clock | None = None) -> Authority:
        """Raises ValueError when what is kept there is damaged: a new authority would lock every node out."""
        clock = clock or RealClock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        certificate_path, key_path = directory / "ca.crt", directory / "ca.key"
        if certificate_path.exists():
            certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
            return cls(directory, certificate, _load_key(key_path.read_bytes()), clock)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign_ca(key, _now(clock))
        # The key first: a certificate on disk means that its key is there too.
        write_private(key_path, _key_pem(key))
        write_private(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
        return cls(directory, certificate, key, clock)

    def issue_server(self, names: Iterable[str]) -> Pair:
        """For a listener reached by these DNS names and addresses."""
        names = tuple(dict.fromkeys(names))
        sans = x509.SubjectAlternativeName([_general_name(name) for name in names])
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(names[0] if len(names[0]) <= COMMON_NAME_LIMIT else "sampan", ())
        return self._issue(subject, key, ExtendedKeyUsageOID.SERVER_AUTH, sans)

    def issue_client(self, cn: str, organisations: Iterable[str] = ()) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        return self._issue(_subject(cn, organisations), key, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def sign_node_request(self, csr_pem: bytes, node_name: str) -> bytes:
        """A client certificate for the request's key. Whatever names the request holds, it says CN=system:node:<name>,
        O=system:nodes. Raises ValueError when it is no request with a good signature, or the name is no node's."""
        if not _NODE_NAME.fullmatch(node_name) or len(NODE_PREFIX + node_name) > COMMON_NAME_LIMIT:
            raise ValueError(f"{node_name!r} cannot be the name of a node")
        request = x509.load_pem_x509_csr(csr_pem)
        try:
            valid = request.is_signature_valid
        except InvalidSignature:
            valid = False
        public = request.public_key()
        if not valid or not isinstance(public, ec.EllipticCurvePublicKey):
            raise ValueError("the certificate request is not signed by the EC key it holds")
        subject = _subject(NODE_PREFIX + node_name, [NODE_GROUP])
        certificate = self._sign(subject, public, ExtendedKeyUsageOID.CLIENT_AUTH, None)
        return certificate.public_bytes(serialization.Encoding.PEM)

    def server_pair(self, file_name: str, names: Iterable[str]) -> Pair:
        """The kept server certificate of that name; made anew when the names differ or its time is running out."""
        wanted = tuple(dict.fromkeys(names))
        kept = self._kept(file_name)
        if kept is not None and _names_of(kept.cert_pem) == frozenset(map(_canonical, wanted)):
            return kept
        return self._keep(file_name, self.issue_server(wanted))

    def client_pair(self, file_name: str, cn: str, organisations: Sequence[str]) -> Pair:
        """The kept client certificate of that name; made anew when its time is running out."""
        return self._kept(file_name) or self._keep(file_name, self.issue_client(cn, organisations))

    def join_token(self) -> str:
        """The token a new node shows, "id.secret"; made at the first call and kept."""
        path = self._directory / "join-token"
        if not path.exists():
            write_private(path, f"{secrets.token_hex(3)}.{secrets.token_hex(16)}\n".encode())
        return path.read_text().strip()

    def service_account_key(self) -> bytes:
        """The key (PEM, RSA because the tokens are RS256) that signs service-account tokens; made at the first call
        and kept."""
        path = self._directory / "sa.key"
        if not path.exists():
            write_private(path, _key_pem(rsa.generate_private_key(65537, 2048)))
        return path.read_bytes()

    def _kept(self, file_name: str) -> Pair | None:
        certificate_path, key_path = self._paths(file_name)
        if not certificate_path.exists():
            return None
        pair = Pair(certificate_path.read_bytes(), key_path.read_bytes())
        certificate = x509.load_pem_x509_certificate(pair.cert_pem)
        expiring = certificate.not_valid_after_utc - _now(self._clock) < RENEW_BEFORE
        # A crash between the two renames leaves a certificate beside another key.
        matching = certificate.public_key() == _load_key(pair.key_pem).public_key()
        ours = certificate.issuer == self._certificate.subject
        return pair if matching and ours and not expiring else None

    def _keep(self, file_name: str, pair: Pair) -> Pair:
        certificate_path, key_path = self._paths(file_name)
        write_private(key_path, pair.key_pem)
        write_private(certificate_path, pair.cert_pem)
        return pair

    def _paths(self, file_name: str) -> tuple[Path, Path]:
        return self._directory / f"{file_name}.crt", self._directory / f"{file_name}.key"

    def _issue(
        self, subject: x509.Name, key: _PRIVATE, usage: x509.ObjectIdentifier, sans: x509.SubjectAlternativeName | None
    ) -> Pair:
        certificate = self._sign(subject, key.public_key(), usage, sans)
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))

    def _sign(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        usage: x509.ObjectIdentifier,
        sans: x509.SubjectAlternativeName | None,
    ) -> x509.Certificate:
        now = _now(self._clock)
        builder = (
            _certificate(subject, public, now, min(now + LEAF_LIFE, self._certificate.not_valid_after_utc))
            .issuer_name(self._certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if sans is not None:
            builder = builder.add_extension(sans, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def kubeconfig(cluster: str, server: str, ca_pem: bytes, pair: Pair) -> bytes:
    """One cluster, one user, one context, certificates embedded."""

    def data(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    name = json.dumps(cluster)
    user = json.dumps(f"{cluster}-admin")
    return f"""\
apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    server: {json.dumps(server)}
    certificate-authority-data: {data(ca_pem)}
users:
- name: {user}
  user:
    client-certificate-data: {data(pair.cert_pem)}
    client-key-data: {data(pair.key_pem)}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {user}
current-context: {name}
""".encode()


def write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, also over a crash, and for its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _sign_ca(key: _PRIVATE, now: datetime) -> x509.Certificate:
    # A serial in the name: certificates of another cluster's authority are told apart by their issuer.
    subject = _subject(f"sampan-ca-{secrets.token_hex(4)}", ())
    return (
        _certificate(subject, key.public_key(), now, now + CA_LIFE)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    subject: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(cn: str, organisations: Iterable[str]) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organisations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, cn)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _canonical(name: str) -> str:
    return str(_general_name(name).value)


def _names_of(cert_pem: bytes) -> frozenset[str]:
    certificate = x509.load_pem_x509_certificate(cert_pem)
    sans = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return frozenset(str(name.value) for name in sans.value)


def _load_key(pem: bytes) -> _PRIVATE:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, _PRIVATE):
        raise ValueError("the private key is not an elliptic-curve key")
    return key


def _key_pem(key: _PRIVATE | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(int(clock.now()), UTC)
