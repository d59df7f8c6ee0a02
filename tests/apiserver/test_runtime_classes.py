"""RuntimeClasses: what they put into pods, and which pods they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from api_harness import Http, pod
from sampan_api.client import NODES, PODS, RUNTIMECLASSES, Client
from sampan_api.errors import Forbidden, Invalid
from sampan_master.apiserver.resources.kinds.runtimeclasses import complete, handlers, refusal


def runtime_class(handler: str = "fast", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "rc"}, "handler": handler, **fields}


async def serve(client: Client, *names: str) -> None:
    """A node whose runtime has these handlers."""
    status = {"runtimeHandlers": [{"name": name} for name in ("", *names)]}
    await client.create(NODES, {"metadata": {"name": "n"}, "status": status})


async def test_a_class_that_no_node_serves_is_warned_about_and_refused_to_pods(http: Http, client: Client) -> None:
    await serve(client)
    answer = await http("POST", "/apis/node.k8s.io/v1/runtimeclasses", runtime_class("kata"))
    assert answer.code == 201
    assert 'handler \\"kata\\" is served by no node: pods of this class are refused' in answer.header("warning")
    with pytest.raises(Forbidden) as refused:
        await client.create(PODS, pod(runtimeClassName="rc"), "default")
    said = 'pods "web" is forbidden: pod rejected: RuntimeClass "rc": no node serves its handler "kata"'
    assert refused.value.message == said


async def test_a_pod_gets_what_its_class_says(client: Client) -> None:
    await serve(client, "fast")
    scheduling = {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "fast", "operator": "Exists"}]}
    overhead = {"podFixed": {"memory": "10Mi"}}
    await client.create(RUNTIMECLASSES, runtime_class(overhead=overhead, scheduling=scheduling))
    made = await client.create(PODS, pod(runtimeClassName="rc", nodeSelector={"a": "b"}), "default")
    assert made["spec"]["overhead"] == {"memory": "10Mi"}
    assert made["spec"]["nodeSelector"] == {"a": "b", "disk": "ssd"}
    assert scheduling["tolerations"][0] in made["spec"]["tolerations"]


async def test_a_class_that_does_not_exist_is_refused(client: Client) -> None:
    with pytest.raises(Forbidden, match='pod rejected: RuntimeClass "nosuch" not found'):
        await client.create(PODS, pod(runtimeClassName="nosuch"), "default")


@pytest.mark.parametrize(
    ("spec", "chosen", "said"),
    [
        ({}, None, ""),
        ({"overhead": {"cpu": "1"}}, None, "Pod Overhead set without corresponding RuntimeClass defined Overhead"),
        (
            {"overhead": {"cpu": "1"}},
            {"overhead": {"podFixed": {"cpu": "2"}}},
            "Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        ({"overhead": {"cpu": "2"}}, {"overhead": {"podFixed": {"cpu": "2"}}}, ""),
        (
            {"nodeSelector": {"a": "b"}},
            {"scheduling": {"nodeSelector": {"a": "c"}}},
            "conflict: runtimeClass.scheduling.nodeSelector[a] = c; pod.spec.nodeSelector[a] = b",
        ),
    ],
)
def test_a_pod_must_not_contradict_its_class(spec: dict[str, Any], chosen: dict[str, Any] | None, said: str) -> None:
    assert refusal(spec, chosen).removeprefix("pod rejected: ") == said


def test_tolerations_are_not_repeated() -> None:
    toleration = {"key": "a", "operator": "Exists"}
    spec: dict[str, Any] = {"tolerations": [toleration]}
    complete(spec, {"scheduling": {"tolerations": [toleration]}})
    assert spec == {"tolerations": [toleration]}


def test_handlers_are_what_nodes_report() -> None:
    reporting = {"status": {"runtimeHandlers": [{"name": ""}, {"name": "kata"}]}}
    assert handlers([reporting, {"status": {}}, {}]) == {"", "kata"}


async def test_a_handler_is_a_label_and_stays(client: Client) -> None:
    with pytest.raises(Invalid, match='handler: Invalid value: "A": a lowercase RFC 1123 label'):
        await client.create(RUNTIMECLASSES, runtime_class("A"))
    await client.create(RUNTIMECLASSES, runtime_class())
    with pytest.raises(Invalid, match='handler: Invalid value: "slow": field is immutable'):
        await client.patch(RUNTIMECLASSES, "rc", {"handler": "slow"})
