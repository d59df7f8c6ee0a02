"""DaemonSets: what the server makes of them, and what it refuses."""

from typing import Any

import pytest
from api_harness import IMAGE, MERGE, Http, workload
from sampan_api.clock import parse_time
from sampan_master.apiserver.resources.kinds import daemonsets

PATH = "/apis/apps/v1/namespaces/default/daemonsets"
COUNT = daemonsets.TEMPLATE_GENERATION


def rolling(**fields: Any) -> dict[str, Any]:
    return {"updateStrategy": {"rollingUpdate": fields}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"selector": None},
            'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ),
        ({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for daemonset"),
        (
            {"updateStrategy": {"type": "Slowly", "rollingUpdate": {"maxSurge": 1}}},
            'spec.updateStrategy: Unsupported value: {"Type":"Slowly","RollingUpdate":{"MaxUnavailable":0,'
            '"MaxSurge":1}}: supported values: "RollingUpdate", "OnDelete"',
        ),
        (
            rolling(maxUnavailable=0),
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
        ),
        (
            rolling(maxUnavailable=1, maxSurge="10%"),
            'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: "10%":'
            " may not be set when maxUnavailable is non-zero",
        ),
    ],
)
async def test_a_set_that_cannot_be_kept_is_refused(http: Http, spec: dict[str, Any], said: str) -> None:
    answer = await http("POST", PATH, workload(**spec))
    assert (answer.code, answer.json["message"]) == (422, f'DaemonSet.apps "d" is invalid: {said}')


async def test_pods_of_a_daemon_set_do_not_end(http: Http) -> None:
    obj = workload()
    obj["spec"]["template"]["spec"] |= {"restartPolicy": "Never", "activeDeadlineSeconds": 5}
    answer = await http("POST", PATH, obj)
    assert [cause["message"] for cause in answer.json["details"]["causes"]] == [
        'Unsupported value: "Never": supported values: "Always"',
        "Forbidden: activeDeadlineSeconds in DaemonSet is not Supported",
    ]


async def test_changes_of_the_template_are_counted_by_the_server_alone(http: Http) -> None:
    made = (await http("POST", PATH, workload())).json
    assert made["metadata"]["annotations"] == {COUNT: "1"}
    change = {"metadata": {"annotations": {COUNT: "7"}}, "spec": {"minReadySeconds": 5}}
    changed = (await http("PATCH", f"{PATH}/d", change, MERGE)).json
    assert (changed["metadata"]["annotations"], changed["metadata"]["generation"]) == ({COUNT: "1"}, 2)
    template = {"metadata": {"annotations": None}, "spec": {"template": {"spec": {"hostNetwork": True}}}}
    changed = (await http("PATCH", f"{PATH}/d", template, MERGE)).json
    assert (changed["metadata"]["annotations"], changed["metadata"]["generation"]) == ({COUNT: "2"}, 3)
    status = {"metadata": {"annotations": None}, "status": {"numberReady": 1}}
    reported = (await http("PATCH", f"{PATH}/d/status", status, MERGE)).json
    assert reported["metadata"]["annotations"] == {COUNT: "2"}
    assert reported["status"]["desiredNumberScheduled"] == 0


async def test_a_count_may_be_brought_along_if_it_is_a_number(http: Http) -> None:
    brought = workload()
    brought["metadata"]["annotations"] = {COUNT: "12"}
    assert (await http("POST", PATH, brought)).json["metadata"]["annotations"] == {COUNT: "12"}
    brought["metadata"] = {"name": "e", "annotations": {COUNT: "many"}}
    answer = await http("POST", PATH, brought)
    assert (answer.code, answer.json["message"]) == (
        400,
        'DaemonSet in version "v1" cannot be handled as a DaemonSet: strconv.ParseInt: parsing "many": invalid syntax',
    )


async def test_a_daemon_set_has_no_scale(http: Http) -> None:
    await http("POST", PATH, workload())
    assert (await http("GET", f"{PATH}/d/scale")).code == 404


def test_the_cells_of_a_daemon_set() -> None:
    obj = workload()
    obj["spec"]["template"]["spec"]["nodeSelector"] = {"z": "1", "k": "v"}
    obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    obj["status"] = {"desiredNumberScheduled": 3, "currentNumberScheduled": 2, "numberReady": 1}
    cells = daemonsets.RESOURCE.cells(obj, parse_time("2026-01-01T00:10:00Z"))
    assert cells == ["d", 3, 2, 1, 0, 0, "k=v,z=1", "10m", "c", IMAGE, "a=b"]
