"""Namespaces whose controller is killed, answered unclearly or kept behind: pods first; the next of that name lives."""

import asyncio
import contextlib

import pytest
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, unclear_at_every_write
from sampan_api import meta
from sampan_api.client import CONFIGMAPS, NAMESPACES, PODS, DeleteOptions
from sampan_api.errors import AlreadyExists, NotFound
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.namespace_controller import NamespaceController

FOLLOWED = [NAMESPACES, PODS, CONFIGMAPS]


async def start(client, clock):
    informers = Informers(client, clock, FOLLOWED)
    controller = NamespaceController(client, clock, informers)
    async with asyncio.TaskGroup() as tasks:
        for informer in informers.all:
            tasks.create_task(informer.run())
        await informers.synced()
        tasks.create_task(controller.run())


async def team(cluster, *contents, finalizers=()):
    await cluster.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    for name in contents:
        metadata = {"name": name, "namespace": "team", "finalizers": list(finalizers)}
        await cluster.client.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, "team")


async def a_team(cluster):
    await team(cluster, "old", finalizers=["example.com/f"])
    await cluster.pod("runs", node="n1", namespace="team")


async def it_is_deleted(cluster):
    await cluster.client.delete(NAMESPACES, "team")


async def its_pod_ends(cluster):
    with contextlib.suppress(NotFound):
        await cluster.client.delete(PODS, "runs", "team", DeleteOptions(grace_seconds=0))


async def its_finalizer_is_taken(cluster):
    with contextlib.suppress(NotFound):
        await cluster.client.patch(CONFIGMAPS, "old", {"metadata": {"finalizers": None}}, "team")


async def another_takes_its_name(cluster):
    for _ in range(200):
        with contextlib.suppress(AlreadyExists):
            await team(cluster, "new")
            return
        await cluster.clock.advance(0.5)


async def end(cluster):
    namespace = await cluster.client.get(NAMESPACES, "team")
    contents = [*await cluster.list(PODS, "team"), *await cluster.list(CONFIGMAPS, "team")]
    return namespace["status"]["phase"], [meta.name(o) for o in contents]


def pods_go_first(moment):
    if moment.kind == "ConfigMap" and moment.key.name == "old" and (moment.after is None or _going(moment.after)):
        assert not moment.objects("Pod"), "its pod may still need it"


def nothing_new_goes(moment):
    if moment.key.name == "new":
        assert moment.after is not None
        assert not _going(moment.after)


def _going(obj):
    return meta.is_deleting(obj)


SCENARIO = Scenario(
    start=start,
    quiet=4,
    given=a_team,
    steps=(it_is_deleted, its_pod_ends, its_finalizer_is_taken, another_takes_its_name),
    end=end,
    always=(pods_go_first, nothing_new_goes),
)


async def test_killed_before_and_after_every_write():
    assert await killed_at_every_write(SCENARIO) >= 5


async def test_every_answer_in_turn_is_unclear():
    await unclear_at_every_write(SCENARIO)


@pytest.mark.parametrize("resource", FOLLOWED, ids=lambda r: r.plural)
async def test_a_cache_that_lags(resource):
    await behind(SCENARIO, resource, 3)


@pytest.mark.parametrize("expired", [False, True], ids=["resumed", "expired"])
@pytest.mark.parametrize("resource", FOLLOWED, ids=lambda r: r.plural)
async def test_a_watch_that_breaks(resource, expired):
    await cut_at_every_event(SCENARIO, resource, expired=expired)
