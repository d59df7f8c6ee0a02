"""Discovery, version, health and OpenAPI."""

import pytest
from api_harness import Http, Running
from sampan_master.apiserver.resources.table import BUILT_IN

AGGREGATED = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}
GNOSTIC = {"Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}


async def test_aggregated_discovery_names_every_resource(http: Http) -> None:
    core = await http("GET", "/api", headers=AGGREGATED)
    assert core.header("content-type") == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    resources = {r["resource"]: r for r in core.json["items"][0]["versions"][0]["resources"]}
    assert resources["pods"]["shortNames"] == ["po"]
    assert {sub["subresource"] for sub in resources["pods"]["subresources"]} >= {"log", "exec", "binding", "status"}
    groups = await http("GET", "/apis", headers=AGGREGATED)
    assert groups.json["items"][0]["metadata"]["name"] == "apps"
    etag = {**AGGREGATED, "If-None-Match": core.header("etag")}
    again = await http("GET", "/api", headers=etag)
    assert (again.code, again.raw) == (304, b"")


async def test_old_discovery_group_by_group(http: Http) -> None:
    assert (await http("GET", "/api")).json["versions"] == ["v1"]
    groups = (await http("GET", "/apis/")).json["groups"]
    assert {"apps", "coordination.k8s.io", "scheduling.k8s.io"} <= {group["name"] for group in groups}
    assert (await http("GET", "/apis/apps")).json["preferredVersion"]["groupVersion"] == "apps/v1"
    resources = (await http("GET", "/apis/apps/v1")).json["resources"]
    scale = next(resource for resource in resources if resource["name"] == "replicasets/scale")
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    core = (await http("GET", "/api/v1")).json["resources"]
    eviction = next(resource for resource in core if resource["name"] == "pods/eviction")
    assert (eviction["group"], eviction["kind"]) == ("policy", "Eviction")


@pytest.mark.parametrize("path", ["/nope", "/apis/nope.io", "/apis/nope.io/v1", "/apis/nope.io/v1/x", "/healthz/"])
async def test_unknown_paths_are_plain_text(http: Http, path: str) -> None:
    answer = await http("GET", path)
    assert (answer.code, answer.text) == (404, "404 page not found\n")


async def test_version_and_health(api: Running) -> None:
    assert (await api.http("GET", "/version")).json["gitVersion"] == "v1.36.2"
    assert (await api.http("GET", "/readyz")).text == "ok"
    verbose = (await api.http("GET", "/readyz?verbose&exclude=etcd")).text
    assert verbose == "[+]ping ok\n[+]etcd excluded: ok\nreadyz check passed\n"
    assert (await api.http("GET", "/livez/ping")).text == "ok"


async def test_openapi_v3_says_what_kubectl_looks_for(http: Http) -> None:
    index = (await http("GET", "/openapi/v3")).json["paths"]
    url = index["apis/apps/v1"]["serverRelativeURL"]
    answer = await http("GET", url)
    assert "immutable" in answer.header("cache-control")
    patch = answer.json["paths"]["/apis/apps/v1/namespaces/{namespace}/replicasets/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "ReplicaSet"}
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    containers = answer.json["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["items"] == {"$ref": "#/components/schemas/io.k8s.api.core.v1.Container"}
    moved = await http("GET", url.replace("hash=", "hash=0"))
    assert (moved.code, moved.header("location")) == (301, url)


async def test_every_kind_is_in_both_documents(http: Http) -> None:
    definitions = (await http("GET", "/openapi/v2")).json["definitions"]
    said = {
        (kind["group"], kind["version"], kind["kind"])
        for schema in definitions.values()
        for kind in schema.get("x-kubernetes-group-version-kind", ())
    }
    for rt in BUILT_IN.types:
        assert (rt.group, rt.version, rt.kind) in said
        group = f"apis/{rt.group}/{rt.version}" if rt.group else f"api/{rt.version}"
        schemas = (await http("GET", f"/openapi/v3/{group}")).json["components"]["schemas"]
        references = [line for line in str(schemas).split("'") if line.startswith("#/components/schemas/")]
        assert {reference.rpartition("/")[2] for reference in references} <= schemas.keys()


async def test_openapi_v2_as_protobuf_holds_definitions_and_dry_run(http: Http) -> None:
    answer = await http("GET", "/openapi/v2", headers=GNOSTIC)
    assert answer.header("content-type") == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert answer.raw.startswith(b"\x0a\x032.0")
    for text in (b"io.k8s.api.core.v1.Pod", b"dryRun", b"- group: ''\n  kind: Pod\n  version: v1\n"):
        assert text in answer.raw, text
