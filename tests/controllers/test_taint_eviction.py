"""Who must leave a tainted node and when; what is told of it, and who is spared in time."""

import pytest
from sampan_api import meta
from sampan_api.client import EVENTS, NODES, PODS, DeleteOptions
from sampan_api.clock import rfc3339
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.taint_eviction import disruption, eviction_time, standing
from sampan_master.controllers.taint_eviction_controller import TaintEvictionController


def node(*taints):
    return {"metadata": {"name": "n"}, "spec": {"taints": list(taints)}}


def taint(key, since=None, effect="NoExecute"):
    return {"key": key, "effect": effect} | ({"timeAdded": rfc3339(since)} if since is not None else {})


def pod(*tolerations, bound=0):
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(bound)}
    return {
        "metadata": {"name": "p", "creationTimestamp": rfc3339(0)},
        "spec": {"tolerations": list(tolerations)},
        "status": {"conditions": [scheduled]},
    }


def exists(key="", seconds=None):
    toleration = {"operator": "Exists", "effect": "NoExecute"} | ({"key": key} if key else {})
    return toleration | ({"tolerationSeconds": seconds} if seconds is not None else {})


def due(a_pod, *taints, now=500):
    return eviction_time(a_pod, standing(node(*taints), {}, now))


def test_each_taint_counts_from_when_it_was_set_and_the_earliest_end_decides():
    assert due(pod(exists("a", 300), exists("b", 60)), taint("a", 100), taint("b", 200)) == 260
    assert due(pod(exists("a", 300), exists("b")), taint("a", 100), taint("b", 200)) == 400
    assert due(pod(exists()), taint("a", 100), taint("b", 200)) is None
    assert due(pod(), taint("a", 100, "NoSchedule")) is None


def test_what_is_not_tolerated_or_only_for_no_time_counts_at_once():
    assert due(pod(exists("b")), taint("a", 100)) == 100
    assert due(pod(exists("a", -5)), taint("a", 100)) == 100


def test_the_first_toleration_that_matches_counts():
    assert due(pod(exists(), exists("a", 10)), taint("a", 100)) is None
    assert due(pod(exists("a", 10), exists()), taint("a", 100)) == 110


def test_the_time_of_a_pod_begins_when_it_comes_to_the_node():
    assert due(pod(exists("a", 300), bound=400), taint("a", 100)) == 700


def test_a_taint_without_a_time_counts_from_when_it_was_seen_first():
    seen = {}
    assert eviction_time(pod(exists("a", 30)), standing(node(taint("a")), seen, 500)) == 530
    assert eviction_time(pod(exists("a", 30)), standing(node(taint("a")), seen, 520)) == 530
    assert standing(node(), seen, 525) == []
    assert eviction_time(pod(exists("a", 30)), standing(node(taint("a")), seen, 540)) == 570


def test_a_pod_says_once_why_it_goes():
    said = disruption(pod(), 7)
    assert said["lastTransitionTime"] == rfc3339(7)
    assert disruption({"status": {"conditions": [said]}}, 9) is None


@pytest.fixture
async def tainted(timeless):
    """A node, the controller, and an end to the watches on demand."""
    await timeless.node("n1")
    informers = Informers(timeless.client, timeless.clock, [PODS, NODES])
    controller = TaintEvictionController(timeless.client, timeless.clock, informers)
    follow = {informer.resource: timeless.spawn(informer.run()) for informer in informers.all}
    await informers.synced()
    timeless.spawn(controller.run())
    timeless.follow = follow
    return timeless


async def set_taints(cluster, *keys):
    taints = [{"key": key, "effect": "NoExecute"} for key in keys]
    await cluster.client.patch(NODES, "n1", {"spec": {"taints": taints or None}})
    await cluster.clock.advance(1)


async def deleting(cluster, name):
    return meta.is_deleting(await cluster.client.get(PODS, name, "default"))


async def said(cluster):
    await cluster.clock.advance(0.1)
    events = [e for e in await cluster.list(EVENTS) if e["reason"] == "TaintManagerEviction"]
    return [e["message"] for e in sorted(events, key=lambda e: e["metadata"]["name"].rpartition(".")[2])]


async def test_a_taint_set_by_hand_evicts_when_the_toleration_ends(tainted):
    await tainted.pod("p", node="n1", tolerations=[exists("a", 30)])
    await set_taints(tainted, "a")
    await tainted.clock.advance(28)
    assert not await deleting(tainted, "p")
    await tainted.clock.advance(3)
    assert await deleting(tainted, "p")
    assert await said(tainted) == ["Marking for deletion Pod default/p"]
    condition = meta.condition(await tainted.client.get(PODS, "p", "default"), "DisruptionTarget")
    assert condition["reason"] == "DeletionByTaintManager"


async def test_a_taint_taken_back_cancels_and_says_so(tainted):
    await tainted.pod("p", node="n1", tolerations=[exists("a", 30)])
    await set_taints(tainted, "a")
    await set_taints(tainted)
    await tainted.clock.advance(60)
    assert not await deleting(tainted, "p")
    assert await said(tainted) == ["Cancelling deletion of Pod default/p"]


async def test_a_second_taint_that_is_not_tolerated_does_not_wait_for_the_first(tainted):
    await tainted.pod("p", node="n1", tolerations=[exists("a", 30)])
    await set_taints(tainted, "a")
    await set_taints(tainted, "a", "b")
    assert await deleting(tainted, "p")
    assert await said(tainted) == ["Cancelling deletion of Pod default/p", "Marking for deletion Pod default/p"]


async def test_a_toleration_added_in_time_saves_the_pod(tainted):
    await tainted.pod("p", node="n1", tolerations=[exists("a", 30)])
    await set_taints(tainted, "a")
    pod = await tainted.client.get(PODS, "p", "default")
    tolerations = [exists("a"), *pod["spec"]["tolerations"]]
    await tainted.client.update(PODS, pod | {"spec": pod["spec"] | {"tolerations": tolerations}})
    await tainted.clock.advance(60)
    assert not await deleting(tainted, "p")
    assert await said(tainted) == ["Cancelling deletion of Pod default/p"]


async def test_a_pod_that_ended_goes_too(tainted):
    await tainted.pod("p", node="n1")
    await tainted.client.patch(PODS, "p", {"status": {"phase": "Succeeded"}}, "default", subresource="status")
    await set_taints(tainted, "a")

    async def names():
        return [meta.name(p) for p in await tainted.pods() if not meta.is_deleting(p)]

    assert await names() == []


@pytest.mark.parametrize("resource", [NODES, PODS], ids=["nodes", "pods"])
async def test_a_cache_that_is_behind_evicts_nobody_who_may_stay(tainted, resource):
    """The watch stands still from before the taint was taken back, or the toleration added."""
    await tainted.pod("p", node="n1", tolerations=[exists("a", 30)])
    await set_taints(tainted, "a")
    await tainted.end(tainted.follow[resource])
    if resource == NODES:
        await set_taints(tainted)
    else:
        pod = await tainted.client.get(PODS, "p", "default")
        tolerations = [exists("a"), *pod["spec"]["tolerations"]]
        await tainted.client.update(PODS, pod | {"spec": pod["spec"] | {"tolerations": tolerations}})
    await tainted.clock.advance(120)
    assert not await deleting(tainted, "p")


async def test_a_pod_that_comes_to_a_tainted_node_is_judged_when_it_comes(tainted):
    await set_taints(tainted, "a")
    await tainted.pod("patient", node="n1", tolerations=[exists("a", 30)])
    await tainted.pod("p", node="n1")
    await tainted.clock.advance(1)
    assert await deleting(tainted, "p")
    assert not await deleting(tainted, "patient")
    await tainted.clock.advance(31)
    assert await deleting(tainted, "patient")


async def test_a_pod_that_goes_while_its_time_runs_is_cancelled(tainted):
    await tainted.pod("p", node="n1", tolerations=[exists("a", 30)])
    await set_taints(tainted, "a")
    await tainted.client.delete(PODS, "p", "default", DeleteOptions(grace_seconds=0))
    await tainted.clock.advance(60)
    assert await said(tainted) == ["Cancelling deletion of Pod default/p"]


async def test_the_taint_of_a_node_that_is_gone_is_forgotten_with_it(tainted):
    """A node of that name that comes later begins anew."""
    await tainted.pod("p", node="n1", tolerations=[exists("a", 30)])
    await set_taints(tainted, "a")
    await tainted.client.delete(NODES, "n1")
    await tainted.clock.advance(25)
    await tainted.node("n1", taints=[taint("a")])
    await tainted.clock.advance(25)
    assert not await deleting(tainted, "p")
    await tainted.clock.advance(10)
    assert await deleting(tainted, "p")
