"""Why a pod has no node, and the node that is nearest to taking it: decided over the planner alone."""

from __future__ import annotations

import numpy as np
import pytest
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.explanation import why
from sampan_master.scheduler.planner import Planner
from sampan_master.scheduler.plugins import node_affinity, resources_fit
from sampan_master.scheduler.plugins.plugin import Filter, Plugin, Refusal, Scope
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.remedies import amount_text
from sampan_master.scheduler.signature import signature
from sample_objects import HOSTNAME, host, is_, node, pod, preferred, required, select_node, spread, term

SCHEDULER = "default-scheduler"
GPU = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


def planner_of(*objects, config=None):
    made = Planner(config or SchedulerConfig())
    for obj in objects:
        if "containers" in obj["spec"]:
            made.put_pod(obj, 0.0)
        else:
            made.put_node(obj)
    while made.next(0.0) is not None:
        pass
    return made


def pending(requests=None, **spec):
    return pod("x", requests=requests, schedulerName=SCHEDULER, **spec)


def asked(nodes, wanted, *others, **options):
    return why(planner_of(*nodes, *others, wanted), wanted, **options)


def small(name, cpu="4", **more):
    return node(name, cpu=cpu, memory="8Gi", pods="10", **more)


def placed(name, on, cpu, priority=0):
    return pod(name, requests={"cpu": cpu}, nodeName=on, priority=priority)


def fixes(answer):
    return [change["fix"] for change in answer["nearest"]["changes"]]


def test_each_node_is_told_once_with_what_is_needed_and_what_there_is():
    answer = asked([small("a"), small("b", "2"), small("c", taints=[GPU])], pending({"cpu": "5"}))
    assert answer["state"] == "Unschedulable"
    assert answer["total"] == 3
    rows = [(r["nodes"], r["plugin"], r["reason"], r["need"], r["have"], r["count"]) for r in answer["refusals"]]
    assert rows == [
        (["c"], "TaintToleration", "node(s) had untolerated taint(s)", "a toleration of gpu=yes:NoSchedule",
         "gpu=yes:NoSchedule", 1),
        (["a"], "NodeResourcesFit", "Insufficient cpu", "cpu: 5", "4", 1),
        (["b"], "NodeResourcesFit", "Insufficient cpu", "cpu: 5", "2", 1),
    ]  # fmt: skip
    assert answer["message"].startswith("0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insuff")


@pytest.mark.parametrize(
    ("nodes", "others", "wanted", "where", "steps"),
    [
        pytest.param(
            [small("a"), small("b", "2")], [placed("y", "a", "500m")], pending({"cpu": "4"}), "a",
            ["lower the cpu request from 4 to 3500m, or delete pod default/y, which has 500m cpu, "
             "or add a node with 4 cpu free"],
            id="a little too large",
        ),
        pytest.param(
            [small("a")], [placed("y", "a", "3"), placed("z", "a", "1")], pending({"cpu": "1"}), "a",
            ["delete pod default/z, which has 1 cpu, or add a node with 1 cpu free"],
            id="a full node: the smallest pod that makes the room",
        ),
        pytest.param(
            [small("a")], [placed("y", "a", "2"), placed("z", "a", "2")], pending({"cpu": "4"}), "a",
            ["delete pods default/y, default/z, or add a node with 4 cpu free"],
            id="several pods in the way",
        ),
        pytest.param(
            [small("a", unschedulable=True), small("b", "1")], [], pending({"cpu": "4"}), "a",
            ["uncordon a: kubectl uncordon a"],
            id="a cordon is less than a request",
        ),
        pytest.param(
            [small("a", taints=[GPU]), small("b", "1")], [], pending({"cpu": "4"}), "a",
            ["add a toleration for gpu=yes:NoSchedule to the pod, or take the taint off a: "
             "kubectl taint nodes a gpu:NoSchedule-"],
            id="a taint",
        ),
        pytest.param(
            [small("a", labels={"disk": "hdd"}), small("b", labels={"zone": "c"}, taints=[GPU])], [],
            pending(nodeSelector={"disk": "ssd"}), "a",
            ["label node a disk=ssd: kubectl label node a disk=ssd --overwrite"],
            id="a label",
        ),
        pytest.param(
            [small("a"), small("b", labels={"zone": "z1"})], [],
            pending(affinity=select_node(("zone", "In", "z1"), ("disk", "Exists"))), "b",
            ["label node b with disk: kubectl label node b disk=VALUE"],
            id="the node that misses fewer labels",
        ),
        pytest.param(
            [small("a"), small("b", labels={"size": "2"})], [], pending(affinity=select_node(("size", "Gt", "3"))), "a",
            ["label node a so that size > 3: kubectl label node a size=4"],
            id="a number that is greater",
        ),
        pytest.param(
            [small("a", labels={"disk": "hdd"})], [], pending(affinity=select_node(("disk", "NotIn", "hdd"))), "a",
            ["take the label disk off a: kubectl label node a disk-"],
            id="a label that must not be",
        ),
        pytest.param(
            [small("a", labels={"disk": "ssd"})], [], pending(nodeSelector={"disk": "sdd"}), "a",
            ["label node a disk=sdd: kubectl label node a disk=sdd --overwrite; "
             "or let the pod ask for disk=ssd, if that was meant"],
            id="a slip of the pen in the pod",
        ),
        pytest.param(
            [host("web-1"), host("db-1")], [], pending(nodeSelector={"kubernetes.io/hostname": "db1"}), "db-1",
            ["let the pod ask for kubernetes.io/hostname=db-1, or add a node with kubernetes.io/hostname=db1"],
            id="what a node is called is not written over; the name nearest to the one that is asked for",
        ),
        pytest.param(
            [small("a")], [], pending(affinity=select_node(field=("In", "n77"))), "a",
            ["let the pod ask for metadata.name a, or add a node that it names: n77"],
            id="a node that is not there",
        ),
        pytest.param(
            [small("a", taints=[GPU]), small("b", "1", taints=[GPU])], [],
            pending({"cpu": "5"}, nodeSelector={"disk": "ssd"}), "a",
            ["add a toleration for gpu=yes:NoSchedule to the pod, or take the taint off a: "
             "kubectl taint nodes a gpu:NoSchedule-",
             "label node a disk=ssd: kubectl label node a disk=ssd",
             "lower the cpu request from 5 to 4, or add a node with 5 cpu free"],
            id="all plug-ins count, not only the first that refuses",
        ),
        pytest.param(
            [small("a")], [], pending({"example.com/gpu": "2"}), "a",
            ["take the request for example.com/gpu out, or add a node with 2 example.com/gpu free"],
            id="a resource that nobody has",
        ),
        pytest.param(
            [small("a", taints=[{"key": "node.kubernetes.io/not-ready", "effect": effect, "value": ""}
                                for effect in ("NoSchedule", "NoExecute")]), small("b", "1")],
            [], pending({"cpu": "2"}), "b",
            ["lower the cpu request from 2 to 1, or add a node with 2 cpu free"],
            id="a node that must be repaired is far",
        ),
    ],
)  # fmt: skip
def test_the_nearest_node_and_the_steps_to_it(nodes, others, wanted, where, steps):
    answer = asked(nodes, wanted, *others)
    assert answer["nearest"]["node"] == where
    assert fixes(answer) == steps


def test_the_taint_of_a_cordon_is_no_change_of_its_own():
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "value": ""}
    answer = asked([small("a", unschedulable=True, taints=[cordon])], pending())
    assert fixes(answer) == ["uncordon a: kubectl uncordon a"]


def test_other_pods_are_not_named_to_those_who_may_not_list_them():
    answer = asked([small("a")], pending({"cpu": "1"}), placed("secret", "a", "4"), names_pods=False)
    assert "secret" not in str(answer)
    assert fixes(answer) == ["end other pods there, or add a node with 1 cpu free"]


def replica(name, kind="ReplicaSet", owner="web", **more):
    made = pod(name, schedulerName=SCHEDULER, **more)
    reference = {"kind": kind, "name": owner, "uid": f"{kind}-{owner}", "controller": True}
    made["metadata"]["ownerReferences"] = [reference]
    return made


def test_pods_that_come_back_are_scaled_down_and_those_that_want_the_room_again_are_left_alone():
    full = {"cpu": "4"}
    stay = [replica("twin", requests=full, nodeName="a"), replica("ds", "DaemonSet", requests=full, nodeName="b")]
    wanted = replica("x", requests=full)
    nodes = [small(name) for name in "abc"]
    answer = asked(nodes[:2], wanted, *stay)
    assert {r["fix"] for r in answer["refusals"]} == {"add a node with 4 cpu free"}
    answer = asked(nodes, wanted, *stay, replica("other", owner="db", requests=full, nodeName="c"))
    assert answer["nearest"]["node"] == "c"
    assert fixes(answer) == [
        "scale down ReplicaSet default/db, whose pod other has 4 cpu, or add a node with 4 cpu free"
    ]
    halves = [replica(f"h{i}", owner="db", requests={"cpu": "2"}, nodeName="c") for i in range(2)]
    assert fixes(asked(nodes, wanted, *stay, *halves))[0].startswith(
        "delete pods default/h0, default/h1 and scale down what makes them anew (ReplicaSet default/db), or"
    )


def test_replicas_that_keep_away_from_each_other_need_nodes_and_not_each_others_end():
    apart = {"podAntiAffinity": required(term("zone", is_(app="w")))}
    wanted = replica("x", labels={"app": "w"}, affinity=apart)
    there = replica("y", labels={"app": "w"}, affinity=apart, nodeName="a")
    (fix,) = fixes(asked([host("a", "z1")], wanted, there))
    assert fix.startswith("pods of its kind keep away from each other, one for each zone: ask for fewer of them, add a")


def test_several_containers_lower_their_requests_together():
    wanted = pending({"cpu": "3"})
    wanted["spec"]["containers"] *= 2
    assert fixes(asked([small("a")], wanted))[0].startswith(
        "lower the cpu requests of its containers from 6 to 4 in all"
    )


def test_the_steps_are_true():
    """Whoever does what is said gets the pod placed."""
    nodes = [small("a", taints=[GPU], labels={"disk": "hdd"}), small("b", "1", taints=[GPU])]
    wanted = pending({"cpu": "5"}, nodeSelector={"disk": "ssd"})
    assert len(fixes(asked(nodes, wanted))) == 3
    obeyed = pending({"cpu": "4"}, nodeSelector={"disk": "ssd"}, tolerations=[{"key": "gpu", "operator": "Exists"}])
    nodes[0]["metadata"]["labels"] = {"disk": "ssd"}
    assert planner_of(*nodes, obeyed).cluster.is_placed(obeyed["metadata"]["uid"])


def test_an_answer_does_not_grow_with_the_cluster():
    nodes = [small(f"n{i:04}", cpu=f"{i + 1}m") for i in range(500)]
    answer = asked(nodes, pending({"cpu": "4"}))
    (only,) = answer["refusals"]
    assert only["count"] == 500
    assert only["have"] == "1m to 500m"
    assert only["nodes"][0] == "n0499"
    assert len(only["nodes"]) == 10
    assert answer["nearest"]["node"] == "n0499"


def test_states_of_pods_that_are_not_refused_are_told():
    gated = pending(schedulingGates=[{"name": "a/b"}])
    assert asked([small("a")], gated) | {"gates": ["a/b"], "state": "Gated"} == asked([small("a")], gated)
    assert asked([small("a")], pod("y", schedulerName="mine"))["state"] == "OtherScheduler"
    bound = pod("z", nodeName="a", schedulerName=SCHEDULER)
    assert asked([small("a")], bound)["state"] == "Bound"
    assert why(planner_of(small("a")), pending())["state"] == "Unknown"
    assert asked([], pending())["message"] == "no nodes available to schedule pods"


def test_a_pod_that_would_fit_now_says_where():
    wanted = pending({"cpu": "4"})
    planner = planner_of(small("a", "1"), wanted)
    planner.put_node(small("b"))
    assert why(planner, wanted)["feasible"] == ["b"]


def test_a_plug_in_without_remedies_is_answered_in_its_own_words():
    def refuse(nodes, pod, rows):
        zeros, ones = np.zeros(rows.size, np.int64), np.ones(rows.size, np.bool_)
        return [Refusal("Mine", "node(s) are not blue", rows, ones, "a blue node", zeros, ("red",))]

    never = Plugin("Mine", Filter(Scope.NODE, lambda nodes, pod, rows: nodes.live[rows] & False, refuse))
    profile = Profile(plugins=(*Profile().plugins, never))
    wanted = pending()
    planner = planner_of(small("a"), wanted, config=SchedulerConfig(profiles=(profile,)))
    change = why(planner, wanted)["nearest"]["changes"][0]
    assert (change["plugin"], change["need"], change["have"]) == ("Mine", "a blue node", "red")
    assert change["fix"] == "let a have what the pod asks for: a blue node"


def test_node_affinity_that_the_configuration_adds_is_told_as_such():
    required = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]}
    added = node_affinity.plugin({"requiredDuringSchedulingIgnoredDuringExecution": required})
    wanted = pending()
    planner = planner_of(small("a"), wanted, config=SchedulerConfig(profiles=(Profile(plugins=(added,)),)))
    (change,) = why(planner, wanted)["nearest"]["changes"]
    assert (change["plugin"], change["need"], change["have"]) == (
        "NodeAffinity",
        "for every pod disk in (ssd)",
        "no disk",
    )


def test_spread_names_the_domain_that_is_too_full():
    nodes = [host("a", "z1", pods="10"), host("b", "z2", pods="1")]
    others = [pod(f"p{i}", labels={"app": "w"}, nodeName=where) for i, where in enumerate(("a", "b"))]
    wanted = pending(topologySpreadConstraints=[spread("zone", selector=is_(app="w"))])
    wanted["metadata"]["labels"] = {"app": "w"}
    more = pod("p9", labels={"app": "w"}, nodeName="a")
    answer = asked(nodes, wanted, *others, more)
    told = {r["plugin"]: (r["need"], r["have"]) for r in answer["refusals"]}
    assert told["PodTopologySpread"] == ("zone: at most 1 more than the least, 1", "zone z1 has 2")
    assert answer["nearest"]["node"] == "b"
    assert "delete pod default/p1" in fixes(answer)[0]


def test_a_node_without_the_label_to_spread_over_is_to_be_labelled():
    wanted = pending(topologySpreadConstraints=[spread("zone", selector=is_(app="w"))])
    assert fixes(asked([host("a")], wanted)) == ["label node a with zone: kubectl label node a zone=VALUE"]


def test_affinity_says_what_to_start_and_anti_affinity_what_is_in_the_way():
    wanted = pending(affinity={"podAffinity": required(term("zone", is_(app="db")))})
    answer = asked([host("a", "z1")], wanted)
    assert fixes(answer)[0].startswith("start what it wants to be near to (a pod with app=db in its zone)")
    lonely = pending(affinity={"podAntiAffinity": required(term("zone", is_(app="db")))})
    there = pod("db-0", labels={"app": "db"}, nodeName="a")
    answer = asked([host("a", "z1")], lonely, there)
    assert answer["refusals"][0]["have"] == "pod default/db-0 is in zone=z1"
    assert "pod default/db-0 is in zone=z1" in fixes(answer)[0]
    assert "db-0" not in str(asked([host("a", "z1")], lonely, there, names_pods=False))


def test_a_taken_port_names_who_has_it():
    def with_port(name, **spec):
        made = pod(name, schedulerName=SCHEDULER, **spec)
        made["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
        return made

    answer = asked([small("a")], with_port("x"), with_port("web", nodeName="a"))
    assert answer["nearest"]["changes"][0]["have"] == "port 80/TCP taken"
    assert fixes(answer) == ["use another hostPort, or none, or delete pod default/web, which has it"]
    twins = with_port("x"), with_port("y", nodeName="a")
    for twin in twins:
        twin["metadata"]["ownerReferences"] = replica("z")["metadata"]["ownerReferences"]
    (fix,) = fixes(asked([small("a")], *twins))
    assert fix.endswith("each node takes one of these pods: ask for fewer, or add a node")


def test_amounts_are_told_as_a_manifest_has_them():
    texts = [amount_text("B", value) for value in (0, 5, 2048, 3 * 2**20, 2**30, 10 * 2**30 + 7, 11 * 2**20 + 1, 1500)]
    assert texts == ["0", "5", "2Ki", "3Mi", "1Gi", "10Gi", "11Mi", "1500"]
    assert [amount_text("m", value) for value in (0, 250, 2000)] == ["0", "250m", "2"]
    assert [amount_text("", value) for value in (0, 1024)] == ["0", "1024"]
    for resource, told in (
        ("memory", "2Gi"),
        ("ephemeral-storage", "2Gi"),
        ("hugepages-2Mi", "2Gi"),
        ("x/y", str(2**31)),
    ):
        assert resources_fit.quantity_text(resource, 2**31) == told
    assert resources_fit.quantity_text("memory", 2**20 + 1) == str(2**20 + 1)


def affinity_term(operator, *values, **more):
    requirement = {"key": "app", "operator": operator} | ({"values": list(values)} if values else {})
    return term("zone", {"matchExpressions": [requirement]}, **more)


@pytest.mark.parametrize(
    ("of", "need"),
    [
        (affinity_term("In", "a"), "a pod with app=a in its zone"),
        (affinity_term("In", "a", "b"), "a pod with app in (a, b) in its zone"),
        (affinity_term("NotIn", "a", "b"), "a pod with app not in (a, b) in its zone"),
        (affinity_term("Exists"), "a pod with app exists in its zone"),
        (affinity_term("DoesNotExist"), "a pod with no app in its zone"),
        (affinity_term("Exists", namespaces=["red", "blue"]),
         "a pod with app exists of namespace blue, red in its zone"),
        (affinity_term("Exists", namespaceSelector={}), "a pod with app exists of any namespace in its zone"),
        (affinity_term("Exists", namespaceSelector=is_(team="x")),
         "a pod with app exists of namespaces with team=x in its zone"),
    ],
)  # fmt: skip
def test_affinity_is_told_as_a_person_would_say_it(of, need):
    wanted = pending(affinity={"podAffinity": required(of)})
    if of["labelSelector"]["matchExpressions"][0]["operator"] in ("NotIn", "DoesNotExist"):
        wanted["metadata"]["labels"] = {"app": "a"}  # else it would be the first of those that it wants to be near to
    (refusal,) = asked([host("a", "z1")], wanted)["refusals"]
    assert refusal["need"] == need


def test_a_pod_whose_own_anti_affinity_forbids_another_is_named_and_no_other_is():
    shy = pod(
        "shy", labels={"app": "shy"}, nodeName="a", affinity={"podAntiAffinity": required(term("zone", is_(app="w")))}
    )
    fond = pod("fond", nodeName="a", affinity={"podAffinity": preferred((5, term("zone", is_(app="w"))))})
    far = pod("far", nodeName="a", affinity={"podAntiAffinity": required(term(HOSTNAME, is_(app="other")))})
    wanted = pending()
    wanted["metadata"]["labels"] = {"app": "w"}
    (refusal,) = asked([host("a", "z1")], wanted, fond, far, shy)["refusals"]
    assert refusal["have"] == "pod default/shy forbids it in zone=z1"
    assert refusal["need"] == "no pod in its zone whose anti-affinity forbids this one"


def test_a_pod_that_names_its_node_is_refused_by_the_others():
    made = planner_of(small("a"), small("b"))
    of = signature(pending(), "b")
    engine = made.engines[SCHEDULER]
    assert engine.feasible(of)
    (refusal,) = [each for each in engine.refusals(of) if each.plugin == "NodeName"]
    assert (refusal.rows.tolist(), refusal.need, refusal.words) == ([0], "node b", ("a",))
    assert not engine.feasible(signature(pending(), "gone"))
