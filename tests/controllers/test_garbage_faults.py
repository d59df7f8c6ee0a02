"""Owner garbage collection killed, answered unclearly or kept behind: what should go goes, and nothing else does."""

import asyncio
import contextlib

import pytest
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, live, unclear_at_every_write
from sampan_api import meta
from sampan_api.client import CONFIGMAPS, SECRETS, DeleteOptions
from sampan_api.errors import NotFound
from sampan_master.controllers.garbage_controller import GarbageController
from sampan_master.controllers.informers import Informers
from thorough import thorough

FOLLOWED = [CONFIGMAPS, SECRETS]


async def start(client, clock):
    informers = Informers(client, clock, FOLLOWED)
    controller = GarbageController(client, clock, informers, workers=3)
    async with asyncio.TaskGroup() as tasks:
        for informer in informers.all:
            tasks.create_task(informer.run())
        await informers.synced()
        tasks.create_task(controller.run())


async def make(cluster, resource, name, *owners, block=False):
    references = [
        {"apiVersion": "v1", "kind": o["kind"], "name": meta.name(o), "uid": meta.uid(o), "blockOwnerDeletion": block}
        for o in owners
    ]
    metadata = {"name": name, "namespace": "default", "ownerReferences": references}
    obj = {"apiVersion": "v1", "kind": resource.kind, "metadata": metadata}
    return await cluster.client.create(resource, obj, "default")


async def families(cluster):
    """Of each owner a family in both kinds; who is called kept must live."""
    lost, kept = await make(cluster, CONFIGMAPS, "lost"), await make(cluster, CONFIGMAPS, "kept-owner")
    child = await make(cluster, SECRETS, "child", lost)
    await make(cluster, CONFIGMAPS, "grandchild", child)
    await make(cluster, CONFIGMAPS, "kept-shared", lost, kept)
    await make(cluster, SECRETS, "kept-child", kept)
    waiting = await make(cluster, CONFIGMAPS, "waiting")
    first = await make(cluster, SECRETS, "first", waiting, block=True)
    await make(cluster, CONFIGMAPS, "second", first, block=True)
    left = await make(cluster, CONFIGMAPS, "left")
    await make(cluster, SECRETS, "kept-orphan", left)
    await make(cluster, CONFIGMAPS, "kept-orphan", left)


async def delete(cluster, name, propagation):
    with contextlib.suppress(NotFound):
        await cluster.client.delete(CONFIGMAPS, name, "default", DeleteOptions(propagation=propagation))


async def in_the_background(cluster):
    await delete(cluster, "lost", "Background")


async def in_the_foreground(cluster):
    await delete(cluster, "waiting", "Foreground")


async def orphaning(cluster):
    await delete(cluster, "left", "Orphan")


async def end(cluster):
    objects = [obj for resource in FOLLOWED for obj in await cluster.list(resource, "default")]
    return sorted((o["kind"], meta.name(o), [r["name"] for r in meta.owner_references(o)]) for o in objects)


EXPECTED = [
    ("ConfigMap", "kept-orphan", []),
    ("ConfigMap", "kept-owner", []),
    ("ConfigMap", "kept-shared", ["kept-owner"]),
    ("Secret", "kept-child", ["kept-owner"]),
    ("Secret", "kept-orphan", []),
]


def who_must_live_lives(moment):
    if moment.key.name.startswith("kept"):
        assert moment.after is not None
        assert not meta.is_deleting(moment.after)


def who_waits_outlives_who_blocks_it(moment):
    if (moment.kind, moment.key.name, moment.after) == ("ConfigMap", "waiting", None):
        secrets, configmaps = ({key.name for key in moment.objects(kind)} for kind in ("Secret", "ConfigMap"))
        assert "first" not in secrets
        assert "second" not in configmaps


SCENARIO = Scenario(
    start=start,
    quiet=4,
    given=families,
    steps=(in_the_background, in_the_foreground, orphaning),
    end=end,
    always=(who_must_live_lives, who_waits_outlives_who_blocks_it),
)


async def test_killed_before_and_after_every_write():
    assert await killed_at_every_write(SCENARIO) >= 9


@thorough
async def test_killed_and_away_while_more_is_deleted():
    await killed_at_every_write(SCENARIO, late=True)


async def test_every_answer_in_turn_is_unclear():
    await unclear_at_every_write(SCENARIO)


@pytest.mark.parametrize("resource", FOLLOWED, ids=lambda r: r.plural)
async def test_a_cache_that_lags(resource):
    await behind(SCENARIO, resource, 3)


@pytest.mark.parametrize("expired", [False, True], ids=["resumed", "expired"])
@pytest.mark.parametrize("resource", FOLLOWED, ids=lambda r: r.plural)
async def test_a_watch_that_breaks(resource, expired):
    assert await cut_at_every_event(SCENARIO, resource, expired=expired) >= 3


async def families_appear(cluster):
    """All at once and deleted at once: the dependents are younger than what a lagging cache shows."""
    await families(cluster)
    await orphaning(cluster)
    await in_the_foreground(cluster)
    await in_the_background(cluster)


YOUNG = Scenario(start=start, quiet=4, steps=(families_appear,), end=end, always=(who_must_live_lives,))


@pytest.mark.parametrize("resource", FOLLOWED, ids=lambda r: r.plural)
async def test_dependents_that_the_cache_does_not_show_yet(resource):
    await behind(YOUNG, resource, 4)


async def test_the_end_is_the_right_one():
    for scenario in (SCENARIO, YOUNG):
        assert (await live(scenario)).end == EXPECTED
