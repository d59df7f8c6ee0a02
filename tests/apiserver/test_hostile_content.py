"""Bodies, patches and selectors made to hurt: a clear 4xx, in little time, and never a 500."""

import time
from typing import Any
from urllib.parse import quote

import pytest
from api_harness import MERGE, STRATEGIC, Answer, Http, config_map
from raw_http import AUTH, HOST, wire
from sampan_api.client import CONFIGMAPS, Client

MAPS = "/api/v1/namespaces/default/configmaps"
YAML = {"Content-Type": "application/yaml"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
PROTOBUF = {"Content-Type": "application/vnd.kubernetes.protobuf"}


def refused(answer: Answer, *codes: int) -> None:
    assert answer.code in codes, answer.raw[:300]
    status = answer.json
    assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", answer.code)
    assert len(answer.raw) < 100_000


DEEP = 100_000
BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "deep lists": (b'{"metadata":' + b"[" * DEEP + b"]" * DEEP + b"}", {}),
    "deep objects": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, {}),
    "depth below the reader's own limit": (b'{"metadata":{"name":"a"},"data":' + b"[" * 900 + b"]" * 900 + b"}", {}),
    "never closed": (b"[" * 3_000_000, {}),
    "not UTF-8": (b'{"metadata":{"name":"\xff"}}', {}),
    "lone surrogate": (b'{"metadata":{"name":"\\ud800"}}', {}),
    "number of a million digits": (b'{"metadata":{"generation":' + b"9" * 1_000_000 + b"}}", {}),
    "number beyond floats": (b'{"metadata":{"generation":1e999}}', {}),
    "NaN": (b'{"metadata":{"generation":NaN}}', {}),
    "empty": (b"", {}),
    "null": (b"null", {}),
    "a text": (b'"x"', {}),
    "YAML aliases": (b"a: &a [x,x]\nb: &b [*a,*a]\nmetadata: {name: [*b,*b]}\n", YAML),
    "YAML anchor on itself": (b"&a [*a]", YAML),
    "YAML deep": (b"[" * 100_000, YAML),
    "YAML deep blocks": (b"".join(b" " * depth + b"a:\n" for depth in range(2000)), YAML),
    "YAML of many values": (b"a: 1\n" * 500_000, YAML),
    "YAML of many merges": (b"<<: {a: b}\n" * 200_000, YAML),
    "YAML of many documents": (b"---\n" * 500_000, YAML),
    "YAML tags": (b"!!python/object/apply:os.system [true]", YAML),
    "YAML binary": (b"metadata: {name: !!binary /w==}", YAML),
    "YAML infinity": (b"metadata: {name: a, generation: .inf}", YAML),
    "YAML key that is a list": (b"? [a]\n: b", YAML),
    "YAML control characters": (b"a: \x01", YAML),
    "YAML not UTF-8": (b"a: \xff", YAML),
    "protobuf without its prefix": (b"\x0a\x00", PROTOBUF),
    "protobuf cut off": (b"k8s\x00\x0a\xff\xff", PROTOBUF),
    "protobuf that is no type": (b"k8s\x00\x12\x02\x0a\xff", PROTOBUF),
    "protobuf of another kind": (b"k8s\x00\x0a\x0c\x0a\x02v1\x12\x06Nodule\x12\x00", PROTOBUF),
    "protobuf with an endless number": (b"k8s\x00" + b"\xff" * 1000, PROTOBUF),
}


@pytest.mark.parametrize("case", BODIES)
async def test_bodies_that_are_no_object(http: Http, case: str) -> None:
    body, headers = BODIES[case]
    began = time.process_time()
    refused(await http("POST", MAPS, body, headers), 400, 422)
    assert time.process_time() - began < 3


async def test_an_object_above_the_stores_limit_is_413(http: Http, client: Client) -> None:
    labels = {f"l{number}": "x" * 60 for number in range(25_000)}
    refused(await http("POST", MAPS, {"metadata": {"name": "a", "labels": labels}}), 413)
    await client.create(CONFIGMAPS, config_map("b"))
    answer = await http("PATCH", f"{MAPS}/b", {"metadata": {"labels": labels}}, MERGE)
    refused(answer, 413)


async def test_many_unknown_fields_make_no_endless_message(http: Http) -> None:
    body = {"metadata": {"name": "a"}, **{f"unknown{number}": 1 for number in range(50_000)}}
    answer = await http("POST", MAPS + "?fieldValidation=Strict", body)
    refused(answer, 400)
    assert answer.json["message"].count("unknown field") == 100


@pytest.fixture
async def large(client: Client) -> str:
    await client.create(CONFIGMAPS, config_map("large", **{f"k{number}": "v" for number in range(30_000)}))
    return f"{MAPS}/large"


async def test_ten_thousand_operations_on_a_large_object_take_no_time(http: Http, large: str) -> None:
    operations = [{"op": "add", "path": f"/data/n{number}", "value": "x"} for number in range(10_000)]
    began = time.process_time()
    answer = await http("PATCH", large, operations, JSON_PATCH)
    assert (answer.code, len(answer.json["data"])) == (200, 40_000)
    assert time.process_time() - began < 3


PATCHES: dict[str, tuple[Any, dict[str, str], int]] = {
    "copies that double": (
        [{"op": "add", "path": "/data/a", "value": "x" * 1000}]
        + [{"op": "copy", "from": "/data", "path": f"/data/b{number}"} for number in range(40)],
        JSON_PATCH,
        422,
    ),
    "too many operations": ([{"op": "test", "path": "/kind", "value": "ConfigMap"}] * 10_001, JSON_PATCH, 413),
    "deep path": ([{"op": "add", "path": "/a" * 100_000, "value": 1}], JSON_PATCH, 422),
    "no operations": ({"op": "add"}, JSON_PATCH, 400),
    "operations that are none": ([1, None, "x"], JSON_PATCH, 422),
    "position of many digits": ([{"op": "remove", "path": "/metadata/finalizers/" + "9" * 5000}], JSON_PATCH, 422),
    "whole document removed": ([{"op": "remove", "path": ""}], JSON_PATCH, 422),
    "whole document a number": ([{"op": "replace", "path": "", "value": 1}], JSON_PATCH, 422),
    "another name": ([{"op": "replace", "path": "/metadata/name", "value": "else"}], JSON_PATCH, 400),
    "metadata gone": ([{"op": "remove", "path": "/metadata"}], JSON_PATCH, 400),
    "metadata a list": ({"metadata": []}, MERGE, 422),
    "deep merge": (b'{"data":' + b'{"a":' * 900 + b"1" + b"}" * 901, MERGE, 400),
    "deep strategic merge": (b'{"data":' + b'{"a":' * 900 + b"1" + b"}" * 901, STRATEGIC, 400),
    "a list": ([], MERGE, 400),
    "not JSON": (b"{", STRATEGIC, 400),
    "no patch type": ({}, {"Content-Type": "application/x-patch"}, 415),
}


@pytest.mark.parametrize("case", PATCHES)
async def test_patches_that_cannot_be_applied(http: Http, client: Client, case: str) -> None:
    await client.create(CONFIGMAPS, config_map("a", k="v"))
    patch, headers, code = PATCHES[case]
    began = time.process_time()
    refused(await http("PATCH", f"{MAPS}/a", patch, headers), code)
    assert time.process_time() - began < 3


async def test_a_long_list_is_merged_in_little_time(http: Http, client: Client) -> None:
    obj = config_map("a")
    obj["metadata"]["finalizers"] = [f"example.com/{number}" for number in range(20_000)]
    await client.create(CONFIGMAPS, obj)
    names = [f"example.com/{number}" for number in range(40_000, 20_000, -1)]
    began = time.process_time()
    answer = await http("PATCH", f"{MAPS}/a?dryRun=All", {"metadata": {"finalizers": names}}, STRATEGIC)
    assert answer.code in (200, 413, 422)
    assert time.process_time() - began < 5


SELECTORS = {
    "labels without end": "labelSelector=" + quote(",".join(f"!l{number}" for number in range(1001))),
    "values without end": "labelSelector=" + quote("a in (" + ",".join(map(str, range(1001))) + ")"),
    "fields without end": "fieldSelector=" + quote(",".join(["metadata.name!=a"] * 1001)),
    "brackets": "labelSelector=" + "(" * 10_000,
    "commas": "labelSelector=" + "," * 10_000,
    "escapes": "fieldSelector=metadata.name%3D" + quote("\\" * 9_999),
    "NUL": "labelSelector=a%3D%00",
    "not UTF-8": "labelSelector=%ff%fe",
    "value too long": "labelSelector=a%3D" + "x" * 10_000,
    "unknown field": "fieldSelector=spec.secret%3Dx",
}


@pytest.mark.parametrize("case", SELECTORS)
@pytest.mark.parametrize("more", ["", "&watch=true"])
async def test_selectors_that_cannot_be(http: Http, case: str, more: str) -> None:
    began = time.process_time()
    refused(await http("GET", f"{MAPS}?{SELECTORS[case]}{more}"), 400)
    assert time.process_time() - began < 2


NUMBERS = [
    ("limit=abc", 400),
    ("limit=-1", 400, 422, 200),
    ("limit=99999999999999999999", 400),
    ("limit=1_0", 400),
    ("timeoutSeconds=%D9%A1&watch=true", 400),
    ("resourceVersion=-1", 400),
    ("resourceVersion=99999999999999999999", 400),
    ("resourceVersion=x&watch=true", 400, 500),
    ("continue=abc", 400),
    ("continue=" + "A" * 50_000, 400),
    ("continue=eyJydiI6MWU5OTksInN0YXJ0IjoiYSJ9", 400),
    ("resourceVersionMatch=Sometimes&resourceVersion=1", 422),
]


@pytest.mark.parametrize("case", NUMBERS, ids=lambda case: case[0][:30])
async def test_parameters_that_are_no_numbers(http: Http, case: tuple[Any, ...]) -> None:
    query, *codes = case
    answer = await http("GET", f"{MAPS}?{query}")
    assert answer.code in codes, answer.text


async def test_the_same_header_twice_is_the_first(http: Http) -> None:
    head = b"GET /api/v1/namespaces/default HTTP/1.1\r\n" + HOST
    async with wire(http.address, head + AUTH + b"Authorization: Bearer wrong\r\n\r\n") as raw:
        assert await raw.code() == 200
    async with wire(http.address, head + b"Authorization: Bearer wrong\r\n" + AUTH + b"\r\n") as raw:
        assert await raw.code() == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/pods/%00",
        "/api/v1/namespaces/%2e%2e/pods",
        "/api/v1/namespaces/default/pods/a%2Fb",
        "/api/v1/namespaces/default/pods/" + "x" * 10_000,
        "/api/v1/namespaces/default/pods/a/b/c/d",
        "/api/v1/watch",
        "/api/v1/watch/watch",
        "/api/v1//pods",
        "//api/v1/pods",
        "/api/v1/namespaces//pods/x",
        "/apis///",
        "/%61pi/v1/namespaces/none",
        "/api/v1/namespaces/default/pods/%ff",
        "/openapi/v3/..%2f..%2fetc/passwd",
    ],
)
async def test_strange_paths_are_not_found(http: Http, path: str) -> None:
    assert (await http("GET", path)).code in (200, 404)
