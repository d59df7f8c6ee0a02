"""The forms of an answer: which one `Accept` chooses, gzip, indentation, YAML, lists in pieces, warnings."""

import asyncio
import gzip
import json
import re
from typing import Any

import pytest
import yaml
from api_harness import Answer, Http, Running, config_map, pod
from sampan_api.client import CONFIGMAPS, PODS, Client
from sampan_api.documents import decode_yaml
from sampan_api.errors import NotAcceptable
from sampan_api.yaml_text import dump_yaml
from sampan_master.apiserver.encoding.negotiation import negotiate
from sampan_master.apiserver.encoding.representations import YAML, Form, ListBody, encoded, pieces
from sampan_master.apiserver.http.compression import is_accepted
from sampan_master.apiserver.http.warning_headers import warning_headers

MAPS = "/api/v1/namespaces/default/configmaps"
GZIP = {"Accept-Encoding": "gzip"}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "media", "view"),
    [
        ("", "application/json", ""),
        ("*/*", "application/json", ""),
        ("application/*", "application/json", ""),
        ("application/yaml", YAML, ""),
        ("application/vnd.kubernetes.protobuf,application/json", "application/json", ""),
        ("application/xml, application/yaml", YAML, ""),
        ("application/json;q=0.5, application/yaml", YAML, ""),
        ("*/*, application/yaml", YAML, ""),
        ("application/json; charset=utf-8", "application/json", ""),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "application/json", "Table"),
        ("application/json; g=meta.k8s.io; v=v1beta1; as=Table", "application/json", "Table"),
        ("application/yaml;as=Table;v=v1;g=meta.k8s.io", YAML, "Table"),
        ("application/json;as=Table;v=v1;g=else.k8s.io,application/json", "application/json", ""),
        ("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", "application/json", ""),
        ("application/json;q=nonsense", "application/json", ""),
    ],
)
def test_accept_chooses_the_form(accept: str, media: str, view: str) -> None:
    accepted = negotiate(accept)
    assert (accepted.media, accepted.view.kind) == (media, view)


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", ",,,", "application/json;as=Foo;g=meta.k8s.io;v=v1"]
)
def test_nothing_acceptable_is_406(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiate(accept)


def test_a_watch_is_not_to_be_had_in_yaml() -> None:
    with pytest.raises(NotAcceptable):
        negotiate("application/yaml", watch=True)
    assert negotiate("application/json;stream=watch", watch=True).media == "application/json"


@pytest.mark.parametrize(
    ("header", "accepted"),
    [("gzip", True), ("deflate, gzip", True), ("br,gzip ,x", True), ("gzip;q=0", False), ("xgzip", False), ("", False)],
)
def test_gzip_must_be_named(header: str, accepted: bool) -> None:
    assert is_accepted(header) is accepted


def unpacked(answer: Answer) -> Any:
    assert answer.header("content-encoding") == "gzip"
    assert answer.header("vary") == "Accept-Encoding"
    return json.loads(gzip.decompress(answer.raw))


async def test_one_object_is_compressed_from_128_kib_on(http: Http, client: Client) -> None:
    await client.create(CONFIGMAPS, config_map("small", data="x" * 100_000))
    await client.create(CONFIGMAPS, config_map("large", data="x" * 140_000))
    assert (await http("GET", f"{MAPS}/small", headers=GZIP)).header("content-encoding") == ""
    assert unpacked(await http("GET", f"{MAPS}/large", headers=GZIP))["data"] == {"data": "x" * 140_000}
    assert (await http("GET", f"{MAPS}/large")).header("content-encoding") == ""


def ageless(text: bytes) -> bytes:
    return re.sub(rb"\b\d+s\b", b"Ns", text)


FORMS: dict[str, dict[str, str]] = {
    "json": {},
    "indented": {"User-Agent": "curl/8"},
    "yaml": {"Accept": "application/yaml"},
    "table": {"Accept": TABLE},
    "indented table": {"Accept": TABLE, "User-Agent": "Wget/1"},
    "yaml table": {"Accept": TABLE.replace("json", "yaml")},
    "partial": {"Accept": PARTIAL},
}


@pytest.mark.parametrize("form", FORMS)
async def test_long_lists_come_in_pieces_in_every_form_and_compressed(http: Http, client: Client, form: str) -> None:
    for number in range(100):
        obj = config_map(f"cm{number:03}", data="x" * 4_000)
        obj["metadata"]["annotations"] = {"a": "y" * 4_000}
        await client.create(CONFIGMAPS, obj)
    sent = FORMS[form]
    plain = await http("GET", MAPS, headers=sent)
    assert plain.header("transfer-encoding") == "chunked"
    packed = await http("GET", MAPS, headers={**sent, **GZIP})
    assert packed.header("content-encoding") == "gzip"
    assert ageless(gzip.decompress(packed.raw)) == ageless(plain.raw)
    body = decode_yaml(plain.text) if "yaml" in form else plain.json
    rows = body.get("rows") or body["items"]
    named = [(row.get("object") or row)["metadata"]["name"] for row in rows]
    assert named == [f"cm{number:03}" for number in range(100)]
    assert body["metadata"]["resourceVersion"]
    assert plain.header("content-type") == ("application/yaml" if "yaml" in form else "application/json")


LISTS: list[list[dict[str, Any]]] = [[], [{"a": 1}], [{"b": ["x", {"y": "z\n"}]}, {}, {"a": None, "c": []}]]


@pytest.mark.parametrize("items", LISTS)
@pytest.mark.parametrize("form", [Form(), Form(pretty=True), Form(YAML)])
def test_a_list_in_pieces_is_the_same_as_in_one(items: list[dict[str, Any]], form: Form) -> None:
    head = {"kind": "XList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}}
    assert b"".join(pieces(ListBody(head, items), form)) == encoded({**head, "items": items}, form)


async def test_nothing_is_joined_and_nothing_kept_for_a_long_list() -> None:
    made = 0

    def items() -> Any:
        nonlocal made
        for _ in range(10_000):
            made += 1
            yield {"metadata": {"name": "x" * 1000}}

    for form in (Form(), Form(pretty=True), Form(YAML)):
        made = 0
        body = pieces(ListBody({"kind": "XList"}, items()), form)
        assert len(next(body)) < 300_000
        assert made < 300


async def test_initial_events_of_a_watch_come_in_pieces(api: Running) -> None:
    for number in range(30):
        await api.client.create(CONFIGMAPS, config_map(f"cm{number:02}", data="x" * 50_000))
    async with api.http.stream(f"{MAPS}?watch=true") as watch:
        assert len(await asyncio.wait_for(watch.chunk(), 60)) < 400_000


def test_yaml_is_sorted_and_quotes_what_would_be_read_as_something_else() -> None:
    value = {
        "b": "y",
        "a": "2024-01-01T00:00:00Z",
        "c": "1e3",
        "d": "0x10",
        "e": "a\nb\n",
        "f": "22:22",
        "g": "on",
        "h": "null",
        "i": "012",
        "j": "plain",
    }
    text = dump_yaml(value)
    assert text.startswith('a: "2024-01-01T00:00:00Z"\nb: "y"\nc: "1e3"\n')
    assert "e: |\n  a\n  b\n" in text
    assert "j: plain\n" in text
    assert decode_yaml(text) == value
    assert yaml.safe_load(text) == value


async def test_pretty_is_a_parameter_or_the_browsers_and_curls(http: Http) -> None:
    for query, agent, indented in (
        ("", "curl/8.0", True),
        ("", "Wget/1.2", True),
        ("", "Mozilla/5.0 (X11)", True),
        ("", "kubectl/v1.37", False),
        ("?pretty=0", "curl/8.0", False),
        ("?pretty=false", "curl/8.0", False),
        ("?pretty=1", "kubectl", True),
        ("?pretty=true", "kubectl", True),
        ("?pretty", "curl/8.0", True),
        ("?pretty=yes", "curl/8.0", False),
    ):
        answer = await http("GET", f"/api/v1/namespaces/default{query}", headers={"User-Agent": agent})
        assert answer.raw.startswith(b'{\n  "kind"' if indented else b'{"kind"'), (query, agent)
        assert answer.raw.endswith(b"}\n")


async def test_errors_are_indented_and_typed_too(http: Http) -> None:
    answer = await http("GET", f"{MAPS}/none", headers={"User-Agent": "curl/8", "Accept": "application/yaml"})
    assert (answer.code, answer.header("content-type")) == (404, "application/json")
    assert answer.raw.startswith(b'{\n  "kind": "Status"')


async def test_forbidden_and_text_answers_are_not_to_be_sniffed(http: Http) -> None:
    bob = {"Impersonate-User": "bob"}
    for path, sent, code in (("/api/v1/pods", bob, 403), ("/nope", {}, 404), ("/readyz", {}, 200)):
        answer = await http("GET", path, headers=sent)
        assert (answer.code, answer.header("x-content-type-options")) == (code, "nosniff")
        assert answer.header("audit-id")
        assert answer.header("cache-control") == "no-cache, private"


async def test_tables_of_the_older_version_and_what_rows_carry(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    old = {"Accept": TABLE.replace("v=v1", "v=v1beta1")}
    assert (await http("GET", "/api/v1/pods", headers=old)).json["apiVersion"] == "meta.k8s.io/v1beta1"
    for include, expected in (("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "Pod")):
        row = (await http("GET", f"/api/v1/pods?includeObject={include}", headers={"Accept": TABLE})).json["rows"][0]
        assert (row["object"] or {}).get("kind") == expected if "object" in row else expected is None


def test_warnings_are_quoted_once_each_and_not_without_end() -> None:
    assert warning_headers(['say "x\\y"', "", 'say "x\\y"']) == [(b"warning", rb'299 - "say \"x\\y\""')]
    assert warning_headers(["a\r\nSet-Cookie: b"]) == [(b"warning", b'299 - "a  Set-Cookie: b"')]
    assert warning_headers(["ä€"]) == [(b"warning", '299 - "ä€"'.encode())]
    many = warning_headers(f"{number:04}" + "x" * 1000 for number in range(1000))
    assert [len(value) for _, value in many] == [256 + len('299 - ""')] * 16


async def test_a_thousand_unknown_fields_do_not_make_a_head_that_clients_refuse(http: Http) -> None:
    body = {"metadata": {"name": "a"}, **{f"unknown{number}": 1 for number in range(1000)}}
    answer = await http("POST", MAPS + "?dryRun=All", body)
    assert answer.code == 201
    assert sum(len(value) for key, value in answer.headers if key == "warning") < 8192
