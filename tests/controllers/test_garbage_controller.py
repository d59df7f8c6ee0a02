"""Owner garbage collection and namespaces on the real registry."""

import pytest
from cluster import eventually
from sampan_api import meta
from sampan_api.client import (
    CLUSTERROLES,
    CONFIGMAPS,
    EVENTS,
    HORIZONTALPODAUTOSCALERS,
    NAMESPACES,
    PODS,
    REPLICASETS,
    SECRETS,
    DeleteOptions,
)
from sampan_api.errors import NotFound
from sampan_master.controllers import ControllersConfig, run


def control(cluster, **config):
    slow = {"node_monitor_period_seconds": 3600, "pod_gc_period_seconds": 3600}
    return cluster.spawn(run(cluster.client, cluster.clock, ControllersConfig(**slow, **config)))


async def configmap(cluster, name, *owners, namespace="default", block=False, finalizers=()):
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": meta.name(o), "uid": meta.uid(o), "blockOwnerDeletion": block}
        for o in owners
    ]
    metadata = {"name": name, "namespace": namespace, "ownerReferences": references, "finalizers": list(finalizers)}
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return await cluster.client.create(CONFIGMAPS, obj, namespace)


def exists(cluster, name, resource=CONFIGMAPS, namespace="default"):
    async def check():
        try:
            return await cluster.client.get(resource, name, namespace)
        except NotFound:
            return None

    return check


def gone(cluster, name, resource=CONFIGMAPS, namespace="default"):
    async def check():
        return await exists(cluster, name, resource, namespace)() is None

    return check


async def test_dependents_go_with_their_owner_and_so_do_theirs(cluster):
    control(cluster)
    owner = await configmap(cluster, "owner")
    child = await configmap(cluster, "child", owner)
    await configmap(cluster, "grandchild", child)
    await cluster.client.delete(CONFIGMAPS, "owner", "default")
    await eventually(gone(cluster, "grandchild"))
    assert await exists(cluster, "child")() is None


async def test_an_owner_in_another_namespace_is_none_and_an_event_says_so(cluster):
    control(cluster)
    await cluster.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    owner = await configmap(cluster, "owner")
    await configmap(cluster, "child", owner, namespace="other")
    await eventually(gone(cluster, "child", namespace="other"))

    async def told():
        return [e for e in await cluster.list(EVENTS, "other") if e["reason"] == "OwnerRefInvalidNamespace"]

    [event] = await eventually(told)
    reference = f"[v1/ConfigMap, namespace: other, name: owner, uid: {meta.uid(owner)}]"
    assert event["message"] == f'ownerRef {reference} does not exist in namespace "other"'
    assert (event["type"], event["involvedObject"]["name"]) == ("Warning", "child")
    assert await exists(cluster, "owner")()


async def test_a_dependent_with_another_owner_stays_and_forgets_the_lost_one(cluster):
    control(cluster)
    lost, kept = await configmap(cluster, "lost"), await configmap(cluster, "kept")
    await configmap(cluster, "child", lost, kept)
    await cluster.client.delete(CONFIGMAPS, "lost", "default")

    async def forgotten():
        child = await exists(cluster, "child")()
        return [r["name"] for r in meta.owner_references(child)] == ["kept"]

    await eventually(forgotten)


async def test_an_owner_that_never_was_is_no_owner(cluster):
    control(cluster)
    await configmap(cluster, "child", {"metadata": {"name": "never", "uid": "none"}})
    await eventually(gone(cluster, "child"))


async def test_an_owner_of_another_uid_is_not_the_owner(cluster):
    control(cluster)
    await configmap(cluster, "same-name")
    await configmap(cluster, "child", {"metadata": {"name": "same-name", "uid": "earlier"}})
    await eventually(gone(cluster, "child"))


async def test_foreground_deletion_waits_for_blocking_dependents(cluster):
    control(cluster)
    owner = await configmap(cluster, "owner")
    await configmap(cluster, "slow", owner, block=True, finalizers=["example.com/slow"])
    await cluster.client.delete(CONFIGMAPS, "owner", "default", DeleteOptions(propagation="Foreground"))

    async def child_is_deleting():
        return meta.is_deleting(await exists(cluster, "slow")())

    await eventually(child_is_deleting)
    assert meta.is_deleting(await exists(cluster, "owner")())
    await cluster.client.patch(CONFIGMAPS, "slow", {"metadata": {"finalizers": None}}, "default")
    await eventually(gone(cluster, "owner"))


async def test_an_owner_named_wrongly_by_one_is_not_lost_to_those_who_name_it_rightly(cluster):
    """The absence of "owner in namespace other" must not be taken for the absence of the owner."""
    control(cluster)
    await cluster.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    owner = await configmap(cluster, "owner")
    await configmap(cluster, "stray", owner, namespace="other")
    await eventually(gone(cluster, "stray", namespace="other"))
    await configmap(cluster, "misnamed", {"metadata": {"name": "nobody", "uid": meta.uid(owner)}})
    await eventually(gone(cluster, "misnamed"))
    child = await configmap(cluster, "child", owner)
    await configmap(cluster, "witness", {"metadata": {"name": "never", "uid": "none"}})
    await eventually(gone(cluster, "witness"))
    assert meta.uid(await exists(cluster, "child")()) == meta.uid(child)


async def test_an_owner_may_be_named_in_another_version_of_its_kind(cluster):
    control(cluster)
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "maxReplicas": 2}
    metadata = {"name": "owner", "namespace": "default"}
    hpa = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}
    owner = await cluster.client.create(HORIZONTALPODAUTOSCALERS, hpa, "default")
    reference = {"kind": "HorizontalPodAutoscaler", "name": "owner", "uid": meta.uid(owner)}
    child = {"metadata": {"name": "child", "namespace": "default"}, "apiVersion": "v1", "kind": "ConfigMap"}
    child["metadata"]["ownerReferences"] = [{"apiVersion": "autoscaling/v1", **reference}]
    await cluster.client.create(CONFIGMAPS, child, "default")
    await configmap(cluster, "witness", {"metadata": {"name": "never", "uid": "none"}})
    await eventually(gone(cluster, "witness"))
    assert await exists(cluster, "child")()
    await cluster.client.delete(HORIZONTALPODAUTOSCALERS, "owner", "default")
    await eventually(gone(cluster, "child"))


async def test_a_reference_to_a_kind_that_is_not_served_condemns_nobody(cluster):
    control(cluster)
    lost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "never", "uid": "none"}
    custom = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "some"}
    metadata = {"name": "child", "namespace": "default", "ownerReferences": [lost, custom]}
    await cluster.client.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, "default")
    await configmap(cluster, "witness", {"metadata": {"name": "never", "uid": "none"}})
    await eventually(gone(cluster, "witness"))
    assert [r["kind"] for r in meta.owner_references(await exists(cluster, "child")())] == ["ConfigMap", "Widget"]


async def test_a_cluster_scoped_dependent_of_a_namespaced_owner_stays_and_an_event_tells(cluster):
    control(cluster)
    owner = await configmap(cluster, "owner")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": meta.uid(owner)}
    metadata = {"name": "wide", "ownerReferences": [reference]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": []}
    await cluster.client.create(CLUSTERROLES, role)

    async def told():
        return [e for e in await cluster.list(EVENTS, "default") if e["reason"] == "OwnerRefInvalidNamespace"]

    [event] = await eventually(told)
    assert event["message"].endswith('does not exist in namespace ""')
    await cluster.client.delete(CONFIGMAPS, "owner", "default")
    await eventually(gone(cluster, "owner"))
    assert await exists(cluster, "wide", CLUSTERROLES, "")()


async def test_a_cluster_scoped_owner_takes_its_dependents_of_every_scope_along(cluster):
    control(cluster)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    owner = await cluster.client.create(CLUSTERROLES, role | {"metadata": {"name": "owner"}})
    reference = {k: role[k] for k in ("apiVersion", "kind")} | {"name": "owner", "uid": meta.uid(owner)}
    child = role | {"metadata": {"name": "child", "ownerReferences": [reference]}}
    await cluster.client.create(CLUSTERROLES, child)
    metadata = {"name": "child", "namespace": "default", "ownerReferences": [reference]}
    await cluster.client.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, "default")
    await cluster.client.delete(CLUSTERROLES, "owner")
    await eventually(gone(cluster, "child", CLUSTERROLES, ""))
    await eventually(gone(cluster, "child"))


async def test_foreground_deletion_deletes_all_dependents_and_waits_for_the_blocking_ones(cluster):
    control(cluster)
    owner = await configmap(cluster, "owner")
    await configmap(cluster, "blocking", owner, block=True, finalizers=["example.com/slow"])
    await configmap(cluster, "loose", owner, finalizers=["example.com/slow"])
    await cluster.client.delete(CONFIGMAPS, "owner", "default", DeleteOptions(propagation="Foreground"))

    def deleting(name):
        async def check():
            return meta.is_deleting(await exists(cluster, name)())

        return check

    await eventually(deleting("blocking"))
    await eventually(deleting("loose"))
    reference = meta.owner_references(await exists(cluster, "blocking")())[0] | {"blockOwnerDeletion": False}
    await cluster.client.patch(CONFIGMAPS, "blocking", {"metadata": {"ownerReferences": [reference]}}, "default")
    await eventually(gone(cluster, "owner"))
    for name in ("blocking", "loose"):
        await cluster.client.patch(CONFIGMAPS, name, {"metadata": {"finalizers": None}}, "default")
        await eventually(gone(cluster, name))


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_a_cycle_of_owners_goes_when_one_of_them_is_deleted(cluster, propagation):
    control(cluster)
    first = await configmap(cluster, "a", block=True)
    second = await configmap(cluster, "b", first, block=True)
    third = await configmap(cluster, "c", second, block=True)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": meta.uid(third)}
    patch = {"metadata": {"ownerReferences": [reference | {"blockOwnerDeletion": True}]}}
    await cluster.client.patch(CONFIGMAPS, "a", patch, "default")
    await cluster.client.delete(CONFIGMAPS, "a", "default", DeleteOptions(propagation=propagation))
    for name in ("a", "b", "c"):
        await eventually(gone(cluster, name))


@pytest.mark.parametrize("names", ["a", "ab", "abc"])
async def test_a_cycle_of_owners_goes_when_all_of_them_are_deleted_in_the_foreground(cluster, names):
    control(cluster)
    last = first = await configmap(cluster, names[0], block=True)
    for name in names[1:]:
        last = await configmap(cluster, name, last, block=True)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": meta.name(last), "uid": meta.uid(last)}
    patch = {"metadata": {"ownerReferences": [reference | {"blockOwnerDeletion": True}]}}
    await cluster.client.patch(CONFIGMAPS, meta.name(first), patch, "default")
    for name in names:
        await cluster.client.delete(CONFIGMAPS, name, "default", DeleteOptions(propagation="Foreground"))
    for name in names:
        await eventually(gone(cluster, name))


async def test_a_cycle_waits_for_what_blocks_it_from_outside(cluster):
    control(cluster)
    first = await configmap(cluster, "a", block=True)
    second = await configmap(cluster, "b", first, block=True)
    await configmap(cluster, "outside", second, block=True, finalizers=["example.com/slow"])
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "b", "uid": meta.uid(second)}
    patch = {"metadata": {"ownerReferences": [reference | {"blockOwnerDeletion": True}]}}
    await cluster.client.patch(CONFIGMAPS, "a", patch, "default")
    for name in ("a", "b"):
        await cluster.client.delete(CONFIGMAPS, name, "default", DeleteOptions(propagation="Foreground"))
    await eventually(gone(cluster, "a"))
    assert await exists(cluster, "b")()
    await cluster.client.patch(CONFIGMAPS, "outside", {"metadata": {"finalizers": None}}, "default")
    await eventually(gone(cluster, "b"))


async def test_a_dependent_that_asks_to_orphan_its_own_dependents_is_obeyed(cluster):
    control(cluster)
    owner = await configmap(cluster, "owner")
    child = await configmap(cluster, "child", owner, finalizers=["orphan"])
    await configmap(cluster, "grandchild", child)
    await cluster.client.delete(CONFIGMAPS, "owner", "default")
    await eventually(gone(cluster, "child"))
    assert meta.owner_references(await exists(cluster, "grandchild")()) == []


async def test_orphaned_pods_keep_running_and_are_adopted_by_the_next_set(cluster):
    control(cluster)
    await cluster.replica_set("web", 2)

    async def two():
        pods = await cluster.pods()
        return {meta.uid(p) for p in pods} if len(pods) == 2 else None

    before = await eventually(two)
    await cluster.client.delete(REPLICASETS, "web", "default", DeleteOptions(propagation="Orphan"))
    await eventually(gone(cluster, "web", REPLICASETS))
    assert [meta.owner_references(p) for p in await cluster.pods()] == [[], []]
    rs = await cluster.replica_set("web", 2)

    async def adopted():
        return all((meta.controller_of(p) or {}).get("uid") == meta.uid(rs) for p in await cluster.pods())

    await eventually(adopted)
    assert {meta.uid(p) for p in await cluster.pods()} == before


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_deleting_a_replica_set_deletes_its_pods(cluster, propagation):
    control(cluster)
    await cluster.replica_set("web", 4)

    async def count(number):
        return len(await cluster.pods()) == number

    await eventually(lambda: count(4))
    await cluster.client.delete(REPLICASETS, "web", "default", DeleteOptions(propagation=propagation))
    await eventually(lambda: count(0))
    await eventually(gone(cluster, "web", REPLICASETS))


async def make_namespace(cluster, name):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await cluster.client.create(NAMESPACES, namespace)


async def test_a_namespace_goes_with_all_that_is_in_it_pods_first(cluster):
    control(cluster)
    await make_namespace(cluster, "team")
    await configmap(cluster, "settings", namespace="team")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "team"}}
    await cluster.client.create(SECRETS, secret, "team")
    await cluster.pod("running", node="n1", namespace="team")
    await cluster.client.delete(NAMESPACES, "team")

    async def draining():
        namespace = await exists(cluster, "team", NAMESPACES, "")()
        return meta.condition(namespace, "NamespaceContentRemaining")

    condition = await eventually(draining)
    assert condition["message"] == "Some resources are remaining: pods. has 1 resource instances"
    assert await exists(cluster, "settings", CONFIGMAPS, "team")() is not None
    await cluster.client.delete(PODS, "running", "team", DeleteOptions(grace_seconds=0))
    await eventually(gone(cluster, "team", NAMESPACES, ""))
    assert await cluster.list(CONFIGMAPS, "team") == []


class Meddling:
    """A client before whose deletions of ConfigMaps somebody else does something."""

    def __init__(self, client, meddle, times):
        self._client, self._meddle, self._times = client, meddle, times

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def delete(self, resource, name, *arguments):
        if resource == CONFIGMAPS and self._times:
            self._times -= 1
            await self._meddle(name)
        return await self._client.delete(resource, name, *arguments)


async def collect_with(cluster, meddle, times):
    client = Meddling(cluster.client, meddle, times)
    slow = {"node_monitor_period_seconds": 3600, "pod_gc_period_seconds": 3600}
    cluster.spawn(run(client, cluster.clock, ControllersConfig(**slow)))


async def test_an_object_that_changes_all_the_time_goes_all_the_same(cluster):
    async def change(name):
        stamp = {"metadata": {"annotations": {"seen": str(cluster.clock.now())}}}
        await cluster.client.patch(CONFIGMAPS, name, stamp, "default")

    await configmap(cluster, "child", {"metadata": {"name": "never", "uid": "none"}})
    await collect_with(cluster, change, 3)
    await eventually(gone(cluster, "child"))


async def test_an_object_that_gets_another_owner_at_the_last_moment_lives(cluster):
    owner = await configmap(cluster, "owner")
    await configmap(cluster, "child", {"metadata": {"name": "never", "uid": "none"}})

    async def adopt(name):
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": meta.uid(owner)}
        child = await cluster.client.get(CONFIGMAPS, name, "default")
        references = [*meta.owner_references(child), reference]
        await cluster.client.patch(CONFIGMAPS, name, {"metadata": {"ownerReferences": references}}, "default")

    await collect_with(cluster, adopt, 1)

    async def only_the_living():
        child = await exists(cluster, "child")()
        return child is not None and [r["name"] for r in meta.owner_references(child)] == ["owner"]

    await eventually(only_the_living)
