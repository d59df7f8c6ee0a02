"""Disruption budgets whose controller is killed, answered unclearly or kept behind: evictions never take too many."""

import asyncio
import contextlib

import pytest
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, unclear_at_every_write
from sampan_api import meta
from sampan_api.client import (
    DEPLOYMENTS,
    PODDISRUPTIONBUDGETS,
    PODS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    STATEFULSETS,
    DeleteOptions,
)
from sampan_api.errors import NotFound, TooManyRequests
from sampan_master.controllers.budget_controller import BudgetController
from sampan_master.controllers.informers import Informers
from thorough import thorough

FOLLOWED = [PODS, PODDISRUPTIONBUDGETS, REPLICASETS, REPLICATIONCONTROLLERS, DEPLOYMENTS, STATEFULSETS]


async def start(client, clock):
    informers = Informers(client, clock, FOLLOWED)
    controller = BudgetController(client, clock, informers, 1)
    async with asyncio.TaskGroup() as tasks:
        for informer in informers.all:
            tasks.create_task(informer.run())
        await informers.synced()
        tasks.create_task(controller.run())


async def four_pods(cluster):
    rs = await cluster.replica_set("web", 4)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": meta.uid(rs), "controller": True}
    for number in range(4):
        pod = await cluster.pod(f"web-{number}", node="n1", labels={"app": "web"}, owners=[owner])
        await cluster.set_ready(pod)


async def a_budget(cluster):
    spec = {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": "50%"}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": spec}
    await cluster.client.create(PODDISRUPTIONBUDGETS, budget, "default")


async def everybody_is_evicted(cluster):
    for pod in await cluster.pods():
        metadata = {"name": meta.name(pod), "namespace": "default"}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        with contextlib.suppress(TooManyRequests, NotFound):
            await cluster.client.create(PODS, eviction, "default", "eviction")


async def who_goes_is_gone(cluster):
    for pod in await cluster.pods():
        if meta.is_deleting(pod):
            options = DeleteOptions(grace_seconds=0)
            await cluster.client.delete(PODS, meta.name(pod), "default", options)


async def the_owner_wants_two(cluster):
    await cluster.client.patch(REPLICASETS, "web", {"spec": {"replicas": 2}}, "default")


async def end(cluster):
    status = (await cluster.client.get(PODDISRUPTIONBUDGETS, "b", "default"))["status"]
    [condition] = status["conditions"]
    counts = {
        field: status[field] for field in ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    }
    return len(await cluster.pods()), counts, (condition["status"], condition["reason"]), status.get("disruptedPods")


def never_too_few(moment):
    pods = moment.objects("Pod").values()
    if len(pods) == 4:
        assert sum(not meta.is_deleting(pod) for pod in pods) >= 2


SCENARIO = Scenario(
    start=start,
    given=four_pods,
    steps=(a_budget, everybody_is_evicted, who_goes_is_gone, everybody_is_evicted, the_owner_wants_two),
    end=end,
    always=(never_too_few,),
    quiet=4,
)


async def test_killed_before_and_after_every_write():
    assert await killed_at_every_write(SCENARIO) >= 4


@thorough
async def test_every_answer_in_turn_is_unclear():
    await unclear_at_every_write(SCENARIO)


@pytest.mark.parametrize("resource", [PODS, PODDISRUPTIONBUDGETS, REPLICASETS], ids=lambda r: r.plural)
async def test_a_cache_that_lags_or_a_watch_that_breaks(resource):
    await behind(SCENARIO, resource, 2)
    await cut_at_every_event(SCENARIO, resource, expired=True)
