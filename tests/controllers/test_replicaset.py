"""The decisions, without a cluster."""

import pytest
from sampan_api.clock import rfc3339
from sampan_master.controllers import replicaset
from sampan_master.controllers.deletion_ranking import deletion_cost, first_to_delete
from sampan_master.controllers.replica_kinds import REPLICA_SET, REPLICATION_CONTROLLER

NOW = 1_700_000_000.0


def stamp(age):
    return rfc3339(NOW - age)


def pod(name, *, node="n1", phase="Running", ready_for=None, labels=None, age=100, cost=None, owner="u", **more):
    metadata = {"name": name, "uid": name, "namespace": "d", "labels": labels or {"app": "a"}}
    metadata["creationTimestamp"] = stamp(age)
    if owner:
        metadata["ownerReferences"] = [{"uid": owner, "kind": "ReplicaSet", "name": "rs", "controller": True}]
    if cost is not None:
        metadata["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
    conditions = []
    if ready_for is not None:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(ready_for)}]
    spec = {"initContainers": [{"name": "side", "restartPolicy": "Always"}, {"name": "init"}]}
    spec |= {"nodeName": node} if node else {}
    status = {"phase": phase, "conditions": conditions}
    status["containerStatuses"] = [{"name": "main", "restartCount": more.get("restarts", 0)}]
    names = ("side", "init")
    status["initContainerStatuses"] = [{"name": name, "restartCount": more.get(name, 0)} for name in names]
    return {"metadata": metadata, "spec": spec, "status": status}


def replica_set(replicas=3, **spec):
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": []}}
    return {
        "metadata": {"name": "rs", "uid": "u", "namespace": "d", "generation": 4},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "template": template, **spec},
    }


def order(*pods, related=()):
    """All of them, as they would go: the last one is left when all others are to be deleted."""
    first = [p["metadata"]["name"] for p in first_to_delete(list(pods), len(pods) - 1, related or pods, NOW)]
    return first + [p["metadata"]["name"] for p in pods if p["metadata"]["name"] not in first]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("z", node=""), pod("a", phase="Pending")),
        (pod("z", phase="Pending"), pod("a", phase="Unknown")),
        (pod("z", phase="Unknown"), pod("a", phase="Running")),
        (pod("z"), pod("a", ready_for=50)),
        (pod("z", ready_for=50, cost="-5"), pod("a", ready_for=50, cost="3")),
        (pod("z", ready_for=50, cost="-5"), pod("a", ready_for=50)),
        (pod("z", ready_for=50, cost="+9"), pod("a", ready_for=50, cost="1")),
        (pod("z", ready_for=2), pod("a", ready_for=5000)),
        (pod("z", ready_for=50, restarts=4), pod("a", ready_for=50)),
        (pod("z", ready_for=50, restarts=1), pod("a", ready_for=50, side=9)),
        (pod("z", ready_for=50, side=1), pod("a", ready_for=50, init=9)),
        (pod("z", ready_for=3, age=5), pod("a", ready_for=3, age=90_000)),
        # 40 and 60 seconds are between the same powers of two of nanoseconds (34.4, 68.7): the uid decides.
        (pod("a", ready_for=60), pod("z", ready_for=40)),
        (pod("a", ready_for=60), pod("z", ready_for=40, restarts=9)),
        (pod("z", ready_for=34), pod("a", ready_for=35)),
        (pod("a", ready_for=50, age=60), pod("z", ready_for=50, age=40)),
    ],
    ids=[
        "unassigned",
        "pending",
        "unknown",
        "unready",
        "cost",
        "negative cost",
        "a cost that is none",
        "ready lately",
        "restarts",
        "restarts before those of sidecars",
        "sidecars but not init containers",
        "young",
        "ready for about as long",
        "ready for about as long, restarts or not",
        "ready for half as long",
        "about as old",
    ],
)
def test_what_is_worth_less_is_deleted_first(first, second):
    assert order(second, first) == order(first, second) == [first["metadata"]["name"], second["metadata"]["name"]]


@pytest.mark.parametrize(
    ("text", "cost"),
    [("7", 7), ("-7", -7), ("0", 0), ("-0", 0), ("+7", 0), ("07", 0), ("", 0), ("x", 0), ("2147483648", 0), ("-", 0)],
)
def test_a_deletion_cost_is_a_plain_integer_of_32_bits(text, cost):
    assert deletion_cost(pod("a", cost=text)) == cost


def test_a_pod_whose_ready_time_is_unknown_goes_before_others_that_are_ready():
    unknown = pod("z", ready_for=1)
    del unknown["status"]["conditions"][0]["lastTransitionTime"]
    assert order(pod("a", ready_for=1), unknown) == ["z", "a"]


def test_the_node_with_most_replicas_loses_one_first():
    pods = [pod("a", node="n1", ready_for=50), pod("b", node="n2", ready_for=50), pod("c", node="n2", ready_for=50)]
    assert order(*pods)[-1] == "a"
    # The siblings' pods count as well: n1 is the fuller node now.
    siblings = [pod("s", node="n1", owner="other"), pod("t", node="n1", owner="other")]
    assert order(*pods, related=[*pods, *siblings])[0] == "a"


def test_terminating_and_ended_pods_do_not_count():
    going = pod("going")
    going["metadata"]["deletionTimestamp"] = stamp(0)
    pods = [pod("a"), going, pod("failed", phase="Failed"), pod("done", phase="Succeeded")]
    mine = replicaset.claims(REPLICA_SET, replica_set(), pods).mine
    assert [p["metadata"]["name"] for p in mine] == ["a"]
    assert replicaset.missing(replica_set(3), len(mine)) == 2
    assert replicaset.terminating(REPLICA_SET, replica_set(), pods) == 1


def test_pods_are_adopted_released_or_left_alone():
    pods = [
        pod("orphan", owner=""),
        pod("relabelled", labels={"app": "b"}),
        pod("foreign", owner="other"),
        pod("stranger", owner="", labels={"app": "b"}),
        pod("mine"),
    ]
    claims = replicaset.claims(REPLICA_SET, replica_set(), pods)
    names = [[p["metadata"]["name"] for p in group] for group in (claims.mine, claims.adopt, claims.release)]
    assert names == [["mine"], ["orphan"], ["relabelled"]]


def test_a_set_that_is_being_deleted_adopts_and_scales_nothing():
    deleting = replica_set(5)
    deleting["metadata"]["deletionTimestamp"] = stamp(0)
    assert replicaset.claims(REPLICA_SET, deleting, [pod("orphan", owner="")]).adopt == []
    claims = replicaset.claims(REPLICA_SET, deleting, [pod("mine"), pod("relabelled", labels={"app": "b"})])
    assert [p["metadata"]["name"] for p in claims.mine] == ["mine"]
    assert claims.release == []
    assert replicaset.missing(deleting, 0) == replicaset.missing(deleting, 9) == 0


def test_not_more_than_five_hundred_pods_in_one_go():
    assert replicaset.missing(replica_set(2000), 100) == 500
    assert replicaset.missing(replica_set(0), 1000) == -500


def test_status_counts_ready_and_available_by_min_ready_seconds():
    rs = replica_set(3, minReadySeconds=10)
    mine = [pod("a", ready_for=60), pod("b", ready_for=4), pod("c")]
    assert replicaset.status(REPLICA_SET, rs, mine, 1, None, NOW) == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 4,
    }
    assert replicaset.until_available(rs, mine, NOW) == 6


def test_a_ready_pod_is_not_available_while_it_is_unknown_since_when():
    rs, unknown = replica_set(1, minReadySeconds=7), pod("a", ready_for=60)
    del unknown["status"]["conditions"][0]["lastTransitionTime"]
    status = replicaset.status(REPLICA_SET, rs, [unknown], 0, None, NOW)
    assert (status["readyReplicas"], status.get("availableReplicas")) == (1, None)
    assert replicaset.until_available(rs, [unknown], NOW) == 7


def test_pods_that_lack_labels_of_the_template_are_not_fully_labelled():
    rs = replica_set(2)
    rs["spec"]["template"]["metadata"]["labels"] = {"app": "a", "tier": "b"}
    mine = [pod("a"), pod("b", labels={"app": "a", "tier": "b", "more": "c"})]
    assert replicaset.status(REPLICA_SET, rs, mine, 0, None, NOW)["fullyLabeledReplicas"] == 1


def test_only_terminating_pods_that_match_are_counted():
    pods = [pod("a"), pod("b", labels={"app": "b"}), pod("c", owner="other"), pod("d", phase="Succeeded")]
    for one in pods:
        one["metadata"]["deletionTimestamp"] = stamp(0)
    assert replicaset.terminating(REPLICA_SET, replica_set(), pods) == 1


def test_a_failure_is_a_condition_that_stays_as_first_told_until_it_passes():
    rs = replica_set()
    rs["status"] = {"conditions": [{"type": "Other", "status": "True"}]}
    failure = replicaset.Failure("FailedCreate", "no")
    first = replicaset.status(REPLICA_SET, rs, [], 0, failure, NOW - 50)["conditions"]
    assert [(c["type"], c.get("reason"), c.get("message")) for c in first] == [
        ("Other", None, None),
        ("ReplicaFailure", "FailedCreate", "no"),
    ]
    told = rs | {"status": {"conditions": first}}
    for again in (failure, replicaset.Failure("FailedDelete", "neither")):
        assert replicaset.status(REPLICA_SET, told, [], 0, again, NOW)["conditions"] == first
    assert replicaset.status(REPLICA_SET, told, [], 0, None, NOW)["conditions"] == first[:1]


def test_a_pod_is_made_from_the_template_and_owned():
    made = replicaset.new_pod(REPLICA_SET, replica_set())
    assert made["metadata"]["generateName"] == "rs-"
    assert made["metadata"]["labels"] == {"app": "a"}
    (reference,) = made["metadata"]["ownerReferences"]
    assert (reference["controller"], reference["blockOwnerDeletion"], reference["uid"]) == (True, True, "u")
    long = replica_set()
    long["metadata"]["name"] = "x" * 253
    assert replicaset.new_pod(REPLICA_SET, long)["metadata"]["generateName"] == "x" * 253


def test_a_replication_controller_selects_by_a_map_and_does_not_count_what_terminates():
    controller = replica_set(selector={"app": "a"})
    claims = replicaset.claims(REPLICATION_CONTROLLER, controller, [pod("a"), pod("b", labels={"app": "b"}, owner="")])
    assert ([p["metadata"]["name"] for p in claims.mine], claims.adopt) == (["a"], [])
    assert replicaset.status(REPLICATION_CONTROLLER, controller, claims.mine, 1, None, NOW) == {
        "replicas": 1,
        "fullyLabeledReplicas": 1,
        "observedGeneration": 4,
    }
    (reference,) = replicaset.new_pod(REPLICATION_CONTROLLER, controller)["metadata"]["ownerReferences"]
    assert (reference["apiVersion"], reference["kind"]) == ("v1", "ReplicationController")
