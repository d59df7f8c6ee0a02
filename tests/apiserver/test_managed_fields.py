"""managedFields of writes that are no apply: who is named, what a write takes, how clients rewrite the list."""

import dataclasses
from typing import Any

from api_harness import MERGE, Http, Running, config_map, pod, replica_set, running
from sampan_api.client import CONFIGMAPS, PODS, Client, PatchType
from sampan_api.clock import VirtualClock
from sampan_api.fieldsets import sets

CM = "/api/v1/namespaces/default/configmaps"
PODS_PATH = "/api/v1/namespaces/default/pods"
SETS_PATH = "/apis/apps/v1/namespaces/default/replicasets"
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


def owners(obj: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """(manager, subresource) → the fields it owns, as `data.a`."""
    entries = obj["metadata"].get("managedFields", [])
    return {
        (entry["manager"], entry.get("subresource", "")): {
            ".".join(key.removeprefix("f:") for key in path) for path in sets.paths(entry["fieldsV1"])
        }
        for entry in entries
    }


async def test_the_manager_is_the_one_given_or_the_user_agents_name(http: Http) -> None:
    made = await http("POST", f"{CM}?fieldManager=m", config_map("a", x="1"))
    assert owners(made.json) == {("m", ""): {"data", "data.x"}}
    made = await http("POST", CM, config_map("b", x="1"), {"User-Agent": "my-app/1.0 (x)"})
    assert owners(made.json) == {("my-app", ""): {"data", "data.x"}}
    assert list(owners((await http("POST", CM, config_map("c", x="1"))).json)) == [("unknown", "")]


async def test_a_change_takes_the_field_from_its_owner(http: Http) -> None:
    await http("POST", f"{CM}?fieldManager=m1", config_map("cm", x="1", y="1"))
    patched = await http("PATCH", f"{CM}/cm?fieldManager=m2", {"data": {"x": "2", "z": "3"}}, MERGE)
    assert owners(patched.json) == {("m1", ""): {"data", "data.y"}, ("m2", ""): {"data.x", "data.z"}}
    removed = await http("PATCH", f"{CM}/cm?fieldManager=m1", {"data": {"z": None}}, MERGE)
    assert owners(removed.json) == {("m1", ""): {"data", "data.y"}, ("m2", ""): {"data.x"}}


async def test_a_write_that_changes_nothing_keeps_version_and_owners(http: Http) -> None:
    made = await http("POST", f"{CM}?fieldManager=m1", config_map("cm", x="1"))
    for answer in (
        await http("PUT", f"{CM}/cm?fieldManager=m2", made.json),
        await http("PUT", f"{CM}/cm?fieldManager=m2", config_map("cm", x="1")),
        await http("PATCH", f"{CM}/cm?fieldManager=m2", {"data": {"x": "1"}}, MERGE),
        await http("PATCH", f"{CM}/cm?fieldManager=m2", {"metadata": {"generation": 7}}, MERGE),
    ):
        assert answer.json == made.json


async def test_times_are_those_of_the_last_change_of_a_manager() -> None:
    clock = VirtualClock(1_000_000.0)
    async with running(clock=clock) as api:
        client = api.client
        await client.create(CONFIGMAPS, config_map("cm", x="1"))
        before = (await client.get(CONFIGMAPS, "cm", "default"))["metadata"]["managedFields"]
        await clock.advance(60)
        other = dataclasses.replace(client.user, name="other")  # type: ignore[attr-defined]
        patched = await api.server.client(other).patch(CONFIGMAPS, "cm", {"data": {"y": "2"}}, "default")
        assert patched["metadata"]["managedFields"][0] == before[0]
        assert patched["metadata"]["managedFields"][1]["time"] > before[0]["time"]


async def test_status_is_owned_through_its_subresource(api: Running) -> None:
    await api.client.create(PODS, pod())
    status = {"status": {"phase": "Running", "podIP": "1.2.3.4", "podIPs": [{"ip": "1.2.3.4"}]}}
    kubelet = api.server.client(api.client.user, "kubelet")  # type: ignore[attr-defined]
    seen = await kubelet.patch(PODS, "web", status, "default", subresource="status")
    assert owners(seen)[("kubelet", "status")] == {
        "status.phase",
        "status.podIP",
        "status.podIPs",
        'status.podIPs.k:{"ip":"1.2.3.4"}',
        'status.podIPs.k:{"ip":"1.2.3.4"}.ip',
    }


async def test_binding_and_deletion_give_nobody_anything(client: Client) -> None:
    created = await client.create(PODS, pod())
    binding = {"metadata": {"name": "web", "namespace": "default"}, "target": {"kind": "Node", "name": "n"}}
    await client.create(PODS, {"kind": "Binding", "apiVersion": "v1", **binding}, "default", "binding")
    bound = await client.get(PODS, "web", "default")
    assert bound["spec"]["nodeName"] == "n"
    assert bound["metadata"]["managedFields"] == created["metadata"]["managedFields"]
    deleted = await client.delete(PODS, "web", "default")
    assert deleted["metadata"]["managedFields"] == created["metadata"]["managedFields"]


async def test_a_dry_run_shows_the_owners(http: Http) -> None:
    made = await http("POST", f"{CM}?dryRun=All&fieldManager=m", config_map("cm", x="1"))
    assert owners(made.json) == {("m", ""): {"data", "data.x"}}


async def test_the_empty_list_clears_and_nobody_is_counted_after_it(http: Http) -> None:
    for name, entries in (("one", []), ("two", [{}])):
        await http("POST", CM, config_map(name, x="1"))
        ops = [{"op": "replace", "path": "/metadata/managedFields", "value": entries}]
        cleared = await http("PATCH", f"{CM}/{name}", ops, JSON_PATCH)
        assert "managedFields" not in cleared.json["metadata"]
        patched = await http("PATCH", f"{CM}/{name}?fieldManager=m", {"data": {"x": "2"}}, MERGE)
        assert "managedFields" not in patched.json["metadata"]
    made = (await http("POST", CM, config_map("three", x="1"))).json
    made["metadata"]["managedFields"] = []
    assert "managedFields" not in (await http("PUT", f"{CM}/three", made)).json["metadata"]


async def test_the_list_can_be_rewritten(http: Http) -> None:
    made = (await http("POST", f"{CM}?fieldManager=m1", config_map("cm", x="1"))).json
    entry = made["metadata"]["managedFields"][0]
    ops = [
        {
            "op": "replace",
            "path": "/metadata/managedFields",
            "value": [{**entry, "manager": "m2", "operation": "Apply"}],
        },
        {"op": "replace", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]},
    ]
    moved = await http("PATCH", f"{CM}/cm?fieldManager=m3", ops, JSON_PATCH)
    assert owners(moved.json) == {("m2", ""): {"data", "data.x"}}
    assert moved.json["metadata"]["managedFields"][0]["operation"] == "Apply"


async def test_a_list_that_no_server_writes_counts_as_none(http: Http) -> None:
    made = (await http("POST", f"{CM}?fieldManager=m1", config_map("cm", x="1"))).json
    for wrong in ({"manager": "x"}, {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "V2"}):
        put = {**made, "metadata": {**made["metadata"], "managedFields": [wrong]}}
        assert (await http("PUT", f"{CM}/cm?fieldManager=m2", put)).json == made


async def test_a_subresource_cannot_rewrite_the_list(http: Http) -> None:
    await http("POST", f"{PODS_PATH}?fieldManager=m1", pod())
    patch = {"metadata": {"managedFields": [{}]}, "status": {"phase": "Running"}}
    seen = await http("PATCH", f"{PODS_PATH}/web/status?fieldManager=m2", patch, MERGE)
    assert set(owners(seen.json)) == {("m1", ""), ("m2", "status")}


async def test_a_field_without_an_identity_is_left_to_validation(http: Http) -> None:
    wrong = pod()
    wrong["spec"]["containers"] = [{"image": "x"}]
    answer = await http("POST", PODS_PATH, wrong)
    assert (answer.code, answer.json["details"]["causes"][0]["field"]) == (422, "spec.containers[0].name")


async def test_lists_watches_and_partial_metadata_carry_the_owners(http: Http) -> None:
    made = (await http("POST", f"{CM}?fieldManager=m", config_map("cm", x="1"))).json
    expected = made["metadata"]["managedFields"]
    assert (await http("GET", CM)).json["items"][0]["metadata"]["managedFields"] == expected
    partial = await http(
        "GET", CM, headers={"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    )
    assert partial.json["items"][0]["metadata"]["managedFields"] == expected
    table = await http("GET", CM, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    assert table.json["rows"][0]["object"]["metadata"]["managedFields"] == expected
    async with http.stream(f"{CM}?watch=1&resourceVersion=0") as stream:
        assert (await stream.event())["object"]["metadata"]["managedFields"] == expected


async def test_scale_owns_replicas_without_a_time(http: Http) -> None:
    await http("POST", f"{SETS_PATH}?fieldManager=m1", replica_set())
    await http("PATCH", f"{SETS_PATH}/rs/scale?fieldManager=m2", {"spec": {"replicas": 5}}, MERGE)
    seen = (await http("GET", f"{SETS_PATH}/rs")).json
    entry = next(entry for entry in seen["metadata"]["managedFields"] if entry["manager"] == "m2")
    assert entry == {
        "manager": "m2",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
        "subresource": "scale",
    }
    assert "spec.replicas" not in owners(seen)[("m1", "")]
    again = await http("PATCH", f"{SETS_PATH}/rs/scale?fieldManager=m3", {"spec": {"replicas": 5}}, MERGE)
    assert again.json["metadata"]["resourceVersion"] == seen["metadata"]["resourceVersion"]


async def test_a_reset_patch_by_strategic_merge_clears_too(client: Client) -> None:
    await client.create(CONFIGMAPS, config_map("cm", x="1"))
    patch = {"metadata": {"managedFields": [{}]}}
    cleared = await client.patch(CONFIGMAPS, "cm", patch, "default", type=PatchType.STRATEGIC)
    assert "managedFields" not in cleared["metadata"]
