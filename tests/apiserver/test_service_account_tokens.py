"""Tokens of service accounts: asked for, looked into, and shown to the API."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from api_harness import Http, Running, pod, running
from sampan_api.clock import VirtualClock
from sampan_master.apiserver.auth import jwt

ISSUER = "https://kubernetes.default.svc.cluster.local"
SA = "/api/v1/namespaces/default/serviceaccounts"
ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = "/apis/authentication.k8s.io/v1/tokenreviews"
START = 1_800_000_000.0


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
async def timed(clock: VirtualClock) -> AsyncIterator[Running]:
    """An API server whose time the test moves, with the service account bob."""
    async with running(clock=clock) as one:
        assert (await one.http("POST", SA, {"metadata": {"name": "bob"}})).code == 201
        yield one


async def ask(http: Http, **spec: Any) -> Any:
    answer = await http("POST", f"{SA}/bob/token", {"spec": spec})
    assert answer.code == 201, answer.text
    return answer.json


async def who(http: Http, token: str) -> Any:
    answer = await http("POST", ME, {}, {"Authorization": f"Bearer {token}"})
    return answer.json["status"]["userInfo"] if answer.code == 201 else answer.code


async def error_of(http: Http, token: str) -> str:
    status = (await http("POST", REVIEW, {"spec": {"token": token}})).json["status"]
    assert "authenticated" not in status
    return str(status["error"])


async def uid_of(http: Http, path: str) -> str:
    return str((await http("GET", path)).json["metadata"]["uid"])


async def test_a_token_carries_the_claims_of_its_account(timed: Running) -> None:
    answer = await ask(timed.http)
    uid = await uid_of(timed.http, f"{SA}/bob")
    claims = jwt.unverified_claims(answer["status"]["token"])
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "aud": [ISSUER],
        "exp": START + 3600,
        "iat": START,
        "nbf": START,
        "iss": ISSUER,
        "sub": "system:serviceaccount:default:bob",
        "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "bob", "uid": uid}},
    }
    assert answer["spec"] == {"audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": None}
    assert answer["status"]["expirationTimestamp"] == "2027-01-15T09:00:00Z"
    assert answer["metadata"] == {
        "name": "bob",
        "namespace": "default",
        "creationTimestamp": "2027-01-15T08:00:00Z",
    }


async def test_who_shows_it_is_the_service_account_and_may_do_little(timed: Running) -> None:
    token = (await ask(timed.http))["status"]["token"]
    user = await who(timed.http, token)
    assert user == {
        "username": "system:serviceaccount:default:bob",
        "uid": await uid_of(timed.http, f"{SA}/bob"),
        "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": [f"JTI={jwt.unverified_claims(token)['jti']}"]},
    }
    bearer = {"Authorization": f"Bearer {token}"}
    answer = await timed.http("GET", "/api/v1/namespaces/default/pods", headers=bearer)
    assert (answer.code, answer.json["message"]) == (
        403,
        'pods is forbidden: User "system:serviceaccount:default:bob" cannot list resource "pods" in API group ""'
        ' in the namespace "default"',
    )
    assert (await timed.http("GET", "/openid/v1/jwks", headers=bearer)).code == 200


async def test_a_token_ends_a_minute_after_its_time(timed: Running, clock: VirtualClock) -> None:
    token = (await ask(timed.http, expirationSeconds=600))["status"]["token"]
    await clock.advance(659)
    assert (await who(timed.http, token))["username"] == "system:serviceaccount:default:bob"
    await clock.advance(2)
    assert await who(timed.http, token) == 401
    assert await error_of(timed.http, token) == "[invalid bearer token, service account token has expired]"


async def test_a_token_is_good_for_its_audiences_only(timed: Running) -> None:
    token = (await ask(timed.http, audiences=["vault", "db"]))["status"]["token"]
    assert await who(timed.http, token) == 401
    said = f'[invalid bearer token, token audiences ["vault" "db"] is invalid for the target audiences ["{ISSUER}"]]'
    assert await error_of(timed.http, token) == said
    spec = {"token": token, "audiences": ["db", "other"]}
    status = (await timed.http("POST", REVIEW, {"spec": spec})).json["status"]
    assert (status["authenticated"], status["audiences"]) == (True, ["db"])


async def test_a_token_dies_with_its_account(timed: Running) -> None:
    old = await uid_of(timed.http, f"{SA}/bob")
    token = (await ask(timed.http))["status"]["token"]
    await timed.http("DELETE", f"{SA}/bob")
    assert await error_of(timed.http, token) == '[invalid bearer token, serviceaccounts "bob" not found]'
    await timed.http("POST", SA, {"metadata": {"name": "bob"}})
    new = await uid_of(timed.http, f"{SA}/bob")
    said = f"[invalid bearer token, service account UID ({new}) does not match claim ({old})]"
    assert await error_of(timed.http, token) == said


async def test_a_bound_token_names_its_pod_and_node_and_dies_with_the_pod(timed: Running) -> None:
    http = timed.http
    await http("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
    await http("POST", "/api/v1/namespaces/default/pods", pod(serviceAccountName="bob", nodeName="n1"))
    node_uid = await uid_of(http, "/api/v1/nodes/n1")
    pod_uid = await uid_of(http, "/api/v1/namespaces/default/pods/web")
    token = (await ask(http, boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "web"}))["status"]["token"]
    private = jwt.unverified_claims(token)["kubernetes.io"]
    assert (private["pod"], private["node"]) == ({"name": "web", "uid": pod_uid}, {"name": "n1", "uid": node_uid})
    extra = (await who(http, token))["extra"]
    prefix = "authentication.kubernetes.io/"
    assert {key.removeprefix(prefix): value for key, value in extra.items() if "credential" not in key} == {
        "pod-name": ["web"],
        "pod-uid": [pod_uid],
        "node-name": ["n1"],
        "node-uid": [node_uid],
    }
    await http("DELETE", "/api/v1/namespaces/default/pods/web?gracePeriodSeconds=0")
    assert await who(http, token) == 401
    said = "[invalid bearer token, service account token has been invalidated]"
    assert await error_of(http, token) == said


@pytest.mark.parametrize(
    ("kind", "path", "body"),
    [
        ("Secret", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "thing"}}),
        ("Node", "/api/v1/nodes", {"metadata": {"name": "thing"}}),
    ],
)
async def test_a_token_bound_to_a_secret_or_node_dies_with_it(timed: Running, kind: str, path: str, body: Any) -> None:
    await timed.http("POST", path, body)
    reference = {"apiVersion": "v1", "kind": kind, "name": "thing"}
    token = (await ask(timed.http, boundObjectRef=reference))["status"]["token"]
    assert (await who(timed.http, token))["username"].endswith(":bob")
    await timed.http("DELETE", f"{path}/thing")
    assert await who(timed.http, token) == 401


async def test_a_token_as_pods_get_it_lasts_longer_than_it_says(timed: Running, clock: VirtualClock) -> None:
    await timed.http("POST", "/api/v1/namespaces/default/pods", pod(serviceAccountName="bob"))
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "web"}
    answer = await ask(timed.http, expirationSeconds=3607, boundObjectRef=reference)
    claims = jwt.unverified_claims(answer["status"]["token"])
    assert claims["exp"] == START + 365 * 86400
    assert claims["kubernetes.io"]["warnafter"] == START + 3607
    assert answer["status"]["expirationTimestamp"] == "2027-01-15T09:00:07Z"


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (
            {"spec": {"expirationSeconds": 60}},
            422,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60:'
            " may not specify a duration less than 10 minutes",
        ),
        (
            {"spec": {"expirationSeconds": 2**32 + 1}},
            422,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297:'
            " may not specify a duration larger than 2^32 seconds",
        ),
        (
            {"metadata": {"name": "alice"}, "spec": {}},
            422,
            'TokenRequest.authentication.k8s.io "bob" is invalid: metadata.name: Invalid value: "alice":'
            " must match the service account name if specified",
        ),
        (
            {"spec": {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "x"}}},
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (
            {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "nope"}}},
            404,
            'pods "nope" not found',
        ),
        (
            {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web"}}},
            400,
            'cannot bind token for serviceaccount "bob" to pod running with different serviceaccount name.',
        ),
        (
            {"spec": {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "x"}}},
            409,
            'Operation cannot be fulfilled on Secret "s": the UID in the bound object reference (x) does not match the'
            " UID in record. The object might have been deleted and then recreated",
        ),
    ],
)
async def test_mistakes_are_told_in_kubernetes_words(timed: Running, body: Any, code: int, said: str) -> None:
    await timed.http("POST", "/api/v1/namespaces/default/pods", pod())
    await timed.http("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
    answer = await timed.http("POST", f"{SA}/bob/token", body)
    assert (answer.code, answer.json["message"]) == (code, said)


async def test_no_account_no_token(timed: Running) -> None:
    answer = await timed.http("POST", f"{SA}/nope/token", {"spec": {}})
    assert (answer.code, answer.json["message"]) == (404, 'serviceaccounts "nope" not found')
    assert (await timed.http("GET", f"{SA}/bob/token")).code == 405


async def test_a_token_of_another_cluster_is_not_believed(timed: Running) -> None:
    async with running() as other:
        await other.http("POST", SA, {"metadata": {"name": "bob"}})
        token = (await ask(other.http))["status"]["token"]
    assert await who(timed.http, token) == 401
    assert "error in cryptographic primitive" in await error_of(timed.http, token)
    mine = (await ask(timed.http))["status"]["token"]
    assert await who(timed.http, mine[:-8] + "AAAAAAAA") == 401


async def test_others_can_check_tokens_with_what_the_server_publishes(http: Http) -> None:
    answer = await http("GET", "/.well-known/openid-configuration")
    assert answer.json["issuer"] == ISSUER
    assert answer.json["jwks_uri"].endswith("/openid/v1/jwks")
    keys = await http("GET", "/openid/v1/jwks")
    assert keys.header("content-type") == "application/jwk-set+json"
    assert [key["alg"] for key in keys.json["keys"]] == ["RS256"]
    assert (await http("GET", "/openid/v1/jwks", headers={"Impersonate-User": "bob"})).code == 403


async def test_a_token_whose_key_id_is_no_text_is_unauthorized(timed: Running) -> None:
    parts = ({"alg": "RS256", "kid": 1}, {"iss": ISSUER})
    head, claims = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    assert await who(timed.http, f"{head}.{claims}.eA") == 401
