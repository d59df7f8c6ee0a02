"""PodGC killed, answered unclearly or kept behind: orphans, the ended and the undone go, and nobody else."""

import asyncio

import pytest
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, unclear_at_every_write
from sampan_api import meta
from sampan_api.client import NODES, PODS, DeleteOptions, PatchType
from sampan_master.controllers import ControllersConfig
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.pod_gc_controller import PodCollector
from thorough import thorough

FOLLOWED = [PODS, NODES]
CONFIG = ControllersConfig(pod_gc_period_seconds=2, pod_gc_quarantine_seconds=4, terminated_pod_threshold=1)


async def start(client, clock):
    informers = Informers(client, clock, FOLLOWED)
    collector = PodCollector(client, clock, informers, CONFIG)
    async with asyncio.TaskGroup() as tasks:
        for informer in informers.all:
            tasks.create_task(informer.run())
        await informers.synced()
        tasks.create_task(collector.run())


async def nodes_and_pods(cluster):
    for name in ("gone", "dead", "alive"):
        await cluster.node(name)
        await cluster.pod(f"on-{name}", node=name)
    for name in ("a", "b"):
        await cluster.pod(f"ended-{name}", node="alive")
    await cluster.pod("waiting")


async def a_node_goes(cluster):
    await cluster.client.delete(NODES, "gone")


async def a_node_is_declared_dead(cluster):
    await cluster.client.delete(PODS, "on-dead", "default")
    await cluster.client.delete(PODS, "on-alive", "default", DeleteOptions(grace_seconds=300))
    out = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
    await cluster.client.patch(NODES, "dead", {"spec": {"taints": [out]}})
    unready = {"status": {"conditions": cluster.conditions("False")}}
    await cluster.client.patch(NODES, "dead", unready, subresource="status")


async def pods_end(cluster):
    for name in ("ended-a", "ended-b"):
        status = {"status": {"phase": "Succeeded"}}
        await cluster.client.patch(PODS, name, status, "default", type=PatchType.STRATEGIC, subresource="status")


async def one_is_not_wanted_any_more(cluster):
    await cluster.client.delete(PODS, "waiting", "default")


async def a_node_comes_back_in_time(cluster):
    await cluster.pod("on-returning", node="returning")
    await cluster.clock.advance(3)
    await cluster.node("returning")


async def end(cluster):
    return sorted(meta.name(p) for p in await cluster.pods())


def who_lives_stays(moment):
    if moment.kind == "Pod" and moment.key.name in ("on-alive", "ended-b", "on-returning"):
        assert moment.after is not None


def an_orphan_says_why(moment):
    if (moment.kind, moment.key.name, moment.after) == ("Pod", "on-gone", None):
        assert meta.condition(moment.before, "DisruptionTarget")["reason"] == "DeletionByPodGC"
        assert moment.before["status"]["phase"] == "Failed"


SCENARIO = Scenario(
    start=start,
    quiet=7,
    given=nodes_and_pods,
    steps=(a_node_goes, a_node_is_declared_dead, pods_end, one_is_not_wanted_any_more, a_node_comes_back_in_time),
    end=end,
    always=(who_lives_stays, an_orphan_says_why),
)


async def test_killed_before_and_after_every_write():
    assert await killed_at_every_write(SCENARIO) >= 5


@thorough
async def test_every_answer_in_turn_is_unclear():
    await unclear_at_every_write(SCENARIO)


@pytest.mark.parametrize("resource", FOLLOWED, ids=lambda r: r.plural)
async def test_a_cache_that_lags_or_a_watch_that_breaks(resource):
    await behind(SCENARIO, resource, 3)
    await cut_at_every_event(SCENARIO, resource)
    await cut_at_every_event(SCENARIO, resource, expired=True)
