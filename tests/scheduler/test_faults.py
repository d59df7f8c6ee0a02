"""Schedulers that are killed before and after each of their writes, that are two, that see late or not at all: no pod
is bound twice, no node gets more than it has, and it all ends as in the undisturbed life (invariants I4 and I8)."""

import asyncio
from collections import Counter

import pytest
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, live, unclear_at_every_write
from sampan_api import meta
from sampan_api.client import NODES, PODS, PRIORITYCLASSES, DeleteOptions
from sampan_api.quantity import milli
from sampan_master.scheduler import SchedulerConfig, run

CONTAINERS = [{"name": "c", "image": "busybox", "resources": {"requests": {"cpu": "1"}}}]


def bound_once(moment):
    """The node of a pod never changes."""
    if moment.kind == "Pod" and moment.before is not None and moment.after is not None:
        before = moment.before["spec"].get("nodeName")
        if before and meta.uid(moment.before) == meta.uid(moment.after):
            assert moment.after["spec"]["nodeName"] == before


def no_overcommit(moment):
    used = Counter()
    for pod in moment.objects("Pod").values():
        if pod["spec"].get("nodeName") and pod["status"].get("phase") not in ("Succeeded", "Failed"):
            used[pod["spec"]["nodeName"]] += 1000
    for node in moment.objects("Node").values():
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        assert used[meta.name(node)] <= milli(allocatable.get("cpu", 0))


async def one_scheduler(client, clock):
    await run(client, clock, SchedulerConfig())


async def two_schedulers(client, clock):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run(client, clock, SchedulerConfig(seed=1)))
        tasks.create_task(run(client, clock, SchedulerConfig(seed=2)))


async def nodes_and_a_kubelet(cluster):
    for name, cpu in (("n1", "2"), ("n2", "1")):
        await cluster.node(name, cpu=cpu)
    cluster.spawn(cluster.kubelet())


async def more_pods_than_fit(cluster):
    for i in range(5):
        await cluster.pod(f"p{i}", containers=CONTAINERS)


async def one_goes(cluster):
    await cluster.client.delete(PODS, "p0", "default", DeleteOptions(grace_seconds=0))


async def another_node(cluster):
    await cluster.node("n3", cpu="1")


async def how_many_are_bound(cluster):
    return Counter(bool(pod["spec"].get("nodeName")) for pod in await cluster.pods())


CROWD = {
    "steps": (more_pods_than_fit, one_goes, another_node),
    "given": nodes_and_a_kubelet,
    "end": how_many_are_bound,
    "always": (bound_once, no_overcommit),
}


async def nodes_and_priorities(cluster):
    await nodes_and_a_kubelet(cluster)
    for name, value in (("low", 1), ("high", 100)):
        cls = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        await cluster.client.create(PRIORITYCLASSES, {**cls, "value": value})


async def lesser_pods(cluster):
    for i in range(3):
        await cluster.pod(f"low{i}", containers=CONTAINERS, priorityClassName="low")


async def a_greater_one(cluster):
    await cluster.pod("high", containers=CONTAINERS, priorityClassName="high")


async def who_runs(cluster):
    """One that was bound before the greater one came had to go; where none was yet, one waits."""
    bound = [meta.name(pod) for pod in await cluster.pods() if pod["spec"].get("nodeName")]
    return "high" in bound, len(bound)


def scenario(start, of):
    return Scenario(start=start, **of)


PREEMPTION = {
    "steps": (lesser_pods, a_greater_one),
    "given": nodes_and_priorities,
    "end": who_runs,
    "always": (bound_once, no_overcommit),
}
SCENARIOS = pytest.mark.parametrize("of", [CROWD, PREEMPTION], ids=["crowd", "preemption"])


async def test_undisturbed_the_greater_one_takes_the_room_of_one():
    writes = (await live(scenario(one_scheduler, PREEMPTION))).writes
    assert [write.resource.plural for write in writes if write.verb == "delete"] == ["pods"]


@SCENARIOS
async def test_killed_before_and_after_each_write(of):
    assert await killed_at_every_write(scenario(one_scheduler, of)) > 6


@SCENARIOS
async def test_answers_that_do_not_say_whether_it_was_done(of):
    assert await unclear_at_every_write(scenario(one_scheduler, of)) > 6


@SCENARIOS
@pytest.mark.parametrize("resource", [PODS, NODES], ids=lambda r: r.plural)
async def test_a_stale_cache(of, resource):
    await behind(scenario(one_scheduler, of), resource, events=3)


@SCENARIOS
@pytest.mark.parametrize("expired", [False, True], ids=["broken", "forgotten"])
async def test_watches_that_break(of, expired):
    assert await cut_at_every_event(scenario(one_scheduler, of), PODS, expired=expired) > 6


async def test_two_schedulers_at_once():
    one = await live(scenario(one_scheduler, CROWD))
    two = await live(scenario(two_schedulers, CROWD))
    assert two.end == one.end


async def test_two_schedulers_that_see_late():
    one = await live(scenario(one_scheduler, CROWD))
    for lag in (1, 2, 5):
        assert (await live(scenario(two_schedulers, CROWD), lag={PODS: lag})).end == one.end


async def test_two_schedulers_killed_at_every_write():
    assert await killed_at_every_write(scenario(two_schedulers, CROWD), late=True) > 6
