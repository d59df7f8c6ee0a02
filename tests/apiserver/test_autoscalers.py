"""HorizontalPodAutoscalers: one stored object, seen as autoscaling/v2 and v1."""

import json
from typing import Any

import pytest
from api_harness import MERGE, STRATEGIC, Http
from sampan_api.clock import parse_time
from sampan_master.apiserver.resources.kinds import horizontalpodautoscalers
from sampan_master.apiserver.resources.kinds.autoscaler_versions import from_stored, to_stored

V1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
V2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
TARGET = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
CARRIED = "autoscaling.alpha.kubernetes.io/"


def autoscaler(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 3, **spec}}


def resource(name: str = "cpu", **target: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, "target": target}}


CPU = resource(type="Utilization", averageUtilization=50)
METRICS: list[dict[str, Any]] = [
    resource("memory", type="AverageValue", averageValue="1Gi"),
    {
        "type": "Pods",
        "pods": {
            "metric": {"name": "rps", "selector": {"matchLabels": {"a": "b"}}},
            "target": {"type": "AverageValue", "averageValue": "10"},
        },
    },
    {
        "type": "Object",
        "object": {
            "describedObject": {"kind": "Ingress", "name": "i", "apiVersion": "networking.k8s.io/v1"},
            "metric": {"name": "rps"},
            "target": {"type": "Value", "value": "2k"},
        },
    },
    {
        "type": "External",
        "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "30"}},
    },
    {
        "type": "ContainerResource",
        "containerResource": {
            "name": "cpu",
            "container": "c",
            "target": {"type": "Utilization", "averageUtilization": 60},
        },
    },
]
BEHAVIOR = {
    "scaleDown": {
        "stabilizationWindowSeconds": 60,
        "selectPolicy": "Min",
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 30}],
        "tolerance": "50m",
    }
}


async def test_both_versions_show_the_same_object(http: Http) -> None:
    made = (await http("POST", V1, autoscaler(targetCPUUtilizationPercentage=50))).json
    assert (made["apiVersion"], made["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 50)
    assert made["status"] == {"currentReplicas": 0, "desiredReplicas": 0}
    seen = (await http("GET", f"{V2}/h")).json
    assert seen["spec"]["metrics"] == [CPU]
    assert (seen["apiVersion"], seen["metadata"]["resourceVersion"]) == (
        "autoscaling/v2",
        made["metadata"]["resourceVersion"],
    )
    assert "generation" not in seen["metadata"]
    listed = (await http("GET", V1)).json
    assert (listed["kind"], listed["apiVersion"]) == ("HorizontalPodAutoscalerList", "autoscaling/v1")
    assert "kind" not in listed["items"][0]
    assert listed["items"][0]["spec"] == made["spec"]
    rows = (await http("GET", V1, headers=TABLE)).json["rows"]
    assert rows[0]["cells"][:6] == ["h", "Deployment/d", "cpu: <unknown>/50%", "1", 3, 0]
    assert (await http("DELETE", f"{V1}/h")).code == 200
    assert (await http("GET", f"{V2}/h")).code == 404


async def test_what_the_old_version_cannot_say_is_not_lost_by_writing_it_back(http: Http) -> None:
    sent = autoscaler(metrics=[CPU, *METRICS], behavior=BEHAVIOR)
    made = (await http("POST", V2, sent)).json
    old = (await http("GET", f"{V1}/h")).json
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50
    carried = json.loads(old["metadata"]["annotations"][f"{CARRIED}metrics"])
    assert carried[0] == {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}}
    assert carried[2]["object"]["targetValue"] == "2k"
    down = json.loads(old["metadata"]["annotations"][f"{CARRIED}behavior"])["ScaleDown"]
    assert down == {
        "StabilizationWindowSeconds": 60,
        "SelectPolicy": "Min",
        "Policies": [{"Type": "Pods", "Value": 1, "PeriodSeconds": 30}],
        "Tolerance": "50m",
    }
    old["spec"]["maxReplicas"] = 9
    assert (await http("PUT", f"{V1}/h", old)).code == 200
    seen = (await http("GET", f"{V2}/h")).json
    assert seen["spec"]["maxReplicas"] == 9
    assert sorted(map(json.dumps, seen["spec"]["metrics"])) == sorted(map(json.dumps, made["spec"]["metrics"]))
    assert seen["spec"]["behavior"] == made["spec"]["behavior"]
    assert "annotations" not in seen["metadata"]


async def test_a_patch_speaks_of_the_version_it_is_sent_to(http: Http) -> None:
    await http("POST", V2, autoscaler(metrics=[CPU]))
    for kind, share in ((MERGE, 60), (STRATEGIC, 70)):
        patched = await http("PATCH", f"{V1}/h", {"spec": {"targetCPUUtilizationPercentage": share}}, kind)
        assert patched.json["spec"]["targetCPUUtilizationPercentage"] == share
    owners = {entry["apiVersion"]: entry for entry in patched.json["metadata"]["managedFields"]}
    assert owners["autoscaling/v1"]["fieldsV1"]["f:spec"] == {"f:targetCPUUtilizationPercentage": {}}
    metrics = (await http("GET", f"{V2}/h")).json["spec"]["metrics"]
    assert metrics[0]["resource"]["target"]["averageUtilization"] == 70
    answer = await http("PATCH", f"{V1}/h?fieldValidation=Strict", {"spec": {"metrics": []}}, MERGE)
    assert 'unknown field \\"spec.metrics\\"' in answer.text


async def test_a_configuration_is_applied_in_the_version_it_is_written_in(http: Http) -> None:
    apply = {"Content-Type": "application/apply-patch+yaml"}
    config = {"kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v1", **autoscaler()}
    made = await http("PATCH", f"{V1}/h?fieldManager=m", config, apply)
    assert (made.code, made.json["spec"]["targetCPUUtilizationPercentage"]) == (201, 80)
    config["spec"]["targetCPUUtilizationPercentage"] = 55
    assert (await http("PATCH", f"{V1}/h?fieldManager=m", config, apply)).code == 200
    seen = (await http("GET", f"{V2}/h")).json
    assert seen["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 55
    assert seen["metadata"]["managedFields"][0]["apiVersion"] == "autoscaling/v1"


async def test_a_watch_tells_in_its_own_version(http: Http) -> None:
    await http("POST", V2, autoscaler(metrics=[CPU]))
    async with http.stream(f"{V1}?watch=true") as stream:
        event = await stream.event()
        assert (event["type"], event["object"]["apiVersion"]) == ("ADDED", "autoscaling/v1")
        await http("PATCH", f"{V2}/h", {"spec": {"maxReplicas": 4}}, MERGE)
        event = await stream.event()
        while event["type"] == "BOOKMARK":
            event = await stream.event()
        assert event["object"]["spec"]["maxReplicas"] == 4
        assert "metrics" not in event["object"]["spec"]


async def test_status_goes_through_either_door(http: Http) -> None:
    await http("POST", V2, autoscaler(metrics=[CPU]))
    current = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 33}}}
    condition = {"type": "AbleToScale", "status": "True", "reason": "Fine"}
    status = {"currentReplicas": 2, "currentMetrics": [current], "conditions": [condition]}
    assert (await http("PATCH", f"{V2}/h/status", {"status": status}, MERGE)).code == 200
    old = (await http("GET", f"{V1}/h/status")).json
    assert old["status"] == {"currentReplicas": 2, "desiredReplicas": 0, "currentCPUUtilizationPercentage": 33}
    await http("PATCH", f"{V1}/h/status", {"status": {"desiredReplicas": 3}}, MERGE)
    seen = (await http("GET", f"{V2}/h")).json["status"]
    assert (seen["desiredReplicas"], seen["conditions"][0]["reason"]) == (3, "Fine")
    assert seen["currentMetrics"][0]["resource"]["current"]["averageUtilization"] == 33
    answer = await http("PATCH", f"{V2}/h/status", {"status": {"desiredReplicas": -1}}, MERGE)
    assert answer.json["details"]["causes"][0]["field"] == "status.desiredReplicas"


@pytest.mark.parametrize(
    "text", ["{", "[1]", "7", '[{"type":5}]', '[{"type":"Pods","pods":[]}]', '{"ScaleUp":{"Policies":4}}']
)
async def test_annotations_that_carry_nonsense_are_as_if_they_were_not_there(http: Http, text: str) -> None:
    carried = {f"{CARRIED}{what}": text for what in ("metrics", "behavior", "conditions", "current-metrics")}
    made = await http("POST", V1, {**autoscaler(), "metadata": {"name": "h", "annotations": {**carried, "mine": "1"}}})
    assert made.json["metadata"]["annotations"] == {"mine": "1"}
    assert made.json["spec"]["targetCPUUtilizationPercentage"] == 80


def test_a_round_trip_through_the_old_version_changes_nothing() -> None:
    current = [
        {"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "5"}}},
        {
            "type": "Object",
            "object": {
                "metric": {"name": "rps"},
                "current": {"value": "1"},
                "describedObject": {"kind": "Ingress", "name": "i"},
            },
        },
    ]
    stored = {
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": "autoscaling/v2",
        "metadata": {"name": "h", "annotations": {"mine": "1"}},
        "spec": {
            "scaleTargetRef": TARGET,
            "minReplicas": 1,
            "maxReplicas": 3,
            "metrics": METRICS,
            "behavior": BEHAVIOR,
        },
        "status": {"currentReplicas": 1, "desiredReplicas": 2, "currentMetrics": current},
    }
    assert to_stored(from_stored(stored)) == stored


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"minReplicas": 0}, "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"),
        (
            {"maxReplicas": 1, "minReplicas": 2},
            "spec.maxReplicas: Invalid value: 1: must be greater than or equal to `minReplicas`",
        ),
        (
            {"scaleTargetRef": {"kind": "a/b", "name": "d"}},
            "spec.scaleTargetRef.kind: Invalid value: \"a/b\": may not contain '/'",
        ),
        (
            {"metrics": [{"type": "Rumours"}]},
            'spec.metrics[0].type: Unsupported value: "Rumours": supported values:'
            ' "ContainerResource", "External", "Object", "Pods", "Resource"',
        ),
        (
            {"metrics": [{"type": "Pods"}]},
            "spec.metrics[0].pods: Required value: must populate information for the given metric source",
        ),
        (
            {"metrics": [{**METRICS[1], "external": METRICS[3]["external"]}]},
            "spec.metrics[0].external: Forbidden: must populate the given metric source only",
        ),
        (
            {"metrics": [resource(type="Utilization")]},
            "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a"
            " target raw value or a target utilization",
        ),
        (
            {"metrics": [resource(type="Utilization", averageUtilization=0)]},
            "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0",
        ),
        (
            {"metrics": [resource(type="Wish", averageUtilization=1)]},
            'spec.metrics[0].resource.target.type: Invalid value: "Wish": must be either Utilization,'
            " Value, or AverageValue",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 15}]}}},
            "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
        ),
        (
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601}}},
            "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 3601: must be less"
            " than or equal to 3600",
        ),
    ],
)
async def test_what_cannot_be_scaled_is_refused(http: Http, spec: dict[str, Any], said: str) -> None:
    answer = await http("POST", V2, autoscaler(**spec))
    assert (answer.code, answer.json["message"]) == (
        422,
        f'HorizontalPodAutoscaler.autoscaling "h" is invalid: {said}',
    )


async def test_behavior_is_filled_in_for_both_directions(http: Http) -> None:
    made = (await http("POST", V2, autoscaler(behavior={"scaleUp": {"selectPolicy": "Disabled"}}))).json
    percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
    assert made["spec"]["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Disabled",
            "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, percent],
        },
        "scaleDown": {"selectPolicy": "Max", "policies": [percent]},
    }


def test_two_metrics_are_shown_and_the_rest_counted() -> None:
    used = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12}}}
    obj = {**autoscaler(minReplicas=1, metrics=[CPU, METRICS[3], METRICS[1]]), "status": {"currentMetrics": [used]}}
    obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    cells = horizontalpodautoscalers.RESOURCE.cells(obj, parse_time("2026-01-01T00:10:00Z"))
    assert cells == ["h", "Deployment/d", "cpu: 12%/50%, <unknown>/30 (avg) + 1 more...", "1", 3, 0, "10m"]
