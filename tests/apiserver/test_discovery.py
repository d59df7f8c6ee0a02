"""Discovery held against what a real kube-apiserver v1.36.2 answered (data/discovery), for the kinds served here."""

import json
from pathlib import Path
from typing import Any

import pytest
from api_harness import Http

DATA = Path(__file__).parent / "data" / "discovery"
V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
AGGREGATED = {"Accept": f"{V2},application/json"}


def recorded(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def in_order(ours: list[Any], real: list[Any]) -> bool:
    return ours == [one for one in real if one in ours]


def same(ours: Any, real: Any) -> None:
    """Keys in the same order, too."""
    assert json.dumps(ours) == json.dumps(real)


@pytest.mark.parametrize("path", ["api", "apis"])
async def test_aggregated_discovery_is_as_recorded(http: Http, path: str) -> None:
    answer = await http("GET", f"/{path}", headers=AGGREGATED)
    ours, real = answer.json, recorded(f"aggregated-{path}")
    same({**ours, "items": []}, {**real, "items": []})
    groups = {item["metadata"].get("name"): item for item in real["items"]}
    assert in_order([item["metadata"] for item in ours["items"]], [item["metadata"] for item in real["items"]])
    for item in ours["items"]:
        versions = {version["version"]: version for version in groups[item["metadata"].get("name")]["versions"]}
        assert in_order([v["version"] for v in item["versions"]], list(versions))
        for version in item["versions"]:
            resources = {one["resource"]: one for one in versions[version["version"]]["resources"]}
            assert in_order([one["resource"] for one in version["resources"]], list(resources))
            for one in version["resources"]:
                served = {sub["subresource"] for sub in one.get("subresources", ())}
                expected = dict(resources[one["resource"]])
                if "subresources" in expected:
                    expected["subresources"] = [s for s in expected["subresources"] if s["subresource"] in served]
                    if not served:
                        del expected["subresources"]
                same(one, expected)


@pytest.mark.parametrize(("path", "name"), [("/api/v1", "legacy-api-v1"), ("/apis/apps/v1", "legacy-apis-apps-v1")])
async def test_resources_of_a_group_are_as_recorded(http: Http, path: str, name: str) -> None:
    ours, real = (await http("GET", path)).json, recorded(name)
    same({**ours, "resources": []}, {**real, "resources": []})
    resources = {one["name"]: one for one in real["resources"]}
    assert in_order([one["name"] for one in ours["resources"]], list(resources))
    for one in ours["resources"]:
        same(one, resources[one["name"]])


async def test_versions_and_groups_are_as_recorded(http: Http) -> None:
    ours, real = (await http("GET", "/api")).json, recorded("legacy-api")
    address = ours["serverAddressByClientCIDRs"][0].pop("serverAddress")
    assert address == "{}:{}".format(*http.address)
    del real["serverAddressByClientCIDRs"][0]["serverAddress"]
    same(ours, real)
    ours, real = (await http("GET", "/apis")).json, recorded("legacy-apis")
    groups = {group["name"]: group for group in real["groups"]}
    assert in_order([group["name"] for group in ours["groups"]], list(groups))
    for group in ours["groups"]:
        same(group, groups[group["name"]])
        same((await http("GET", f"/apis/{group['name']}")).json, {"kind": "APIGroup", "apiVersion": "v1", **group})


async def test_what_has_not_changed_is_not_sent_again(http: Http) -> None:
    for path in ("/api", "/apis", "/api/", "/apis/"):
        answer = await http("GET", path, headers=AGGREGATED)
        etag = answer.header("etag")
        assert (len(etag), etag, answer.header("vary")) == (130, etag.upper(), "Accept")
        assert (answer.header("cache-control"), answer.header("content-type")) == ("public", V2)
        again = await http("GET", path, headers={**AGGREGATED, "If-None-Match": f'"other", {etag}'})
        assert (again.code, again.raw, again.header("etag")) == (304, b"", etag)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (f"{V2},application/json", "APIGroupDiscoveryList"),
        ("application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io", "APIGroupDiscoveryList"),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", "APIGroupList"),
        ("application/vnd.kubernetes.protobuf,application/json", "APIGroupList"),
        ("application/json, " + V2, "APIGroupList"),
        ("*/*", "APIGroupList"),
        ("", "APIGroupList"),
    ],
)
async def test_accept_chooses_the_form_of_discovery(http: Http, accept: str, kind: str) -> None:
    assert (await http("GET", "/apis", headers={"Accept": accept})).json["kind"] == kind


async def test_discovery_in_a_form_that_is_none_is_406(http: Http) -> None:
    assert (await http("GET", "/apis", headers={"Accept": "text/html"})).code == 406
    assert (await http("GET", "/api/v1", headers={"Accept": "application/xml"})).code == 406


async def test_discovery_in_yaml(http: Http) -> None:
    answer = await http("GET", "/apis/apps", headers={"Accept": "application/yaml"})
    assert (answer.header("content-type"), answer.text.split("\n")[:2]) == (
        "application/yaml",
        ["apiVersion: v1", "kind: APIGroup"],
    )


@pytest.mark.parametrize("path", ["/api", "/apis", "/apis/apps", "/api/v1", "/apis/apps/v1", "/version", "/openapi/v2"])
async def test_documents_are_only_read(http: Http, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = await http(method, path)
        assert (answer.code, answer.json["reason"]) == (405, "MethodNotAllowed")
