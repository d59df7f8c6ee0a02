"""Emptying a namespace: what is told, what is tried again, and how long things may take."""

from cluster import eventually
from sampan_api import meta
from sampan_api.client import CONFIGMAPS, NAMESPACES, PODS, REPLICASETS, DeleteOptions
from sampan_api.clock import rfc3339
from sampan_api.errors import Forbidden, NotFound
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.namespace_controller import NamespaceController
from sampan_master.controllers.namespace_drain import Drain, grace_left

NAMESPACE = {"metadata": {"name": "team", "deletionTimestamp": rfc3339(1000)}}


def pod(grace, phase="Running"):
    return {
        "metadata": {"name": "p"},
        "spec": {"terminationGracePeriodSeconds": grace},
        "status": {"phase": phase},
    }


def test_pods_may_take_the_longest_of_their_grace_periods_but_not_longer():
    assert grace_left([pod(30), pod(90)], NAMESPACE, 1010) == 90
    assert grace_left([pod(30), pod(90, "Succeeded")], NAMESPACE, 1010) == 30
    assert grace_left([pod(30), pod(90)], NAMESPACE, 1090) == 0


def drained(*left, now=1010):
    drain = Drain()
    for resource, objects in left:
        drain.add(NAMESPACE, resource, objects, now)
    return drain


def test_the_next_look_comes_after_half_of_what_the_slowest_may_take():
    held = {"metadata": {"name": "x", "finalizers": ["example.com/f"]}}
    assert drained((PODS, [pod(30)]), (CONFIGMAPS, [held])).look_again == 16
    assert drained((CONFIGMAPS, [held])).look_again == 8
    assert drained((CONFIGMAPS, [])).is_empty


def test_what_is_still_there_without_a_reason_is_a_failure():
    said = drained((PODS, [pod(30)]), (REPLICASETS, [{"metadata": {"name": "x"}}]), now=2000).failures
    assert list(said) == [
        "unexpected items still remain in namespace: team for gvr: /v1, Resource=pods",
        "unexpected items still remain in namespace: team for gvr: apps/v1, Resource=replicasets",
    ]


class Refusing:
    """A client that may delete nothing of one resource while `resource` is set."""

    def __init__(self, client, resource):
        self._client, self.resource = client, resource

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def delete(self, resource, name, *arguments):
        if resource == self.resource:
            raise Forbidden(f"{resource.plural} may not be deleted")
        return await self._client.delete(resource, name, *arguments)


async def start(cluster, client=None):
    client = client or cluster.client
    informers = Informers(client, cluster.clock)
    controller = NamespaceController(client, cluster.clock, informers)
    for informer in informers.all:
        cluster.spawn(informer.run())
    await informers.synced()
    cluster.spawn(controller.run())
    return informers, controller


async def team(cluster, *contents, finalizers=()):
    metadata = {"name": "team"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "spec": {"finalizers": [*finalizers]}}
    made = await cluster.client.create(NAMESPACES, namespace)
    for name in contents:
        metadata = {"name": name, "namespace": "team"}
        await cluster.client.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, "team")
    return made


def condition(cluster, kind, status):
    async def check():
        found = meta.condition(await cluster.client.get(NAMESPACES, "team"), kind)
        return found if found is not None and found["status"] == status else None

    return check


async def is_gone(cluster):
    try:
        await cluster.client.get(NAMESPACES, "team")
    except NotFound:
        return True
    return False


async def test_what_may_not_be_deleted_is_told_and_tried_again(cluster):
    client = Refusing(cluster.client, CONFIGMAPS)
    await team(cluster, "a", "b")
    await start(cluster, client)
    await cluster.client.delete(NAMESPACES, "team")
    failure = await eventually(condition(cluster, "NamespaceDeletionContentFailure", "True"))
    assert failure["reason"] == "ContentDeletionFailed"
    assert "configmaps may not be deleted" in failure["message"]
    remaining = await eventually(condition(cluster, "NamespaceContentRemaining", "True"))
    assert remaining["message"] == "Some resources are remaining: configmaps. has 2 resource instances"
    client.resource = None
    await eventually(lambda: is_gone(cluster))


async def test_a_namespace_with_a_finalizer_of_its_own_says_that_its_content_has_gone(cluster):
    await team(cluster, "a", finalizers=["example.com/mine"])
    await start(cluster)
    await cluster.client.delete(NAMESPACES, "team")
    await eventually(condition(cluster, "NamespaceContentRemaining", "False"))

    async def ours_is_done():
        return (await cluster.client.get(NAMESPACES, "team"))["spec"]["finalizers"] == ["example.com/mine"]

    await eventually(ours_is_done)
    assert await cluster.list(CONFIGMAPS, "team") == []


async def test_a_cache_that_shows_the_namespace_before_this_one_deletes_nothing_of_it(cluster):
    """The watch is far behind: the namespace it shows as going has gone, and another has its name."""
    informers, controller = await start(cluster)
    await team(cluster, "old")
    await cluster.client.delete(NAMESPACES, "team")
    await eventually(lambda: is_gone(cluster))
    await team(cluster, "new")
    await eventually(lambda: informers[NAMESPACES].get("team"))
    stale = await cluster.client.get(NAMESPACES, "team")
    stale = stale | {"metadata": stale["metadata"] | {"uid": "before", "deletionTimestamp": rfc3339(1000)}}
    informers[NAMESPACES]._items[meta.key(stale)] = stale
    assert await controller.sync("team") is None
    assert [meta.name(o) for o in await cluster.list(CONFIGMAPS, "team")] == ["new"]


async def test_what_waits_in_the_last_phase_is_deleted_by_its_uid_with_its_dependents(cluster):
    asked = []

    class Noting(Refusing):
        async def delete(self, resource, name, namespace="", options=None):
            asked.append((name, options))
            return await self._client.delete(resource, name, namespace, options)

    await team(cluster, "a")
    uid = meta.uid(await cluster.client.get(CONFIGMAPS, "a", "team"))
    await start(cluster, Noting(cluster.client, None))
    await cluster.client.delete(NAMESPACES, "team")
    await eventually(lambda: is_gone(cluster))
    assert asked == [("a", DeleteOptions(propagation="Background", uid=uid))]


async def test_what_outlives_its_namespace_is_deleted_and_nothing_else(cluster):
    """As when it was made through a master that had not heard of the deletion."""
    namespace = await team(cluster, "a")
    await cluster.client.delete(NAMESPACES, "team")
    namespace = await cluster.client.get(NAMESPACES, "team")
    await cluster.client.update(NAMESPACES, namespace | {"spec": {"finalizers": []}}, "finalize")
    assert await is_gone(cluster)
    metadata = {"name": "mine", "namespace": "default"}
    await cluster.client.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, "default")
    assert len(await cluster.list(CONFIGMAPS, "team")) == 1
    await start(cluster)

    async def swept():
        return await cluster.list(CONFIGMAPS, "team") == []

    await eventually(swept)
    assert [meta.name(o) for o in await cluster.list(CONFIGMAPS, "default")] == ["mine"]
