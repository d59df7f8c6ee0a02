"""Who is evicted, decided by the planner alone."""

import pytest
from sampan_api.clock import rfc3339
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.planner import Bind, Evict, Planner, Refuse
from sampan_master.scheduler.profile import Candidates, Profile

NOW = 1_700_000_000.0


def node(name, cpu="4", **spec):
    allocatable = {"cpu": cpu, "memory": "8Gi", "pods": "10"}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"allocatable": allocatable},
    }


def pod(name, cpu, priority=0, *, on="", started=0, labels=None, **spec):
    containers = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}]
    return {
        "metadata": {"name": name, "namespace": "d", "uid": name, "labels": labels or {}, "generation": 1},
        "spec": {
            "containers": containers,
            "priority": priority,
            "schedulerName": "default-scheduler",
            **({"nodeName": on} if on else {}),
            **spec,
        },
        "status": {"startTime": rfc3339(NOW + started)} if on else {},
    }


def budget(name, labels, allowed):
    return {
        "metadata": {"name": name, "namespace": "d"},
        "spec": {"selector": {"matchLabels": labels}},
        "status": {"disruptionsAllowed": allowed},
    }


def planner(*objects):
    made = Planner(SchedulerConfig())
    for thing in objects:
        if "containers" in thing["spec"]:
            made.put_pod(thing, 0.0)
        elif "selector" in thing["spec"]:
            made.budgets.put(thing)
        else:
            made.put_node(thing)
    return made


def evicted(*objects):
    """(node, names of the victims) of the one pod that waits."""
    decision = planner(*objects).next(0.0)
    assert isinstance(decision, Evict), decision
    return decision.node, sorted(placed.uid for placed in decision.victims)


def test_only_as_many_go_as_must_and_the_most_important_stay():
    pods = [pod("a", "1", 5, on="n1"), pod("b", "1", 1, on="n1"), pod("c", "2", 3, on="n1")]
    assert evicted(node("n1"), *pods, pod("x", "1", 10)) == ("n1", ["b"])
    assert evicted(node("n1"), *pods, pod("x", "3", 10)) == ("n1", ["b", "c"])


def test_equals_are_not_evicted():
    made = planner(node("n1"), pod("a", "4", 10, on="n1"), pod("x", "1", 10))
    decision = made.next(0.0)
    assert isinstance(decision, Refuse)
    assert decision.message == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )


def test_a_pod_that_never_preempts_waits():
    made = planner(node("n1"), pod("a", "4", on="n1"), pod("x", "1", 10, preemptionPolicy="Never"))
    decision = made.next(0.0)
    assert isinstance(decision, Refuse)
    assert decision.message.endswith("preemption: not eligible due to preemptionPolicy=Never.")


def test_no_eviction_where_it_does_not_help():
    nodes = (node("n1", cpu="2"), node("n2", unschedulable=True), node("n3"))
    pods = [pod(f"p{i}", "2", on=f"n{i}") for i in (1, 2, 3)]
    assert evicted(*nodes, *pods, pod("x", "3", 10)) == ("n3", ["p3"])


def test_a_node_where_no_budget_breaks_comes_first_even_with_more_important_victims():
    pods = [pod("a", "4", 1, on="n1", labels={"app": "a"}), pod("b", "4", 7, on="n2")]
    objects = (node("n1"), node("n2"), *pods, pod("x", "1", 10))
    assert evicted(*objects) == ("n1", ["a"])
    assert evicted(*objects, budget("a", {"app": "a"}, 1)) == ("n1", ["a"])
    assert evicted(*objects, budget("a", {"app": "a"}, 0)) == ("n2", ["b"])


def test_protected_pods_are_put_back_before_more_important_ones():
    pods = [pod("a", "2", 1, on="n1", labels={"app": "a"}), pod("b", "2", 7, on="n1")]
    assert evicted(node("n1"), *pods, pod("x", "2", 10), budget("a", {"app": "a"}, 0)) == ("n1", ["b"])


def test_then_the_least_greatest_victim_then_the_smallest_sum_then_the_fewest_then_the_youngest():
    x = pod("x", "4", 100)
    nodes = (node("n1"), node("n2"))
    assert evicted(*nodes, pod("a", "4", 9, on="n1"), pod("b", "4", 8, on="n2"), x)[0] == "n2"
    two = [pod("b", "2", 9, on="n2"), pod("c", "2", 1, on="n2")]
    assert evicted(*nodes, pod("a", "4", 9, on="n1"), *two, x)[0] == "n1"
    negative = [pod("b", "2", 9, on="n2"), pod("c", "2", -5, on="n2")]
    assert evicted(*nodes, pod("a", "4", 9, on="n1"), *negative, x)[0] == "n1"
    assert evicted(*nodes, pod("a", "4", 9, on="n1"), pod("b", "4", 9, on="n2", started=5), x)[0] == "n2"


def test_when_a_pod_started_may_be_learnt_after_costs_were_counted():
    made = planner(node("a"), node("b"))
    waiting = [pod(f"p{i}", "3", priority=5) for i in range(2)]
    on_a, on_b = pod("q", "4", on="a", started=60), pod("r", "4", on="b", started=50)
    for bound in (on_a, on_b):
        made.put_pod(bound | {"status": {}}, 0.0)
    made.put_pod(waiting[0], 0.0)
    assert isinstance(made.next(0.0), Evict)  # none has started: either will do
    made.remove_pod("p0")
    for bound in (on_a, on_b):
        made.put_pod(bound, 0.0)
    made.put_pod(waiting[1], 0.0)
    assert made.next(0.0).node == "a"


def test_room_that_was_made_is_kept_from_lesser_pods_and_given_to_its_pod():
    made = planner(node("n1"), pod("a", "4", 1, on="n1"), pod("x", "3", 10))
    assert isinstance(made.next(0.0), Evict)
    made.remove_pod("a")
    made.put_pod(pod("lesser", "2", 5), 1.0)
    refused = made.next(1.0)
    assert isinstance(refused, Refuse)
    assert "Insufficient cpu" in refused.message
    made.put_pod(pod("small", "1", 5), 1.0)
    assert isinstance(made.next(1.0), Bind)
    made.requeue(20.0)
    decision = made.next(20.0)
    assert isinstance(decision, Bind)
    assert decision.waiting.pod["metadata"]["name"] == "x"
    assert not made.cluster.nominated


def test_who_loses_its_promise_to_a_more_important_pod_looks_for_another_node_at_once():
    made = planner(node("n1"), node("n2"), pod("a", "4", 1, on="n1"), pod("b", "4", 5, on="n2"), pod("x", "3", 10))
    assert made.next(0.0).node == "n1"
    made.put_pod(pod("greater", "3", 20), 1.0)
    assert [nominated.uid for nominated in made.next(1.0).displaced] == ["x"]
    made.requeue(1.0)
    decision = made.next(1.0)
    assert isinstance(decision, Evict)
    assert (decision.waiting.pod["metadata"]["name"], decision.node) == ("x", "n2")


def test_room_whose_promise_is_taken_back_is_given_to_who_waits():
    made = planner(node("n1"), pod("a", "4", 1, on="n1"), pod("x", "3", 10))
    made.next(0.0)
    made.remove_pod("a")
    said = pod("x", "3", 10) | {"status": {"nominatedNodeName": "n1"}}
    made.put_pod(pod("gate", "3", 10, schedulingGates=[{"name": "g"}]), 0.0)
    made.queue.remove("x")
    made.put_pod(said | {"spec": said["spec"] | {"schedulingGates": [{"name": "g"}]}}, 0.5)
    made.put_pod(pod("lesser", "2", 5), 1.0)
    assert isinstance(made.next(1.0), Refuse)
    made.put_pod(pod("x", "3", 10, schedulingGates=[{"name": "g"}]), 2.0)
    made.requeue(2.0)
    assert isinstance(made.next(2.0), Bind)


@pytest.mark.parametrize(
    "opened", [{}, {"labels": {"kubernetes.io/hostname": "n1", "disk": "ssd"}}], ids=["taint", "label"]
)
def test_a_full_node_that_opens_is_tried_by_who_may_evict_there(opened):
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    wanted = pod("x", "3", 10, nodeSelector={"disk": "ssd"} if opened else {})
    closed = node("n1") if opened else node("n1", taints=[taint])
    made = planner(
        closed, pod("a", "4", 1, on="n1"), wanted, pod("y", "3", 1, nodeSelector=wanted["spec"]["nodeSelector"])
    )
    assert [isinstance(made.next(0.0), Refuse) for _ in range(2)] == [True, True]
    now_open = node("n1")
    now_open["metadata"] |= opened
    made.put_node(now_open)
    made.requeue(1.0)
    decision = made.next(1.0)
    assert isinstance(decision, Evict)
    assert [victim.uid for victim in decision.victims] == ["a"]
    made.requeue(2.0)
    assert made.next(2.0) is None  # y may evict nobody there


def test_a_pod_that_changed_while_it_was_bound_is_tried_anew_as_it_is():
    made = planner(node("n1"), pod("x", "1"))
    decision = made.next(0.0)
    made.put_pod(pod("x", "1", labels={"new": "label"}), 0.5)
    made.not_bound(decision.waiting, 1.0)
    made.requeue(60.0)
    again = made.next(60.0)
    assert again.waiting.pod["metadata"]["labels"] == {"new": "label"}
    assert dict(again.waiting.kind.signature.relations.labels) == {"new": "label"}


def test_a_nominated_pod_hears_of_its_node_however_much_else_happened():
    made = planner(node("n1"), node("n2", "1"), pod("a", "4", 1, on="n1"), pod("x", "3", 10))
    assert isinstance(made.next(0.0), Evict)
    made.requeue(0.0)
    made.remove_pod("a")
    for i in range(1000):
        made.put_pod(pod(f"p{i}", "0", on="n2"), 1.0)
        made.remove_pod(f"p{i}")
    made.put_pod(pod("full", "1", on="n2"), 1.0)
    made.requeue(20.0)
    assert isinstance(made.next(20.0), Bind)


def test_a_more_important_pod_takes_the_promised_room_and_the_promise():
    made = planner(node("n1"), pod("a", "4", 1, on="n1"), pod("x", "3", 10))
    assert isinstance(made.next(0.0), Evict)
    made.put_pod(pod("greater", "3", 20), 1.0)
    decision = made.next(1.0)
    assert isinstance(decision, Evict)
    assert [nominated.uid for nominated in decision.displaced] == ["x"]
    assert list(made.cluster.nominated) == ["greater"]


def test_nobody_else_is_evicted_while_victims_are_on_their_way_out():
    made = planner(node("n1"), node("n2"), *(pod(f"a{n}", "4", 1, on=f"n{n}") for n in (1, 2)), pod("x", "3", 10))
    first = made.next(0.0)
    victim = first.victims[0].pod
    leaving = victim | {
        "metadata": victim["metadata"] | {"deletionTimestamp": rfc3339(NOW)},
        "status": {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]},
    }
    made.put_pod(leaving, 1.0)
    made.queue.move_one("x", 20.0)
    made.requeue(20.0)
    decision = made.next(20.0)
    assert isinstance(decision, Refuse)
    assert decision.message.endswith("preemption: not eligible due to a terminating pod on the nominated node.")
    made.remove_pod(victim["metadata"]["uid"])
    made.requeue(60.0)
    assert isinstance(made.next(60.0), Bind)


def test_a_pod_that_goes_frees_the_room_it_was_promised():
    made = planner(node("n1"), pod("a", "4", 1, on="n1"), pod("x", "3", 10))
    made.next(0.0)
    made.remove_pod("a")
    made.put_pod(pod("lesser", "2", 5), 1.0)
    made.next(1.0)
    made.remove_pod("x")
    made.requeue(30.0)
    assert isinstance(made.next(30.0), Bind)


def test_a_pod_that_is_resized_holds_the_greater_until_it_is_done():
    made = planner(node("n1"), pod("a", "4", on="n1"))
    shrinking = pod("a", "1", on="n1")
    shrinking["metadata"]["generation"] = 2
    held = {"name": "c", "allocatedResources": {"cpu": "4"}, "resources": {"requests": {"cpu": "4"}}}
    made.put_pod(shrinking | {"status": {"containerStatuses": [held]}}, 0.0)
    made.put_pod(pod("x", "2"), 0.0)
    assert isinstance(made.next(0.0), Refuse)
    held = {"name": "c", "allocatedResources": {"cpu": "1"}, "resources": {"requests": {"cpu": "1"}}}
    made.put_pod(shrinking | {"status": {"containerStatuses": [held]}}, 1.0)
    made.requeue(20.0)
    assert isinstance(made.next(20.0), Bind)


def test_what_is_kept_of_costs_knows_a_budget_that_changes():
    pods = [pod(name, "4", priority, on=on, labels={"app": name}) for name, priority, on in (
        ("a", 1, "n1"), ("b", 2, "n2"), ("c", 3, "n3"),
    )]  # fmt: skip
    made = planner(*(node(f"n{i}") for i in (1, 2, 3)), *pods, budget("b", {"app": "b"}, 1), pod("x", "4", 10))
    first = made.next(0.0)
    assert isinstance(first, Evict)
    assert first.node == "n1"
    made.budgets.put(budget("b", {"app": "b"}, 0))
    made.put_pod(pod("y", "4", 10), 1.0)
    second = made.next(1.0)
    assert isinstance(second, Evict)
    assert second.node == "n3"


def test_room_promised_to_a_more_important_pod_on_the_same_node_stays_promised():
    made = planner(node("n1"), pod("a", "1", 1, on="n1"), pod("b", "3", 2, on="n1"), pod("x", "1", 20))
    first = made.next(0.0)
    assert [placed.uid for placed in first.victims] == ["a"]
    made.remove_pod("a")
    made.put_pod(pod("y", "3", 10), 1.0)
    second = made.next(1.0)
    assert isinstance(second, Evict)
    assert ([placed.uid for placed in second.victims], second.displaced) == (["b"], ())
    assert sorted(made.cluster.nominated) == ["x", "y"]


def test_a_pod_that_has_ended_frees_its_room():
    made = planner(node("n1"), pod("a", "4", on="n1"), pod("x", "3"))
    assert isinstance(made.next(0.0), Refuse)
    ended = pod("a", "4", on="n1")
    ended["status"]["phase"] = "Succeeded"
    made.put_pod(ended, 1.0)
    made.requeue(20.0)
    assert isinstance(made.next(20.0), Bind)


def chosen(budgets=(), **candidates):
    """Where pods are evicted on 251 nodes with different seeds. Each node has a pod to evict; that of `best` is worth
    the least. The pod that waits minds other pods, so nodes are tried afresh until there are enough candidates."""
    lonely = [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "kept"}}}]
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": lonely}}
    nodes = set()
    for seed in range(5):
        made = Planner(SchedulerConfig(seed=seed, profiles=(Profile(preemption=Candidates(**candidates)),)))
        for i in range(250):
            made.put_node(node(f"n{i}"))
            made.put_pod(pod(f"p{i}", "4", 5, on=f"n{i}", labels={"app": "kept"}), 0.0)
        made.put_node(node("best"))
        made.put_pod(pod("least", "4", 1, on="best"), 0.0)
        for one in budgets:
            made.budgets.put(one)
        made.put_pod(pod("x", "4", 10, affinity=affinity), 0.0)
        nodes.add(made.next(0.0).node)
    return nodes


def test_nodes_are_tried_until_there_are_as_many_candidates_as_configured():
    assert chosen(percentage=0, absolute=1) != {"best"}
    assert chosen(percentage=0, absolute=251) == {"best"}
    assert chosen(percentage=100, absolute=0) == {"best"}


def test_nodes_are_tried_on_while_every_candidate_would_break_a_budget():
    assert chosen([budget("kept", {"app": "kept"}, 0)], percentage=0, absolute=1) == {"best"}
