"""DELETE over HTTP: options, answers, grace, finalizers, collections and namespaces."""

from typing import Any

import pytest
from api_harness import MERGE, Http, Running, causes, config_map, pod, replica_set

NS = "/api/v1/namespaces/default"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


async def made(http: Http, obj: dict[str, Any]) -> dict[str, Any]:
    group = "/apis/apps/v1" if obj["kind"] == "ReplicaSet" else "/api/v1"
    answer = await http("POST", f"{group}/namespaces/default/{obj['kind'].lower()}s", obj)
    assert answer.code == 201, answer.text
    return answer.json


def held(obj: dict[str, Any], *finalizers: str) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "finalizers": list(finalizers)}}


async def test_what_is_gone_is_answered_by_a_status_with_its_uid(http: Http) -> None:
    uid = (await made(http, config_map()))["metadata"]["uid"]
    answer = await http("DELETE", f"{NS}/configmaps/cm")
    assert (answer.code, answer.json) == (
        200,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": "cm", "kind": "configmaps", "uid": uid},
        },
    )
    uid = (await made(http, replica_set()))["metadata"]["uid"]
    answer = await http("DELETE", "/apis/apps/v1/namespaces/default/replicasets/rs")
    assert answer.json["details"] == {"name": "rs", "group": "apps", "kind": "replicasets", "uid": uid}
    assert (await http("DELETE", f"{NS}/configmaps/cm")).code == 404


async def test_a_pod_that_goes_at_once_is_answered_as_a_pod_without_time_left(http: Http) -> None:
    await made(http, pod())
    answer = await http("DELETE", f"{NS}/pods/web")
    metadata = answer.json["metadata"]
    assert (answer.code, answer.json["kind"], metadata["deletionGracePeriodSeconds"]) == (200, "Pod", 0)
    assert metadata["deletionTimestamp"]
    assert metadata["generation"] == 2
    assert (await http("GET", f"{NS}/pods/web")).code == 404


@pytest.mark.parametrize("group", ["v1", "meta.k8s.io/v1", "apps/v1"])
async def test_typed_clients_send_their_options_as_protobuf_of_any_group(http: Http, group: str) -> None:
    await made(http, held(config_map(), "example.com/held"))
    type_meta = bytes([0x0A, len(group)]) + group.encode() + b"\x12\x0dDeleteOptions"
    body = b"k8s\x00\x0a" + bytes([len(type_meta)]) + type_meta + b"\x12\x0c\x22\x0aForeground"
    kind = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    answer = await http("DELETE", f"{NS}/configmaps/cm", body, kind)
    assert answer.code == 200, answer.text
    assert "foregroundDeletion" in answer.json["metadata"]["finalizers"]


async def test_a_service_account_is_answered_as_it_was(http: Http) -> None:
    await made(http, {"kind": "ServiceAccount", "metadata": {"name": "robot"}})
    answer = await http("DELETE", f"{NS}/serviceaccounts/robot")
    assert (answer.json["kind"], "deletionTimestamp" in answer.json["metadata"]) == ("ServiceAccount", False)


async def test_what_lingers_is_answered_as_the_object(http: Http) -> None:
    await made(http, held(config_map(), "x.io/a"))
    answer = await http("DELETE", f"{NS}/configmaps/cm")
    metadata = answer.json["metadata"]
    assert (answer.code, metadata["deletionGracePeriodSeconds"], metadata["finalizers"]) == (200, 0, ["x.io/a"])
    again = await http("DELETE", f"{NS}/configmaps/cm", {"gracePeriodSeconds": 20})
    assert again.json == answer.json


@pytest.mark.parametrize("where", ["body", "yaml", "query"])
async def test_options_come_in_the_body_or_in_the_query(http: Http, where: str) -> None:
    await made(http, pod(nodeName="n"))
    path = f"{NS}/pods/web"
    if where == "query":
        answer = await http("DELETE", f"{path}?gracePeriodSeconds=7&propagationPolicy=Orphan")
    elif where == "yaml":
        body = "gracePeriodSeconds: 7\npropagationPolicy: Orphan\n"
        answer = await http("DELETE", path, body, {"Content-Type": "application/yaml"})
    else:
        options = {"kind": "DeleteOptions", "apiVersion": "policy/v1", "gracePeriodSeconds": 7}
        answer = await http("DELETE", path, {**options, "propagationPolicy": "Orphan"})
    metadata = answer.json["metadata"]
    assert (answer.code, metadata["deletionGracePeriodSeconds"], metadata["finalizers"]) == (200, 7, ["orphan"])


async def test_a_body_is_the_whole_of_the_options_but_a_dry_run_holds_from_either(http: Http) -> None:
    await made(http, pod(nodeName="n"))
    answer = await http("DELETE", f"{NS}/pods/web?gracePeriodSeconds=7&dryRun=All", {})
    assert answer.json["metadata"]["deletionGracePeriodSeconds"] == 30
    assert "deletionTimestamp" not in (await http("GET", f"{NS}/pods/web")).json["metadata"]


async def test_a_dry_run_answers_and_changes_nothing(http: Http) -> None:
    await made(http, config_map())
    await made(http, held(config_map("held"), "x.io/a"))
    answer = await http("DELETE", f"{NS}/configmaps/cm", {"dryRun": ["All"]})
    assert answer.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "cm", "kind": "ConfigMap"},
        "code": 200,
    }
    assert (await http("DELETE", f"{NS}/configmaps/held?dryRun=All")).json["metadata"]["deletionTimestamp"]
    for name in ("cm", "held"):
        assert "deletionTimestamp" not in (await http("GET", f"{NS}/configmaps/{name}")).json["metadata"]
    assert causes(await http("DELETE", f"{NS}/configmaps/cm?dryRun=Some")) == [
        'dryRun: Unsupported value: ["Some"]: supported values: "All"'
    ]


async def test_contradictory_options_are_told_all_at_once(http: Http) -> None:
    await made(http, config_map())
    answer = await http("DELETE", f"{NS}/configmaps/cm", {"propagationPolicy": "Foo", "orphanDependents": True})
    assert causes(answer) == [
        'propagationPolicy: Invalid value: "Foo": orphanDependents and deletionPropagation cannot be both set',
        'propagationPolicy: Unsupported value: "Foo": supported values: "Foreground", "Background", "Orphan", "nil"',
    ]
    assert (await http("DELETE", f"{NS}/configmaps/cm", {"kind": "Pod"})).code == 400
    assert (await http("DELETE", f"{NS}/configmaps/cm", "nonsense")).code == 400
    assert (await http("DELETE", f"{NS}/configmaps/cm", {"gracePeriodSeconds": "x"})).code == 400
    assert (await http("GET", f"{NS}/configmaps/cm")).code == 200


@pytest.mark.parametrize(
    ("options", "finalizers", "code"),
    [
        ({"propagationPolicy": "Foreground"}, ["x.io/a", "foregroundDeletion"], 200),
        ({"propagationPolicy": "Orphan"}, ["x.io/a", "orphan"], 200),
        ({"propagationPolicy": "Background"}, ["x.io/a"], 200),
        ({"orphanDependents": True}, ["x.io/a", "orphan"], 200),
        ({"orphanDependents": False}, ["x.io/a"], 202),
        ({}, ["x.io/a"], 200),
    ],
)
async def test_propagation_is_a_finalizer(http: Http, options: dict, finalizers: list[str], code: int) -> None:
    await made(http, held(config_map(), "x.io/a"))
    answer = await http("DELETE", f"{NS}/configmaps/cm", options)
    assert (answer.code, answer.json["metadata"]["finalizers"]) == (code, finalizers)


async def test_without_a_policy_the_finalizers_decide_and_a_later_policy_changes_them(http: Http) -> None:
    await made(http, held(config_map(), "foregroundDeletion"))
    assert (await http("DELETE", f"{NS}/configmaps/cm")).json["metadata"]["finalizers"] == ["foregroundDeletion"]
    orphaning = await http("DELETE", f"{NS}/configmaps/cm", {"propagationPolicy": "Orphan"})
    assert orphaning.json["metadata"]["finalizers"] == ["orphan"]
    assert (await http("DELETE", f"{NS}/configmaps/cm", {"propagationPolicy": "Background"})).json["kind"] == "Status"
    assert (await http("GET", f"{NS}/configmaps/cm")).code == 404


async def test_while_a_grace_period_runs_only_a_shorter_one_changes_anything(http: Http) -> None:
    await made(http, pod(nodeName="n"))
    going = (await http("DELETE", f"{NS}/pods/web")).json
    for options in ({}, {"gracePeriodSeconds": 60}, {"propagationPolicy": "Foreground"}):
        assert (await http("DELETE", f"{NS}/pods/web", options)).json == going
    shorter = (await http("DELETE", f"{NS}/pods/web", {"gracePeriodSeconds": -5})).json["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 1
    assert shorter["deletionTimestamp"] < going["metadata"]["deletionTimestamp"]
    assert shorter["generation"] == going["metadata"]["generation"] == 2


async def test_grace_zero_does_not_pass_a_finalizer(http: Http) -> None:
    await made(http, held(pod(nodeName="n"), "x.io/a"))
    answer = await http("DELETE", f"{NS}/pods/web", {"gracePeriodSeconds": 0})
    assert answer.json["metadata"]["deletionGracePeriodSeconds"] == 0
    last = await http("PATCH", f"{NS}/pods/web", {"metadata": {"finalizers": None}}, MERGE)
    assert (last.code, "finalizers" in last.json["metadata"]) == (200, False)
    assert (await http("GET", f"{NS}/pods/web")).code == 404


async def test_a_going_object_takes_updates_but_no_new_finalizer(http: Http) -> None:
    await made(http, held(config_map(), "x.io/a"))
    await http("DELETE", f"{NS}/configmaps/cm")
    changed = await http("PATCH", f"{NS}/configmaps/cm", {"data": {"a": "2"}}, MERGE)
    assert (changed.code, changed.json["data"]) == (200, {"a": "2"})
    more = {"metadata": {"finalizers": ["x.io/a", "x.io/z"]}}
    assert causes(await http("PATCH", f"{NS}/configmaps/cm", more, MERGE)) == [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted,"
        ' found new finalizers []string{"x.io/z"}'
    ]
    stamp = {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}}
    [said] = causes(await http("PATCH", f"{NS}/configmaps/cm", stamp, MERGE))
    assert said.startswith("metadata.deletionTimestamp: Invalid value: ")
    assert said.endswith(": field is immutable")
    whole = changed.json
    del whole["metadata"]["finalizers"]
    assert (await http("PUT", f"{NS}/configmaps/cm", whole)).code == 200
    assert (await http("GET", f"{NS}/configmaps/cm")).code == 404


async def test_a_collection_is_deleted_by_selector_and_answered_as_the_list_it_was(http: Http) -> None:
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        obj = config_map(name)
        obj["metadata"]["labels"] = {"app": app}
        await made(http, obj)
    answer = await http("DELETE", f"{NS}/configmaps?labelSelector=app=x")
    assert (answer.code, answer.json["kind"]) == (200, "ConfigMapList")
    assert [item["metadata"]["name"] for item in answer.json["items"]] == ["a", "b"]
    left = (await http("GET", f"{NS}/configmaps")).json["items"]
    assert [item["metadata"]["name"] for item in left] == ["c"]
    table = await http("DELETE", f"{NS}/configmaps?fieldSelector=metadata.name=c", headers=TABLE)
    assert (table.json["kind"], len(table.json["rows"])) == ("Table", 1)
    empty = await http("DELETE", f"{NS}/configmaps")
    assert (empty.code, empty.json["items"]) == (200, [])


async def test_options_hold_for_each_of_a_collection(http: Http) -> None:
    for name in ("a", "b"):
        await made(http, pod(name, nodeName="n"))
    dry = await http("DELETE", f"{NS}/pods", {"dryRun": ["All"]})
    assert len(dry.json["items"]) == 2
    assert (await http("DELETE", f"{NS}/pods", {"preconditions": {"uid": "x"}})).code == 409
    await http("DELETE", f"{NS}/pods?limit=1", {"gracePeriodSeconds": 3, "propagationPolicy": "Orphan"})
    pods = [item["metadata"] for item in (await http("GET", f"{NS}/pods")).json["items"]]
    assert [(m.get("deletionGracePeriodSeconds"), m.get("finalizers")) for m in pods] == [
        (3, ["orphan"]),
        (None, None),
    ]
    assert (await http("DELETE", "/api/v1/pods")).code == 405
    assert (await http("DELETE", "/api/v1/namespaces")).code == 405


async def test_a_namespace_lingers_without_a_grace_period_until_it_is_finalized(http: Http) -> None:
    await http("POST", "/api/v1/namespaces", {"metadata": {"name": "going"}})
    path = "/api/v1/namespaces/going"
    refused = await http("DELETE", path, {"preconditions": {"uid": "abc"}})
    assert (refused.code, refused.json["details"]) == (409, {"name": "going", "kind": "namespaces"})
    assert "Precondition failed: UID in precondition: abc, UID in object meta: " in refused.json["message"]
    going = (await http("DELETE", path)).json
    assert (going["kind"], going["status"]["phase"]) == ("Namespace", "Terminating")
    assert going["metadata"]["deletionTimestamp"]
    assert "deletionGracePeriodSeconds" not in going["metadata"]
    assert (await http("DELETE", path)).json == going
    late = await http("POST", f"{path}/configmaps", {"metadata": {"name": "z"}})
    assert (late.code, late.json["details"]["causes"]) == (
        403,
        [
            {
                "reason": "NamespaceTerminating",
                "message": "namespace going is being terminated",
                "field": "metadata.namespace",
            }
        ],
    )
    kept = await http("PUT", path, {**going, "spec": {}})
    assert kept.json["spec"] == {"finalizers": ["kubernetes"]}
    more = {**going, "spec": {"finalizers": ["kubernetes", "nonsense"]}}
    assert causes(await http("PUT", f"{path}/finalize", more)) == [
        'spec.finalizers[1]: Invalid value: "nonsense": name is neither a standard finalizer name nor is it fully'
        " qualified"
    ]
    last = await http("PUT", f"{path}/finalize", {**going, "spec": {"finalizers": []}})
    assert (last.code, last.json["kind"], last.json["spec"]) == (200, "Namespace", {})
    assert (await http("GET", path)).code == 404


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_the_cluster_s_own_namespaces_may_not_be_deleted(http: Http, name: str) -> None:
    answer = await http("DELETE", f"/api/v1/namespaces/{name}")
    assert (answer.code, answer.json["message"]) == (
        403,
        f'namespaces "{name}" is forbidden: this namespace may not be deleted',
    )


async def test_events_take_no_propagation(http: Http) -> None:
    event = {
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"namespace": "default"},
        "reason": "R",
        "type": "Normal",
    }
    await made(http, event)
    assert (await http("DELETE", f"{NS}/events/e?propagationPolicy=Foreground")).json["kind"] == "Status"


async def test_watchers_see_the_last_state_of_what_went(api: Running) -> None:
    await made(api.http, config_map(a="1"))
    revision = (await api.http("GET", f"{NS}/configmaps")).json["metadata"]["resourceVersion"]
    async with api.http.stream(f"{NS}/configmaps?watch=1&resourceVersion={revision}") as stream:
        await api.http("DELETE", f"{NS}/configmaps/cm")
        event = await stream.event()
    assert (event["type"], event["object"]["data"]) == ("DELETED", {"a": "1"})
