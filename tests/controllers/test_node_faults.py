"""Node life cycle and evictions by taint killed, answered unclearly or kept behind: the same pods go, and no others."""

import asyncio
import contextlib
from dataclasses import replace

import pytest
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, live, unclear_at_every_write
from sampan_api import meta
from sampan_api.client import LEASES, NODES, PODS
from sampan_api.errors import NotFound
from sampan_master.controllers import ControllersConfig
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.node_controller import NodeController
from sampan_master.controllers.node_health import NOT_READY, UNREACHABLE
from sampan_master.controllers.taint_eviction_controller import TaintEvictionController
from thorough import thorough

FOLLOWED = [NODES, PODS, LEASES]
nodes_of = {}
"""The cluster whose nodes renew their leases once, soon after the controllers have begun (or have begun anew)."""


async def renew(clock):
    await clock.sleep(1.5)
    for node in await nodes_of["cluster"].list(NODES):
        await nodes_of["cluster"].heartbeat(meta.name(node))


def start_with(*, renewing=False, **config):
    async def start(client, clock):
        informers = Informers(client, clock, FOLLOWED)
        controllers = (
            NodeController(client, clock, informers, ControllersConfig(node_monitor_period_seconds=1, **config)),
            TaintEvictionController(client, clock, informers),
        )
        async with asyncio.TaskGroup() as tasks:
            for informer in informers.all:
                tasks.create_task(informer.run())
            await informers.synced()
            if renewing:
                tasks.create_task(renew(clock))
            for controller in controllers:
                tasks.create_task(controller.run())

    return start


def tolerating(seconds=None):
    toleration = {"operator": "Exists", "effect": "NoExecute"}
    return [toleration if seconds is None else toleration | {"tolerationSeconds": seconds}]


async def nodes_and_pods(cluster):
    nodes_of["cluster"] = cluster
    for name in ("n1", "n2"):
        await cluster.node(name)
        await cluster.pod(f"soon-{name}", node=name, tolerations=tolerating(3))
        await cluster.pod(f"never-{name}", node=name, tolerations=tolerating())
    for pod in await cluster.pods():
        await cluster.set_ready(pod)


async def says(cluster, name, ready):
    status = {"status": {"conditions": cluster.conditions(ready)}}
    await cluster.client.patch(NODES, name, status, subresource="status")


async def one_is_not_ready(cluster):
    await says(cluster, "n1", "False")


async def it_returns_and_the_other_falls_for_less_than_the_pods_tolerate(cluster):
    await says(cluster, "n1", "True")
    await cluster.client.patch(NODES, "n1", {"spec": {"unschedulable": True}})
    await says(cluster, "n2", "False")
    await cluster.clock.advance(2)
    await says(cluster, "n2", "True")


async def end(cluster):
    nodes = {
        meta.name(n): sorted((t["key"], t["effect"]) for t in n["spec"].get("taints") or [])
        for n in await cluster.list(NODES)
    }
    pods = {meta.name(p): _state(p) for p in await cluster.pods()}
    return nodes, pods


def _state(pod):
    said = (meta.condition(pod, "DisruptionTarget") or {}).get("reason")
    return meta.is_deleting(pod), said, meta.condition(pod, "Ready")["status"]


def nobody_goes_who_may_stay(moment):
    if moment.kind == "Pod" and moment.key.name in ("never-n1", "never-n2", "soon-n2"):
        assert moment.after is not None
        assert not meta.is_deleting(moment.after)


def who_goes_has_said_why(moment):
    if moment.kind == "Pod" and moment.after is not None and meta.is_deleting(moment.after):
        assert meta.condition(moment.after, "DisruptionTarget") is not None


FALL = Scenario(
    start=start_with(renewing=True, node_monitor_grace_seconds=1e6, node_eviction_rate=1.0),
    given=nodes_and_pods,
    steps=(one_is_not_ready, it_returns_and_the_other_falls_for_less_than_the_pods_tolerate),
    end=end,
    always=(nobody_goes_who_may_stay, who_goes_has_said_why),
    quiet=5,
)
GONE, STAYS = (True, "DeletionByTaintManager", "True"), (False, None, "True")


async def test_the_end_is_the_right_one():
    nodes, pods = (await live(FALL)).end
    assert nodes == {"n1": [("node.kubernetes.io/unschedulable", "NoSchedule")], "n2": []}
    assert pods == {"soon-n1": GONE, **dict.fromkeys(("never-n1", "never-n2", "soon-n2"), STAYS)}


async def test_killed_before_and_after_every_write():
    assert await killed_at_every_write(FALL) >= 8


@thorough
async def test_every_answer_in_turn_is_unclear():
    await unclear_at_every_write(FALL)


async def time_passes(cluster):
    await cluster.clock.advance(12)


SLOW_FALL = replace(FALL, steps=tuple(step for each in FALL.steps for step in (each, time_passes)))
"""With time for what a lagging cache shows at last."""


@pytest.mark.parametrize("resource", [NODES, PODS], ids=lambda r: r.plural)
async def test_a_cache_that_lags_or_a_watch_that_breaks(resource):
    await behind(SLOW_FALL, resource, 2)
    await cut_at_every_event(FALL, resource)
    await cut_at_every_event(FALL, resource, expired=True)


def nobody_is_emptied(moment):
    for node in moment.objects("Node").values():
        effects = {(t["key"], t["effect"]) for t in node["spec"].get("taints") or []}
        assert not effects & {(UNREACHABLE, "NoExecute"), (NOT_READY, "NoExecute")}


SILENCE = Scenario(
    start=start_with(node_monitor_grace_seconds=5, node_eviction_rate=1.0),
    given=nodes_and_pods,
    steps=(time_passes,),
    end=end,
    always=(nobody_is_emptied, nobody_goes_who_may_stay),
    quiet=7,
)


async def test_all_nodes_silent_killed_anywhere():
    assert await killed_at_every_write(SILENCE) >= 8
    nodes, pods = (await live(SILENCE)).end
    assert nodes == {name: [(UNREACHABLE, "NoSchedule")] for name in ("n1", "n2")}
    assert set(pods.values()) == {(False, None, "False")}


@thorough
async def test_all_nodes_silent_unclear_answers():
    await unclear_at_every_write(SILENCE)


async def they_are_heard_again_and_go(cluster):
    await cluster.heartbeat("n1")
    await says(cluster, "n1", "True")
    with contextlib.suppress(NotFound):
        await cluster.client.delete(NODES, "n2")
    for pod in await cluster.pods():
        if pod["spec"]["nodeName"] == "n1":
            await cluster.set_ready(pod)


async def settled(cluster):
    """The one that is left falls silent again: when, is not told."""
    nodes, pods = await end(cluster)
    return sorted(nodes), {name: state[:2] for name, state in pods.items()}


RETURN = Scenario(
    start=start_with(node_monitor_grace_seconds=5),
    given=nodes_and_pods,
    steps=(time_passes, they_are_heard_again_and_go),
    end=settled,
    always=(nobody_goes_who_may_stay,),
    quiet=7,
)


@thorough
@pytest.mark.parametrize("resource", [NODES, LEASES], ids=lambda r: r.plural)
async def test_silence_and_return_while_a_cache_lags(resource):
    await behind(RETURN, resource, 2)
    await cut_at_every_event(RETURN, resource, expired=True)
