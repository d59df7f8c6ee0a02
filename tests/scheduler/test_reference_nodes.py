"""The reference on what a pod asks of Node objects alone: cases of Kubernetes' documentation and unit tests."""

import pytest
import reference
from reference import node_affinity, taint_toleration
from sample_objects import node, pod, select_node, world


def texts(made, wanted):
    return {name: [r.text for r in found] for name, found in reference.reasons(made, wanted).items()}


def scores(plugin, made, wanted):
    nodes = list(made["nodes"].values())
    raw = {n["metadata"]["name"]: plugin.score(made, wanted, n, nodes) for n in nodes}
    return plugin.normalise(made, wanted, nodes, raw)


def taint(key, value="", effect="NoSchedule"):
    return {"key": key, "value": value, "effect": effect}


def test_a_named_node_is_the_only_one():
    made = world([node("a"), node("b")])
    assert texts(made, pod(nodeName="a")) == {"a": [], "b": ["node(s) didn't match the requested node name"]}


def test_a_cordoned_node_takes_who_tolerates_the_cordon():
    made = world([node("a", unschedulable=True)])
    tolerant = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}
    assert texts(made, pod()) == {"a": ["node(s) were unschedulable"]}
    assert texts(made, pod(tolerations=[tolerant])) == {"a": []}


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        (None, False),
        ({"key": "dedicated", "value": "user1", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "operator": "Equal", "value": "user2", "effect": "NoSchedule"}, False),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "value": "user1", "effect": "PreferNoSchedule"}, False),
        ({"key": "dedicated", "value": "user1"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_hard_taint_refuses_whom_no_toleration_saves(toleration, fits):
    made = world([node("a", taints=[taint("dedicated", "user1")])])
    wanted = pod(tolerations=[toleration] if toleration else [])
    assert texts(made, wanted) == {"a": [] if fits else ["node(s) had untolerated taint(s)"]}
    assert all(not r.eviction_may_help for r in reference.reasons(made, wanted)["a"])


def test_no_execute_refuses_and_prefer_no_schedule_does_not():
    made = world(
        [node("a", taints=[taint("x", effect="NoExecute")]), node("b", taints=[taint("x", effect="PreferNoSchedule")])]
    )
    assert texts(made, pod()) == {"a": ["node(s) had untolerated taint(s)"], "b": []}


def test_soft_taints_score_by_how_many_are_not_tolerated():
    soft = [taint("cpu-type", "arm64", "PreferNoSchedule"), taint("disk-type", "ssd", "PreferNoSchedule")]
    made = world([node("a"), node("b", taints=soft[:1]), node("c", taints=soft)])
    one = {"key": "cpu-type", "value": "arm64", "effect": "PreferNoSchedule"}
    assert scores(taint_toleration, made, pod(tolerations=[one])) == {"a": 100, "b": 100, "c": 0}
    assert scores(taint_toleration, made, pod()) == {"a": 100, "b": 50, "c": 0}


def test_tolerations_of_another_effect_do_not_count_for_soft_taints():
    made = world([node("a"), node("b", taints=[taint("cpu-type", "arm64", "PreferNoSchedule")])])
    hard = {"key": "cpu-type", "value": "arm64", "effect": "NoSchedule"}
    assert scores(taint_toleration, made, pod(tolerations=[hard])) == {"a": 100, "b": 0}


NOT_MATCHED = "node(s) didn't match Pod's node affinity/selector"


@pytest.mark.parametrize(
    ("expressions", "fits"),
    [
        ([("foo", "In", "bar", "value2")], True),
        ([("foo", "In", "value2")], False),
        ([("foo", "NotIn", "value2")], True),
        ([("absent", "NotIn", "value2")], True),
        ([("foo", "Exists")], True),
        ([("foo", "DoesNotExist")], False),
        ([("absent", "DoesNotExist")], True),
        ([("kernel", "Gt", "0204")], True),
        ([("kernel", "Lt", "0206")], False),
        ([("kernel", "Gt", "206")], False),
        ([("foo", "Gt", "1")], False),
        ([("absent", "Lt", "1")], False),
        ([("foo", "Exists"), ("absent", "Exists")], False),
        ([], False),
    ],
)
def test_required_node_affinity(expressions, fits):
    made = world([node("a", {"foo": "bar", "kernel": "0206"})])
    assert texts(made, pod(affinity=select_node(*expressions))) == {"a": [] if fits else [NOT_MATCHED]}


def test_terms_are_alternatives_and_the_selector_must_hold_beside_them():
    two = {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": k, "operator": "Exists"}]} for k in ("x", "foo")]
        }
    }
    made = world([node("a", {"foo": "1"}), node("b", {"foo": "1", "disk": "ssd"}), node("c", {"disk": "ssd"})])
    wanted = pod(nodeSelector={"disk": "ssd"}, affinity={"nodeAffinity": two})
    assert texts(made, wanted) == {"a": [NOT_MATCHED], "b": [], "c": [NOT_MATCHED]}


def test_nodes_that_no_term_names_are_not_looked_at():
    made = world([node("a"), node("b", unschedulable=True)])
    assert texts(made, pod(affinity=select_node(field=("In", "a")))) == {
        "a": [],
        "b": ["node(s) didn't satisfy plugin(s) [NodeAffinity]"],
    }
    assert texts(made, pod(affinity=select_node(field=("NotIn", "b")))) == {
        "a": [],
        "b": ["node(s) were unschedulable"],
    }


def test_fields_that_contradict_each_other_are_told_before_any_node_is_looked_at():
    wanted = pod(affinity=select_node(field=("In", "a")))
    terms = wanted["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    terms["nodeSelectorTerms"][0]["matchFields"].append({"key": "metadata.name", "operator": "In", "values": ["b"]})
    assert reference.message(world([node("a"), node("b")]), wanted) == (
        "0/2 nodes are available: pod affinity terms conflict. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )


def test_the_profile_may_add_affinity():
    added = select_node(("zone", "In", "blue"))["nodeAffinity"]
    made = world([node("a", {"zone": "blue"}), node("b")], addedAffinity=added)
    assert texts(made, pod()) == {"a": [], "b": ["node(s) didn't match scheduler-enforced node affinity"]}


def prefer(*terms):
    return {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": weight,
                    "preference": {"matchExpressions": [{"key": k, "operator": "In", "values": [v]}]} if k else {},
                }
                for weight, k, v in terms
            ]
        }
    }


def test_preferred_terms_add_their_weights_and_the_best_node_gets_100():
    made = world(
        [node("a", {"foo": "bar"}), node("b", {"foo": "bar", "az": "az1", "key": "v"}), node("c", {"az": "az1"})]
    )
    wanted = pod(affinity=prefer((2, "foo", "bar"), (4, "key", "v"), (5, "az", "az1")))
    assert scores(node_affinity, made, wanted) == {"a": 18, "b": 100, "c": 45}


def test_an_empty_preference_selects_no_node():
    made = world([node("a", {"foo": "bar"})])
    assert scores(node_affinity, made, pod(affinity=prefer((5, "", "")))) == {"a": 0}


def test_the_profiles_preferences_count_with_the_pods():
    made = world(
        [node("a", {"foo": "bar"}), node("b", {"az": "az1"})], addedAffinity=prefer((1, "foo", "bar"))["nodeAffinity"]
    )
    assert scores(node_affinity, made, pod()) == {"a": 100, "b": 0}
    assert scores(node_affinity, made, pod(affinity=prefer((4, "az", "az1")))) == {"a": 25, "b": 100}
