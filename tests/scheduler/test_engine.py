"""Where the engine has a choice; that it is right about masks, reasons and scores is `test_equivalence.py`'s matter."""

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature
from sampan_master.scheduler.verdict import explain
from sample_objects import node, pod


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
