"""pods/binding over HTTP: what a pod gets with its node, and who may not be bound."""

from typing import Any

import pytest
from api_harness import Answer, Http, pod

PODS = "/api/v1/namespaces/default/pods"
MERGE = {"Content-Type": "application/merge-patch+json"}


async def bind(http: Http, query: str = "", target: str = "n1", **metadata: Any) -> Answer:
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "web", **metadata},
        "target": {"name": target},
    }
    return await http("POST", f"{PODS}/web/binding{query}", binding)


async def web(http: Http, **metadata: Any) -> dict[str, Any]:
    made = pod("web")
    made["metadata"] |= metadata
    answer = await http("POST", PODS, made)
    assert answer.code == 201, answer.text
    return answer.json


async def node_of(http: Http) -> str | None:
    return (await http("GET", f"{PODS}/web")).json["spec"].get("nodeName")


async def test_a_binding_adds_its_labels_and_annotations_and_one_condition(http: Http) -> None:
    await web(http, labels={"app": "web", "tier": "a"}, annotations={"kept": "1"})
    said = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}, {"type": "Other", "status": "True"}]
    status = {"phase": "Pending", "conditions": said, "nominatedNodeName": "n0"}
    assert (await http("PATCH", f"{PODS}/web/status", {"status": status}, MERGE)).code == 200
    answer = await bind(http, labels={"tier": "b"}, annotations={"new": "2"})
    assert (answer.code, answer.json["status"]) == (201, "Success")
    bound = (await http("GET", f"{PODS}/web")).json
    assert bound["spec"]["nodeName"] == "n1"
    assert bound["metadata"]["labels"] == {"app": "web", "tier": "b"}
    assert bound["metadata"]["annotations"] == {"kept": "1", "new": "2"}
    assert bound["status"]["phase"] == "Pending"
    assert "nominatedNodeName" not in bound["status"]
    by_type = {condition["type"]: condition for condition in bound["status"]["conditions"]}
    assert set(by_type) == {"PodScheduled", "Other"}
    scheduled = by_type["PodScheduled"]
    assert (scheduled["status"], scheduled.get("reason"), bool(scheduled["lastTransitionTime"])) == ("True", None, True)


async def test_a_binding_is_for_the_pod_that_was_meant(http: Http) -> None:
    made = (await web(http))["metadata"]
    for wrong in ({"uid": "another"}, {"resourceVersion": "1"}):
        refused = await bind(http, **wrong)
        assert refused.code == 409
        assert "Precondition failed" in refused.json["message"]
    renamed = await bind(http, name="other")
    assert (renamed.code, renamed.json["message"]) == (400, "name in URL does not match name in Binding object")
    assert await node_of(http) is None
    assert (await bind(http, uid=made["uid"], resourceVersion=made["resourceVersion"])).code == 201
    assert await node_of(http) == "n1"


async def test_a_pod_that_is_going_or_has_a_node_is_not_bound(http: Http) -> None:
    await web(http, finalizers=["a/b"])
    assert (await http("DELETE", f"{PODS}/web")).code == 200
    refused = await bind(http)
    assert (refused.code, "is being deleted" in refused.json["message"]) == (409, True)
    assert (await http("PATCH", f"{PODS}/web", {"metadata": {"finalizers": None}}, MERGE)).code == 200
    await web(http)
    assert (await bind(http)).code == 201
    refused = await bind(http, target="n2")
    assert (refused.code, 'already assigned to node "n1"' in refused.json["message"]) == (409, True)


async def test_a_dry_run_binds_nothing(http: Http) -> None:
    await web(http)
    assert (await bind(http, "?dryRun=All")).code == 201
    assert await node_of(http) is None


@pytest.mark.parametrize("target", ["", None])
async def test_a_binding_without_a_target_is_refused(http: Http, target: str | None) -> None:
    await web(http)
    assert (await bind(http, target=target)).code >= 400
    assert await node_of(http) is None
