"""The ReplicaSet loop on the real registry, with clients that fail and caches that lag."""

import asyncio
import contextlib
import random

import pytest
from cluster import eventually
from sampan_api import meta
from sampan_api.client import EVENTS, PODS, REPLICASETS, DeleteOptions, EventType
from sampan_api.errors import ApiError, Forbidden, ServiceUnavailable
from sampan_master.controllers import ControllersConfig, run


class Faulty:
    """A client that lets a share of the pod creations fail: half of those before, half after they took effect."""

    def __init__(self, client, seed, share=0.0, lag=0.0):
        self._client, self._random, self.share, self._lag = client, random.Random(seed), share, lag
        self.refusal = None

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def create(self, resource, obj, namespace="", subresource=""):
        if resource != PODS:
            return await self._client.create(resource, obj, namespace, subresource)
        if self.refusal is not None:
            raise self.refusal
        fate = self._random.random()
        if fate < self.share / 2:
            raise ServiceUnavailable("before")
        made = await self._client.create(resource, obj, namespace, subresource)
        if fate < self.share:
            raise ServiceUnavailable("after")
        return made

    async def watch(self, resource, resource_version, selection=None):
        async for event in self._client.watch(resource, resource_version):
            if self._lag and resource == PODS:
                await asyncio.sleep(self._random.random() * self._lag)
            yield event


class Mortal:
    """A client that dies at its n-th write, before or after it took effect: nothing it does afterwards returns."""

    def __init__(self, client, write, *, after):
        self._client, self._left, self._after = client, write, after
        self.is_dead = asyncio.Event()

    def __getattr__(self, name):
        call = getattr(self._client, name)
        if name not in ("create", "update", "patch", "delete"):
            return call

        async def counted(resource, *arguments, **options):
            if resource == EVENTS:
                return await call(resource, *arguments, **options)
            self._left -= 1
            if self._left == 0 and self._after:
                await call(resource, *arguments, **options)
            if self._left <= 0:
                self.is_dead.set()
                await asyncio.Event().wait()
            return await call(resource, *arguments, **options)

        return counted


class Census:
    """Counts, from the watch, the most pods a set ever had alive at once beyond what it wanted."""

    def __init__(self, cluster):
        self._cluster = cluster
        self.alive, self.most = set(), 0

    async def run(self):
        listed = await self._cluster.client.list(PODS)
        async for event in self._cluster.client.watch(PODS, listed.resource_version):
            if event.type is EventType.BOOKMARK:
                continue
            uid = meta.uid(event.object)
            if event.type is EventType.DELETED or meta.is_deleting(event.object):
                self.alive.discard(uid)
            else:
                self.alive.add(uid)
            self.most = max(self.most, len(self.alive))


def control(cluster, client=None):
    config = ControllersConfig(node_monitor_period_seconds=3600, pod_gc_period_seconds=3600)
    return cluster.spawn(run(client or cluster.client, cluster.clock, config))


async def active(cluster):
    return [p for p in await cluster.pods() if not meta.is_deleting(p)]


async def scale(cluster, name, replicas):
    await cluster.client.patch(REPLICASETS, name, {"spec": {"replicas": replicas}}, "default")


async def settled(cluster, name, replicas):
    rs = await cluster.client.get(REPLICASETS, name, "default")
    status = rs.get("status") or {}
    seen = status.get("observedGeneration") == rs["metadata"]["generation"]
    return rs if seen and status.get("replicas", 0) == replicas == len(await active(cluster)) else None


async def test_scales_up_and_down_and_reports(cluster):
    control(cluster)
    await cluster.replica_set("web", 5)
    await eventually(lambda: settled(cluster, "web", 5))
    pod = (await active(cluster))[0]
    assert meta.name(pod).startswith("web-")
    assert len(meta.name(pod)) == len("web-") + 5
    await scale(cluster, "web", 2)
    await eventually(lambda: settled(cluster, "web", 2))

    async def told():
        reasons = [e["reason"] for e in await cluster.list(EVENTS, "default")]
        return reasons.count("SuccessfulCreate") == 5 and reasons.count("SuccessfulDelete") == 3

    await eventually(told)


async def test_ready_pods_show_in_the_status(cluster):
    control(cluster)
    await cluster.replica_set("web", 3)
    await eventually(lambda: settled(cluster, "web", 3))
    for pod in await active(cluster):
        await cluster.set_ready(pod)

    async def ready():
        status = (await cluster.client.get(REPLICASETS, "web", "default"))["status"]
        return status.get("readyReplicas") == status.get("availableReplicas") == 3

    await eventually(ready)


async def test_a_deleted_pod_is_replaced_while_it_still_terminates(cluster):
    control(cluster)
    await cluster.replica_set("web", 2)
    await eventually(lambda: settled(cluster, "web", 2))
    pod = (await active(cluster))[0]
    binding = {"metadata": {"name": meta.name(pod), "namespace": "default"}, "target": {"name": "n1"}}
    await cluster.node("n1")
    await cluster.client.create(PODS, binding | {"apiVersion": "v1", "kind": "Binding"}, "default", "binding")
    await cluster.client.delete(PODS, meta.name(pod), "default")
    await eventually(lambda: settled(cluster, "web", 2), seconds=2)
    assert len(await cluster.pods()) == 3
    status = (await cluster.client.get(REPLICASETS, "web", "default"))["status"]
    assert status["terminatingReplicas"] == 1


async def test_orphans_are_adopted_and_relabelled_pods_released(cluster):
    control(cluster)
    orphan = await cluster.pod("orphan", labels={"app": "web"})
    await cluster.replica_set("web", 2)
    await eventually(lambda: settled(cluster, "web", 2))
    adopted = await cluster.client.get(PODS, "orphan", "default")
    assert meta.uid(adopted) == meta.uid(orphan)
    assert meta.controller_of(adopted)["name"] == "web"
    await cluster.client.patch(PODS, "orphan", {"metadata": {"labels": {"app": "other"}}}, "default")

    async def released():
        pod = await cluster.client.get(PODS, "orphan", "default")
        return meta.controller_of(pod) is None and len(await active(cluster)) == 3

    await eventually(released)


async def test_a_refused_creation_is_a_condition_until_it_passes(cluster):
    faulty = Faulty(cluster.client, 0)
    faulty.refusal = Forbidden("pods are forbidden: exceeded quota")
    control(cluster, faulty)
    await cluster.replica_set("web", 2)

    async def failure():
        rs = await cluster.client.get(REPLICASETS, "web", "default")
        return meta.condition(rs, "ReplicaFailure")

    condition = await eventually(failure)
    assert (condition["reason"], condition["message"]) == ("FailedCreate", "pods are forbidden: exceeded quota")
    faulty.refusal = None
    await eventually(lambda: settled(cluster, "web", 2))
    assert await failure() is None


async def test_a_lagging_cache_makes_nothing_twice(cluster):
    census = Census(cluster)
    cluster.spawn(census.run())
    control(cluster, Faulty(cluster.client, 1, lag=0.02))
    await cluster.replica_set("web", 20)
    await eventually(lambda: settled(cluster, "web", 20))
    assert census.most == 20


async def test_a_controller_that_dies_between_its_writes_is_followed_by_one_that_finishes(cluster):
    await cluster.replica_set("web", 30)
    census = Census(cluster)
    cluster.spawn(census.run())
    for _ in range(6):
        task = control(cluster)
        await asyncio.sleep(0.01)
        await cluster.end(task)
    control(cluster)
    await eventually(lambda: settled(cluster, "web", 30))
    assert census.most <= 30


@pytest.mark.parametrize("seed", range(6))
async def test_a_random_walk_never_makes_a_pod_too_many(cluster, seed):
    dice = random.Random(seed)
    census = Census(cluster)
    cluster.spawn(census.run())
    faulty = Faulty(cluster.client, seed, share=0.2, lag=0.002)
    control(cluster, faulty)
    await cluster.replica_set("web", 3)
    wanted = most_wanted = 3
    for _ in range(40):
        action = dice.random()
        pods = await active(cluster)
        if action < 0.4:
            wanted = dice.randrange(12)
            most_wanted = max(most_wanted, wanted)
            await scale(cluster, "web", wanted)
        elif action < 0.7 and pods:
            with contextlib.suppress(ApiError):
                name = meta.name(dice.choice(pods))
                await cluster.client.delete(PODS, name, "default", DeleteOptions(grace_seconds=0))
        await asyncio.sleep(dice.random() * 0.01)
    faulty.share = 0.0
    await eventually(lambda: settled(cluster, "web", wanted))
    assert census.most <= most_wanted


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, 13))
async def test_killed_at_any_of_its_writes_it_ends_right_and_never_over_creates(cluster, write, after):
    census = Census(cluster)
    cluster.spawn(census.run())
    await cluster.pod("orphan", labels={"app": "web"})
    await cluster.replica_set("web", 4)
    mortal = Mortal(cluster.client, write, after=after)
    first = control(cluster, mortal)
    scaled = asyncio.create_task(mortal.is_dead.wait())
    await asyncio.wait({scaled}, timeout=0.2)
    await cluster.end(first)
    scaled.cancel()
    control(cluster)
    await eventually(lambda: settled(cluster, "web", 4))
    await scale(cluster, "web", 1)
    await eventually(lambda: settled(cluster, "web", 1))
    assert census.most <= 4
