"""Who may ask what, over real TLS with certificates of the cluster's authority."""

import hashlib
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from api_harness import TOKEN, Http, Running, running
from sampan_api.client import UserInfo
from sampan_api.errors import Forbidden, Unauthorized
from sampan_master.apiserver.auth.authentication import Authenticator
from sampan_master.apiserver.auth.authorization import Attributes, authorise
from sampan_master.apiserver.http.protocol import user_of
from sampan_master.apiserver.server import ApiServerConfig
from sampan_master.pki import Authority, Pair

ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class NoTokens:
    async def read(self, token: str, audiences: Sequence[str]) -> None:
        return None


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.load_or_create(tmp_path / "pki")


@pytest.fixture
async def tls(authority: Authority) -> AsyncIterator[Running]:
    pair = authority.issue_server(["127.0.0.1"])
    config = ApiServerConfig(
        listen=(("127.0.0.1", 0),),
        certificate=pair.cert_pem,
        key=pair.key_pem,
        client_ca=authority.ca_pem,
        tokens={TOKEN: UserInfo("robot", ["system:masters"])},
    )
    async with running(config) as one:
        yield one


def caller(tls: Running, authority: Authority, tmp_path: Path, pair: Pair | None = None, **headers: str) -> Http:
    context = ssl.create_default_context(cadata=authority.ca_pem.decode())
    if pair is not None:
        (tmp_path / "pair.pem").write_bytes(pair.cert_pem + pair.key_pem)
        context.load_cert_chain(tmp_path / "pair.pem")
    return Http(tls.server.addresses[0], context, headers)


async def test_a_client_certificate_says_who_asks(tls: Running, authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue_client("jane", ["system:masters", "dev"])
    http = caller(tls, authority, tmp_path, pair, Authorization="Bearer wrong")
    info = (await http("POST", ME, {})).json["status"]["userInfo"]
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pair.cert_pem.decode())).hexdigest()
    assert info == {
        "username": "jane",
        "groups": ["system:masters", "dev", "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": [f"X509SHA256={digest}"]},
    }
    assert (await http("GET", "/api/v1/namespaces")).code == 200


async def test_a_bearer_token_works_and_a_wrong_one_does_not(
    tls: Running, authority: Authority, tmp_path: Path
) -> None:
    good = caller(tls, authority, tmp_path, Authorization=f"Bearer {TOKEN}")
    assert (await good("POST", ME, {})).json["status"]["userInfo"]["username"] == "robot"
    bad = caller(tls, authority, tmp_path, Authorization="Bearer wrong")
    answer = await bad("GET", "/api/v1/namespaces")
    assert (answer.code, answer.json["message"]) == (401, "Unauthorized")


async def test_strangers_see_health_and_version_only(tls: Running, authority: Authority, tmp_path: Path) -> None:
    http = caller(tls, authority, tmp_path)
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        assert (await http("GET", path)).code == 200, path
    answer = await http("GET", "/api")
    assert (answer.code, answer.json["message"]) == (
        403,
        'forbidden: User "system:anonymous" cannot get path "/api"',
    )
    answer = await http("GET", "/api/v1/pods")
    said = 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope'
    assert (answer.code, answer.json["message"]) == (403, said)
    assert (await http("GET", "/apis/apps/v1/namespaces/ct/nosuch/n")).code == 403
    assert (await http("POST", ME, {})).code == 403


async def test_a_node_certificate_has_no_rights_here(tls: Running, authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue_client("system:node:node1", ["system:nodes"])
    http = caller(tls, authority, tmp_path, pair)
    answer = await http("GET", "/api/v1/namespaces/default/secrets")
    assert answer.code == 403
    assert 'User "system:node:node1" cannot list resource "secrets"' in answer.json["message"]
    assert (await http("GET", "/api/v1")).code == 200


async def test_masters_may_impersonate_and_lose_their_rights_by_it(
    tls: Running, authority: Authority, tmp_path: Path
) -> None:
    http = caller(tls, authority, tmp_path, Authorization=f"Bearer {TOKEN}")
    answer = await http("GET", "/api/v1/namespaces/ct/pods/web/log", headers={"Impersonate-User": "bob"})
    assert (answer.code, answer.json["message"]) == (
        403,
        'pods "web" is forbidden: User "bob" cannot get resource "pods/log" in API group "" in the namespace "ct"',
    )


async def test_everybody_known_may_read_discovery_but_no_resource() -> None:
    user = await Authenticator({"t": UserInfo("jo")}, "api", NoTokens()).identify(None, "Bearer t")
    authorise(user, Attributes("get", path="/apis/apps/v1"))
    with pytest.raises(Forbidden, match=r"nodes is forbidden: .* at the cluster scope"):
        authorise(user, Attributes("list", resource="nodes"))
    with pytest.raises(Unauthorized):
        await Authenticator({}, "api", NoTokens()).identify(None, "Basic eDp5")


def test_a_certificate_without_a_name_is_nobody() -> None:
    assert user_of({"subject": ((("organizationName", "system:masters"),),)}, b"") is None
    assert user_of(None, None) is None
