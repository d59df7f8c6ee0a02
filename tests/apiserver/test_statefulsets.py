"""StatefulSets and the revisions that controllers keep."""

from typing import Any

import pytest
from api_harness import IMAGE, MERGE, Http
from sampan_api.clock import parse_time
from sampan_master.apiserver.resources.kinds import controllerrevisions, statefulsets

PATH = "/apis/apps/v1/namespaces/default/statefulsets"
REVISIONS = "/apis/apps/v1/namespaces/default/controllerrevisions"
SIZE = {"requests": {"storage": "1Gi"}}
CLAIM = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": SIZE}}


def stateful_set(name: str = "s", **spec: Any) -> dict[str, Any]:
    mounted = {"name": "c", "image": IMAGE, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [mounted]}}
    common = {"serviceName": "s", "selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"metadata": {"name": name}, "spec": {**common, "volumeClaimTemplates": [CLAIM], **spec}}


def strategy(**fields: Any) -> dict[str, Any]:
    return {"updateStrategy": fields}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"podManagementPolicy": "Random"},
            "spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'",
        ),
        (
            strategy(type="OnDelete", rollingUpdate={"partition": 2}),
            'spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":2,"MaxUnavailable":null}:'
            " only allowed for updateStrategy 'RollingUpdate'",
        ),
        (
            strategy(type="Slowly"),
            'spec.updateStrategy: Invalid value: {"Type":"Slowly","RollingUpdate":null}:'
            " must be 'RollingUpdate' or 'OnDelete'",
        ),
        (
            strategy(rollingUpdate={"maxUnavailable": 0}),
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
        ),
        (
            {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}},
            'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Keep":'
            ' supported values: "Retain", "Delete"',
        ),
        (
            {"ordinals": {"start": -1}},
            "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            {"volumeClaimTemplates": []},
            'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"',
        ),
        (
            {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"resources": SIZE}}]},
            "spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required",
        ),
        ({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for statefulset"),
    ],
)
async def test_a_set_that_cannot_be_kept_is_refused(http: Http, spec: dict[str, Any], said: str) -> None:
    answer = await http("POST", PATH, stateful_set(**spec))
    assert (answer.code, answer.json["message"]) == (422, f'StatefulSet.apps "s" is invalid: {said}')


async def test_its_name_must_fit_into_a_host_name(http: Http) -> None:
    answer = await http("POST", PATH, stateful_set("a.b"))
    assert answer.json["details"]["causes"][0]["field"] == "metadata.name"


async def test_little_may_change_once_it_exists(http: Http) -> None:
    await http("POST", PATH, stateful_set())
    allowed = {"replicas": 2, "minReadySeconds": 3, "revisionHistoryLimit": 2, "ordinals": {"start": 1}}
    assert (await http("PATCH", f"{PATH}/s", {"spec": allowed}, MERGE)).json["metadata"]["generation"] == 2
    answer = await http("PATCH", f"{PATH}/s", {"spec": {"serviceName": "other"}}, MERGE)
    assert answer.json["message"] == (
        'StatefulSet.apps "s" is invalid: spec: Forbidden: updates to statefulset spec for fields other than'
        " 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit',"
        " 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
    )


async def test_it_is_scaled_and_its_status_must_fit_together(http: Http) -> None:
    await http("POST", PATH, stateful_set())
    scale = (await http("PATCH", f"{PATH}/s/scale", {"spec": {"replicas": 3}}, MERGE)).json
    assert (scale["spec"], scale["status"]) == ({"replicas": 3}, {"replicas": 0, "selector": "a=b"})
    answer = await http("PATCH", f"{PATH}/s/status", {"status": {"replicas": 1, "currentReplicas": 2}}, MERGE)
    assert answer.json["message"].endswith(
        "status.currentReplicas: Invalid value: 2: cannot be greater than status.replicas"
    )


async def test_a_history_without_end_is_warned_about(http: Http) -> None:
    answer = await http("POST", PATH, stateful_set(revisionHistoryLimit=-1))
    assert answer.code == 201
    assert any("a negative value retains all historical revisions" in value for _, value in answer.headers)


def test_the_cells_of_a_stateful_set() -> None:
    obj = {**stateful_set(replicas=2), "status": {"readyReplicas": 1}}
    obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    cells = statefulsets.RESOURCE.cells(obj, parse_time("2026-01-01T00:10:00Z"))
    assert cells == ["s", "1/2", "10m", "c", IMAGE]


async def test_a_revision_keeps_its_data(http: Http) -> None:
    revision = {"metadata": {"name": "r"}, "data": {"spec": {"a": 1}}, "revision": 1}
    made = await http("POST", REVISIONS, revision)
    assert (made.code, made.json["data"]) == (201, {"spec": {"a": 1}})
    assert "generation" not in made.json["metadata"]
    assert (await http("PATCH", f"{REVISIONS}/r", {"revision": 2}, MERGE)).json["revision"] == 2
    answer = await http("PATCH", f"{REVISIONS}/r", {"data": {"spec": {"a": 2}}}, MERGE)
    assert answer.json["message"].endswith('data: Invalid value: {"spec":{"a":2}}: field is immutable')


async def test_a_revision_without_data_is_refused(http: Http) -> None:
    answer = await http("POST", REVISIONS, {"metadata": {"name": "r"}, "revision": -1})
    assert answer.json["message"] == (
        'ControllerRevision.apps "r" is invalid: [data: Required value: data is mandatory, revision: Invalid value: -1:'
        " must be greater than or equal to 0]"
    )


def test_the_cells_of_a_revision() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u", "controller": True}
    metadata = {"name": "web-1", "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": [owner]}
    cells = controllerrevisions.RESOURCE.cells(
        {"metadata": metadata, "revision": 3}, parse_time("2026-01-01T00:10:00Z")
    )
    assert cells == ["web-1", "statefulset.apps/web", 3, "10m"]
