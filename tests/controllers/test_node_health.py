"""What a node's conditions make of its taints and labels, and what counts as a sign of life."""

from sampan_api.clock import rfc3339
from sampan_master.controllers.node_health import (
    NOT_READY,
    UNREACHABLE,
    listen,
    silent_conditions,
    wanted_labels,
    wanted_taints,
)


def node(ready=None, taints=(), labels=None, version=1, heartbeat="h1"):
    conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": heartbeat}] if ready else []
    metadata = {"name": "n", "labels": labels or {}, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"taints": [*taints]}, "status": {"conditions": conditions}}


def lease(renewed, version=1):
    return {"metadata": {"resourceVersion": str(version)}, "spec": {"renewTime": renewed}}


def taint(key, effect, since=None):
    return {"key": key, "effect": effect} | ({"timeAdded": since} if since else {})


def pairs(taints):
    return {(t["key"], t["effect"]) for t in taints}


def test_a_node_that_has_said_nothing_yet_is_not_tainted_and_loses_what_admission_set():
    assert wanted_taints(node(taints=[taint(NOT_READY, "NoSchedule")]), may_evict=True, now=0) == []


def test_without_a_ready_condition_an_eviction_under_way_goes_on():
    present = [taint(UNREACHABLE, "NoExecute", rfc3339(5))]
    assert wanted_taints(node(taints=present), may_evict=False, now=9) == present


def test_the_first_no_execute_taint_waits_for_its_turn():
    assert pairs(wanted_taints(node("False"), may_evict=False, now=0)) == {(NOT_READY, "NoSchedule")}
    assert pairs(wanted_taints(node("False"), may_evict=True, now=0)) == {
        (NOT_READY, "NoSchedule"),
        (NOT_READY, "NoExecute"),
    }


def test_a_node_that_turns_from_unreachable_to_not_ready_changes_its_taint_at_once_and_its_time_goes_on():
    present = [taint(UNREACHABLE, "NoSchedule", rfc3339(5)), taint(UNREACHABLE, "NoExecute", rfc3339(5))]
    assert wanted_taints(node("False", present), may_evict=False, now=90) == [
        taint(NOT_READY, "NoExecute", rfc3339(5)),
        taint(NOT_READY, "NoSchedule", rfc3339(90)),
    ]


def test_the_older_names_of_labels_say_the_same():
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64", "beta.kubernetes.io/arch": "amd64"}
    assert wanted_labels(node(labels=labels)) == labels | {
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": "arm64",
    }
    assert wanted_labels(node(labels={"a": "b"})) == {"a": "b"}


def test_every_new_sign_counts_even_an_earlier_time_and_no_older_revision_does():
    known = listen(None, node("True"), lease("10:00", 5), 0.0)
    assert listen(known, node("True"), lease("10:00", 5), 50.0).heard_at == 0.0
    assert not known.alive
    assert not listen(listen(None, node("True"), None, 0.0), node("True"), lease("10:00", 5), 1.0).alive
    assert listen(known, node("True"), lease("10:10", 6), 10.0).alive
    set_back = listen(known, node("True"), lease("09:00", 6), 50.0)
    assert set_back.heard_at == 50.0
    assert listen(set_back, node("True"), lease("10:00", 5), 60.0).heard_at == 50.0
    assert listen(set_back, node("True", version=2, heartbeat="h2"), None, 60.0).heard_at == 60.0


def test_a_node_that_falls_silent_knows_nothing_of_itself_any_more_and_says_what_was_said_last():
    said = {"type": "Ready", "status": "True", "lastHeartbeatTime": "h1"}
    already = {"type": "DiskPressure", "status": "Unknown", "reason": "NodeStatusUnknown"}
    other = {"type": "Mine", "status": "True"}
    silent = {"metadata": {"creationTimestamp": "c"}, "status": {"conditions": [already, said, other]}}
    by_type = {condition["type"]: condition for condition in silent_conditions(silent, 9)}
    assert set(by_type) == {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "Mine"}
    assert (by_type["DiskPressure"], by_type["Mine"]) == (already, other)
    ready, never = by_type["Ready"], by_type["PIDPressure"]
    assert (ready["status"], ready["reason"], ready["lastHeartbeatTime"], ready["lastTransitionTime"]) == (
        "Unknown", "NodeStatusUnknown", "h1", rfc3339(9)
    )  # fmt: skip
    assert (never["status"], never["reason"], never["lastHeartbeatTime"]) == ("Unknown", "NodeStatusNeverUpdated", "c")
    assert ready["message"] == "Kubelet stopped posting node status."
    assert never["message"] == "Kubelet never posted node status."
    assert silent_conditions({**silent, "status": {"conditions": [*by_type.values()]}}, 10) is None
