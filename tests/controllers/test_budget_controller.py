"""Disruption budgets on the real registry: the status follows the pods, and evictions follow the status."""

import asyncio

import pytest
from cluster import eventually
from sampan_api import meta
from sampan_api.client import (
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    PODDISRUPTIONBUDGETS,
    PODS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    STATEFULSETS,
    PatchType,
)
from sampan_api.clock import rfc3339
from sampan_api.errors import ApiError, Forbidden, NotFound, TooManyRequests
from sampan_master.controllers import ControllersConfig, run
from sampan_master.controllers.budget_controller import BudgetController
from sampan_master.controllers.informers import Informers


def control(cluster):
    slow = {"node_monitor_period_seconds": 3600, "pod_gc_period_seconds": 3600}
    return cluster.spawn(run(cluster.client, cluster.clock, ControllersConfig(**slow)))


async def budget(cluster, name="b", app="rs", **spec):
    made = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}}
    made["spec"] = {"selector": {"matchLabels": {"app": app}}, **spec}
    return await cluster.client.create(PODDISRUPTIONBUDGETS, made, "default")


async def status(cluster, name="b"):
    return (await cluster.client.get(PODDISRUPTIONBUDGETS, name, "default"))["status"]


async def told(cluster, name="b", **expected):
    async def check():
        now = await status(cluster, name)
        return now if all(now.get(field) == value for field, value in expected.items()) else None

    return await eventually(check)


async def evict(cluster, pod):
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "default"}}
    await cluster.client.create(PODS, eviction, "default", "eviction")


async def running_pod(cluster, name, **rest):
    pod = await cluster.pod(name, node="n", labels={"app": "rs"}, **rest)
    await cluster.set_ready(pod)
    return pod


async def test_the_budget_follows_the_scale_of_the_owner(cluster):
    control(cluster)
    cluster.spawn(cluster.kubelet())
    await cluster.node("n")
    await cluster.replica_set("rs", 4)
    await budget(cluster, maxUnavailable="25%")
    for pod in await eventually(lambda: four(cluster)):
        await cluster.client.create(
            PODS,
            {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta.name(pod)}, "target": {"name": "n"}},
            "default",
            "binding",
        )
    await told(cluster, expectedPods=4, desiredHealthy=3, currentHealthy=4, disruptionsAllowed=1)
    await cluster.client.patch(REPLICASETS, "rs", {"spec": {"replicas": 3}}, "default")
    await told(cluster, expectedPods=3, desiredHealthy=2, currentHealthy=3, disruptionsAllowed=1)


def controlled_by(owner):
    fields = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta.name(owner)}
    return [{**fields, "uid": meta.uid(owner), "controller": True}]


async def workload(cluster, resource, name, replicas, **metadata):
    labels = {"app": "rs"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    selector = labels if resource is REPLICATIONCONTROLLERS else {"matchLabels": labels}
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name, **metadata}}
    spec = {"replicas": replicas, "selector": selector, "template": pod}
    if resource is STATEFULSETS:
        spec["serviceName"] = "s"
    return await cluster.client.create(resource, {**obj, "spec": spec}, "default")


@pytest.mark.parametrize("resource", [REPLICATIONCONTROLLERS, STATEFULSETS], ids=lambda r: r.kind)
async def test_owners_of_other_kinds_say_what_they_want_too(cluster, resource):
    owner = await workload(cluster, resource, "w", 4)
    await running_pod(cluster, "a", owners=controlled_by(owner))
    await budget(cluster, minAvailable="50%")
    cluster.spawn(run_budgets(cluster))
    await told(cluster, expectedPods=4, desiredHealthy=2, currentHealthy=1)


async def test_a_deployment_answers_for_its_replicasets(cluster):
    deployment = await workload(cluster, DEPLOYMENTS, "d", 3)
    for name in ("old", "new"):
        rs = await workload(cluster, REPLICASETS, name, 2, ownerReferences=controlled_by(deployment))
        await running_pod(cluster, f"{name}-pod", owners=controlled_by(rs))
    await budget(cluster, maxUnavailable=1)
    cluster.spawn(run_budgets(cluster))
    await told(cluster, expectedPods=3, desiredHealthy=2, currentHealthy=2)


async def run_budgets(cluster, client=None):
    """The one controller without the others, which would make pods of their own."""
    client = client or cluster.client
    informers = Informers(client, cluster.clock)
    controller = BudgetController(client, cluster.clock, informers, 1)
    async with asyncio.TaskGroup() as tasks:
        for informer in informers.all:
            tasks.create_task(informer.run())
        await informers.synced()
        tasks.create_task(controller.run())


async def four(cluster):
    pods = await cluster.pods()
    return pods if len(pods) == 4 else None


async def test_two_evictions_at_one_moment_do_not_share_the_last_disruption(cluster):
    control(cluster)
    for name in ("a", "b", "c"):
        await running_pod(cluster, name)
    await budget(cluster, minAvailable=2)
    await told(cluster, disruptionsAllowed=1)
    answers = await asyncio.gather(*(evict(cluster, name) for name in "abc"), return_exceptions=True)
    refused = [answer for answer in answers if answer is not None]
    assert [type(answer) for answer in refused] == [TooManyRequests] * 2
    going = [pod for pod in await cluster.pods() if meta.is_deleting(pod)]
    assert len(going) == 1
    assert meta.condition(going[0], "DisruptionTarget")["reason"] == "EvictionByEvictionAPI"


async def test_what_was_granted_counts_until_the_pod_is_seen_going(cluster):
    for name in ("a", "b"):
        await running_pod(cluster, name)
    made = await budget(cluster, minAvailable=1)
    granted = {"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1}
    await cluster.client.update(PODDISRUPTIONBUDGETS, made | {"status": granted | {"expectedPods": 2}}, "status")
    await evict(cluster, "a")
    left = await status(cluster)
    assert left["disruptionsAllowed"] == 0
    assert list(left["disruptedPods"]) == ["a"]
    assert left["conditions"][0]["reason"] == "InsufficientPods"
    control(cluster)
    seen = await told(cluster, currentHealthy=1, expectedPods=2, disruptionsAllowed=0)
    assert "disruptedPods" not in seen


async def test_a_count_made_before_a_grant_does_not_undo_it(cluster):
    for name in ("a", "b"):
        await running_pod(cluster, name)
    made = await budget(cluster, minAvailable=1)
    counted = {"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1}
    stale = await cluster.client.update(PODDISRUPTIONBUDGETS, made | {"status": counted}, "status")
    await evict(cluster, "a")
    with pytest.raises(ApiError, match="the object has been modified"):
        await cluster.client.update(PODDISRUPTIONBUDGETS, stale, "status")


async def test_pods_whose_owner_has_no_scale_make_the_count_fail_safe(cluster):
    control(cluster)
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": "default", "controller": True}
    owner["uid"] = meta.uid(await cluster.client.get(NAMESPACES, "default"))
    await budget(cluster, maxUnavailable=1)
    await told(cluster, observedGeneration=1)
    await running_pod(cluster, "a", owners=[owner])
    await eventually(lambda: sync_failed(cluster))
    assert (await status(cluster))["disruptionsAllowed"] == 0
    with pytest.raises(TooManyRequests) as refused:
        await evict(cluster, "a")
    [cause] = refused.value.details["causes"]
    assert "failed sync: namespaces does not implement the scale subresource" in cause["message"]


async def sync_failed(cluster):
    conditions = (await status(cluster)).get("conditions") or [{}]
    return conditions[0].get("reason") == "SyncFailed"


async def test_pods_without_owner_are_told_of_where_owners_count(cluster):
    control(cluster)
    await running_pod(cluster, "a")
    await budget(cluster, maxUnavailable=1)
    await told(cluster, expectedPods=0, disruptionsAllowed=0)

    async def warned():
        return [e for e in await cluster.list(EVENTS, "default") if e["reason"] == "UnmanagedPods"]

    assert "(selector: app=rs)" in (await eventually(warned))[0]["message"]


async def test_a_pod_that_was_not_evicted_after_all_stops_saying_so(timeless):
    cluster = timeless
    await running_pod(cluster, "a")
    stamp = rfc3339(cluster.clock.now())
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "R", "lastTransitionTime": stamp}
    patch = {"status": {"conditions": [condition]}}
    await cluster.client.patch(PODS, "a", patch, "default", type=PatchType.STRATEGIC, subresource="status")
    cluster.spawn(run_budgets(cluster))

    async def said():
        return meta.condition(await cluster.client.get(PODS, "a", "default"), "DisruptionTarget")

    async def taken_back():
        await cluster.clock.advance(10)
        return (await said())["status"] == "False"

    await cluster.clock.advance(100)
    assert (await said())["status"] == "True"
    await eventually(taken_back)
    assert "reason" not in await said()


async def test_a_namespace_with_a_budget_goes(cluster):
    control(cluster)
    await cluster.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
    made = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": {}}
    await cluster.client.create(PODDISRUPTIONBUDGETS, made, "x")
    await cluster.client.delete(NAMESPACES, "x")

    async def gone():
        try:
            await cluster.client.get(NAMESPACES, "x")
        except NotFound:
            return True
        return False

    await eventually(gone)
    assert await cluster.list(PODDISRUPTIONBUDGETS, "x") == []


class Closed:
    """A client that may not read ReplicaSets one by one."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def get(self, resource, name, namespace=""):
        if resource == REPLICASETS:
            raise Forbidden(f'replicasets.apps "{name}" is forbidden')
        return await self._client.get(resource, name, namespace)


async def test_while_an_owner_cannot_be_read_nothing_may_go(cluster):
    cluster.spawn(run_budgets(cluster, Closed(cluster.client)))
    made = await cluster.replica_set("rs", 1)
    seen = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "rs",
        "uid": meta.uid(made),
        "controller": True,
    }
    await budget(cluster, maxUnavailable=1)
    await running_pod(cluster, "a", owners=[seen])
    await told(cluster, disruptionsAllowed=1)
    await running_pod(cluster, "b", owners=[seen | {"name": "hidden", "uid": "u"}])
    await told(cluster, disruptionsAllowed=0)
    assert await sync_failed(cluster)


async def test_owners_that_cannot_be_counted_say_which_they_are(cluster):
    cluster.spawn(run_budgets(cluster))
    kinds = {"job": ("batch/v1", "Job"), "widget": ("example.com/v1", "Widget"), "lost": ("apps/v1", "ReplicaSet")}
    for name, (version, kind) in kinds.items():
        owner = {"apiVersion": version, "kind": kind, "name": "o", "uid": "u", "controller": True}
        await cluster.pod(name, labels={"app": name}, owners=[owner])
        await budget(cluster, name, app=name, maxUnavailable=1)

    def failure(name):
        async def check():
            conditions = (await status(cluster, name)).get("conditions") or []
            return next((c["message"] for c in conditions if c["reason"] == "SyncFailed"), None)

        return check

    assert await eventually(failure("job")) == "jobs.batch does not implement the scale subresource"
    assert await eventually(failure("widget")) == 'no matches for kind "Widget" in version "example.com/v1"'
    assert await eventually(failure("lost")) == 'found no controllers for pod "lost"'


async def test_another_scale_is_counted_before_any_pod_follows_it(cluster):
    deployment = await workload(cluster, DEPLOYMENTS, "d", 3)
    rs = await workload(cluster, REPLICASETS, "rs", 3, ownerReferences=controlled_by(deployment))
    await running_pod(cluster, "a", owners=controlled_by(rs))
    await budget(cluster, maxUnavailable=1)
    cluster.spawn(run_budgets(cluster))
    await told(cluster, expectedPods=3)
    await cluster.client.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 7}}, "default")
    await told(cluster, expectedPods=7, desiredHealthy=6)


async def test_a_pod_under_two_budgets_is_told_once(cluster):
    cluster.spawn(run_budgets(cluster))
    for name in ("b1", "b2"):
        await budget(cluster, name, minAvailable=1)
        await told(cluster, name, observedGeneration=1)
    await running_pod(cluster, "a")
    await told(cluster, "b2", currentHealthy=1)

    async def events():
        return [e for e in await cluster.list(EVENTS, "default") if e["reason"] == "MultiplePodDisruptionBudgets"]

    [event] = await eventually(events)
    assert event["message"] == 'Pod "default"/"a" matches multiple PodDisruptionBudgets.  Chose "b1" arbitrarily.'
    assert event["count"] == 1


async def test_an_owner_made_anew_under_its_name_is_not_the_owner(cluster):
    """Neither for the cache nor for the API."""
    rs = await workload(cluster, REPLICASETS, "w", 4)
    lost = [{**controlled_by(rs)[0], "uid": "before"}]
    await running_pod(cluster, "a", owners=lost)
    await budget(cluster, minAvailable="50%")
    cluster.spawn(run_budgets(cluster))
    await eventually(lambda: sync_failed(cluster))
    assert (await status(cluster))["conditions"][0]["message"] == 'found no controllers for pod "a"'


async def test_a_pod_that_is_no_longer_selected_is_no_longer_counted(cluster):
    for name in ("a", "b"):
        await running_pod(cluster, name)
    await budget(cluster, minAvailable=1)
    cluster.spawn(run_budgets(cluster))
    await told(cluster, currentHealthy=2, disruptionsAllowed=1)
    await cluster.client.patch(PODS, "b", {"metadata": {"labels": {"app": "other"}}}, "default")
    await told(cluster, currentHealthy=1, disruptionsAllowed=0)
