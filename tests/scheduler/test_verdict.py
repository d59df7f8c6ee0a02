from sampan_master.scheduler.budgets import Budgets
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.preemption import Preemption
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature
from sampan_master.scheduler.verdict import NEVER_PREEMPTS, explain


def cluster(*nodes):
    result = Cluster()
    for i, node in enumerate(nodes):
        allocatable = {"cpu": "1", "memory": "1Gi", "pods": "10"} | node.pop("allocatable", {})
        result.nodes.put_node(
            {"metadata": {"name": f"n{i}", "labels": {}}, "spec": node, "status": {"allocatable": allocatable}}
        )
    return result


def pod(cpu, **spec):
    return {"metadata": {}, "spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}], **spec}}


def message(nodes, a_pod, preemption=""):
    engine, wanted = Engine(nodes, Profile(), 0), signature(a_pod)
    verdict = explain(engine, wanted)
    against = Preemption(engine, Budgets(), 0).against(wanted, "", 0, verdict.hopeful())
    return verdict.message(preemption or verdict.no_preemption(against))


def test_reasons_are_counted_and_sorted_as_kubernetes_does():
    nodes = cluster({"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}, {}, {})
    assert message(nodes, pod("2")) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_a_full_node_might_be_opened_by_preemption():
    nodes = cluster({}, {"unschedulable": True})
    running = pod("900m") | {"metadata": {"uid": "u", "name": "p"}}
    nodes.assume(running, signature(running), 0)
    assert message(nodes, pod("500m")) == (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. preemption: 0/2 nodes are "
        "available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."
    )


def test_one_node_can_lack_several_things():
    nodes = cluster({"allocatable": {"pods": "0"}})
    assert message(nodes, pod("2")).startswith("0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods. ")


def test_a_pod_that_never_preempts_says_so():
    nodes = cluster({"unschedulable": True})
    assert message(nodes, pod("1"), NEVER_PREEMPTS) == (
        "0/1 nodes are available: 1 node(s) were unschedulable. preemption: not eligible due to preemptionPolicy=Never."
    )


def test_a_selector_that_no_node_has():
    assert "1 node(s) didn't match Pod's node affinity/selector" in message(
        cluster({}), pod("1", nodeSelector={"disk": "ssd"})
    )
