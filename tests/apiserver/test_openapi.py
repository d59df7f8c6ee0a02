"""OpenAPI over HTTP: hashes, caching, and version 2 in the protobuf that old kubectl reads."""

import json
import re
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_harness import Http
from sampan_api.protobuf import _read
from sampan_master.apiserver.auth.reviews import REVIEWS
from sampan_master.apiserver.resources.table import BUILT_IN

GNOSTIC = {"Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
MESSAGES = json.loads((Path(__file__).parent / "data" / "openapi-v2-protobuf-fields.json").read_text())


def decoded(message: str, raw: bytes) -> dict[str, Any]:
    """By the field numbers of gnostic's own description."""
    found: dict[str, Any] = {}
    for number, value in _read(raw):
        type_, name = MESSAGES[message][str(number)]
        repeated, type_ = type_.startswith("rep "), type_.removeprefix("rep ")
        assert isinstance(value, bytes)
        item = decoded(type_, value) if type_ in MESSAGES else value.decode()
        if repeated:
            found.setdefault(name, []).append(item)
        else:
            found[name] = item
    return found


def as_schema(one: dict[str, Any]) -> dict[str, Any]:
    """A decoded gnostic Schema as the JSON it stands for."""
    plain = {"_ref": "$ref", "format": "format", "description": "description", "required": "required"}
    schema = {plain[key]: value for key, value in one.items() if key in plain}
    if "type" in one:
        (schema["type"],) = one["type"]["value"]
    if "items" in one:
        schema["items"] = as_schema(one["items"]["schema"][0])
    if "additional_properties" in one:
        schema["additionalProperties"] = as_schema(one["additional_properties"]["schema"])
    if "properties" in one:
        listed = one["properties"].get("additional_properties", [])
        schema["properties"] = {named["name"]: as_schema(named["value"]) for named in listed}
    for extension in one.get("vendor_extension", ()):
        schema[extension["name"]] = yaml.safe_load(extension["value"]["yaml"])
    return schema


async def test_version_2_says_the_same_in_protobuf_as_in_json(http: Http) -> None:
    answer = await http("GET", "/openapi/v2", headers=GNOSTIC)
    assert answer.header("content-type") == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    document = decoded("Document", answer.raw)
    plain = (await http("GET", "/openapi/v2")).json
    assert (document["swagger"], document["info"]) == ("2.0", plain["info"])
    definitions = document["definitions"]["additional_properties"]
    assert {one["name"]: as_schema(one["value"]) for one in definitions} == plain["definitions"]
    assert [path["name"] for path in document["paths"]["path"]] == list(plain["paths"])


async def test_every_kind_can_be_dry_run_by_old_kubectl(http: Http) -> None:
    """It looks for a PATCH of the kind with a query parameter `dryRun`."""
    document = decoded("Document", (await http("GET", "/openapi/v2", headers=GNOSTIC)).raw)
    kinds = set()
    for path in document["paths"]["path"]:
        patch = path["value"]["patch"]
        kind = next(e for e in patch["vendor_extension"] if e["name"] == "x-kubernetes-group-version-kind")
        parameters = [
            one["parameter"]["non_body_parameter"]["query_parameter_sub_schema"]["name"] for one in patch["parameters"]
        ]
        assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= set(parameters)
        said = yaml.safe_load(kind["value"]["yaml"])
        kinds.add((said["group"], said["version"], said["kind"]))
    assert kinds == {(rt.group, rt.version, rt.kind) for rt in BUILT_IN.types}


async def test_documents_are_kept_by_hash_and_not_sent_twice(http: Http) -> None:
    index = await http("GET", "/openapi/v3")
    assert (index.header("content-type"), index.header("vary")) == ("application/json", "Accept")
    for path, entry in index.json["paths"].items():
        url = entry["serverRelativeURL"]
        assert re.fullmatch(rf"/openapi/v3/{path}\?hash=[0-9A-F]{{128}}", url)
        answer = await http("GET", url)
        etag = answer.header("etag")
        assert etag.strip('"') == url.rpartition("=")[2]
        assert (answer.code, answer.header("content-type")) == (200, "application/json")
        assert (answer.header("cache-control"), answer.header("vary")) == ("public, immutable", "Accept")
        years = parsedate_to_datetime(answer.header("expires")) - parsedate_to_datetime(answer.header("date"))
        assert 364 <= years.days <= 366
        assert (await http("GET", url, headers={"If-None-Match": etag})).code == 304
        unhashed = await http("GET", f"/openapi/v3/{path}", headers={"Accept-Encoding": "gzip"})
        assert (unhashed.code, unhashed.header("cache-control")) == (200, "no-cache, private")
        assert unhashed.header("content-encoding") == ""
        wrong = await http("GET", f"/openapi/v3/{path}?hash=00")
        assert (wrong.code, wrong.header("location")) == (301, url)


async def test_version_2_is_kept_by_etag_and_date_and_compressed(http: Http) -> None:
    for headers in ({}, GNOSTIC):
        answer = await http("GET", "/openapi/v2", headers={**headers, "Accept-Encoding": "gzip"})
        assert answer.header("content-encoding") == "gzip"
        assert answer.header("last-modified")
        assert {value for key, value in answer.headers if key == "vary"} == {"Accept", "Accept-Encoding"}
        again = await http("GET", "/openapi/v2", headers={**headers, "If-None-Match": answer.header("etag")})
        assert (again.code, again.raw) == (304, b"")


@pytest.mark.parametrize("path", ["/openapi/v3/apis/none/v1", "/openapi/v3/api/v9", "/openapi/v3/x", "/openapi"])
async def test_what_is_not_described_is_not_found(http: Http, path: str) -> None:
    assert (await http("GET", path)).code == 404


async def test_subresources_and_reviews_are_described(http: Http) -> None:
    core = (await http("GET", "/openapi/v3/api/v1")).json
    eviction = core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}/eviction"]["post"]
    assert eviction["x-kubernetes-group-version-kind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}
    for one in REVIEWS:
        document = (await http("GET", f"/openapi/v3/apis/{one.group}/{one.version}")).json
        place = "namespaces/{namespace}/" if one.namespaced else ""
        post = document["paths"][f"/apis/{one.group}/{one.version}/{place}{one.plural}"]["post"]
        assert post["x-kubernetes-group-version-kind"]["kind"] == one.kind


async def test_every_reference_of_every_document_leads_somewhere(http: Http) -> None:
    for path in (await http("GET", "/openapi/v3")).json["paths"]:
        text = (await http("GET", f"/openapi/v3/{path}")).text
        schemas = json.loads(text)["components"]["schemas"]
        assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= schemas.keys()
