"""HTTP as clients use it: methods, media types, sizes, slashes, pretty printing, warnings."""

import asyncio
import json
from typing import Any

import pytest
from api_harness import IMAGE, Http, Running, config_map
from sampan_api.client import CONFIGMAPS, NAMESPACES
from sampan_api.errors import RequestEntityTooLarge
from sampan_master.apiserver.resources.problems import translated_refusal
from sampan_master.storage import ValueTooLarge

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_other_methods_are_405(http: Http, method: str) -> None:
    assert (await http(method, PODS)).code == 405


async def test_a_trailing_slash_is_the_same_resource(http: Http) -> None:
    assert (await http("GET", "/api/v1/namespaces/")).json["kind"] == "NamespaceList"
    assert (await http("GET", "/apis/apps/v1/")).json["kind"] == "APIResourceList"


async def test_bodies_may_be_json_without_a_type_yaml_or_protobuf(http: Http) -> None:
    assert (await http("POST", MAPS, {"metadata": {"name": "a"}})).code == 201
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {x: 'y'}\n"
    answer = await http("POST", MAPS, text, {"Content-Type": "application/yaml"})
    assert (answer.code, answer.json["data"]) == (201, {"x": "y"})
    # k8s\0 + Unknown{typeMeta{apiVersion "v1", kind "Namespace"}, raw Namespace{metadata{name "pb"}}}
    raw = b"\x0a\x04\x0a\x02pb"
    kind = b"\x0a\x02v1\x12\x09Namespace"
    envelope = b"k8s\x00\x0a" + bytes([len(kind)]) + kind + b"\x12" + bytes([len(raw)]) + raw
    answer = await http("POST", "/api/v1/namespaces", envelope, {"Content-Type": "application/vnd.kubernetes.protobuf"})
    assert (answer.code, answer.json["metadata"]["name"]) == (201, "pb")


async def test_a_body_above_three_megabytes_is_refused(http: Http) -> None:
    answer = await http("POST", MAPS, b" " * (3 * 1024 * 1024 + 1))
    assert (answer.code, answer.json["message"]) == (413, "Request entity too large: limit is 3145728")


async def test_a_head_that_is_too_large_closes_the_connection(http: Http) -> None:
    assert (await http("GET", PODS, headers={"X-Long": "x" * 70_000})).code == 431


async def test_curl_gets_indented_json_and_yaml_when_asked(http: Http) -> None:
    assert b'\n  "kind"' in (await http("GET", PODS, headers={"User-Agent": "curl/8.0"})).raw
    assert (await http("GET", PODS)).raw.startswith(b'{"kind":"PodList","apiVersion":"v1","metadata"')
    answer = await http("GET", "/api/v1/namespaces/default", headers={"Accept": "application/yaml"})
    assert answer.header("content-type") == "application/yaml"
    assert answer.text.startswith("apiVersion: v1\nkind: Namespace\nmetadata:\n")


async def test_every_answer_has_an_audit_id_and_no_server_header(http: Http) -> None:
    answer = await http("GET", PODS)
    assert answer.header("audit-id")
    assert answer.header("date")
    assert answer.header("cache-control") == "no-cache, private"
    assert answer.header("server") == ""


async def _warned(http: Http, spec: dict[str, Any]) -> list[str]:
    answer = await http("POST", PODS + "?dryRun=All", {"metadata": {"name": "p"}, "spec": spec})
    assert answer.code == 201, answer.text
    ending = ' is stored, but Sampan does not act on it yet"'
    return [value.removeprefix('299 - "').removesuffix(ending) for key, value in answer.headers if key == "warning"]


async def test_fields_that_are_stored_only_are_named_in_warnings(http: Http) -> None:
    container = {
        "name": "c",
        "image": IMAGE,
        "volumeDevices": [{"name": "v", "devicePath": "/dev/x"}],
        "resources": {"limits": {"ephemeral-storage": "1Gi"}},
        "securityContext": {"seLinuxOptions": {"level": "s0"}},
    }
    volumes = [
        {"name": "v", "persistentVolumeClaim": {"claimName": "x"}},
        {"name": "e", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "t", "projected": {"sources": [{"clusterTrustBundle": {"path": "t"}}]}},
    ]
    assert await _warned(http, {"containers": [container], "volumes": volumes, "subdomain": "s"}) == [
        "spec.subdomain",
        r"spec: container \"c\": volumeDevices",
        r"spec: container \"c\": securityContext.seLinuxOptions",
        r"spec: container \"c\": resources.limits.ephemeral-storage",
        r"spec: volume \"v\": persistentVolumeClaim",
        r"spec: volume \"e\": emptyDir.sizeLimit",
        r"spec: volume \"t\": projected.clusterTrustBundle",
    ]


async def test_fields_that_a_node_or_the_scheduler_acts_on_are_not_warned_of(http: Http) -> None:
    probe = {"exec": {"command": ["true"]}}
    container = {
        "name": "c",
        "image": IMAGE,
        "startupProbe": probe,
        "livenessProbe": {"httpGet": {"port": 80}},
        "readinessProbe": {"grpc": {"port": 80}},
        "lifecycle": {"postStart": probe, "preStop": probe},
        "ports": [{"containerPort": 80, "hostPort": 8080}],
        "volumeMounts": [{"name": "e", "mountPath": "/m", "subPath": "s"}],
        "securityContext": {"runAsUser": 1, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": "e", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["h"]}],
        "activeDeadlineSeconds": 10,
        "readinessGates": [{"conditionType": "example.com/up"}],
        "schedulingGates": [{"name": "example.com/later"}],
        "securityContext": {"fsGroup": 1, "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]},
        "dnsConfig": {"nameservers": ["10.0.0.1"]},
        "shareProcessNamespace": True,
    }
    assert await _warned(http, spec) == []


async def test_delete_answers_status_or_the_object(http: Http) -> None:
    await http("POST", MAPS, {"metadata": {"name": "a"}})
    answer = await http("DELETE", f"{MAPS}/a", {"propagationPolicy": "Background"})
    assert answer.json["status"] == "Success"
    assert answer.json["details"]["kind"] == "configmaps"
    await http("POST", PODS, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": IMAGE}]}})
    answer = await http("DELETE", f"{PODS}/p")
    assert (answer.code, answer.json["kind"]) == (200, "Pod")


async def test_delete_collection_takes_selectors(api: Running) -> None:
    for name in ("a", "b", "c"):
        obj = config_map(name)
        obj["metadata"]["labels"] = {"keep": "yes" if name == "b" else "no"}
        await api.client.create(CONFIGMAPS, obj)
    answer = await api.http("DELETE", f"{MAPS}?labelSelector=keep%3Dno")
    assert [item["metadata"]["name"] for item in answer.json["items"]] == ["a", "c"]
    assert [obj["metadata"]["name"] for obj in (await api.client.list(CONFIGMAPS)).items] == ["b"]


async def test_dry_run_stores_nothing(api: Running) -> None:
    answer = await api.http("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "a"}})
    assert answer.code == 201
    assert answer.json["metadata"]["uid"]
    assert "resourceVersion" not in answer.json["metadata"]
    assert (await api.client.list(CONFIGMAPS)).items == []
    created = await api.client.create(CONFIGMAPS, config_map("a", x="1"))
    merge = {"Content-Type": "application/merge-patch+json"}
    answer = await api.http("PATCH", f"{MAPS}/a?dryRun=All", {"data": {"x": "2"}}, merge)
    assert answer.json["data"] == {"x": "2"}
    assert answer.json["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    assert await api.client.get(CONFIGMAPS, "a", "default") == created
    await api.http("DELETE", f"{MAPS}/a", {"dryRun": ["All"]})
    assert await api.client.get(CONFIGMAPS, "a", "default") == created


async def test_two_requests_share_a_connection(http: Http) -> None:
    reader, writer = await http.send("GET", "/api/v1/namespaces/default", close=False)
    for _ in range(2):
        code, headers = await http.head(reader)
        assert code == 200
        length = int(dict(headers)["content-length"])
        assert json.loads(await reader.readexactly(length))["kind"] == "Namespace"
        head = f"Host: x\r\nAuthorization: {http.defaults['Authorization']}\r\n\r\n"
        writer.write(f"GET /api/v1/namespaces/default HTTP/1.1\r\n{head}".encode())
    writer.close()


async def test_many_writers_to_one_object_all_get_through(api: Running) -> None:
    await api.client.create(NAMESPACES, {"metadata": {"name": "busy"}})
    patches = [api.client.patch(NAMESPACES, "busy", {"metadata": {"annotations": {f"n{i}": "x"}}}) for i in range(40)]
    await asyncio.gather(*patches)
    assert len((await api.client.get(NAMESPACES, "busy"))["metadata"]["annotations"]) == 40


async def test_a_key_set_twice_in_yaml_is_refused_when_strict(http: Http) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v, k: w}\n"
    sent = {"Content-Type": "application/yaml"}
    answer = await http("POST", MAPS + "?fieldValidation=Strict", text, sent)
    assert (answer.code, answer.json["reason"]) == (400, "BadRequest")
    assert 'key "k" already set in map' in answer.json["message"]
    answer = await http("POST", MAPS + "?fieldValidation=Ignore", text, sent)
    assert (answer.code, answer.json["data"]) == (201, {"k": "w"})


async def test_what_is_too_large_for_the_store_or_a_patch_is_413(http: Http) -> None:
    await http("POST", MAPS, {"metadata": {"name": "a"}})
    operations = [{"op": "test", "path": "/kind", "value": "ConfigMap"}] * 10001
    answer = await http("PATCH", MAPS + "/a", operations, {"Content-Type": "application/json-patch+json"})
    assert (answer.code, answer.json["reason"]) == (413, "RequestEntityTooLarge")
    with pytest.raises(RequestEntityTooLarge), translated_refusal():
        raise ValueTooLarge("etcdserver: request is too large")
