"""Questions about users and tokens: answered with 201 and stored nowhere."""

from typing import Any

import pytest
from api_harness import TOKEN, Http

AUTHORIZATION = "/apis/authorization.k8s.io/v1"
SELF = f"{AUTHORIZATION}/selfsubjectaccessreviews"
SUBJECT = f"{AUTHORIZATION}/subjectaccessreviews"
LOCAL = f"{AUTHORIZATION}/namespaces/ct/localsubjectaccessreviews"
RULES = f"{AUTHORIZATION}/selfsubjectrulesreviews"
TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
PODS = {"verb": "create", "resource": "pods", "namespace": "ct"}
BOB = {"Impersonate-User": "bob"}


async def test_access_reviews_answer_for_the_one_who_asks(http: Http) -> None:
    answer = await http("POST", SELF, {"spec": {"resourceAttributes": PODS}})
    assert (answer.code, answer.json["status"]) == (201, {"allowed": True})
    assert "uid" not in answer.json["metadata"]
    answer = await http("POST", SELF, {"spec": {"resourceAttributes": PODS}}, BOB)
    assert (answer.code, answer.json["status"]) == (201, {"allowed": False})
    health = {"spec": {"nonResourceAttributes": {"path": "/healthz", "verb": "get"}}}
    assert (await http("POST", SELF, health, BOB)).json["status"] == {"allowed": True}


@pytest.mark.parametrize("path", [SUBJECT, LOCAL])
async def test_access_reviews_answer_for_others(http: Http, path: str) -> None:
    spec: dict[str, Any] = {"resourceAttributes": PODS, "user": "bob", "groups": ["dev"]}
    answer = await http("POST", path, {"spec": spec})
    assert (answer.code, answer.json["status"]) == (201, {"allowed": False})
    spec["groups"] = ["system:masters"]
    assert (await http("POST", path, {"spec": spec})).json["status"] == {"allowed": True}
    assert (await http("POST", path, {"spec": spec}, BOB)).code == 403


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (
            SELF,
            {},
            "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or"
            " resourceAttributes must be specified",
        ),
        (
            SUBJECT,
            {"spec": {"resourceAttributes": PODS}},
            'spec.user: Invalid value: "": at least one of user or group must be specified',
        ),
        (
            SUBJECT,
            {
                "spec": {
                    "resourceAttributes": PODS,
                    "nonResourceAttributes": {"path": "/x", "verb": "get"},
                    "user": "bob",
                }
            },
            'spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":"get"}: cannot be specified in combination'
            " with resourceAttributes",
        ),
        (
            LOCAL,
            {"spec": {"resourceAttributes": {**PODS, "namespace": "other"}, "user": "bob"}},
            'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
        ),
        (
            SELF,
            {"spec": {"resourceAttributes": {**PODS, "labelSelector": {}}}},
            "spec.resourceAttributes.labelSelector.requirements: Required value: when"
            " spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required",
        ),
    ],
)
async def test_a_review_that_makes_no_sense_is_refused(http: Http, path: str, body: Any, said: str) -> None:
    answer = await http("POST", path, body)
    assert (answer.code, answer.json["reason"]) == (422, "Invalid")
    assert answer.json["message"] == f'.authorization.k8s.io "" is invalid: {said}'


async def test_a_local_review_belongs_to_the_namespace_of_its_path(http: Http) -> None:
    body = {"metadata": {"namespace": "other"}, "spec": {"resourceAttributes": PODS, "user": "bob"}}
    answer = await http("POST", LOCAL, body)
    said = "the namespace of the provided object does not match the namespace sent on the request"
    assert (answer.code, answer.json["message"]) == (400, said)
    assert (await http("POST", f"{AUTHORIZATION}/localsubjectaccessreviews", body)).code == 404


async def test_the_rules_of_a_user_are_listed(http: Http) -> None:
    status = (await http("POST", RULES, {"spec": {"namespace": "ct"}})).json["status"]
    assert status["resourceRules"][0] == {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    status = (await http("POST", RULES, {"spec": {"namespace": "ct"}}, BOB)).json["status"]
    assert [rule["resources"] for rule in status["resourceRules"]] == [
        ["selfsubjectreviews"],
        ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    ]
    assert status["incomplete"] is False
    answer = await http("POST", RULES, {"spec": {}})
    assert (answer.code, answer.json["message"]) == (400, "no namespace on request")


async def test_a_token_is_reviewed(http: Http) -> None:
    answer = await http("POST", TOKENS, {"spec": {"token": TOKEN}})
    assert (answer.code, answer.json["status"]) == (
        201,
        {
            "authenticated": True,
            "user": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
            "audiences": ["https://kubernetes.default.svc.cluster.local"],
        },
    )
    answer = await http("POST", TOKENS, {"spec": {"token": "wrong"}})
    assert (answer.code, answer.json["status"]) == (201, {"user": {}, "error": "invalid bearer token"})
    other = {"spec": {"token": TOKEN, "audiences": ["vault"]}}
    assert (await http("POST", TOKENS, other)).json["status"]["error"] == "invalid bearer token"
    answer = await http("POST", TOKENS, {"spec": {"token": ""}})
    said = "token is required for TokenReview in authentication"
    assert (answer.code, answer.json["message"]) == (400, said)


async def test_reviews_can_only_be_created(http: Http) -> None:
    for path in (SELF, SUBJECT, LOCAL, TOKENS):
        assert (await http("GET", path)).code == 405
    assert (await http("GET", f"{SELF}/x")).code == 404


async def test_discovery_names_all_reviews(http: Http) -> None:
    resources = (await http("GET", AUTHORIZATION)).json["resources"]
    assert [(r["name"], r["namespaced"], r["verbs"]) for r in resources] == [
        ("localsubjectaccessreviews", True, ["create"]),
        ("selfsubjectaccessreviews", False, ["create"]),
        ("selfsubjectrulesreviews", False, ["create"]),
        ("subjectaccessreviews", False, ["create"]),
    ]
