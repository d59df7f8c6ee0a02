"""The scheduling loop on the real registry."""

import asyncio

from cluster import eventually
from sampan_api import meta
from sampan_api.client import EVENTS, NODES, PODS, PRIORITYCLASSES
from sampan_api.errors import Forbidden, ServiceUnavailable
from sampan_master.scheduler import SchedulerConfig, run
from sampan_master.scheduler.plugins import DEFAULT
from sampan_master.scheduler.plugins.plugin import Filter, Plugin, Scope
from sampan_master.scheduler.profile import Profile


class Flaky:
    """A client whose bindings fail, before or after they took effect, as often as told."""

    def __init__(self, client, *, before=0, after=0):
        self._client, self.before, self.after = client, before, after

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def create(self, resource, obj, namespace="", subresource=""):
        if subresource == "binding" and self.before:
            self.before -= 1
            raise ServiceUnavailable("etcd is away")
        answer = await self._client.create(resource, obj, namespace, subresource)
        if subresource == "binding" and self.after:
            self.after -= 1
            raise ServiceUnavailable("etcd went away")
        return answer


class Forbidding:
    """A client that may not bind."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def create(self, resource, obj, namespace="", subresource=""):
        if subresource == "binding":
            raise Forbidden("you may not bind")
        return await self._client.create(resource, obj, namespace, subresource)


def stumbling_over(name, error):
    """The default profile with a plug-in that fails on one pod."""

    def mask(nodes, pod, rows):
        if dict(pod.relations.labels).get("name") == name:
            raise error
        return nodes.live[rows]

    plugin = Plugin("Stumbles", Filter(Scope.POD, mask, lambda nodes, pod, rows: []))
    return (Profile(plugins=(*DEFAULT, plugin)),)


def schedule(cluster, client=None, **config):
    return cluster.spawn(run(client or cluster.client, cluster.clock, SchedulerConfig(**config)))


async def bound(cluster, count):
    pods = [p for p in await cluster.pods() if p["spec"].get("nodeName")]
    return pods if len(pods) == count else None


async def events(cluster, reason):
    return [e for e in await cluster.list(EVENTS, "default") if e["reason"] == reason]


async def test_a_pod_is_bound_and_says_so(cluster):
    await cluster.node("n1")
    schedule(cluster)
    await cluster.pod("web")
    (pod,) = await eventually(lambda: bound(cluster, 1))
    assert pod["spec"]["nodeName"] == "n1"
    assert meta.condition(pod, "PodScheduled")["status"] == "True"
    (event,) = await eventually(lambda: events(cluster, "Scheduled"))
    assert event["message"] == "Successfully assigned default/web to n1"
    assert event["reportingComponent"] == "default-scheduler"


async def test_a_pod_that_fits_nowhere_says_why_and_goes_when_a_node_comes(cluster):
    await cluster.node("n1", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    schedule(cluster)
    await cluster.pod("web")

    async def refused():
        pod = await cluster.client.get(PODS, "web", "default")
        return meta.condition(pod, "PodScheduled")

    condition = await eventually(refused)
    assert condition["reason"] == "Unschedulable"
    assert condition["message"].startswith("0/1 nodes are available: 1 node(s) had untolerated taint(s). ")
    (event,) = await eventually(lambda: events(cluster, "FailedScheduling"))
    assert event["message"] == condition["message"]
    await cluster.node("n2")
    (pod,) = await eventually(lambda: bound(cluster, 1))
    assert pod["spec"]["nodeName"] == "n2"


async def test_replicas_spread_over_equal_nodes_and_never_overcommit(cluster):
    for i in range(3):
        await cluster.node(f"n{i}", pods="5")
    schedule(cluster)
    for i in range(20):
        await cluster.pod(f"p{i}")
    pods = await eventually(lambda: bound(cluster, 15))
    assert sorted(p["spec"]["nodeName"] for p in pods) == sorted(["n0", "n1", "n2"] * 5)


async def test_two_schedulers_bind_every_pod_once(cluster):
    for i in range(4):
        await cluster.node(f"n{i}", cpu="10", memory="64Gi")
    schedule(cluster, seed=1)
    schedule(cluster, seed=2)
    await asyncio.gather(*(cluster.pod(f"p{i}") for i in range(40)))
    await eventually(lambda: bound(cluster, 40))


async def test_a_pod_of_another_scheduler_is_left_alone(cluster):
    await cluster.node("n1")
    schedule(cluster)
    await cluster.pod("other", schedulerName="mine")
    await cluster.pod("ours")
    (pod,) = await eventually(lambda: bound(cluster, 1))
    assert meta.name(pod) == "ours"


async def test_a_binding_that_failed_is_tried_again(cluster):
    await cluster.node("n1")
    schedule(cluster, Flaky(cluster.client, before=1), initial_backoff_seconds=0.01)
    await cluster.pod("web")
    await eventually(lambda: bound(cluster, 1))


async def test_a_binding_that_is_refused_is_told_on_the_pod(cluster):
    await cluster.node("n1")
    schedule(cluster, Forbidding(cluster.client))
    await cluster.pod("web")
    (event, *_) = await eventually(lambda: events(cluster, "FailedScheduling"))
    assert event["message"] == 'running Bind plugin "DefaultBinder": you may not bind'

    async def told():
        return meta.condition(await cluster.client.get(PODS, "web", "default"), "PodScheduled")

    condition = await eventually(told)
    assert (condition["status"], condition["reason"]) == ("False", "SchedulerError")
    assert condition["message"] == event["message"]


async def test_a_pod_that_scheduling_stumbles_over_keeps_no_other_waiting(cluster):
    await cluster.node("n1")
    schedule(cluster, profiles=stumbling_over("bad", ValueError("not a number")))
    await cluster.pod("bad", labels={"name": "bad"})
    (event, *_) = await eventually(lambda: events(cluster, "FailedScheduling"))
    assert event["message"] == "ValueError: not a number"
    await cluster.pod("good")
    (pod,) = await eventually(lambda: bound(cluster, 1))
    assert meta.name(pod) == "good"


async def test_a_binding_with_an_unclear_outcome_is_looked_up(cluster):
    await cluster.node("n1", pods="1")
    schedule(cluster, Flaky(cluster.client, after=1))
    await cluster.pod("a")
    await eventually(lambda: events(cluster, "Scheduled"))
    assert len(await bound(cluster, 1)) == 1


async def test_room_made_by_a_deleted_pod_is_used(cluster):
    await cluster.node("n1", pods="1")
    schedule(cluster, initial_backoff_seconds=0.01)
    await cluster.pod("first")
    await eventually(lambda: bound(cluster, 1))
    await cluster.pod("second")
    await eventually(lambda: events(cluster, "FailedScheduling"))
    cluster.spawn(cluster.kubelet())
    await cluster.client.delete(PODS, "first", "default")

    async def second_bound():
        return (await cluster.client.get(PODS, "second", "default"))["spec"].get("nodeName")

    assert await eventually(second_bound) == "n1"


async def test_a_cordoned_node_gets_nothing(cluster):
    await cluster.node("n1")
    await cluster.node("n2")
    node = await cluster.client.get(NODES, "n1")
    await cluster.client.update(NODES, meta.with_path(node, ("spec", "unschedulable"), True))
    schedule(cluster)
    for i in range(6):
        await cluster.pod(f"p{i}")
    assert {p["spec"]["nodeName"] for p in await eventually(lambda: bound(cluster, 6))} == {"n2"}


async def test_a_promise_that_a_more_important_pod_takes_is_taken_back_in_the_api_too(cluster):
    """Nobody is stopped meanwhile: there is no kubelet."""
    await cluster.node("n1", cpu="1")
    schedule(cluster)
    requests = [{"name": "c", "image": "busybox", "resources": {"requests": {"cpu": "1"}}}]
    await cluster.pod("low", containers=requests)
    await eventually(lambda: bound(cluster, 1))
    for name, value in (("high", 1000), ("highest", 2000)):
        kind = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
        }
        await cluster.client.create(PRIORITYCLASSES, kind)

    def nominated(name, node):
        async def check():
            status = (await cluster.client.get(PODS, name, "default"))["status"]
            return status.get("nominatedNodeName") == node

        return check

    await cluster.pod("high", containers=requests, priorityClassName="high")
    await eventually(nominated("high", "n1"))
    await cluster.pod("highest", containers=requests, priorityClassName="highest")
    await eventually(nominated("highest", "n1"))
    await eventually(nominated("high", None))


async def test_a_pod_of_higher_priority_evicts_and_takes_the_room(cluster):
    await cluster.node("n1", cpu="1")
    cluster.spawn(cluster.kubelet())
    schedule(cluster)
    requests = [{"name": "c", "image": "busybox", "resources": {"requests": {"cpu": "1"}}}]
    await cluster.pod("low", containers=requests)
    await eventually(lambda: bound(cluster, 1))
    await cluster.client.create(
        PRIORITYCLASSES,
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000},
    )
    await cluster.pod("high", containers=requests, priorityClassName="high")

    async def only_high():
        pods = await bound(cluster, 1)
        return pods if pods and pods[0]["metadata"]["name"] == "high" else None

    (pod,) = await eventually(only_high)
    assert pod["spec"]["nodeName"] == "n1"
    (event,) = await eventually(lambda: events(cluster, "Preempted"))
    assert event["message"] == f"Preempted by pod {meta.uid(pod)} on node n1"
    assert event["involvedObject"]["name"] == "low"
