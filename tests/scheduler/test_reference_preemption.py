"""The reference on preemption and on the message for pods that fit nowhere: Kubernetes' rules, one example each."""

import pytest
import reference
from reference import preempt, scheduling_gates
from reference.preemption import victim_uids
from sample_objects import exists, is_, node, pod, required, spread, term, world


def times(minute):
    return f"2026-01-01T00:{minute:02}:00Z"


def small(cpu, priority=0, minute=0, **more):
    return pod(requests={"cpu": str(cpu)}, priority=priority, start=times(minute), **more)


def tens(**placed):
    """Nodes of 10 cpus with these pods."""
    return world([node(name, cpu="10") for name in placed], placed)


def outcome(made, wanted):
    """{node: uids of its victims} of the candidates that rank first."""
    return {c.node: victim_uids(c) for c in preempt(made, wanted).best}


def uids(*pods):
    return {p["metadata"]["uid"] for p in pods}


def test_as_few_and_as_unimportant_pods_as_possible_go():
    low, middle, old, young = small(4, 1), small(3, 2), small(2, 1, 1), small(1, 1, 2)
    made = tens(a=[low, middle, old, young])
    assert outcome(made, small(1, 9)) == {"a": uids(young)}
    assert outcome(made, small(2, 9)) == {"a": uids(old)}
    assert outcome(made, small(4, 9)) == {"a": uids(low)}
    assert outcome(made, small(6, 9)) == {"a": uids(low, old)}


def test_only_lower_priorities_are_evicted():
    made = tens(a=[small(10, 5)])
    assert preempt(made, small(1, 5)).against == {"a": [reference.preemption.NO_VICTIMS]}
    assert set(outcome(made, small(1, 6))) == {"a"}


def test_longer_running_pods_are_put_back_first():
    older, younger = small(5, 0, 1), small(5, 0, 2)
    assert outcome(tens(a=[younger, older]), small(5, 1)) == {"a": uids(younger)}


def test_pods_not_yet_started_are_the_youngest():
    started, waiting = small(5, 0, 59), pod(requests={"cpu": "5"})
    assert outcome(tens(a=[waiting, started]), small(5, 1)) == {"a": uids(waiting)}


def budget(allowed, disrupted=(), **selector):
    return {
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"selector": is_(**selector)},
        "status": {"disruptionsAllowed": allowed, "disruptedPods": {name: times(0) for name in disrupted}},
    }


def test_pods_under_a_budget_are_spared_where_others_do():
    guarded = small(5, 1, 2, labels={"app": "x"}, name="guarded")
    free = small(5, 1, 1)
    made = tens(a=[guarded, free])
    assert outcome(made, small(5, 9)) == {"a": uids(guarded)}
    made["budgets"] = [budget(0, app="x")]
    assert outcome(made, small(5, 9)) == {"a": uids(free)}
    made["budgets"] = [budget(1, app="x")]
    assert outcome(made, small(5, 9)) == {"a": uids(guarded)}
    made["budgets"] = [budget(0, app="x", disrupted=["guarded"])]
    assert outcome(made, small(5, 9)) == {"a": uids(guarded)}


def test_a_node_where_no_budget_is_violated_wins():
    made = tens(a=[small(10, 1, labels={"app": "x"})], b=[small(10, 2)])
    made["budgets"] = [budget(0, app="x")]
    assert set(outcome(made, small(10, 9))) == {"b"}


@pytest.mark.parametrize(
    ("a", "b", "winners"),
    [
        ([small(10, 1)], [small(10, 2)], "a"),  # lowest highest priority
        ([small(5, 2), small(5, 1)], [small(5, 2), small(5, 0)], "b"),  # lowest sum
        ([small(5, 2), small(5, 2)], [small(10, 2)], "b"),  # a sum counts each pod
        ([small(5, -9), small(5, -9)], [small(10, -9)], "b"),  # negative ones too
        ([small(10, 1, 1)], [small(10, 1, 2)], "b"),  # latest start
        ([small(5, 2, 9), small(5, 1, 1)], [small(5, 2, 8), small(5, 1, 3)], "a"),  # of the highest priority only
        ([small(10, 1, 1)], [small(10, 1, 1)], "ab"),
    ],
)
def test_the_node_whose_victims_hurt_least_wins(a, b, winners):
    assert "".join(outcome(tens(a=a, b=b), small(10, 9))) == winners


def test_nodes_that_eviction_cannot_open_are_no_candidates():
    made = tens(a=[small(10)], b=[small(10)])
    made["nodes"]["a"]["spec"]["unschedulable"] = True
    assert set(outcome(made, small(10, 9))) == {"b"}
    assert preempt(made, small(11, 9)).against == {n: [reference.preemption.NOT_HELPFUL] for n in "ab"}


def test_evictions_that_are_not_enough_leave_the_reason():
    made = tens(a=[small(6, 9), small(4, 0)])
    assert preempt(made, small(5, 1)).against == {"a": [reference.Reason("Insufficient cpu")]}


def test_anti_affinity_and_spread_are_asked_with_the_victims_gone():
    other = pod(labels={"app": "x"}, start=times(0))
    made = world([node("a", {"host": "a"})], {"a": [other]})
    away = {"podAntiAffinity": required(term("host", exists("app")))}
    assert outcome(made, pod(priority=1, affinity=away)) == {"a": uids(other)}
    two = world([node("a", {"zone": "1"}), node("b", {"zone": "2"}, unschedulable=True)], {"a": [other]})
    even = pod(labels={"app": "x"}, priority=1, topologySpreadConstraints=[spread("zone", 1, exists("app"))])
    assert outcome(two, even) == {"a": uids(other)}


def test_a_pod_that_never_preempts_is_told_so():
    made = tens(a=[small(10)])
    assert reference.message(made, small(1, 9, preemptionPolicy="Never")) == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    )


def test_a_preemptor_waits_while_its_victims_leave():
    leaving = small(10)
    leaving["metadata"]["deletionTimestamp"] = times(1)
    made = tens(a=[leaving], b=[small(10)])
    wanted = small(10, 9, status={"nominatedNodeName": "a"})
    assert set(outcome(made, wanted)) == {"a", "b"}  # it leaves for another reason
    leaving["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    ]
    assert reference.message(made, wanted) == (
        "0/2 nodes are available: 2 Insufficient cpu. "
        "preemption: not eligible due to a terminating pod on the nominated node."
    )
    made["nodes"]["a"]["spec"]["unschedulable"] = True
    assert set(outcome(made, wanted)) == {"b"}


def test_nominated_pods_use_the_room_they_wait_for():
    made = tens(a=[], b=[])
    made["nominated"] = {"a": [small(10, 5)]}
    assert [n["metadata"]["name"] for n in reference.feasible(made, small(1, 5))] == ["b"]
    assert [n["metadata"]["name"] for n in reference.feasible(made, small(1, 6))] == ["a", "b"]
    assert reference.feasible(made, made["nominated"]["a"][0])


def test_a_pod_may_not_rely_on_a_nominated_one():
    made = world([node("a", {"host": "a"})])
    made["nominated"] = {"a": [pod(labels={"app": "x"}, priority=5)]}
    near = {"podAffinity": required(term("host", exists("app")))}
    assert not reference.feasible(made, pod(affinity=near))


def test_the_message_counts_reasons_and_sorts_them_as_text():
    nodes = [node(f"s{i}", cpu="1", memory="1") for i in range(10)] + [
        node("x", unschedulable=True),
        node("m", memory="1"),
    ]
    wanted = pod(requests={"cpu": "2", "memory": "2"})
    assert reference.message(world(nodes), wanted) == (
        "0/12 nodes are available: 1 node(s) were unschedulable, 10 Insufficient cpu, 11 Insufficient memory. "
        "preemption: 0/12 nodes are available: 12 Preemption is not helpful for scheduling."
    )
    full = tens(a=[small(10)], b=[small(10)])
    full["nodes"]["b"]["spec"]["unschedulable"] = True
    assert reference.message(full, small(1)) == (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. preemption: 0/2 nodes are "
        "available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."
    )


def test_a_preemptor_with_a_candidate_is_told_the_reasons_alone():
    assert reference.message(tens(a=[small(10)]), small(1, 9)) == "0/1 nodes are available: 1 Insufficient cpu."
    assert reference.message(world([]), small(1)) == "no nodes available to schedule pods"


def test_gates_are_named():
    gated = pod(schedulingGates=[{"name": "foo"}, {"name": "bar"}])
    assert scheduling_gates.is_gated(gated)
    assert not scheduling_gates.is_gated(pod())
    assert scheduling_gates.message(gated) == "waiting for scheduling gates: [foo bar]"
