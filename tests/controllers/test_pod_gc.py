"""Which pods nobody else will remove, and that nobody else's is removed."""

from sampan_api import meta
from sampan_api.client import NODES, PODS, EventType, PatchType
from sampan_api.clock import rfc3339
from sampan_master.controllers import ControllersConfig
from sampan_master.controllers import pod_gc as decide
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.pod_gc_controller import PodCollector


def pod(name, phase="Succeeded", created=0, reason="", **metadata):
    metadata = {"name": name, "creationTimestamp": rfc3339(created), **metadata}
    return {"metadata": metadata, "spec": {}, "status": {"phase": phase, "reason": reason}}


def test_beyond_the_threshold_the_evicted_go_first_then_the_oldest_then_by_name():
    pods = [
        pod("b", created=5),
        pod("a", created=5),
        pod("old", "Failed", created=1),
        pod("evicted", "Failed", created=9, reason="Evicted"),
        pod("runs", "Running"),
    ]
    assert [meta.name(p) for p in decide.beyond_threshold(pods, 1)] == ["evicted", "old", "a"]
    assert decide.beyond_threshold(pods, 4) == []
    assert decide.beyond_threshold(pods, 0) == []


def test_only_a_pod_that_has_not_ended_is_failed_first():
    assert decide.failed_status(pod("p"), 0, node_is_gone=True) is None
    assert decide.failed_status(pod("p", "Running"), 0, node_is_gone=False) == {"phase": "Failed"}
    [condition] = decide.failed_status(pod("p", "Running"), 0, node_is_gone=True)["conditions"]
    assert (condition["reason"], condition["message"]) == ("DeletionByPodGC", "PodGC: node no longer exists")


async def collector(cluster, **config):
    informers = Informers(cluster.client, cluster.clock, (PODS, NODES))
    collector = PodCollector(cluster.client, cluster.clock, informers, ControllersConfig(**config))
    seen = []
    informers.pods.subscribe(lambda event, pod, old: seen.append((event, pod)))
    tasks = [cluster.spawn(informer.run()) for informer in informers.all]
    await informers.synced()
    return collector, seen, tasks


async def rounds(cluster, collector, seconds):
    for _ in range(seconds // 20):
        await cluster.clock.advance(20)
        await collector.collect()


def names(pods):
    return sorted(meta.name(p) for p in pods)


async def end(cluster, name, phase="Succeeded"):
    await cluster.client.patch(
        PODS, name, {"status": {"phase": phase}}, "default", type=PatchType.STRATEGIC, subresource="status"
    )


async def test_ended_pods_beyond_the_threshold_are_removed(timeless):
    gc, _, _ = await collector(timeless, terminated_pod_threshold=2)
    await timeless.node("n1")
    for name in ("a", "b", "c", "d"):
        await timeless.pod(name, node="n1")
    for name in ("a", "b", "c"):
        await end(timeless, name)
    await rounds(timeless, gc, 20)
    assert names(await timeless.pods()) == ["b", "c", "d"]


async def test_an_orphan_is_failed_with_its_reason_and_then_removed(timeless):
    gc, seen, _ = await collector(timeless)
    await timeless.pod("orphan", node="nowhere")
    await timeless.pod("waiting")
    await rounds(timeless, gc, 40)
    assert names(await timeless.pods()) == ["orphan", "waiting"]
    await rounds(timeless, gc, 40)
    assert names(await timeless.pods()) == ["waiting"]
    event, last = [(e, p) for e, p in seen if meta.name(p) == "orphan"][-1]
    assert event is EventType.DELETED
    assert last["status"]["phase"] == "Failed"
    assert meta.condition(last, "DisruptionTarget")["reason"] == "DeletionByPodGC"


async def test_a_node_that_comes_back_in_the_quarantine_keeps_its_pods(timeless):
    gc, _, _ = await collector(timeless)
    await timeless.pod("p", node="n1")
    await rounds(timeless, gc, 40)
    await timeless.node("n1")
    await rounds(timeless, gc, 80)
    assert names(await timeless.pods()) == ["p"]


async def test_a_cache_that_lacks_a_node_removes_none_of_its_pods(timeless):
    gc, _, tasks = await collector(timeless)
    await timeless.pod("p", node="n1")
    await timeless.clock.advance(1)
    for task in tasks:
        await timeless.end(task)
    await timeless.node("n1")
    await rounds(timeless, gc, 120)
    assert names(await timeless.pods()) == ["p"]


async def test_an_out_of_service_node_loses_its_terminating_pods_only(timeless):
    gc, _, tasks = await collector(timeless)
    await timeless.node("n1")
    for name in ("going", "staying"):
        await timeless.pod(name, node="n1")
    await timeless.client.delete(PODS, "going", "default")
    out = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    await timeless.client.patch(NODES, "n1", {"spec": {"taints": [out]}})
    await rounds(timeless, gc, 20)
    assert names(await timeless.pods()) == ["going", "staying"], "the node is Ready"
    unready = {"status": {"conditions": timeless.conditions("False")}}
    await timeless.client.patch(NODES, "n1", unready, subresource="status")
    await timeless.clock.advance(1)
    for task in tasks:
        await timeless.end(task)
    await timeless.client.patch(NODES, "n1", {"spec": {"taints": None}})
    await rounds(timeless, gc, 20)
    assert names(await timeless.pods()) == ["going", "staying"], "the taint the cache shows has been taken back"
    await timeless.client.patch(NODES, "n1", {"spec": {"taints": [out]}})
    await rounds(timeless, gc, 20)
    assert names(await timeless.pods()) == ["staying"]
    assert (await timeless.client.get(PODS, "staying", "default")).get("status", {}).get("phase") != "Failed"


async def test_a_pod_deleted_before_it_had_a_node_ends_as_failed(timeless):
    gc, _, _ = await collector(timeless)
    await timeless.pod("p")
    await timeless.client.patch(PODS, "p", {"metadata": {"finalizers": ["example.com/f"]}}, "default")
    await timeless.client.delete(PODS, "p", "default")
    await rounds(timeless, gc, 20)
    stored = await timeless.client.get(PODS, "p", "default")
    assert stored["status"]["phase"] == "Failed"
    assert meta.condition(stored, "DisruptionTarget") is None
    await timeless.client.patch(PODS, "p", {"metadata": {"finalizers": None}}, "default")
    await rounds(timeless, gc, 20)
    assert await timeless.pods() == []
