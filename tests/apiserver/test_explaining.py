"""`/sampan/v1/why` and `/sampan/v1/whatif` over HTTP, with a real scheduler beside the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from api_harness import TOKEN, Running, running
from sampan_api.client import UserInfo
from sampan_api.clock import RealClock
from sampan_master import scheduler
from sampan_master.apiserver.server import ApiServerConfig

WHY, WHATIF = "/sampan/v1/why", "/sampan/v1/whatif"


def config() -> ApiServerConfig:
    admin = UserInfo("admin", ["system:masters", "system:authenticated"])
    nobody = UserInfo("nobody", ["system:authenticated"])
    return ApiServerConfig(listen=(("127.0.0.1", 0),), tokens={TOKEN: admin, "other": nobody})


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Running]:
    """A server whose scheduler is at work."""
    async with running(config()) as one:
        answers = scheduler.Answers()
        one.server.use_answers(answers)
        task = asyncio.create_task(scheduler.run(one.client, RealClock(), scheduler.SchedulerConfig(), answers=answers))
        while (await one.http("POST", WHATIF, {"objects": []})).code != 200:
            await asyncio.sleep(0.01)
        yield one
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def node(name: str, cpu: str = "4") -> dict[str, Any]:
    amounts = {"cpu": cpu, "memory": "8Gi", "pods": "10"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"allocatable": amounts}}


def pod(name: str, cpu: str = "1", **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], "automountServiceAccountToken": False, **spec},
    }


async def with_node(api: Running, name: str = "n1", cpu: str = "4") -> None:
    """Ready, that is without the taint that a new node gets."""
    assert (await api.http("POST", "/api/v1/nodes", node(name, cpu))).code == 201
    change = {"spec": {"taints": None}}
    headers = {"Content-Type": "application/merge-patch+json"}
    assert (await api.http("PATCH", f"/api/v1/nodes/{name}", change, headers)).code == 200
    await _account(api, "default")


async def _account(api: Running, name: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    await api.http("POST", "/api/v1/namespaces/default/serviceaccounts", account)


async def when(api: Running, name: str, state: str) -> dict[str, Any]:
    """The answer about a pod once it is in this state."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = await api.http("POST", WHY, {"namespace": "default", "name": name})
        if answer.code == 200 and answer.json["state"] == state:
            return dict(answer.json)
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} is not {state}: {answer.json}")


async def test_a_pending_pod_is_explained_with_the_words_of_its_condition(api: Running) -> None:
    await with_node(api)
    assert (await api.http("POST", "/api/v1/namespaces/default/pods", pod("big", "9"))).code == 201
    answer = await when(api, "big", "Unschedulable")
    assert answer["nearest"] == {
        "node": "n1",
        "changes": [
            {
                "plugin": "NodeResourcesFit",
                "reason": "Insufficient cpu",
                "need": "cpu: 9",
                "have": "4 free of 4",
                "fix": "lower the cpu request from 9 to 4, or add a node with 9 cpu free",
            }
        ],
    }
    stored = (await api.http("GET", "/api/v1/namespaces/default/pods/big")).json
    (condition,) = stored["status"]["conditions"]
    assert condition["message"].startswith(answer["message"])


async def test_a_bound_pod_says_where_it_is(api: Running) -> None:
    await with_node(api)
    await api.http("POST", "/api/v1/namespaces/default/pods", pod("small"))
    assert (await when(api, "small", "Bound"))["node"] == "n1"


async def test_whatif_defaults_and_admits_as_a_creation_and_stores_nothing(api: Running) -> None:
    await with_node(api)
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("x", "3")["spec"]}
    selector = {"matchLabels": {"app": "web"}}
    web = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"},
           "spec": {"replicas": 2, "selector": selector, "template": template}}  # fmt: skip
    before = await api.store.revision()
    answer = await api.http("POST", WHATIF, {"objects": [web, pod("one"), node("n2", "3")]})
    assert answer.code == 200, answer.json
    assert [(p["name"], p["from"]) for p in answer.json["pods"]] == [
        ("web-0", "ReplicaSet/web"),
        ("web-1", "ReplicaSet/web"),
        ("one", ""),
    ]
    assert {p["node"] for p in answer.json["pods"][:2]} == {"n1", "n2"}
    assert answer.json["pods"][2]["node"] == "n1"
    assert await api.store.revision() == before
    assert (await api.http("GET", "/api/v1/namespaces/default/pods")).json["items"] == []
    assert len((await api.http("GET", "/api/v1/nodes")).json["items"]) == 1


async def test_whatif_of_what_is_there_already_asks_about_more_of_it(api: Running) -> None:
    await with_node(api)
    await api.http("POST", "/api/v1/namespaces/default/pods", pod("one", "3"))
    await when(api, "one", "Bound")
    answer = await api.http("POST", WHATIF, {"objects": [pod("one", "3")]})
    assert [(p["name"], p["node"]) for p in answer.json["pods"]] == [("one", "")]


async def test_a_priority_class_and_a_namespace_of_the_file_are_taken_for_there(api: Running) -> None:
    await with_node(api)
    vip = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "vip"}, "value": 9}
    team = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    one = pod("one", priorityClassName="vip")
    one["metadata"]["namespace"] = "team"
    answer = await api.http("POST", WHATIF, {"objects": [vip, team, one]})
    assert [(p["namespace"], p["node"]) for p in answer.json["pods"]] == [("team", "n1")]


@pytest.mark.parametrize(
    ("path", "body", "code", "words"),
    [
        (WHY, {"namespace": "default"}, 400, "name: Required value"),
        (WHY, {"namespace": "default", "name": "gone"}, 404, 'pods "gone" not found'),
        (WHY, "{", 400, "not JSON"),
        (WHY, [], 400, "must be a JSON object"),
        (WHATIF, {}, 400, "objects: Invalid value"),
        (WHATIF, {"objects": [{"kind": "Pod"}]}, 400, "objects[0].apiVersion: Required value"),
        (WHATIF, {"objects": [{"apiVersion": "v1", "kind": "Cat", "metadata": {}}]}, 400, 'no matches for kind "Cat"'),
        (WHATIF, {"objects": [{"apiVersion": "v1", "kind": "Pod"}]}, 400, "objects[0].metadata: Required value"),
        (WHATIF, {"objects": [pod("x", priorityClassName="no")]}, 403, "no PriorityClass with name no was found"),
        (WHATIF, {"objects": [{**pod("x"), "spec": {"containers": []}}]}, 422, "spec.containers: Required value"),
        (WHATIF, {"objects": [{**pod("x"), "spec": {"containers": [], "colour": 1}}]}, 400, "colour"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_in_a_status(api: Running, path: str, body: Any, code: int, words: str) -> None:
    await with_node(api)
    answer = await api.http("POST", path, body)
    assert (answer.code, answer.json["kind"]) == (code, "Status")
    assert words in answer.json["message"]


@pytest.mark.parametrize("path", [WHY, WHATIF])
async def test_only_those_who_may_are_answered(api: Running, path: str) -> None:
    body = {"namespace": "default", "name": "x", "objects": []}
    for token, code in (("other", 403), ("wrong", 401)):
        answer = await api.http("POST", path, body, {"Authorization": f"Bearer {token}"})
        assert (answer.code, answer.json["kind"]) == (code, "Status")
    assert (await api.http("POST", path, body, {"Authorization": ""})).code in (401, 403)
    assert (await api.http("GET", path)).code == 405


async def test_a_server_without_scheduler_says_so() -> None:
    async with running(config()) as bare:
        await _account(bare, "default")
        await bare.http("POST", "/api/v1/namespaces/default/pods", pod("x"))
        for path, body in ((WHY, {"namespace": "default", "name": "x"}), (WHATIF, {"objects": []})):
            answer = await bare.http("POST", path, body)
            assert (answer.code, answer.json["reason"]) == (503, "ServiceUnavailable")


async def test_discovery_does_not_know_them(api: Running) -> None:
    for path in ("/", "/apis", "/api", "/openapi/v3"):
        assert "sampan" not in (await api.http("GET", path)).text
