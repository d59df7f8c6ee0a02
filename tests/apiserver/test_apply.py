"""Server-side apply: creation, conflicts, force, shared owners, dropped fields, kubectl's migration, subresources."""

import json
from typing import Any

import pytest
from api_harness import IMAGE, MERGE, Answer, Http, config_map, pod, replica_set
from test_managed_fields import owners

CM = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
SETS = "/apis/apps/v1/namespaces/default/replicasets"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


async def apply(http: Http, path: str, body: Any, manager: str = "m1", query: str = "") -> Answer:
    return await http("PATCH", f"{path}?fieldManager={manager}{query}", body, APPLY)


def cm(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": data}


async def test_what_is_missing_is_created(http: Http) -> None:
    made = await apply(http, f"{CM}/cm", cm(a="1"))
    assert made.code == 201
    (entry,) = made.json["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["fieldsV1"]) == ("m1", "Apply", {"f:data": {"f:a": {}}})
    again = await apply(http, f"{CM}/cm", cm(a="1"))
    assert (again.code, again.json) == (200, made.json)


async def test_yaml_is_read_as_kubernetes_reads_it(http: Http) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm\ndata:\n  a: '1'\n"
    assert (await apply(http, f"{CM}/cm", text)).json["data"] == {"a": "1"}


async def test_maps_are_printed_in_the_order_of_their_keys(http: Http) -> None:
    await http("POST", CM, config_map("cm", z="1", a="1"))
    after = await apply(http, f"{CM}/cm", cm(m="1"))
    assert list(after.json["data"]) == ["a", "m", "z"]


async def test_another_value_is_a_conflict_unless_forced(http: Http) -> None:
    await apply(http, f"{CM}/cm", cm(a="1", b="1"))
    refused = await apply(http, f"{CM}/cm", cm(a="2"), "m2")
    assert refused.code == 409
    assert refused.json["message"] == 'Apply failed with 1 conflict: conflict with "m1": .data.a'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "m1"', "field": ".data.a"}
    assert refused.json["details"] == {"causes": [cause]}
    forced = await apply(http, f"{CM}/cm", cm(a="2"), "m2", "&force=true")
    assert forced.json["data"] == {"a": "2", "b": "1"}
    assert owners(forced.json) == {("m1", ""): {"data.b"}, ("m2", ""): {"data.a"}}


async def test_several_conflicts_are_listed_by_manager(http: Http) -> None:
    await http("POST", f"{CM}?fieldManager=upd", config_map("cm", c="1"))
    await apply(http, f"{CM}/cm", cm(a="1", b="1"))
    refused = await apply(http, f"{CM}/cm", cm(a="2", b="2", c="2"), "m2")
    assert refused.json["message"] == (
        'Apply failed with 3 conflicts: conflicts with "m1":\n- .data.a\n- .data.b\n'
        'conflicts with "upd" using v1:\n- .data.c'
    )


async def test_the_same_value_is_shared(http: Http) -> None:
    made = await apply(http, f"{CM}/cm", cm(a="1"))
    shared = await apply(http, f"{CM}/cm", cm(a="1"), "m2")
    assert shared.code == 200
    assert owners(shared.json) == {("m1", ""): {"data.a"}, ("m2", ""): {"data.a"}}
    assert shared.json["metadata"]["resourceVersion"] != made.json["metadata"]["resourceVersion"]
    dropped = await apply(http, f"{CM}/cm", cm(b="1"))
    assert dropped.json["data"] == {"a": "1", "b": "1"}
    gone = await apply(http, f"{CM}/cm", cm(c="1"), "m2")
    assert gone.json["data"] == {"b": "1", "c": "1"}


async def test_dropped_fields_go_and_others_stay(http: Http) -> None:
    await http("POST", f"{CM}?fieldManager=upd", config_map("cm", u="1"))
    await apply(http, f"{CM}/cm", {**cm(a="1"), "metadata": {"name": "cm", "labels": {"x": "y"}}})
    after = await apply(http, f"{CM}/cm", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}})
    assert after.json["data"] == {"u": "1"}
    assert "labels" not in after.json["metadata"]
    assert owners(after.json) == {("upd", ""): {"data", "data.u"}}


async def test_lists_merge_by_their_keys(http: Http) -> None:
    template = replica_set()["spec"]["template"]
    await http("POST", f"{SETS}?fieldManager=upd", replica_set())
    side = {"name": "side", "image": IMAGE, "ports": [{"containerPort": 80}]}
    config = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "rs"},
        "spec": {"template": {"spec": {"containers": [side]}}},
    }
    after = await apply(http, f"{SETS}/rs", config)
    containers = after.json["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["c", "side"]
    assert containers[1]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    applier = after.json["metadata"]["managedFields"][0]
    assert list(applier["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]) == ['k:{"name":"side"}']
    wrong = {**template["spec"]["containers"][0], "image": "other"}
    config["spec"] = {"template": {"spec": {"containers": [wrong]}}}
    refused = await apply(http, f"{SETS}/rs", config)
    assert (
        'conflict with "upd" using apps/v1: .spec.template.spec.containers[name="c"].image' in refused.json["message"]
    )
    config["spec"] = {"replicas": 2}
    gone = await apply(http, f"{SETS}/rs", config)
    assert [c["name"] for c in gone.json["spec"]["template"]["spec"]["containers"]] == ["c"]


async def test_an_update_takes_fields_from_the_applier(http: Http) -> None:
    await apply(http, f"{CM}/cm", cm(a="1", b="1"))
    patched = await http("PATCH", f"{CM}/cm?fieldManager=upd", {"data": {"a": "2"}}, MERGE)
    assert owners(patched.json) == {("m1", ""): {"data.b"}, ("upd", ""): {"data.a"}}
    refused = await apply(http, f"{CM}/cm", cm(a="1", b="1"))
    assert refused.json["message"] == 'Apply failed with 1 conflict: conflict with "upd" using v1: .data.a'


async def test_what_nobody_was_counted_for_belongs_to_before_first_apply(http: Http) -> None:
    await http("POST", CM, config_map("cm", a="1"))
    await http("PATCH", f"{CM}/cm", {"metadata": {"managedFields": [{}]}}, MERGE)
    after = await apply(http, f"{CM}/cm", cm(b="1"))
    assert owners(after.json) == {("m1", ""): {"data.b"}, ("before-first-apply", ""): {"data", "data.a"}}


async def test_a_dry_run_stores_nothing(http: Http) -> None:
    made = await apply(http, f"{CM}/cm", cm(a="1"), query="&dryRun=All")
    assert made.code == 201
    assert (await http("GET", f"{CM}/cm")).code == 404
    await apply(http, f"{CM}/cm", cm(a="1"))
    changed = await apply(http, f"{CM}/cm", cm(a="2"), query="&dryRun=All")
    assert (changed.code, changed.json["data"]) == (200, {"a": "2"})
    assert (await http("GET", f"{CM}/cm")).json["data"] == {"a": "1"}


async def test_defaults_are_filled_in_but_nobodys(http: Http) -> None:
    config = pod()
    del config["metadata"]["namespace"]
    made = await apply(http, f"{PODS}/web", config)
    assert made.code == 201, made.text
    assert made.json["spec"]["restartPolicy"] == "Always"
    assert "f:restartPolicy" not in made.json["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    again = await apply(http, f"{PODS}/web", config)
    assert again.json == made.json


async def test_status_is_applied_through_its_door_only(http: Http) -> None:
    await http("POST", PODS, pod())
    config = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "status": {"conditions": [{"type": "example.com/Ready", "status": "True"}]},
    }
    main = await apply(http, f"{PODS}/web", config, "gate")
    assert not main.json["status"].get("conditions")
    assert ("gate", "") not in owners(main.json)
    after = await apply(http, f"{PODS}/web/status", config, "gate")
    assert after.json["status"]["conditions"][0]["type"] == "example.com/Ready"
    assert 'status.conditions.k:{"type":"example.com/Ready"}.status' in owners(after.json)[("gate", "status")]
    assert (await apply(http, f"{PODS}/nope/status", {**config, "metadata": {"name": "nope"}})).code == 404


async def test_a_scale_can_be_applied(http: Http) -> None:
    await http("POST", f"{SETS}?fieldManager=upd", replica_set(replicas=2))
    config = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "rs"}, "spec": {"replicas": 5}}
    refused = await apply(http, f"{SETS}/rs/scale", config)
    assert refused.json["message"] == (
        'Apply failed with 1 conflict: conflict with "upd" using autoscaling/v1: .spec.replicas'
    )
    forced = await apply(http, f"{SETS}/rs/scale", config, query="&force=true")
    assert (forced.code, forced.json["spec"]) == (200, {"replicas": 5})
    seen = owners((await http("GET", f"{SETS}/rs")).json)
    assert seen[("m1", "scale")] == {"spec.replicas"}
    assert "spec.replicas" not in seen[("upd", "")]
    wrong = await apply(http, f"{SETS}/rs/scale", {**config, "kind": "ReplicaSet"})
    assert wrong.json["message"] == "invalid object type: autoscaling/v1, Kind=ReplicaSet"


CHECKED = [
    ({"apiVersion": "v1", "kind": "Secret"}, 400, "invalid object type: /v1, Kind=Secret"),
    ({"apiVersion": "apps/v1", "kind": "ConfigMap"}, 400, "invalid object type: apps/v1, Kind=ConfigMap"),
    ({"apiVersion": "v1", "kind": "List", "items": []}, 400, "invalid object type: /v1, Kind=List"),
    ("", 400, "invalid object type: /, Kind="),
    (
        "[]",
        400,
        "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value"
        " of type map[string]interface {}",
    ),
    (
        {**cm(), "data": {"a": 1}},
        500,
        "failed to create typed patch object (/cm; /v1, Kind=ConfigMap): .data.a: expected string, got"
        " &value.valueUnstructured{Value:1}",
    ),
    (
        {**cm(), "immutable": "yes", "data": []},
        500,
        "failed to create typed patch object (/cm; /v1, Kind=ConfigMap): errors:\n  .data: expected map, got &{[]}\n"
        "  .immutable: expected boolean, got &{yes}",
    ),
    (
        {**cm(), "metadata": {"name": "other"}},
        400,
        "the name of the object (other) does not match the name on the URL (cm)",
    ),
]


@pytest.mark.parametrize(("body", "code", "message"), CHECKED)
async def test_mistakes_are_worded_as_the_real_server_words_them(
    http: Http, body: Any, code: int, message: str
) -> None:
    answer = await apply(http, f"{CM}/cm", body)
    assert (answer.code, answer.json["message"]) == (code, message)


async def test_items_of_lists_need_their_keys_once(http: Http) -> None:
    one = {"name": "c", "image": IMAGE}
    prefix = "failed to create typed patch object (/web; /v1, Kind=Pod): .spec.containers"
    for containers, message in (
        ([one, one], f'{prefix}: duplicate entries for key [name="c"]'),
        (
            [{"image": "x"}],
            f'{prefix}: element 0: associative list with keys has an element that omits key field "name"'
            " (and doesn't have default value)",
        ),
        ([{**one, "foo": 1}], f'{prefix}[name="c"].foo: field not declared in schema'),
    ):
        config = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": containers}}
        answer = await apply(http, f"{PODS}/web", config)
        assert (answer.code, answer.json["message"]) == (500, message)


async def test_a_key_written_twice_is_what_field_validation_says(http: Http) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata:\n  a: '1'\n  a: '2'\n"
    strict = await apply(http, f"{CM}/cm", text, query="&fieldValidation=Strict")
    complaint = 'error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "a" already set in map'
    assert (strict.code, strict.json["message"]) == (400, f"error strict decoding YAML: {complaint}")
    warned = await apply(http, f"{CM}/cm", text)
    assert (warned.code, warned.json["data"]) == (201, {"a": "2"})
    assert 'key \\"a\\" already set in map' in warned.header("warning")
    quiet = await apply(http, f"{CM}/cm", text, query="&fieldValidation=Ignore")
    assert not quiet.header("warning")


async def test_versions_and_uids_that_do_not_fit(http: Http) -> None:
    missing = await apply(http, f"{CM}/cm", {**cm(), "metadata": {"name": "cm", "uid": "u"}})
    assert missing.code == 409
    assert "uid mismatch: the provided object specified uid u, and no existing object" in missing.json["message"]
    await apply(http, f"{CM}/cm", cm(a="1"))
    stale = await apply(http, f"{CM}/cm", {**cm(a="2"), "metadata": {"name": "cm", "resourceVersion": "1"}})
    assert (stale.code, stale.json["reason"]) == (409, "Conflict")


async def test_validation_speaks_after_the_merge(http: Http) -> None:
    answer = await apply(http, f"{PODS}/web", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}})
    assert (answer.code, answer.json["details"]["causes"][0]["field"]) == (422, "spec.containers")
    bad = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "%"}}
    answer = await apply(http, "/api/v1/namespaces/default/secrets/s", bad)
    assert (answer.code, answer.json["message"]) == (
        500,
        "failed to convert new object (/s; /v1, Kind=Secret) to proper version: illegal base64 data at input byte 0",
    )


def client_side(**data: str) -> dict[str, Any]:
    """A ConfigMap as client-side apply leaves it."""
    obj = config_map("cm", **data)
    text = json.dumps({"apiVersion": "v1", "data": data, "kind": "ConfigMap", "metadata": {"name": "cm"}}) + "\n"
    obj["metadata"]["annotations"] = {LAST_APPLIED: text}
    return obj


async def test_kubectls_server_side_apply_goes_on_where_client_side_apply_was(http: Http) -> None:
    await http("POST", f"{CM}?fieldManager=kubectl-client-side-apply", client_side(a="1", b="1"))
    other = await apply(http, f"{CM}/cm", cm(a="2"), "other")
    assert other.json["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.a'
    )
    moved = await apply(http, f"{CM}/cm", cm(a="2"), "kubectl")
    assert moved.code == 200
    noted = json.loads(moved.json["metadata"]["annotations"][LAST_APPLIED])
    assert noted == {"apiVersion": "v1", "data": {"a": "2"}, "kind": "ConfigMap", "metadata": {"name": "cm"}}
    await http("PATCH", f"{CM}/cm?fieldManager=edit", {"data": {"a": "3"}}, MERGE)
    refused = await apply(http, f"{CM}/cm", cm(a="4"), "kubectl")
    assert refused.json["message"] == 'Apply failed with 1 conflict: conflict with "edit" using v1: .data.a'


async def test_kubectls_migration_of_the_owners(http: Http) -> None:
    """The four requests of `kubectl apply --server-side` on what was applied client-side."""
    await http("POST", f"{CM}?fieldManager=kubectl-client-side-apply", client_side(a="1", b="1"))
    first = (await apply(http, f"{CM}/cm", cm(a="1", b="1"), "kubectl", "&force=false")).json
    note = {LAST_APPLIED: first["metadata"]["annotations"][LAST_APPLIED]}
    only_note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "annotations": note}}
    second = (await apply(http, f"{CM}/cm", only_note, "kubectl-last-applied")).json
    assert second["metadata"].get("annotations") == note
    kept = [entry for entry in second["metadata"]["managedFields"] if entry["operation"] == "Apply"]
    ops = [
        {"op": "replace", "path": "/metadata/managedFields", "value": kept},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": second["metadata"]["resourceVersion"]},
    ]
    third = await http("PATCH", f"{CM}/cm?fieldManager=kubectl", ops, JSON_PATCH)
    assert third.code == 200
    last = await apply(http, f"{CM}/cm", cm(a="1"), "kubectl", "&force=false")
    assert last.json["data"] == {"a": "1"}
    assert set(owners(last.json)) == {("kubectl", ""), ("kubectl-last-applied", "")}
