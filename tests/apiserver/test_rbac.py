"""Roles and bindings: stored, defaulted, checked and printed; nobody gets a right from them yet."""

from typing import Any

import pytest
from api_harness import Http

GROUP = "rbac.authorization.k8s.io"
HERE = f"/apis/{GROUP}/v1/namespaces/default"
EVERYWHERE = f"/apis/{GROUP}/v1"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
READ_PODS = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
BOB = {"kind": "User", "name": "bob"}


def binding(role: str = "r", kind: str = "Role", *subjects: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
        "subjects": list(subjects),
    }


async def test_all_four_kinds_are_stored_and_said_to_be_idle(http: Http) -> None:
    for path, body in (
        (f"{HERE}/roles", {"metadata": {"name": "system:r"}, "rules": [READ_PODS]}),
        (f"{EVERYWHERE}/clusterroles", {"metadata": {"name": "system:r"}, "rules": [READ_PODS]}),
        (f"{HERE}/rolebindings", binding("r", "ClusterRole", BOB)),
        (f"{EVERYWHERE}/clusterrolebindings", binding("r", "ClusterRole", BOB)),
    ):
        answer = await http("POST", path, body)
        assert answer.code == 201, answer.text
        kind = path.rpartition("/")[2]
        said = f'299 - "{kind}.{GROUP} are stored, but no part of Sampan acts on them yet"'
        assert answer.header("warning") == said
        assert (await http("GET", f"{path}/{answer.json['metadata']['name']}")).json == answer.json
    pods = await http("GET", "/api/v1/namespaces/default/pods", headers={"Impersonate-User": "bob"})
    assert pods.code == 403


async def test_the_group_of_the_role_and_of_users_may_be_left_out(http: Http) -> None:
    body = binding("r", "Role", BOB, {"kind": "ServiceAccount", "name": "sa", "namespace": "default"})
    del body["roleRef"]["apiGroup"]
    stored = (await http("POST", f"{HERE}/rolebindings", body)).json
    assert stored["roleRef"]["apiGroup"] == GROUP
    assert [subject.get("apiGroup") for subject in stored["subjects"]] == [GROUP, None]


async def test_rules_nobody_gave_are_null(http: Http) -> None:
    answer = await http("POST", f"{HERE}/roles", {"metadata": {"name": "r"}})
    assert answer.json["rules"] is None


@pytest.mark.parametrize(
    ("path", "rule", "said"),
    [
        ("roles", {"verbs": []}, "rules[0].verbs: Required value: verbs must contain at least one value"),
        (
            "roles",
            {"apiGroups": []},
            "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
        ),
        (
            "clusterroles",
            {"resources": []},
            "rules[0].resources: Required value: resource rules must supply at least one resource",
        ),
        (
            "clusterroles",
            {"nonResourceURLs": ["/x"]},
            'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and'
            " non-resource URLs",
        ),
        (
            "roles",
            {"apiGroups": [], "resources": [], "nonResourceURLs": ["/x"]},
            'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
        ),
    ],
)
async def test_rules_that_make_no_sense_are_refused(http: Http, path: str, rule: dict[str, Any], said: str) -> None:
    place = HERE if path == "roles" else EVERYWHERE
    answer = await http("POST", f"{place}/{path}", {"metadata": {"name": "r"}, "rules": [{**READ_PODS, **rule}]})
    kind = "Role" if path == "roles" else "ClusterRole"
    assert (answer.code, answer.json["message"]) == (422, f'{kind}.{GROUP} "r" is invalid: {said}')


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (
            "rolebindings",
            binding("", "Role"),
            "roleRef.name: Required value",
        ),
        (
            "clusterrolebindings",
            binding("r", "Role"),
            'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
        ),
        (
            "rolebindings",
            binding("r", "Role", {"kind": "Robot", "name": "x"}),
            'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
        ),
        (
            "clusterrolebindings",
            binding("r", "ClusterRole", {"kind": "ServiceAccount", "name": "x"}),
            "subjects[0].namespace: Required value",
        ),
        (
            "rolebindings",
            binding("r", "Role", {"kind": "User", "name": "x", "apiGroup": "other"}),
            f'subjects[0].apiGroup: Unsupported value: "other": supported values: "{GROUP}"',
        ),
    ],
)
async def test_bindings_that_make_no_sense_are_refused(http: Http, path: str, body: dict[str, Any], said: str) -> None:
    place = HERE if path == "rolebindings" else EVERYWHERE
    kind = "RoleBinding" if path == "rolebindings" else "ClusterRoleBinding"
    answer = await http("POST", f"{place}/{path}", body)
    assert (answer.code, answer.json["message"]) == (422, f'{kind}.{GROUP} "b" is invalid: {said}')


async def test_the_role_of_a_binding_cannot_be_changed(http: Http) -> None:
    await http("POST", f"{HERE}/rolebindings", binding("r", "Role", BOB))
    answer = await http("PUT", f"{HERE}/rolebindings/b", binding("other", "Role", BOB))
    said = f'{{"APIGroup":"{GROUP}","Kind":"Role","Name":"other"}}: cannot change roleRef'
    assert answer.json["message"] == f'RoleBinding.{GROUP} "b" is invalid: roleRef: Invalid value: {said}'


async def test_an_aggregated_cluster_role_says_what_it_is_made_of(http: Http) -> None:
    body: dict[str, Any] = {"metadata": {"name": "a"}, "aggregationRule": {}}
    answer = await http("POST", f"{EVERYWHERE}/clusterroles", body)
    assert "at least one clusterRoleSelector required" in answer.json["message"]
    body["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    assert (await http("POST", f"{EVERYWHERE}/clusterroles", body)).code == 201


async def test_bindings_are_printed_with_role_and_subjects(http: Http) -> None:
    account = {"kind": "ServiceAccount", "name": "sa", "namespace": "ct"}
    body = binding("r", "Role", BOB, {"kind": "User", "name": "eve"}, {"kind": "Group", "name": "dev"}, account)
    await http("POST", f"{HERE}/rolebindings", body)
    shown = (await http("GET", f"{HERE}/rolebindings", headers=TABLE)).json
    assert [c["name"] for c in shown["columnDefinitions"]] == [
        "Name",
        "Role",
        "Age",
        "Users",
        "Groups",
        "ServiceAccounts",
    ]
    name, role, _age, *subjects = shown["rows"][0]["cells"]
    assert (name, role, subjects) == ("b", "Role/r", ["bob, eve", "dev", "ct/sa"])
    await http("POST", f"{HERE}/roles", {"metadata": {"name": "r"}})
    shown = (await http("GET", f"{HERE}/roles", headers=TABLE)).json
    assert [(c["name"], c["type"]) for c in shown["columnDefinitions"]] == [("Name", "string"), ("Created At", "date")]
    assert shown["rows"][0]["cells"][1].endswith("Z")
