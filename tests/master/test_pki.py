import base64
import socket
import ssl
import stat
import threading

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sampan_api.clock import VirtualClock
from sampan_master.pki import Authority, kubeconfig, write_private


@pytest.fixture
def authority(tmp_path):
    return Authority.load_or_create(tmp_path / "pki")


def request_for(key=None, name="whatever"):
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM)


def handshake(tmp_path, authority, server, server_name, client=None):
    """What the server learns of the client; raises ssl.SSLError when either does not trust the other."""
    for name, pair in (("server", server), ("client", client)):
        if pair is not None:
            (tmp_path / f"{name}.pem").write_bytes(pair.cert_pem + pair.key_pem)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.ca_pem.decode())
    serving.load_cert_chain(tmp_path / "server.pem")
    serving.verify_mode = ssl.CERT_OPTIONAL
    calling = ssl.create_default_context(cadata=authority.ca_pem.decode())
    calling.verify_flags |= ssl.VERIFY_X509_STRICT
    if client is not None:
        calling.load_cert_chain(tmp_path / "client.pem")
    left, right = socket.socketpair()
    peers = []

    def accept():
        try:
            with serving.wrap_socket(left, server_side=True) as accepted:
                peers.append(accepted.getpeercert())
                accepted.recv(1)
        except OSError:
            left.close()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        with calling.wrap_socket(right, server_hostname=server_name) as called:
            called.send(b"x")
    finally:
        right.close()
        thread.join()
    return peers[0]


def subject_of(pem):
    return x509.load_pem_x509_certificate(pem).subject.rfc4514_string()


def test_the_authority_is_kept_over_restarts(tmp_path):
    first = Authority.load_or_create(tmp_path)
    assert Authority.load_or_create(tmp_path).ca_pem == first.ca_pem


def test_everything_kept_is_for_its_owner_only(tmp_path):
    authority = Authority.load_or_create(tmp_path / "pki")
    authority.server_pair("apiserver", ["localhost"])
    authority.join_token()
    authority.service_account_key()
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700
    for path in (tmp_path / "pki").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_damaged_authority_is_not_silently_replaced(tmp_path):
    Authority.load_or_create(tmp_path)
    (tmp_path / "ca.key").write_bytes(b"")
    with pytest.raises(ValueError):  # noqa: PT011
        Authority.load_or_create(tmp_path)


def test_server_and_client_trust_each_other_by_name(tmp_path, authority):
    server = authority.issue_server(["127.0.0.1", "localhost", "::1", "kubernetes.default.svc"])
    client = authority.issue_client("kubernetes-admin", ["system:masters"])
    for name in ("127.0.0.1", "localhost", "kubernetes.default.svc"):
        peer = handshake(tmp_path, authority, server, name, client)
        assert peer["subject"] == ((("organizationName", "system:masters"),), (("commonName", "kubernetes-admin"),))


def test_a_name_the_certificate_does_not_hold_is_refused(tmp_path, authority):
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, authority, authority.issue_server(["localhost"]), "other.example")


def test_a_client_certificate_cannot_serve(tmp_path, authority):
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, authority, authority.issue_client("localhost"), "localhost")


def test_certificates_begin_in_the_past_for_clocks_that_are_behind(tmp_path):
    clock = VirtualClock()
    authority = Authority.load_or_create(tmp_path, clock)
    for pem in (authority.ca_pem, authority.issue_client("x").cert_pem):
        begins = x509.load_pem_x509_certificate(pem).not_valid_before_utc.timestamp()
        assert clock.now() - begins == 300


def test_a_kept_server_certificate_is_made_anew_when_its_names_change(authority):
    first = authority.server_pair("apiserver", ["127.0.0.1", "localhost"])
    assert authority.server_pair("apiserver", ["localhost", "127.0.0.1"]) == first
    assert authority.server_pair("apiserver", ["localhost", "10.0.0.1"]) != first


async def test_a_kept_certificate_is_made_anew_before_it_expires(tmp_path):
    clock = VirtualClock()
    authority = Authority.load_or_create(tmp_path, clock)
    first = authority.server_pair("apiserver", ["localhost"])
    await clock.advance(330 * 86400)
    assert authority.server_pair("apiserver", ["localhost"]) == first
    await clock.advance(10 * 86400)
    assert authority.server_pair("apiserver", ["localhost"]) != first


def test_a_kept_certificate_beside_another_s_key_is_made_anew(tmp_path, authority):
    first = authority.server_pair("apiserver", ["localhost"])
    (tmp_path / "pki" / "apiserver.key").write_bytes(authority.issue_client("x").key_pem)
    second = authority.server_pair("apiserver", ["localhost"])
    assert second.cert_pem != first.cert_pem


def test_a_node_s_certificate_names_the_node_whatever_the_request_says(authority):
    signed = authority.sign_node_request(request_for(name="system:masters"), "node1")
    assert subject_of(signed) == "CN=system:node:node1,O=system:nodes"


def test_requests_that_are_not_good_are_refused(authority):
    for request, node in (
        (b"nonsense", "node1"),
        (request_for(), "Not A Name"),
        (request_for(), "../etc"),
        (request_for(), "n" * 60),
        (request_for(rsa.generate_private_key(65537, 2048)), "node1"),
        (_with_broken_signature(request_for()), "node1"),
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            authority.sign_node_request(request, node)


def _with_broken_signature(pem):
    der = bytearray(x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return b"-----BEGIN CERTIFICATE REQUEST-----\n%b-----END CERTIFICATE REQUEST-----\n" % base64.encodebytes(der)


def test_the_join_token_is_kept(tmp_path, authority):
    token = authority.join_token()
    assert Authority.load_or_create(tmp_path / "pki").join_token() == token


def test_the_kubeconfig_holds_the_certificates(authority):
    admin = authority.issue_client("kubernetes-admin", ["system:masters"])
    config = yaml.safe_load(kubeconfig("lab", "https://127.0.0.1:6443", authority.ca_pem, admin))
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]) == authority.ca_pem
    assert base64.b64decode(config["users"][0]["user"]["client-key-data"]) == admin.key_pem
    assert config["current-context"] == config["contexts"][0]["name"] == "lab"
    assert config["contexts"][0]["context"] == {"cluster": "lab", "user": config["users"][0]["name"]}


def test_a_file_is_replaced_whole_and_private(tmp_path):
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
