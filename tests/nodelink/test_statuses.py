from __future__ import annotations

from sampan_master.nodelink.objects import Reference, references
from sampan_master.nodelink.statuses import concerns_node, merge_pod_status


def condition(type_, status, at="t0"):
    return {"type": type_, "status": status, "lastTransitionTime": at}


def test_conditions_of_others_are_kept_and_unchanged_ones_keep_their_time():
    current = {
        "conditions": [condition("PodScheduled", "True"), condition("Ready", "True"), condition("x.io/gate", "True")]
    }
    reported = {"conditions": [condition("Ready", "True", "t1"), condition("PodScheduled", "True", "t1")]}
    merged = merge_pod_status(current, reported)["conditions"]
    assert {c["type"]: c["lastTransitionTime"] for c in merged} == {
        "Ready": "t0",
        "PodScheduled": "t0",
        "x.io/gate": "t0",
    }


def test_a_flip_has_the_new_time():
    merged = merge_pod_status(
        {"conditions": [condition("Ready", "True")]}, {"conditions": [condition("Ready", "False", "t1")]}
    )
    assert merged["conditions"] == [condition("Ready", "False", "t1")]


def test_a_pod_that_has_ended_never_runs_again():
    merged = merge_pod_status({"phase": "Failed", "reason": "Evicted"}, {"phase": "Running"})
    assert (merged["phase"], merged["reason"]) == ("Failed", "Evicted")


def test_start_time_and_nomination_are_kept():
    merged = merge_pod_status({"startTime": "t0", "nominatedNodeName": "n"}, {"startTime": "t1"})
    assert merged == {"startTime": "t0", "nominatedNodeName": "n", "conditions": []}


def test_echo_of_a_status_is_no_news_to_the_node():
    old = {"metadata": {"uid": "u"}, "spec": {"a": 1}, "status": {"phase": "Pending"}}
    assert not concerns_node(old, {**old, "status": {"phase": "Running"}})
    assert concerns_node(old, {**old, "status": {"phase": "Failed"}})
    assert concerns_node(old, {**old, "metadata": {"uid": "u", "deletionTimestamp": "t"}})
    assert concerns_node(None, old)


def test_references_of_a_pod():
    pod = {
        "metadata": {"namespace": "ns"},
        "spec": {
            "imagePullSecrets": [{"name": "pull"}],
            "volumes": [
                {"name": "a", "configMap": {"name": "cm"}},
                {"name": "b", "projected": {"sources": [{"secret": {"name": "s"}}]}},
            ],
            "containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "env"}}]}],
            "initContainers": [
                {"name": "i", "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "key", "key": "k"}}}]}
            ],
        },
    }
    found = set(references(pod))
    assert found == {
        Reference("Secret", "ns", "pull"),
        Reference("ConfigMap", "ns", "cm"),
        Reference("Secret", "ns", "s"),
        Reference("Secret", "ns", "env"),
        Reference("ConfigMap", "ns", "key"),
    }


def test_conditions_of_a_resize_end_by_not_being_reported():
    resizing = [{"type": kind, "status": "True"} for kind in ("PodResizePending", "PodResizeInProgress", "Mine")]
    merged = merge_pod_status({"conditions": resizing}, {"conditions": [{"type": "Ready", "status": "True"}]})
    assert [condition["type"] for condition in merged["conditions"]] == ["Ready", "Mine"]
    reported = {"conditions": [{"type": "PodResizePending", "status": "True", "lastTransitionTime": "now"}]}
    current = {"conditions": [{"type": "PodResizePending", "status": "True", "lastTransitionTime": "then"}]}
    assert merge_pod_status(current, reported)["conditions"][0]["lastTransitionTime"] == "then"
