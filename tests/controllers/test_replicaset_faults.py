"""ReplicaSets whose controller is killed, answered unclearly or kept behind, at every one of its writes and events."""

import asyncio

import pytest
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, unclear_at_every_write
from sampan_api import meta
from sampan_api.client import PODS, REPLICASETS
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.replicaset_controller import ReplicaSetController


async def start(client, clock):
    informers = Informers(client, clock, [PODS, REPLICASETS])
    controller = ReplicaSetController(client, clock, informers, workers=5)
    async with asyncio.TaskGroup() as tasks:
        for informer in informers.all:
            tasks.create_task(informer.run())
        await informers.synced()
        tasks.create_task(controller.run())


async def end(cluster):
    sets = await cluster.list(REPLICASETS, "default")
    return {
        meta.name(rs): (
            rs["status"],
            sum((meta.controller_of(p) or {}).get("uid") == meta.uid(rs) for p in await cluster.pods()),
        )
        for rs in sets
    }


async def up(cluster):
    await cluster.replica_set("web", 4)


async def down(cluster):
    await cluster.client.patch(REPLICASETS, "web", {"spec": {"replicas": 1}}, "default")


SCALE = Scenario(start=start, steps=(up, down), end=end)


async def test_killed_before_and_after_every_write():
    assert await killed_at_every_write(SCALE) >= 9


async def test_killed_and_away_while_the_set_is_scaled():
    await killed_at_every_write(SCALE, late=True)


async def test_every_answer_in_turn_is_unclear():
    await unclear_at_every_write(SCALE)


@pytest.mark.parametrize("resource", [PODS, REPLICASETS], ids=["pods", "sets"])
async def test_a_cache_that_lags(resource):
    await behind(SCALE, resource, 4)


@pytest.mark.parametrize("expired", [False, True], ids=["resumed", "expired"])
@pytest.mark.parametrize("resource", [PODS, REPLICASETS], ids=["pods", "sets"])
async def test_a_watch_that_breaks(resource, expired):
    assert await cut_at_every_event(SCALE, resource, expired=expired) >= 3
