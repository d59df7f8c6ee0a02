"""Topology spread through the scheduling loop: what the informers tell is what it counts by."""

import pytest
from cluster import eventually
from sampan_api import meta
from sampan_api.client import PODS, REPLICASETS, SERVICES, DeleteOptions
from sampan_master.scheduler import SchedulerConfig, run

HARD = [
    {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
]


def schedule(cluster):
    return cluster.spawn(run(cluster.client, cluster.clock, SchedulerConfig()))


async def where(cluster, *names):
    pods = {meta.name(pod): pod["spec"].get("nodeName") for pod in await cluster.pods()}
    found = [pods.get(name) for name in names]
    return found if all(found) else None


async def one_big_one_half_full(cluster):
    """Left to the other scores, all pods go to the big node."""
    await cluster.node("big", cpu="100", memory="100Gi")
    await cluster.node("small")
    half = {"requests": {"cpu": "2", "memory": "4Gi"}}
    await cluster.pod("other", node="small", containers=[{"name": "c", "image": "busybox", "resources": half}])


@pytest.mark.parametrize("by", ["nothing", "replica set", "service"])
async def test_pods_are_spread_when_something_says_that_they_belong_together(cluster, by):
    await one_big_one_half_full(cluster)
    rs = await cluster.replica_set("web", 0)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}}
    service["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": meta.uid(rs), "controller": True}
    if by == "service":
        await cluster.client.create(SERVICES, service, "default")
    if by != "replica set":
        await cluster.client.delete(REPLICASETS, "web", "default")
    schedule(cluster)
    placed = []
    for name in ("a", "b"):
        owners = [owner] if by == "replica set" else []
        await cluster.pod(name, labels={"app": "web"}, owners=owners)
        placed = await eventually(lambda seen=name: where(cluster, "a", seen))
    assert sorted(placed) == (["big", "big"] if by == "nothing" else ["big", "small"])


async def test_a_pod_that_begins_to_terminate_makes_room_for_the_next(cluster):
    await cluster.node("n1")
    await cluster.node("n2", taints=[{"key": "k", "effect": "NoSchedule"}])
    schedule(cluster)
    for name in ("a", "b"):
        await cluster.pod(name, labels={"app": "web"}, topologySpreadConstraints=HARD)
    (first,) = await eventually(lambda: one_placed(cluster))

    async def refused():
        waiting = next(pod for pod in await cluster.pods() if meta.name(pod) != first)
        return meta.condition(waiting, "PodScheduled")

    condition = await eventually(refused)
    assert "1 node(s) didn't match pod topology spread constraints" in condition["message"]
    await cluster.client.delete(PODS, first, "default", DeleteOptions(grace_seconds=1000))
    assert await eventually(lambda: where(cluster, "a", "b")) == ["n1", "n1"]


async def one_placed(cluster):
    return [meta.name(pod) for pod in await cluster.pods() if pod["spec"].get("nodeName")]
