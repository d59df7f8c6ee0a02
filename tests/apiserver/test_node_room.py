"""No two bindings get the same room, however they race."""

import asyncio
import sys
from pathlib import Path

import pytest
from sampan_api.client import PODS, DeleteOptions
from sampan_api.errors import Conflict

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


async def test_the_number_of_pods_counts(cluster):
    await cluster.node("n1", pods="3")
    for i in range(5):
        await cluster.pod(f"p{i}")
    assert len(await bind_all(cluster, [f"p{i}" for i in range(5)], "n1")) == 2
