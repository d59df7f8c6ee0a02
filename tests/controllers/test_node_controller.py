"""Node life cycle and eviction at Kubernetes' default times, on a clock that the test moves."""

import asyncio
import contextlib

from sampan_api import meta
from sampan_api.client import EVENTS, LEASES, NODES, PODS
from sampan_api.errors import NotFound, ServiceUnavailable
from sampan_api.informer import Informer
from sampan_master.controllers import ControllersConfig, run
from sampan_master.controllers.node_health import NOT_READY, UNREACHABLE


async def advance(cluster, seconds, *alive):
    """Moves time in steps of the heartbeat; the nodes named renew their leases."""
    for _ in range(int(seconds / 10)):
        for name in alive:
            await cluster.heartbeat(name)
        await cluster.clock.advance(10)


async def taints(cluster, name):
    node = await cluster.client.get(NODES, name)
    return {(t["key"], t["effect"]) for t in node["spec"].get("taints") or []}


async def ready(cluster, name):
    return meta.condition(await cluster.client.get(NODES, name), "Ready")["status"]


async def is_evicted(cluster, name):
    with contextlib.suppress(NotFound):
        return meta.is_deleting(await cluster.client.get(PODS, name, "default"))
    return True


class Blindfold:
    """A client whose calls fail while `on`."""

    def __init__(self, client):
        self._client, self.on = client, False
        self.watch = client.watch

    def __getattr__(self, name):
        async def guarded(*arguments, **options):
            if self.on:
                raise ServiceUnavailable("etcd is away")
            return await getattr(self._client, name)(*arguments, **options)

        return guarded


async def three_nodes(cluster, client=None):
    for name in ("n1", "n2", "n3"):
        await cluster.node(name)
    cluster.spawn(run(client or cluster.client, cluster.clock, ControllersConfig()))
    await cluster.clock.advance(1)


async def test_a_silent_node_becomes_unknown_after_the_grace_and_is_tainted(timeless):
    await three_nodes(timeless)
    await advance(timeless, 40, "n2", "n3")
    assert await ready(timeless, "n1") == "True"
    assert await taints(timeless, "n1") == set()
    await advance(timeless, 20, "n2", "n3")
    node = await timeless.client.get(NODES, "n1")
    condition = meta.condition(node, "Ready")
    assert (condition["status"], condition["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert condition["message"] == "Kubelet stopped posting node status."
    assert meta.condition(node, "DiskPressure")["status"] == "Unknown"
    assert await taints(timeless, "n1") == {(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")}
    assert await ready(timeless, "n2") == "True"


async def test_pods_of_a_silent_node_are_unready_and_evicted_when_their_toleration_ends(timeless):
    await three_nodes(timeless)
    forever = [{"operator": "Exists", "effect": "NoExecute"}]
    quick = [{"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20}]
    await timeless.pod("normal", node="n1")
    await timeless.pod("quick", node="n1", tolerations=quick)
    await timeless.pod("daemon", node="n1", tolerations=forever)
    for pod in await timeless.pods():
        await timeless.set_ready(pod)
    await advance(timeless, 60, "n2", "n3")
    pod = await timeless.client.get(PODS, "normal", "default")
    assert meta.condition(pod, "Ready")["status"] == "False"
    await advance(timeless, 30, "n2", "n3")
    assert await is_evicted(timeless, "quick")
    assert not await is_evicted(timeless, "normal")
    await advance(timeless, 290, "n2", "n3")
    assert await is_evicted(timeless, "normal")
    assert not await is_evicted(timeless, "daemon")
    gone = await timeless.client.get(PODS, "normal", "default")
    assert meta.condition(gone, "DisruptionTarget")["reason"] == "DeletionByTaintManager"


async def test_a_node_that_returns_in_time_loses_its_taints_and_no_pod(timeless):
    await three_nodes(timeless)
    await timeless.pod("web", node="n1")
    await advance(timeless, 120, "n2", "n3")
    assert (UNREACHABLE, "NoExecute") in await taints(timeless, "n1")
    status = {"status": {"conditions": timeless.conditions("True")}}
    await timeless.heartbeat("n1")
    await timeless.client.patch(NODES, "n1", status, subresource="status")
    await advance(timeless, 400, "n1", "n2", "n3")
    assert await taints(timeless, "n1") == set()
    assert not await is_evicted(timeless, "web")


async def test_a_node_that_says_not_ready_is_tainted_so(timeless):
    await three_nodes(timeless)
    status = {"status": {"conditions": timeless.conditions("False")}}
    await timeless.client.patch(NODES, "n2", status, subresource="status")
    await advance(timeless, 10, "n1", "n2", "n3")
    assert await taints(timeless, "n2") == {(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")}


async def test_cordon_and_pressure_are_taints(timeless):
    await three_nodes(timeless)
    conditions = timeless.conditions("True")
    conditions[1]["status"] = "True"
    await timeless.client.patch(NODES, "n1", {"status": {"conditions": conditions}}, subresource="status")
    await timeless.client.patch(NODES, "n1", {"spec": {"unschedulable": True}})
    await advance(timeless, 10, "n1", "n2", "n3")
    assert await taints(timeless, "n1") == {
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    }
    await timeless.client.patch(NODES, "n1", {"spec": {"unschedulable": None}})
    await advance(timeless, 10, "n1", "n2", "n3")
    assert await taints(timeless, "n1") == {("node.kubernetes.io/memory-pressure", "NoSchedule")}


async def test_when_every_node_is_silent_nobody_is_evicted(timeless):
    await three_nodes(timeless)
    await timeless.pod("web", node="n1")
    await advance(timeless, 900)
    assert await ready(timeless, "n1") == "Unknown"
    for name in ("n1", "n2", "n3"):
        assert await taints(timeless, name) == {(UNREACHABLE, "NoSchedule")}
    assert not await is_evicted(timeless, "web")


async def test_a_foreign_taint_stays(timeless):
    await three_nodes(timeless)
    foreign = {"key": "team", "value": "a", "effect": "NoSchedule"}
    await timeless.client.patch(NODES, "n1", {"spec": {"taints": [foreign]}})
    await advance(timeless, 60, "n2", "n3")
    await timeless.heartbeat("n1")
    status = {"status": {"conditions": timeless.conditions("True")}}
    await timeless.client.patch(NODES, "n1", status, subresource="status")
    await advance(timeless, 20, "n1", "n2", "n3")
    assert await taints(timeless, "n1") == {("team", "NoSchedule")}


async def test_pods_of_a_deleted_node_are_removed_after_the_quarantine(timeless):
    await three_nodes(timeless)
    await timeless.pod("web", node="n1")
    await timeless.client.delete(NODES, "n1")
    await advance(timeless, 30, "n2", "n3")
    assert len(await timeless.pods()) == 1
    await advance(timeless, 60, "n2", "n3")
    assert await timeless.pods() == []


async def test_a_terminating_pod_stays_while_its_node_is_silent(timeless):
    await three_nodes(timeless)
    await timeless.pod("web", node="n1")
    await timeless.client.delete(PODS, "web", "default")
    await advance(timeless, 600, "n2", "n3")
    assert len(await timeless.pods()) == 1
    out = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    node = await timeless.client.get(NODES, "n1")
    await timeless.client.patch(NODES, "n1", {"spec": {"taints": [*node["spec"]["taints"], out]}})
    await advance(timeless, 30, "n2", "n3")
    assert await timeless.pods() == []


async def test_nobody_is_silent_while_the_master_itself_was_blind(timeless):
    blindfold = Blindfold(timeless.client)
    await three_nodes(timeless, blindfold)
    await advance(timeless, 30, "n1", "n2", "n3")
    blindfold.on = True
    await advance(timeless, 300)
    blindfold.on = False
    await advance(timeless, 40)
    assert {await ready(timeless, name) for name in ("n1", "n2", "n3")} == {"True"}
    await advance(timeless, 30, "n2", "n3")
    assert await ready(timeless, "n1") == "Unknown"
    assert await ready(timeless, "n2") == "True"


async def reasons(cluster, name):
    return {e["reason"]: e for e in await cluster.list(EVENTS) if e["involvedObject"]["name"] == name}


async def test_the_coming_the_silence_and_the_going_of_a_node_are_told(timeless):
    await three_nodes(timeless)
    pod = await timeless.pod("web", node="n1")
    await timeless.set_ready(pod)
    await advance(timeless, 70, "n2", "n3")
    said = await reasons(timeless, "n1")
    assert said["RegisteredNode"]["message"] == "Node n1 event: Registered Node n1 in Controller"
    assert said["NodeNotReady"]["message"] == "Node n1 status is now: NodeNotReady"
    assert said["NodeNotReady"]["type"] == "Normal"
    of_pod = (await reasons(timeless, "web"))["NodeNotReady"]
    assert (of_pod["type"], of_pod["message"]) == ("Warning", "Node is not ready")
    await timeless.client.delete(NODES, "n1")
    await timeless.clock.advance(1)
    removing = (await reasons(timeless, "n1"))["RemovingNode"]
    assert removing["message"] == "Node n1 event: Removing Node n1 from Controller"


async def test_a_node_made_without_a_status_has_the_startup_grace(timeless):
    await three_nodes(timeless)
    await timeless.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "bare"}})
    await advance(timeless, 50, "n1", "n2", "n3")
    assert await taints(timeless, "bare") == set()
    await advance(timeless, 20, "n1", "n2", "n3")
    ready = meta.condition(await timeless.client.get(NODES, "bare"), "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusNeverUpdated")
    assert (UNREACHABLE, "NoExecute") in await taints(timeless, "bare")


async def evicting(cluster, *names):
    return [name for name in names if (UNREACHABLE, "NoExecute") in await taints(cluster, name)]


async def test_nodes_that_fail_together_are_emptied_one_every_ten_seconds(timeless):
    alive = [f"a{i}" for i in range(6)]
    for name in [*alive, "b0", "b1", "b2", "b3"]:
        await timeless.node(name)
    timeless.spawn(run(timeless.client, timeless.clock, ControllersConfig()))
    counts = []
    for _ in range(11):
        await advance(timeless, 10, *alive)
        counts.append(len(await evicting(timeless, "b0", "b1", "b2", "b3")))
    assert counts == [0, 0, 0, 0, 0, 1, 2, 3, 4, 4, 4]


async def test_a_small_zone_that_is_mostly_down_is_not_emptied_until_it_is_better(timeless):
    for name in ("n1", "n2", "n3", "n4", "n5"):
        await timeless.node(name)
    timeless.spawn(run(timeless.client, timeless.clock, ControllersConfig()))
    await advance(timeless, 200, "n1", "n2")
    assert await evicting(timeless, "n3", "n4", "n5") == []
    await timeless.heartbeat("n3")
    status = {"status": {"conditions": timeless.conditions("True")}}
    await timeless.client.patch(NODES, "n3", status, subresource="status")
    await advance(timeless, 40, "n1", "n2", "n3")
    assert await evicting(timeless, "n3", "n4", "n5") == ["n4", "n5"]


async def test_a_zone_that_is_wholly_down_is_emptied_while_another_is_not(timeless):
    for name, zone in (("n1", "a"), ("n2", "b"), ("n3", "b"), ("n4", "b")):
        await timeless.node(name, labels={"topology.kubernetes.io/zone": zone})
    timeless.spawn(run(timeless.client, timeless.clock, ControllersConfig()))
    await advance(timeless, 100, "n1")
    assert await evicting(timeless, "n1", "n2", "n3", "n4") == ["n2", "n3", "n4"]


async def test_when_all_nodes_fall_silent_at_once_none_is_emptied_not_even_for_a_moment(timeless):
    seen = []
    informer = Informer(timeless.client, NODES, timeless.clock)
    informer.subscribe(lambda event, node, old: seen.extend(t["effect"] for t in node["spec"].get("taints") or []))
    timeless.spawn(informer.run())
    await three_nodes(timeless)
    await advance(timeless, 300)
    assert "NoSchedule" in seen
    assert "NoExecute" not in seen


class NoLeases:
    """A client whose watch of leases has stopped telling anything."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def watch(self, resource, *arguments):
        if resource == LEASES:
            await asyncio.Event().wait()
        async for event in self._client.watch(resource, *arguments):
            yield event


async def test_a_watch_that_has_stopped_is_not_the_silence_of_nodes(timeless):
    await three_nodes(timeless, NoLeases(timeless.client))
    await advance(timeless, 300, "n2", "n3")
    assert [await ready(timeless, name) for name in ("n1", "n2", "n3")] == ["Unknown", "True", "True"]
