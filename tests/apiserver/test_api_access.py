"""The volume with which a pod reaches the API: who gets it, and who does not."""

from typing import Any

import pytest
from api_harness import Http, pod

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
PODS = "/api/v1/namespaces/default/pods"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"


async def made(http: Http, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http("POST", PODS, body)
    assert answer.code == 201, answer.text
    spec: dict[str, Any] = answer.json["spec"]
    return spec


async def test_every_container_mounts_one_volume(http: Http) -> None:
    spec = await made(http, pod(initContainers=[{"name": "i", "image": "x"}]))
    (volume,) = spec["volumes"]
    assert [next(iter(source)) for source in volume["projected"]["sources"]] == [
        "serviceAccountToken",
        "configMap",
        "downwardAPI",
    ]
    expected = [{"name": volume["name"], "readOnly": True, "mountPath": MOUNT}]
    assert [one["volumeMounts"] for one in (*spec["initContainers"], *spec["containers"])] == [expected, expected]


@pytest.mark.parametrize(
    ("of_pod", "of_account", "mounted"),
    [(None, None, True), (False, None, False), (None, False, False), (True, False, True), (False, True, False)],
)
async def test_the_pods_word_counts_more_than_its_accounts(
    http: Http, of_pod: bool | None, of_account: bool | None, mounted: bool
) -> None:
    account: dict[str, Any] = {"metadata": {"name": "bob"}}
    if of_account is not None:
        account["automountServiceAccountToken"] = of_account
    await http("POST", ACCOUNTS, account)
    more = {} if of_pod is None else {"automountServiceAccountToken": of_pod}
    spec = await made(http, pod(serviceAccountName="bob", **more))
    assert ("volumes" in spec) is mounted


async def test_a_container_that_has_something_there_keeps_it(http: Http) -> None:
    body = pod(volumes=[{"name": "own", "emptyDir": {}}])
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "own", "mountPath": MOUNT}]
    spec = await made(http, body)
    assert [volume["name"] for volume in spec["volumes"]] == ["own"]
    assert [one["name"] for one in spec["containers"][0]["volumeMounts"]] == ["own"]


async def test_a_pod_without_pull_secrets_takes_its_accounts(http: Http) -> None:
    await http("POST", ACCOUNTS, {"metadata": {"name": "bob"}, "imagePullSecrets": [{"name": "reg"}]})
    assert (await made(http, pod("a", serviceAccountName="bob")))["imagePullSecrets"] == [{"name": "reg"}]
    own = pod("b", serviceAccountName="bob", imagePullSecrets=[{"name": "own"}])
    assert (await made(http, own))["imagePullSecrets"] == [{"name": "own"}]


async def test_who_is_refused_before_there_is_a_name_is_called_by_its_beginning(http: Http) -> None:
    body = pod(serviceAccountName="nobody")
    body["metadata"] = {"generateName": "web-"}
    refused = await http("POST", PODS, body)
    why = 'error looking up service account default/nobody: serviceaccount "nobody" not found'
    assert (refused.code, refused.json["message"]) == (403, f'pods "web-" is forbidden: {why}')
