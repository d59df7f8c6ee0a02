"""Where the engine has a choice; that it is right about masks, reasons and scores is `test_equivalence.py`'s matter."""

import numpy as np
import pytest
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.plugins import balanced_allocation
from sampan_master.scheduler.plugins.resource_scoring import Strategy
from sampan_master.scheduler.plugins.resources_fit import mask
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature
from sampan_master.scheduler.verdict import explain
from sample_objects import node, pod, select_node


def test_equal_nodes_are_drawn_by_the_seed():
    def choices(seed):
        cluster = Cluster()
        for i in range(8):
            cluster.nodes.put_node(node(f"n{i}"))
        engine, wanted = Engine(cluster, Profile(), seed), signature(pod())
        return [engine.choose(wanted) for _ in range(20)]

    assert choices(1) == choices(1)
    assert len(set(choices(1))) > 3


def test_no_nodes_is_said_so():
    assert explain(Engine(Cluster(), Profile(), 0), signature(pod())).message() == "no nodes available to schedule pods"


def test_a_resource_that_no_node_has_may_be_first_heard_of_in_a_bound_pod():
    cluster = Cluster()
    cluster.nodes.put_node(node("a"))
    greedy = pod(requests={"example.com/gpu": "1"}, nodeName="a")
    assert cluster.saw_bound(greedy)
    assert cluster.remove(greedy["metadata"]["uid"])


def test_a_resource_that_no_node_has_may_be_first_heard_of_in_what_is_scored():
    cluster = Cluster()
    cluster.nodes.put_node(node("a"))
    vector = Strategy(weights=(("example.com/gpu", 1),)).vector()
    greedy = signature(pod(requests={"example.com/gpu": "1"}))
    assert vector(cluster.nodes, greedy, slice(0, 1)).tolist() == [0]


@pytest.mark.parametrize(
    ("operator", "value", "there", "fits"),
    [
        ("Gt", "2", "3", True),
        ("Lt", "+004", "3", True),
        ("Gt", "-3", "-2", True),
        ("Gt", "many", "3", False),
        ("Lt", "many", "3", False),
        ("Gt", "2", "1_000", False),
        ("Lt", "9" * 5000, "3", False),
        ("Lt", str(2**63), "3", False),
        ("Lt", str(2**63 - 1), "3", True),
    ],
)
def test_what_is_no_number_is_neither_greater_nor_less(operator, value, there, fits):
    cluster = Cluster()
    cluster.nodes.put_node(node("a", {"size": there}))
    wanted = signature(pod(affinity=select_node(("size", operator, value))))
    assert (Engine(cluster, Profile(), 0).choose(wanted) is not None) is fits


def test_one_row_asked_for_alone_says_what_it_says_among_others():
    cluster = Cluster()
    sizes = [("2", "2Gi"), ("1", "8Gi"), ("0", "4Gi"), ("3", "0"), ("0", "0"), ("300m", "300Mi")]
    for i, (cpu, memory) in enumerate(sizes):
        cluster.nodes.put_node(node(f"n{i}", cpu=cpu, memory=memory))
    cluster.saw_bound(pod(requests={"cpu": "700m", "memory": "1Gi"}, nodeName="n0"))
    wanted = signature(pod(requests={"cpu": "250m", "memory": "299Mi"}))
    for ask in (mask, Strategy().vector(), balanced_allocation.vector):
        alone = [ask(cluster.nodes, wanted, slice(row, row + 1)) for row in range(len(sizes))]
        assert np.concatenate(alone).tolist() == ask(cluster.nodes, wanted, slice(0, len(sizes))).tolist()
