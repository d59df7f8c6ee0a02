"""Deployments: what the server makes of them, and what it refuses."""

from typing import Any

import pytest
from api_harness import IMAGE, MERGE, Http, workload
from sampan_api.clock import parse_time
from sampan_master.apiserver.resources.kinds import deployments

PATH = "/apis/apps/v1/namespaces/default/deployments"


def rolling(**fields: Any) -> dict[str, Any]:
    return {"strategy": {"rollingUpdate": fields}}


PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for"
    " validation is '[0-9]+%')"
)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        (
            {"strategy": {"type": "Slowly"}},
            'spec.strategy: Unsupported value: {"Type":"Slowly","RollingUpdate":null}:'
            ' supported values: "Recreate", "RollingUpdate"',
        ),
        (
            rolling(maxSurge=0, maxUnavailable="0%"),
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
        ),
        (
            rolling(maxUnavailable="101%"),
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
        ),
        (rolling(maxSurge="x"), f'spec.strategy.rollingUpdate.maxSurge: Invalid value: "x": {PERCENT}'),
        (
            {"progressDeadlineSeconds": 5, "minReadySeconds": 5},
            "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
        ),
        (
            {"revisionHistoryLimit": -1},
            "spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
        ),
    ],
)
async def test_what_cannot_be_rolled_out_is_refused(http: Http, spec: dict[str, Any], said: str) -> None:
    answer = await http("POST", PATH, workload(**spec))
    assert (answer.code, answer.json["message"]) == (422, f'Deployment.apps "d" is invalid: {said}')


async def test_a_surge_may_be_larger_than_all(http: Http) -> None:
    assert (await http("POST", PATH, workload(**rolling(maxSurge="200%")))).code == 201


async def test_recreating_has_no_rolling_update(http: Http) -> None:
    created = (await http("POST", PATH, workload(strategy={"type": "Recreate"}))).json
    assert created["spec"]["strategy"] == {"type": "Recreate"}


async def test_the_generation_counts_annotations_too_but_not_labels(http: Http) -> None:
    """Annotations are copied to ReplicaSets, so the controller must see that they changed."""
    await http("POST", PATH, workload())
    labelled = (await http("PATCH", f"{PATH}/d", {"metadata": {"labels": {"x": "y"}}}, MERGE)).json
    assert labelled["metadata"]["generation"] == 1
    annotated = (await http("PATCH", f"{PATH}/d", {"metadata": {"annotations": {"x": "y"}}}, MERGE)).json
    assert annotated["metadata"]["generation"] == 2
    scaled = (await http("PATCH", f"{PATH}/d/scale", {"spec": {"replicas": 4}}, MERGE)).json
    assert scaled["status"] == {"replicas": 0, "selector": "a=b"}
    assert (await http("GET", f"{PATH}/d")).json["metadata"]["generation"] == 3


async def test_the_selector_stays(http: Http) -> None:
    await http("POST", PATH, workload())
    change = {"selector": {"matchLabels": {"a": "c"}}, "template": {"metadata": {"labels": {"a": "c"}}}}
    answer = await http("PATCH", f"{PATH}/d", {"spec": change}, MERGE)
    assert answer.json["message"].endswith(
        'spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable'
    )


async def test_a_status_must_fit_together_and_leaves_labels_alone(http: Http) -> None:
    await http("POST", PATH, workload())
    await http("PATCH", f"{PATH}/d", {"metadata": {"labels": {"x": "y"}}}, MERGE)
    answer = await http("PATCH", f"{PATH}/d/status", {"status": {"replicas": 1, "availableReplicas": 2}}, MERGE)
    assert [cause["message"] for cause in answer.json["details"]["causes"]] == [
        "Invalid value: 2: cannot be greater than status.replicas",
        "Invalid value: 2: cannot be greater than readyReplicas",
    ]
    change = {"metadata": {"labels": {"x": "z"}}, "status": {"replicas": 1, "collisionCount": 2}}
    written = (await http("PATCH", f"{PATH}/d/status", change, MERGE)).json
    assert (written["metadata"]["labels"], written["status"]) == ({"x": "y"}, change["status"])
    answer = await http("PATCH", f"{PATH}/d/status", {"status": {"collisionCount": 1}}, MERGE)
    assert answer.json["message"].endswith("status.collisionCount: Invalid value: 1: cannot be decremented")


async def test_a_negative_count_is_refused_with_all_that_follows_from_it(http: Http) -> None:
    await http("POST", PATH, workload())
    answer = await http("PATCH", f"{PATH}/d/status", {"status": {"replicas": -1}}, MERGE)
    assert [cause["field"] for cause in answer.json["details"]["causes"]] == [
        "status.replicas",
        "status.updatedReplicas",
        "status.readyReplicas",
        "status.availableReplicas",
    ]


async def test_a_name_that_is_no_host_name_is_warned_about(http: Http) -> None:
    answer = await http("POST", PATH, {**workload(), "metadata": {"name": "d.x"}})
    assert answer.code == 201
    assert any("a DNS label is recommended: [a lowercase RFC 1123 label" in value for _, value in answer.headers)


def test_the_cells_of_a_deployment() -> None:
    obj = workload(replicas=2)
    obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    obj["status"] = {"replicas": 2, "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    cells = deployments.RESOURCE.cells(obj, parse_time("2026-01-01T00:10:00Z"))
    assert cells == ["d", "1/2", 2, 1, "10m", "c", IMAGE, "a=b"]
