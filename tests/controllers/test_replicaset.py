"""The decisions, without a cluster."""

import pytest
from sampan_master.controllers import replicaset
from sampan_master.controllers.deletion_ranking import first_to_delete

NOW = 1_700_000_000.0


def stamp(age):
    from sampan_api.clock import rfc3339

    return rfc3339(NOW - age)


def pod(name, *, node="n1", phase="Running", ready_for=None, labels=None, age=100, cost=None, restarts=0, owner="u"):
    metadata = {"name": name, "uid": name, "namespace": "d", "labels": labels or {"app": "a"}}
    metadata["creationTimestamp"] = stamp(age)
    if owner:
        metadata["ownerReferences"] = [{"uid": owner, "kind": "ReplicaSet", "name": "rs", "controller": True}]
    if cost is not None:
        metadata["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
    conditions = []
    if ready_for is not None:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(ready_for)}]
    status = {"phase": phase, "conditions": conditions, "containerStatuses": [{"restartCount": restarts}]}
    return {"metadata": metadata, "spec": {"nodeName": node} if node else {}, "status": status}


def replica_set(replicas=3, **spec):
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": []}}
    return {
        "metadata": {"name": "rs", "uid": "u", "namespace": "d", "generation": 4},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "template": template, **spec},
    }


def order(*pods):
    return [p["metadata"]["name"] for p in first_to_delete(pods, len(pods), pods, NOW)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("z", node=""), pod("a", phase="Pending")),
        (pod("z", phase="Pending"), pod("a", phase="Unknown")),
        (pod("z", phase="Unknown"), pod("a", phase="Running")),
        (pod("z"), pod("a", ready_for=50)),
        (pod("z", ready_for=50, cost="-5"), pod("a", ready_for=50, cost="3")),
        (pod("z", ready_for=2), pod("a", ready_for=5000)),
        (pod("z", ready_for=50, restarts=4), pod("a", ready_for=50)),
        (pod("z", ready_for=3, age=5), pod("a", ready_for=3, age=90_000)),
    ],
    ids=["unassigned", "pending", "unknown", "unready", "cost", "ready-lately", "restarts", "young"],
)
def test_what_is_worth_less_is_deleted_first(first, second):
    assert order(second, first) == ["z", "a"]


def test_the_node_with_most_replicas_loses_one_first():
    pods = [pod("a", node="n1", ready_for=50), pod("b", node="n2", ready_for=50), pod("c", node="n2", ready_for=50)]
    assert order(*pods)[0] in "bc"


def test_terminating_and_ended_pods_do_not_count():
    going = pod("going")
    going["metadata"]["deletionTimestamp"] = stamp(0)
    pods = [pod("a"), going, pod("failed", phase="Failed"), pod("done", phase="Succeeded")]
    mine = replicaset.claims(replica_set(), pods).mine
    assert [p["metadata"]["name"] for p in mine] == ["a"]
    assert replicaset.scaling(replica_set(3), mine, mine, NOW).create == 2
    assert replicaset.terminating(replica_set(), pods) == 1


def test_pods_are_adopted_released_or_left_alone():
    pods = [
        pod("orphan", owner=""),
        pod("relabelled", labels={"app": "b"}),
        pod("foreign", owner="other"),
        pod("stranger", owner="", labels={"app": "b"}),
        pod("mine"),
    ]
    claims = replicaset.claims(replica_set(), pods)
    names = [[p["metadata"]["name"] for p in group] for group in (claims.mine, claims.adopt, claims.release)]
    assert names == [["mine"], ["orphan"], ["relabelled"]]


def test_a_set_that_is_being_deleted_adopts_and_scales_nothing():
    deleting = replica_set(5)
    deleting["metadata"]["deletionTimestamp"] = stamp(0)
    assert replicaset.claims(deleting, [pod("orphan", owner="")]).adopt == []
    assert replicaset.scaling(deleting, [], [], NOW) == replicaset.Scaling()


def test_status_counts_ready_and_available_by_min_ready_seconds():
    rs = replica_set(3, minReadySeconds=10)
    mine = [pod("a", ready_for=60), pod("b", ready_for=4), pod("c")]
    assert replicaset.status(rs, mine, 1, None, NOW) == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 4,
    }
    assert replicaset.until_available(rs, mine, NOW) == 6


def test_a_failure_is_a_condition_that_keeps_its_time_and_goes_when_it_passes():
    rs = replica_set()
    failure = replicaset.Failure("FailedCreate", "no")
    first = replicaset.status(rs, [], 0, failure, NOW - 50)["conditions"]
    again = replicaset.status(rs | {"status": {"conditions": first}}, [], 0, failure, NOW)["conditions"]
    assert again == first
    assert "conditions" not in replicaset.status(rs | {"status": {"conditions": first}}, [], 0, None, NOW)


def test_a_pod_is_made_from_the_template_and_owned():
    made = replicaset.new_pod(replica_set())
    assert made["metadata"]["generateName"] == "rs-"
    assert made["metadata"]["labels"] == {"app": "a"}
    (reference,) = made["metadata"]["ownerReferences"]
    assert (reference["controller"], reference["blockOwnerDeletion"], reference["uid"]) == (True, True, "u")
