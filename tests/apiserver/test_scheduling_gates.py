"""Scheduling gates: a gated pod says so, is not bound, loses its gates one by one, may ask more narrowly then."""

from __future__ import annotations

from typing import Any

import pytest
from api_harness import MERGE, Http, pod

PODS = "/api/v1/namespaces/default/pods"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
TERMS = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"


def gated(*names: str, **spec: Any) -> dict[str, Any]:
    return pod("web", schedulingGates=[{"name": name} for name in names], **spec)


def zone(*values: str) -> dict[str, Any]:
    return {"key": "zone", "operator": "In", "values": list(values)}


def affinity(*terms: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    required = {"nodeSelectorTerms": [{"matchExpressions": expressions} for expressions in terms]}
    return {"nodeAffinity": {REQUIRED: required}, **more}


async def make(http: Http, obj: dict[str, Any]) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await http("POST", "/api/v1/namespaces/default/serviceaccounts", account)
    answer = await http("POST", PODS, obj)
    assert answer.code == 201, answer.text


async def patch(http: Http, **spec: Any) -> Any:
    return await http("PATCH", f"{PODS}/web", {"spec": spec}, MERGE)


async def test_a_new_gated_pod_says_why_it_is_not_scheduled(http: Http) -> None:
    await make(http, gated("a/b"))
    (condition,) = (await http("GET", f"{PODS}/web")).json["status"]["conditions"]
    assert condition == {
        "type": "PodScheduled",
        "status": "False",
        "lastProbeTime": None,
        "lastTransitionTime": None,
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    }


async def test_gates_are_taken_away_and_never_added(http: Http) -> None:
    await make(http, gated("a/b", "c/d"))
    answer = await patch(http, schedulingGates=[{"name": "a/b"}, {"name": "new"}])
    assert answer.code == 422
    said = "spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'new'"
    assert said in answer.json["message"]
    assert (await patch(http, schedulingGates=[{"name": "c/d"}])).code == 200
    assert (await patch(http, schedulingGates=None)).code == 200
    assert (await patch(http, schedulingGates=[{"name": "c/d"}])).code == 422


async def test_a_gated_pod_is_not_bound(http: Http) -> None:
    await make(http, gated("a/b"))
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "web"},
        "target": {"kind": "Node", "name": "n"},
    }
    answer = await http("POST", f"{PODS}/web/binding", binding)
    assert answer.code == 409
    assert "pod web has non-empty .spec.schedulingGates" in answer.json["message"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"nodeSelector": {"a": "1"}}, {"nodeSelector": {"a": "1", "b": "2"}}, ""),
        ({"nodeSelector": {"a": "1"}}, {"nodeSelector": {"a": "2"}}, "only additions to spec.nodeSelector are allowed"),
        ({"nodeSelector": {"a": "1"}}, {"nodeSelector": None}, "only additions to spec.nodeSelector are allowed"),
        ({}, {"affinity": affinity([zone("x")])}, ""),
        ({"affinity": affinity([zone("x")])}, {"affinity": affinity([zone("x"), zone("x", "y")])}, ""),
        ({"affinity": affinity([zone("x")])}, {"affinity": affinity([zone("y")])}, f"{TERMS}[0]: Invalid value"),
        ({"affinity": affinity([zone("x")])}, {"affinity": affinity([zone("x")], [zone("y")])},
         "no additions/deletions to non-empty NodeSelectorTerms list are allowed"),
        ({}, {"affinity": {"podAffinity": {}}}, "pod updates may not change fields"),
        ({}, {"hostNetwork": True}, "pod updates may not change fields"),
    ],
)  # fmt: skip
async def test_what_is_asked_of_nodes_may_be_narrowed_while_gated(
    http: Http, before: dict[str, Any], after: dict[str, Any], said: str
) -> None:
    await make(http, gated("a/b", **before))
    answer = await patch(http, **after)
    assert answer.code == (422 if said else 200), answer.text
    assert said in answer.json.get("message", "")


async def test_after_the_last_gate_nothing_may_be_narrowed(http: Http) -> None:
    await make(http, gated("a/b"))
    assert (await patch(http, schedulingGates=None, nodeSelector={"a": "1"})).code == 200
    answer = await patch(http, nodeSelector={"a": "1", "b": "2"})
    assert answer.code == 422
    assert "pod updates may not change fields" in answer.json["message"]


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (
            gated("a/b", nodeName="n"),
            "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
        ),
        (gated("a/b", "a/b"), 'spec.schedulingGates[1]: Duplicate value: "a/b"'),
        (gated("a b"), 'spec.schedulingGates[0]: Invalid value: "a b"'),
    ],
)
async def test_wrong_gates_are_refused_by_name(http: Http, obj: dict[str, Any], said: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await http("POST", "/api/v1/namespaces/default/serviceaccounts", account)
    answer = await http("POST", PODS, obj)
    assert answer.code == 422
    assert said in answer.json["message"]
