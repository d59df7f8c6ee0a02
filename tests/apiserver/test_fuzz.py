"""Random requests through the real handler: whatever comes, the answer is no error of our own and a whole Status."""

import json
import struct
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from api_harness import IMAGE, config_map, pod
from fuzzing import Server, check, check_answer, examples, is_long, server
from hypothesis import given
from hypothesis import strategies as st
from sampan_api import schema
from sampan_api.fields import Field, Kind, Model, fields
from sampan_api.quantity import QuantityError, canonical
from sampan_master.apiserver.auth.reviews import REVIEWS
from sampan_master.apiserver.discovery.openapi.documents import version_3
from sampan_master.apiserver.resources.table import BUILT_IN

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def api() -> Iterator[Server]:
    with server() as one:
        one("POST", PODS, pod("web"))
        one("POST", MAPS, config_map("cm", a="1"))
        yield one


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def names_of(model: type[Model], depth: int = 3) -> st.SearchStrategy[Any]:
    """Objects of about the model's shape: its own field names, values that may fit or not."""
    table = list(fields(model).values())
    directives = st.sampled_from(["$patch", "$retainKeys"])

    def value(field: Field) -> st.SearchStrategy[Any]:
        if field.message is None or depth == 0:
            return _LIKELY.get(field.kind, SCALARS) | JSON
        inner = names_of(field.message, depth - 1)
        inner = st.lists(inner, max_size=2) if field.container == "list" else inner
        return inner | st.none() | SCALARS

    some = st.lists(st.sampled_from(table), max_size=4, unique_by=lambda field: field.json) if table else st.just([])
    own = some.flatmap(lambda chosen: st.fixed_dictionaries({field.json: value(field) for field in chosen}))
    odd = st.dictionaries(directives, st.sampled_from(["delete", "replace", "merge", [], ["a"], 1]), max_size=1)
    return st.tuples(own, odd if depth < 3 else st.just({})).map(lambda pair: pair[0] | pair[1])


_LIKELY: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.STRING: st.sampled_from(["", "a", "web", "c", IMAGE, "default", "Always", "a/b", "A_B", "1"]),
    Kind.QUANTITY: st.sampled_from(["1", "100m", "1Gi", "-1", "1e3", "", "x", "9" * 30, "1e999999999", ".", 1, 0.5]),
    Kind.INT_OR_STRING: st.sampled_from([0, 80, -1, 70000, "http", "25%", "", "1e9%"]),
    Kind.TIME: st.sampled_from(["2024-01-01T00:00:00Z", "0000-00-00", "", "9999-12-31T23:59:60Z", 0]),
    Kind.MICRO_TIME: st.sampled_from(["2024-01-01T00:00:00.000001Z", "x", ""]),
    Kind.INT32: st.integers(-2, 2**31),
    Kind.INT64: st.integers(-2, 2**63),
}
TYPES = st.sampled_from(BUILT_IN.types)


def collection(rt: Any) -> str:
    group = f"/apis/{rt.group}/{rt.version}" if rt.group else f"/api/{rt.version}"
    return f"{group}/namespaces/default/{rt.plural}" if rt.namespaced else f"{group}/{rt.plural}"


def model_of(rt: Any) -> type[Model]:
    return schema.model_for(rt.resource.api_version, rt.kind)


OBJECTS = TYPES.flatmap(lambda rt: st.tuples(st.just(rt), names_of(model_of(rt))))
VALIDATION = st.sampled_from(["", "&fieldValidation=Strict", "&fieldValidation=Ignore"])


@given(OBJECTS, VALIDATION)
@examples(60)
def test_creates_of_every_kind(api: Server, case: tuple[Any, Any], validation: str) -> None:
    rt, obj = case
    for name in ("kind", "apiVersion"):
        obj.pop(name, None)
    if isinstance(obj.get("metadata"), dict):
        obj["metadata"].setdefault("name", "fuzz")
    check_answer(api("POST", f"{collection(rt)}?dryRun=All{validation}", obj))


POINTERS = st.lists(
    st.sampled_from(["spec", "metadata", "containers", "0", "-", "1", "image", "labels", "a", "~1", "~", "", "status"]),
    max_size=5,
).map(lambda parts: "".join(f"/{part}" for part in parts))
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "test", "copy", "move", "x"]), "path": POINTERS | JSON},
    optional={"value": JSON, "from": POINTERS | JSON},
)


@given(st.lists(OPERATIONS | JSON, max_size=4) | JSON)
@examples(60)
def test_json_patches(api: Server, patch: Any) -> None:
    answer = api("PATCH", f"{PODS}/web?dryRun=All", patch, {"Content-Type": "application/json-patch+json"})
    check_answer(answer)


@given(
    names_of(model_of(BUILT_IN.find("", "v1", "pods"))) | JSON,
    st.sampled_from(["merge-patch", "strategic-merge-patch"]),
)
@examples(80)
def test_merge_patches(api: Server, patch: Any, kind: str) -> None:
    answer = api("PATCH", f"{PODS}/web?dryRun=All", json.dumps(patch), {"Content-Type": f"application/{kind}+json"})
    check_answer(answer)


@given(OBJECTS)
@examples(30)
def test_applies(api: Server, case: tuple[Any, Any]) -> None:
    rt, obj = case
    body = {"apiVersion": rt.resource.api_version, "kind": rt.kind, **obj}
    sent = {"Content-Type": "application/apply-patch+yaml"}
    check_answer(api("PATCH", f"{collection(rt)}/fuzz?dryRun=All&fieldManager=m", json.dumps(body), sent))


SIGNS = ["=", "==", "!=", "!", " in ", " notin ", "(", ")", ",", ">", "<"]
LABEL_WORDS = [*SIGNS, "a", "b/c", "1", " ", "x" * 70, "é", "."]
FIELD_WORDS = ["metadata.name", "spec.nodeName", "status.phase", "=", "==", "!=", ",", "\\", "\\,", "a", "é", "\n"]


@given(
    st.lists(st.sampled_from(LABEL_WORDS) | st.text(max_size=3), max_size=8).map("".join),
    st.lists(st.sampled_from(FIELD_WORDS) | st.text(max_size=3), max_size=8).map("".join),
)
@examples(60)
def test_selectors(api: Server, labels: str, terms: str) -> None:
    for query in (f"labelSelector={quote(labels)}", f"fieldSelector={quote(terms)}"):
        check_answer(api("GET", f"{PODS}?{query}"))


QUERY = {
    "limit": ["", "0", "1", "-1", "x", "9" * 30],
    "continue": ["", "abc", "e30", "bnVsbA", "W10", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIifQ"],
    "resourceVersion": ["", "0", "1", "-1", "x", "1.5"],
    "resourceVersionMatch": ["", "Exact", "NotOlderThan", "x"],
    "timeoutSeconds": ["", "x", "-1"],
    "pretty": ["", "1", "x"],
    "includeObject": ["", "None", "Object", "x"],
    "sendInitialEvents": ["", "true", "x"],
    "allowWatchBookmarks": ["", "true"],
    "dryRun": ["", "All", "x"],
    "fieldManager": ["", "x" * 200, "\x01"],
    "propagationPolicy": ["", "Orphan", "x"],
    "gracePeriodSeconds": ["", "0", "-1", "x", "9" * 30],
}
ACCEPTS = st.sampled_from(
    [
        "",
        "application/yaml",
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
        "application/yaml;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        ";;,=;q=",
    ]
)


@given(
    TYPES,
    st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in QUERY.items()}),
    st.sampled_from(["GET", "DELETE"]),
    st.sampled_from(["", "/none", "/cm", "/none/status", "/none/scale"]),
    ACCEPTS,
)
@examples(80)
def test_parameters(api: Server, rt: Any, query: dict[str, str], method: str, name: str, accept: str) -> None:
    if method == "DELETE":
        query["dryRun"] = "All"
    asked = "&".join(f"{key}={quote(value)}" for key, value in query.items())
    check_answer(api(method, f"{collection(rt)}{name}?{asked}", headers={"Accept": accept}))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _part(number: int, value: bytes | int | float) -> bytes:
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    return _varint(number << 3) + _varint(value)


LEAVES = st.binary(max_size=6) | st.integers(0, 2**64) | st.floats() | st.sampled_from([b"fuzz", b"1Gi", b"\x0a\x01a"])


def messages(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return st.lists(st.builds(_part, st.integers(1, 12), inner), max_size=5).map(b"".join)


BODIES = messages(st.recursive(LEAVES, messages, max_leaves=12)) | st.binary(max_size=40)


@given(TYPES, BODIES, st.booleans())
@examples(80)
def test_protobuf_bodies(api: Server, rt: Any, raw: bytes, named: bool) -> None:
    said = _part(1, rt.resource.api_version.encode()) + _part(2, rt.kind.encode())
    metadata = _part(1, _part(1, b"fuzz")) if named else b""
    body = b"k8s\x00" + _part(1, said) + _part(2, metadata + raw)
    sent = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    check_answer(api("POST", f"{collection(rt)}?dryRun=All", body, sent))


@given(st.binary(max_size=60), st.sampled_from(["json", "yaml", "vnd.kubernetes.protobuf", "apply-patch+yaml"]))
@examples(30)
def test_bytes_as_bodies(api: Server, body: bytes, kind: str) -> None:
    sent = {"Content-Type": f"application/{kind}"}
    check_answer(api("POST", f"{MAPS}?dryRun=All", body, sent))
    check_answer(api("DELETE", f"{MAPS}/cm?dryRun=All", body, sent))
    check_answer(api("PATCH", f"{MAPS}/cm?dryRun=All&fieldManager=m", body, sent))


@given(st.from_regex(r"[-+]?[0-9.]{0,12}([eEinumkKMGTP]{0,3}[-+]?[0-9]{0,4})", fullmatch=True) | st.text(max_size=12))
@examples(150)
def test_a_quantity_is_refused_or_has_one_form(text: str) -> None:
    try:
        once = canonical(text)
    except QuantityError:
        return
    assert canonical(once) == once


LARGE = {"", "apps", "batch", "autoscaling"}
"""Groups whose objects take schemathesis seconds each to begin with: only the long walk meets them."""


def _operations() -> list[Any]:
    found = []
    groups = {(group, version) for group, versions in BUILT_IN.groups.items() for version in versions}
    groups |= {(one.group, one.version) for one in REVIEWS}
    for group, version in sorted(groups):
        if is_long() or group not in LARGE:
            loaded = schemathesis.openapi.from_dict(version_3(BUILT_IN, REVIEWS, group, version))
            found += [one.ok() for one in loaded.get_all_operations()]
    return found


def test_every_operation_that_openapi_describes(api: Server) -> None:
    """Cases by schemathesis, out of our own description of ourselves."""
    operations = _operations()
    base = "http://{}:{}".format(*api.address)

    @given(st.sampled_from(operations).flatmap(lambda operation: operation.as_strategy()))
    @examples(40)
    def answered(case: Any) -> None:
        if case.method != "GET":
            case.query = {**(case.query or {}), "dryRun": "All"}
        else:
            (case.query or {}).pop("watch", None)
        answer = case.call(base_url=base, headers=api.headers)
        check(answer.status_code, answer.content, answer.headers["content-type"][0])

    answered()
