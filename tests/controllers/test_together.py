"""Scheduler and controllers in one process, as in the master, with nodes that obey at once."""

import asyncio

from cluster import eventually
from sampan_api import meta
from sampan_api.client import PODS, REPLICASETS
from sampan_api.errors import ServiceUnavailable
from sampan_master import controllers, scheduler


class Outage:
    """A client whose every call fails while `down`, watches included."""

    def __init__(self, client):
        self._client = client
        self.down = False

    async def watch(self, resource, resource_version, selection=None):
        async for event in self._client.watch(resource, resource_version):
            if self.down:
                raise ServiceUnavailable("etcd is away")
            yield event

    def __getattr__(self, name):
        call = getattr(self._client, name)

        async def guarded(*arguments, **options):
            if self.down:
                raise ServiceUnavailable("etcd is away")
            return await call(*arguments, **options)

        return guarded


def start(cluster, client=None):
    client = client or cluster.client
    cluster.spawn(scheduler.run(client, cluster.clock, scheduler.SchedulerConfig()))
    cluster.spawn(controllers.run(client, cluster.clock, controllers.ControllersConfig()))
    cluster.spawn(cluster.kubelet())


def has(cluster, ready):
    async def check():
        rs = await cluster.client.get(REPLICASETS, "web", "default")
        status = rs.get("status") or {}
        return status.get("readyReplicas", 0) == ready and len(await cluster.pods()) == ready

    return check


async def scale(cluster, replicas):
    await cluster.client.patch(REPLICASETS, "web", {"spec": {"replicas": replicas}}, "default")


async def test_a_replica_set_goes_up_to_a_hundred_ready_pods_and_down_to_nothing(cluster):
    for i in range(5):
        await cluster.node(f"n{i}", pods="30")
    start(cluster)
    await cluster.replica_set("web", 100)
    await eventually(has(cluster, 100))
    spread = [p["spec"]["nodeName"] for p in await cluster.pods()]
    assert {spread.count(f"n{i}") for i in range(5)} == {20}
    await scale(cluster, 0)
    await eventually(has(cluster, 0))


async def test_an_outage_of_the_store_is_survived(cluster):
    await cluster.node("n1")
    outage = Outage(cluster.client)
    start(cluster, outage)
    await cluster.replica_set("web", 3)
    await eventually(has(cluster, 3))
    outage.down = True
    await scale(cluster, 6)
    victim = (await cluster.pods())[0]
    await cluster.client.delete(PODS, meta.name(victim), "default")
    await asyncio.sleep(0.3)
    outage.down = False
    await eventually(has(cluster, 6))
