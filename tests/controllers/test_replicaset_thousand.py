"""From nothing to a thousand pods that run, and back. `bench/replicas.py --replicas 1000 --simulated 20` does the same
through HTTPS and etcd."""

import asyncio

from faults import history, settle
from faulty_client import FaultyClient
from replicas import owner_of, start
from sampan_api import meta
from sampan_api.client import PODS, REPLICASETS, EventType
from sampan_api.informer import Informer
from sampan_master.controllers.pod_facts import is_active, node_name

MANY = 1000


async def bind(cluster):
    """A scheduler of a few lines: every new pod gets a node."""
    work = asyncio.Queue()
    informer = Informer(cluster.client, PODS, cluster.clock)
    informer.subscribe(lambda event, pod, old: work.put_nowait((event, pod)))
    follow = asyncio.create_task(informer.run())
    try:
        while True:
            event, pod = await work.get()
            if event is EventType.ADDED and not node_name(pod):
                binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta.name(pod)}}
                binding["target"] = {"name": f"n{meta.resource_version(pod)[-1]}"}
                await cluster.client.create(PODS, binding, "default", "binding")
    finally:
        follow.cancel()


async def test_a_thousand_pods_come_and_go_and_never_one_too_many(timeless):
    for number in range(10):
        await timeless.node(f"n{number}")
    client = FaultyClient(timeless.client)
    timeless.spawn(start(client, timeless.clock))
    timeless.spawn(bind(timeless))
    timeless.spawn(timeless.kubelet())
    made = await timeless.replica_set("web", 0)
    await settle(timeless)
    full = {"replicas": MANY, "fullyLabeledReplicas": MANY, "readyReplicas": MANY, "availableReplicas": MANY}
    for wanted, counts in ((MANY, full), (0, {"replicas": 0})):
        before = len(client.writes)
        await timeless.client.patch(REPLICASETS, "web", {"spec": {"replicas": wanted}}, "default")
        await settle(timeless)
        rs = await timeless.client.get(REPLICASETS, "web", "default")
        generation = rs["metadata"]["generation"]
        assert rs["status"] == counts | {"terminatingReplicas": 0, "observedGeneration": generation}
        assert len(await timeless.pods()) == wanted
        pod_writes = [write for write in client.writes[before:] if write.resource == PODS]
        assert len(pod_writes) == MANY
    alive = most = 0
    async for moment in history(timeless, client.writes):
        if moment.kind == "Pod":
            alive += _alive(moment.after, made) - _alive(moment.before, made)
            most = max(most, alive)
    assert (most, alive) == (MANY, 0)


def _alive(pod, replica_set):
    return int(pod is not None and is_active(pod) and owner_of(pod) == meta.uid(replica_set))
