"""The verbs on stored objects, through the in-process client."""

import pytest
from api_harness import config_map, pod, replica_set
from sampan_api.client import (
    CONFIGMAPS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    Client,
    DeleteOptions,
    PatchType,
)
from sampan_api.errors import AlreadyExists, ApiError, BadRequest, Conflict, Forbidden, Invalid, NotFound


async def bind(client: Client, name: str, node: str = "node1") -> None:
    binding = {
        "kind": "Binding",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "default"},
        "target": {"kind": "Node", "name": node},
    }
    await client.create(PODS, binding, "default", "binding")


async def test_the_server_gives_identity_and_time(client: Client) -> None:
    created = await client.create(CONFIGMAPS, config_map(a="1"))
    metadata = created["metadata"]
    assert len(metadata["uid"]) == 36
    assert metadata["creationTimestamp"].endswith("Z")
    assert int(metadata["resourceVersion"]) > 0
    assert "generation" not in metadata
    with pytest.raises(AlreadyExists):
        await client.create(CONFIGMAPS, config_map())


async def test_initial_objects_are_there(client: Client) -> None:
    names = {obj["metadata"]["name"] for obj in (await client.list(NAMESPACES)).items}
    assert names == {"default", "kube-system", "kube-public", "kube-node-lease"}


async def test_generated_names_are_prefix_and_five_letters(client: Client) -> None:
    obj = pod()
    obj["metadata"] = {"generateName": "web-", "namespace": "default"}
    first = await client.create(PODS, obj)
    second = await client.create(PODS, obj)
    assert first["metadata"]["name"].startswith("web-")
    assert len(first["metadata"]["name"]) == 9
    assert first["metadata"]["name"] != second["metadata"]["name"]


async def test_a_namespace_must_exist_and_be_alive(client: Client) -> None:
    obj = config_map()
    obj["metadata"]["namespace"] = "x1"
    with pytest.raises(NotFound, match='namespaces "x1" not found'):
        await client.create(CONFIGMAPS, obj)
    await client.create(NAMESPACES, {"metadata": {"name": "x1"}})
    deleted = await client.delete(NAMESPACES, "x1")
    assert deleted["status"]["phase"] == "Terminating"
    assert "deletionGracePeriodSeconds" not in deleted["metadata"]
    with pytest.raises(Forbidden, match="because it is being terminated"):
        await client.create(CONFIGMAPS, obj)
    deleted = {**deleted, "spec": {}}
    await client.update(NAMESPACES, deleted, "finalize")
    with pytest.raises(NotFound):
        await client.get(NAMESPACES, "x1")


async def test_generation_counts_changes_of_the_spec_only(client: Client) -> None:
    created = await client.create(REPLICASETS, replica_set())
    assert created["metadata"]["generation"] == 1
    labelled = await client.patch(REPLICASETS, "rs", {"metadata": {"labels": {"x": "y"}}}, "default")
    assert labelled["metadata"]["generation"] == 1
    status = {**labelled, "status": {"replicas": 2, "observedGeneration": 1}}
    reported = await client.update(REPLICASETS, status, "status")
    assert reported["metadata"]["generation"] == 1
    assert reported["status"]["replicas"] == 2
    scaled = await client.patch(REPLICASETS, "rs", {"spec": {"replicas": 5}}, "default")
    assert scaled["metadata"]["generation"] == 2
    assert scaled["status"]["replicas"] == 2


async def test_main_and_status_do_not_touch_each_other(client: Client) -> None:
    created = await client.create(REPLICASETS, replica_set())
    sent = {**created, "status": {"replicas": 9}}
    assert (await client.update(REPLICASETS, sent))["status"] == {"replicas": 0}
    current = await client.get(REPLICASETS, "rs", "default")
    sent = {**current, "spec": {**current["spec"], "replicas": 7}, "status": {"replicas": 3}}
    updated = await client.update(REPLICASETS, sent, "status")
    assert (updated["spec"]["replicas"], updated["status"]["replicas"]) == (2, 3)


async def test_nothing_changed_means_no_new_revision(client: Client) -> None:
    created = await client.create(CONFIGMAPS, config_map(a="1"))
    same = await client.patch(CONFIGMAPS, "cm", {"data": {"a": "1"}}, "default")
    assert same["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_a_stale_update_conflicts_and_one_without_version_does_not(client: Client) -> None:
    created = await client.create(CONFIGMAPS, config_map(a="1"))
    await client.patch(CONFIGMAPS, "cm", {"data": {"a": "2"}}, "default")
    with pytest.raises(Conflict, match="the object has been modified"):
        await client.update(CONFIGMAPS, {**created, "data": {"a": "3"}})
    metadata = {k: v for k, v in created["metadata"].items() if k != "resourceVersion"}
    updated = await client.update(CONFIGMAPS, {**created, "metadata": metadata, "data": {"a": "3"}})
    assert updated["data"] == {"a": "3"}


async def test_what_the_server_gave_cannot_be_changed(client: Client) -> None:
    created = await client.create(CONFIGMAPS, config_map())
    changed = await client.patch(
        CONFIGMAPS, "cm", {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}}, "default"
    )
    assert changed["metadata"]["creationTimestamp"] == created["metadata"]["creationTimestamp"]
    with pytest.raises(Invalid, match="field is immutable"):
        await client.patch(CONFIGMAPS, "cm", {"metadata": {"uid": "x"}}, "default")
    with pytest.raises(BadRequest):
        await client.patch(CONFIGMAPS, "cm", {"metadata": {"name": "other"}}, "default")


async def test_three_kinds_of_patch(client: Client) -> None:
    await client.create(PODS, pod())
    await client.patch(
        PODS, "web", [{"op": "add", "path": "/metadata/labels/j", "value": "1"}], "default", type=PatchType.JSON
    )
    await client.patch(PODS, "web", {"metadata": {"labels": {"m": "2"}}}, "default")
    image = {"spec": {"containers": [{"name": "c", "image": "other:1"}]}}
    got = await client.patch(PODS, "web", image, "default", type=PatchType.STRATEGIC)
    assert got["metadata"]["labels"] == {"app": "web", "j": "1", "m": "2"}
    assert got["spec"]["containers"][0]["image"] == "other:1"
    assert got["metadata"]["generation"] == 2


async def test_an_object_with_finalizers_waits_for_them(client: Client) -> None:
    obj = config_map()
    obj["metadata"]["finalizers"] = ["example.com/a"]
    await client.create(CONFIGMAPS, obj)
    lingering = await client.delete(CONFIGMAPS, "cm", "default")
    assert lingering["metadata"]["deletionTimestamp"]
    assert lingering["metadata"]["deletionGracePeriodSeconds"] == 0
    again = await client.delete(CONFIGMAPS, "cm", "default")
    assert again["metadata"]["resourceVersion"] == lingering["metadata"]["resourceVersion"]
    with pytest.raises(Invalid, match="no new finalizers can be added"):
        await client.patch(
            CONFIGMAPS, "cm", {"metadata": {"finalizers": ["example.com/a", "example.com/b"]}}, "default"
        )
    await client.patch(CONFIGMAPS, "cm", {"metadata": {"finalizers": None}}, "default")
    with pytest.raises(NotFound):
        await client.get(CONFIGMAPS, "cm", "default")


async def test_a_bound_pod_gets_its_grace_and_a_shorter_one_wins(client: Client) -> None:
    await client.create(PODS, pod(terminationGracePeriodSeconds=20))
    await bind(client, "web")
    going = await client.delete(PODS, "web", "default")
    assert going["metadata"]["deletionGracePeriodSeconds"] == 20
    assert going["metadata"]["generation"] == 2
    longer = await client.delete(PODS, "web", "default", DeleteOptions(grace_seconds=60))
    assert longer["metadata"]["resourceVersion"] == going["metadata"]["resourceVersion"]
    shorter = await client.delete(PODS, "web", "default", DeleteOptions(grace_seconds=5))
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    assert shorter["metadata"]["deletionTimestamp"] < going["metadata"]["deletionTimestamp"]
    with pytest.raises(Conflict, match="the UID in the precondition"):
        await client.delete(PODS, "web", "default", DeleteOptions(grace_seconds=0, uid="other"))
    await client.delete(PODS, "web", "default", DeleteOptions(grace_seconds=0, uid=going["metadata"]["uid"]))
    with pytest.raises(NotFound):
        await client.get(PODS, "web", "default")


async def test_a_pod_that_runs_nowhere_or_has_ended_goes_at_once(client: Client) -> None:
    await client.create(PODS, pod("unbound"))
    await client.delete(PODS, "unbound", "default")
    await client.create(PODS, pod("ended"))
    await bind(client, "ended")
    await client.patch(PODS, "ended", {"status": {"phase": "Succeeded"}}, "default", subresource="status")
    await client.delete(PODS, "ended", "default")
    assert (await client.list(PODS)).items == []


async def test_propagation_leaves_a_finalizer_for_the_garbage_collector(client: Client) -> None:
    await client.create(REPLICASETS, replica_set())
    going = await client.delete(REPLICASETS, "rs", "default", DeleteOptions(propagation="Foreground"))
    assert going["metadata"]["finalizers"] == ["foregroundDeletion"]
    going = await client.delete(REPLICASETS, "rs", "default", DeleteOptions(propagation="Orphan"))
    assert going["metadata"]["finalizers"] == ["orphan"]
    await client.delete(REPLICASETS, "rs", "default", DeleteOptions(propagation="Background"))
    assert (await client.list(REPLICASETS)).items == []


async def test_binding_gives_a_node_once_and_counts_no_generation(client: Client) -> None:
    await client.create(PODS, pod())
    await bind(client, "web")
    bound = await client.get(PODS, "web", "default")
    assert bound["spec"]["nodeName"] == "node1"
    assert bound["metadata"]["generation"] == 1
    assert bound["status"]["conditions"][0]["type"] == "PodScheduled"
    with pytest.raises(Conflict, match="already assigned"):
        await bind(client, "web", "node2")


async def test_scale_is_a_view_of_replicas(client: Client) -> None:
    await client.create(REPLICASETS, replica_set())
    scale = await client.patch(REPLICASETS, "rs", {"spec": {"replicas": 4}}, "default", subresource="scale")
    assert scale["spec"] == {"replicas": 4}
    assert scale["status"] == {"replicas": 0, "selector": "app=rs"}
    changed = await client.get(REPLICASETS, "rs", "default")
    assert (changed["spec"]["replicas"], changed["metadata"]["generation"]) == (4, 2)
    scale["metadata"]["resourceVersion"] = "1"
    with pytest.raises(Conflict, match=r"replicasets\.apps"):
        await client.update(REPLICASETS, scale, "scale")


async def test_eviction_deletes(client: Client) -> None:
    await client.create(PODS, pod())
    eviction = {
        "kind": "Eviction",
        "apiVersion": "policy/v1",
        "metadata": {"name": "web", "namespace": "default"},
    }
    await client.create(PODS, eviction, "default", "eviction")
    assert (await client.list(PODS)).items == []


async def test_leases_and_events_may_be_made_by_update(client: Client) -> None:
    lease = {"metadata": {"name": "node1", "namespace": "kube-node-lease"}, "spec": {"holderIdentity": "node1"}}
    created = await client.update(LEASES, lease)
    assert created["metadata"]["uid"]
    with pytest.raises(NotFound):
        await client.update(CONFIGMAPS, config_map("missing"))


async def test_ranges_of_pod_addresses_are_ranges_one_of_each_family(client: Client) -> None:
    def node(*cidrs):
        spec = {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)}
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": spec}

    with pytest.raises(Invalid, match=r"spec.podCIDRs\[0\]: Invalid value: \"10.0.0.0\": must be a valid CIDR value"):
        await client.create(NODES, node("10.0.0.0"))
    with pytest.raises(Invalid, match="may specify no more than one CIDR for each IP family"):
        await client.create(NODES, node("10.0.0.0/24", "10.0.1.0/24"))
    await client.create(NODES, node("10.0.0.0/24", "fd00::/64"))


async def test_node_status_and_taints(client: Client) -> None:
    created = await client.create(NODES, {"metadata": {"name": "node1"}})
    assert created["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    reported = await client.patch(NODES, "node1", ready, subresource="status")
    assert reported["status"]["conditions"][0]["lastHeartbeatTime"] is None
    await client.patch(NODES, "node1", {"spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]}})
    with pytest.raises(Invalid, match="may not change podCIDR"):
        await client.patch(NODES, "node1", {"spec": {"podCIDR": "10.244.9.0/24", "podCIDRs": ["10.244.9.0/24"]}})


async def test_our_own_parts_may_not_send_unknown_fields(client: Client) -> None:
    with pytest.raises(ApiError, match="unknown field"):
        await client.create(PODS, pod(nodename="x"))


async def test_a_deletion_cost_is_a_32bit_integer_wherever_it_is_written(client: Client) -> None:
    key = "controller.kubernetes.io/pod-deletion-cost"
    made, said = pod(), rf'annotations\[{key}\]: Invalid value: "\+5": must be a 32bit integer'
    made["metadata"]["annotations"] = {key: "+5"}
    with pytest.raises(Invalid, match=f"metadata.{said}"):
        await client.create(PODS, made)
    made["metadata"]["annotations"] = {key: "-5"}
    name = (await client.create(PODS, made))["metadata"]["name"]
    with pytest.raises(Invalid, match=f"metadata.{said}"):
        await client.patch(PODS, name, {"metadata": {"annotations": {key: "+5"}}}, "default")
    owner = replica_set()
    owner["spec"]["template"]["metadata"]["annotations"] = {key: "+5"}
    with pytest.raises(Invalid, match=f"spec.template.{said}"):
        await client.create(REPLICASETS, owner)
