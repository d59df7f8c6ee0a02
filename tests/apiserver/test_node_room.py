"""No two bindings get the same room, however they race."""

import asyncio
import sys
from pathlib import Path

import pytest
from sampan_api.client import PODS, DeleteOptions
from sampan_api.errors import Conflict
from sampan_master.apiserver.encoding.options import WriteOptions
from sampan_master.apiserver.resources.kinds.pods import RESOURCE as PODS_TYPE
from sampan_master.apiserver.subresources.binding import bind as bind_pod

sys.path.insert(0, str(Path(__file__).parent.parent / "controllers"))
from cluster import cluster

__all__ = ["cluster"]


def asking(cpu):
    return [{"name": "c", "image": "busybox", "resources": {"requests": {"cpu": cpu}}}]


async def bind(cluster, name, node):
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"name": node}}
    await cluster.client.create(PODS, binding, "default", "binding")


async def bind_all(cluster, names, node):
    outcomes = await asyncio.gather(*(bind(cluster, name, node) for name in names), return_exceptions=True)
    return [outcome for outcome in outcomes if outcome is not None]


async def test_bindings_at_the_same_moment_do_not_overcommit(cluster):
    await cluster.node("n1", cpu="4")
    for i in range(10):
        await cluster.pod(f"p{i}", containers=asking("1500m"))
    refused = await bind_all(cluster, [f"p{i}" for i in range(10)], "n1")
    assert len(refused) == 8
    assert all(isinstance(error, Conflict) for error in refused)
    assert "node n1 has no room for it: cpu: requested 1500, free 1000" in refused[0].message


async def test_room_is_free_again_when_its_pod_is_gone(cluster):
    await cluster.node("n1", cpu="2")
    for name in ("a", "b"):
        await cluster.pod(name, containers=asking("2"))
    await bind(cluster, "a", "n1")
    with pytest.raises(Conflict):
        await bind(cluster, "b", "n1")
    await cluster.client.delete(PODS, "a", "default", DeleteOptions(grace_seconds=0))
    await cluster.cache.fresh()
    await bind(cluster, "b", "n1")


async def test_pods_that_came_with_their_node_count_and_ended_ones_do_not(cluster):
    await cluster.node("n1", cpu="2")
    await cluster.pod("placed", node="n1", containers=asking("2"))
    await cluster.pod("late", containers=asking("1"))
    with pytest.raises(Conflict):
        await bind(cluster, "late", "n1")
    await cluster.client.patch(PODS, "placed", {"status": {"phase": "Succeeded"}}, "default", subresource="status")
    await cluster.cache.fresh()
    await bind(cluster, "late", "n1")


async def test_a_refused_binding_keeps_no_room(cluster):
    await cluster.node("n1", cpu="2")
    await cluster.node("n2", cpu="2")
    await cluster.pod("a", containers=asking("2"))
    await bind(cluster, "a", "n1")
    with pytest.raises(Conflict, match="already assigned"):
        await bind(cluster, "a", "n2")
    await cluster.pod("b", containers=asking("2"))
    await bind(cluster, "b", "n2")


async def test_a_node_that_nobody_registered_takes_what_it_is_given(cluster):
    await cluster.pod("a", containers=asking("2"))
    await bind(cluster, "a", "elsewhere")


async def dry_run(cluster, name, node):
    """A binding that is not written; the room it asks for is free again behind it."""
    binding = {"metadata": {"name": name}, "target": {"name": node}}
    await bind_pod(cluster.registry, PODS_TYPE, "default", name, binding, WriteOptions(dry_run=True))


async def test_a_dry_run_gives_back_what_it_took_and_no_more(cluster):
    await cluster.node("n1", cpu="3")
    for name, cpu in (("bound", "1"), ("tried", "2"), ("large", "3"), ("fits", "2")):
        await cluster.pod(name, containers=asking(cpu))
    await bind(cluster, "bound", "n1")
    for _ in range(2):
        await dry_run(cluster, "tried", "n1")
    with pytest.raises(Conflict):
        await bind(cluster, "large", "n1")
    await bind(cluster, "fits", "n1")


async def test_room_of_a_binding_that_nobody_knows_the_end_of_is_free_when_its_pod_goes(cluster):
    await cluster.node("n1", cpu="2")
    pods = [await cluster.pod(name, containers=asking("2")) for name in ("lost", "next")]
    assert cluster.registry.node_room.reserve(pods[0], "n1") == ""
    with pytest.raises(Conflict):
        await bind(cluster, "next", "n1")
    await cluster.client.delete(PODS, "lost", "default", DeleteOptions(grace_seconds=0))
    await cluster.cache.fresh()
    await bind(cluster, "next", "n1")


async def test_a_binding_of_a_pod_that_moved_its_reservation_counts_once(cluster):
    for name in ("n1", "n2"):
        await cluster.node(name, cpu="2")
    pods = [await cluster.pod(name, containers=asking("2")) for name in ("a", "b")]
    room = cluster.registry.node_room
    assert [room.reserve(pods[0], node) for node in ("n1", "n2")] == ["", ""]
    assert room.reserve(pods[1], "n1") == ""
    assert "has no room for it" in room.reserve(pods[1], "n2")


async def test_a_resize_weighs_as_soon_as_the_status_tells_of_it(cluster):
    await cluster.node("n1", cpu="4")
    for name, cpu in (("grown", "1"), ("next", "2")):
        await cluster.pod(name, containers=asking(cpu))
    await bind(cluster, "grown", "n1")

    async def holds(cpu):
        held = {"name": "c", "allocatedResources": {"cpu": cpu}, "resources": {"requests": {"cpu": cpu}}}
        pod = await cluster.client.get(PODS, "grown", "default")
        told = pod | {"status": pod["status"] | {"containerStatuses": [held]}}
        await cluster.client.update(PODS, told, "status")
        await cluster.cache.fresh()

    await holds("3")
    with pytest.raises(Conflict):
        await bind(cluster, "next", "n1")
    await holds("1")
    await bind(cluster, "next", "n1")


async def test_the_number_of_pods_counts(cluster):
    await cluster.node("n1", pods="3")
    for i in range(5):
        await cluster.pod(f"p{i}")
    assert len(await bind_all(cluster, [f"p{i}" for i in range(5)], "n1")) == 2
