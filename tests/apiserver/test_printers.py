"""The cells of tables."""

from typing import Any

import pytest
from sampan_api.clock import parse_time
from sampan_master.apiserver.resources.ages import human_duration, since
from sampan_master.apiserver.resources.kinds import events, nodes
from sampan_master.apiserver.resources.kinds.pod_cells import pod_cells, row_conditions

NOW = parse_time("2026-01-01T01:00:00Z")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (12 * 900, "3h"),
        (3 * 3600 + 120, "3h2m"),
        (9 * 3600, "9h"),
        (49 * 3600, "2d1h"),
        (9 * 86400, "9d"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations_are_told_as_people_read_them(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


def test_no_time_is_unknown() -> None:
    assert since(None, NOW) == "<unknown>"


def pod(status: dict[str, Any], spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z", **metadata},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}], **(spec or {})},
        "status": status,
    }


def container(name: str, ready: bool = False, restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state}


def shown(obj: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(pod_cells(obj, NOW)[1:4])


def test_a_pod_tells_how_its_containers_are() -> None:
    assert shown(pod({"phase": "Pending"})) == ("0/2", "Pending", "0")
    running = [container("a", True, running={}), container("b", True, running={})]
    assert shown(pod({"phase": "Running", "containerStatuses": running})) == ("2/2", "Running", "0")
    crashing = [container("a", restarts=3, waiting={"reason": "CrashLoopBackOff"}), running[1]]
    crashing[0]["lastState"] = {"terminated": {"finishedAt": "2026-01-01T00:55:00Z"}}
    statuses = {"phase": "Running", "containerStatuses": crashing}
    assert shown(pod(statuses)) == ("1/2", "CrashLoopBackOff", "3 (5m ago)")
    ended = [container("a", terminated={"exitCode": 3}), container("b", terminated={"reason": "Completed"})]
    assert shown(pod({"phase": "Running", "containerStatuses": ended})) == ("0/2", "ExitCode:3", "0")


def test_a_pod_tells_where_its_initialisation_stands() -> None:
    spec = {"initContainers": [{"name": "i"}, {"name": "j"}]}
    inits = [container("i", terminated={"exitCode": 0}), container("j", running={})]
    assert shown(pod({"phase": "Pending", "initContainerStatuses": inits}, spec)) == ("0/2", "Init:1/2", "0")
    inits[1]["state"] = {"terminated": {"exitCode": 1}}
    assert shown(pod({"phase": "Pending", "initContainerStatuses": inits}, spec))[1] == "Init:ExitCode:1"
    inits[1]["state"] = {"waiting": {"reason": "ErrImagePull"}}
    assert shown(pod({"phase": "Pending", "initContainerStatuses": inits}, spec))[1] == "Init:ErrImagePull"


def test_a_pod_that_goes_is_terminating_unless_it_has_ended() -> None:
    assert shown(pod({"phase": "Running"}, deletionTimestamp="x"))[1] == "Terminating"
    assert shown(pod({"phase": "Running", "reason": "NodeLost"}, deletionTimestamp="x"))[1] == "Unknown"
    assert shown(pod({"phase": "Succeeded"}, deletionTimestamp="x"))[1] == "Succeeded"
    assert row_conditions(pod({"phase": "Failed"}))[0]["message"] == "The pod failed."


def test_wide_cells_of_a_pod() -> None:
    status = {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}
    assert pod_cells(pod(status, {"nodeName": "n1"}), NOW)[4:] == ["60m", "10.0.0.1", "n1", "<none>", "<none>"]


def test_a_node_tells_readiness_roles_and_machine() -> None:
    node = {
        "metadata": {
            "name": "n1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/edge": ""},
        },
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "False"}],
            "addresses": [{"type": "InternalIP", "address": "10.77.0.11"}],
            "nodeInfo": {"kernelVersion": "6.18", "architecture": "amd64", "kubeletVersion": "v1.36.2"},
        },
    }
    cells = nodes.RESOURCE.cells(node, NOW)
    assert cells[1:5] == ["NotReady,SchedulingDisabled", "edge,worker", "60m", "v1.36.2"]
    assert cells[5:] == ["10.77.0.11", "<none>", "<unknown>", "6.18 (amd64)", "<unknown>"]


def test_an_event_tells_its_object_source_and_times() -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{c}"},
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "2026-01-01T00:50:00Z",
        "lastTimestamp": "2026-01-01T00:59:30Z",
        "count": 3,
        "type": "Normal",
        "reason": "Pulled",
        "message": "done\n",
    }
    cells = events.RESOURCE.cells(event, NOW)
    assert cells[:7] == ["30s", "Normal", "Pulled", "pod/web", "spec.containers{c}", "kubelet, n1", "done"]
    assert cells[7:] == ["10m", 3, "e"]
