"""What wakes whom, decided by the planner alone. `test_equivalence` has where pods go, `test_preemption` who leaves."""

from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.planner import Planner, Refuse
from sample_objects import node, pod


def small(name, cpu="1", **more):
    return node(name, cpu=cpu, memory="8Gi", pods="10", **more)


def refused(*objects):
    """A planner whose one waiting pod fits nowhere, and the events that let pods go from there on."""
    made, events = Planner(SchedulerConfig()), []
    for obj in objects:
        if "containers" in obj["spec"]:
            made.put_pod(obj, 0.0)
        else:
            made.put_node(obj)
    assert isinstance(made.next(0.0), Refuse)
    made.queue.incoming = lambda queue, event: events.append((queue, str(event)))
    made.requeue(100.0)
    assert events == []
    return made, events


def waiting(cpu="4", **spec):
    return pod("w", requests={"cpu": cpu}, schedulerName="default-scheduler", **spec)


def test_a_node_that_comes_and_one_that_changes_are_told_apart():
    made, events = refused(small("a"), waiting())
    made.put_node(small("b", "8"))
    made.requeue(100.0)
    assert events == [("active", "NodeAdd")]
    made, events = refused(small("a"), waiting())
    made.put_node(small("a", "8"))
    made.requeue(100.0)
    assert events == [("active", "NodeUpdate")]


def test_a_pod_that_leaves_is_room_for_others():
    there = pod("there", requests={"cpu": "1"}, nodeName="a")
    made, events = refused(small("a"), there, waiting("1"))
    made.remove_pod(there["metadata"]["uid"])
    made.requeue(100.0)
    assert events == [("active", "AssignedPodDelete")]


def test_whom_only_room_can_help_is_not_asked_about_again_when_a_node_goes_or_a_pod_comes():
    made, _ = refused(small("a"), small("b"), waiting())
    made.remove_node("b")
    assert not made.checks_left
    assert made.put_namespace("default", {"team": "x"}) is None
    assert not made.checks_left


def test_a_namespace_is_news_when_its_labels_change():
    cluster = Planner(SchedulerConfig()).cluster
    assert cluster.put_namespace("red", {"team": "a"})
    assert not cluster.put_namespace("red", {"team": "a"})
    assert cluster.put_namespace("red", {"team": "b"})
    assert cluster.put_namespace("red", None)
    assert not cluster.put_namespace("red", None)
