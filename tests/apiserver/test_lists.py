"""Lists: pages, selectors, tables, partial metadata."""

import asyncio
import base64
import json
from urllib.parse import quote

import pytest
from api_harness import Http, Running, config_map, pod
from sampan_api.client import CONFIGMAPS, PODS, Client

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


async def fill(client: Client, count: int) -> None:
    for number in range(count):
        await client.create(CONFIGMAPS, config_map(f"cm{number}", n=str(number)))


def names(body: dict) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


async def test_items_carry_no_kind_and_an_empty_list_is_a_list(http: Http, client: Client) -> None:
    body = (await http("GET", MAPS)).json
    assert (body["kind"], body["items"]) == ("ConfigMapList", [])
    await fill(client, 1)
    item = (await http("GET", MAPS)).json["items"][0]
    assert set(item) == {"metadata", "data"}
    assert (await http("GET", "/api/v1/namespaces/nowhere/configmaps")).json["items"] == []


async def test_pages_are_of_one_revision(http: Http, client: Client) -> None:
    await fill(client, 5)
    first = (await http("GET", f"{MAPS}?limit=2")).json
    assert names(first) == ["cm0", "cm1"]
    assert first["metadata"]["remainingItemCount"] == 3
    await client.create(CONFIGMAPS, config_map("cm1a"))
    await client.delete(CONFIGMAPS, "cm3", "default")
    second = (await http("GET", f"{MAPS}?limit=2&continue={first['metadata']['continue']}")).json
    assert names(second) == ["cm2", "cm3"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    third = (await http("GET", f"{MAPS}?limit=2&continue={second['metadata']['continue']}")).json
    assert names(third) == ["cm4"]
    assert "continue" not in third["metadata"]


async def test_pages_stay_at_the_first_one_s_revision_while_others_write(api: Running) -> None:
    await fill(api.client, 9)
    stop = asyncio.Event()

    async def write() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            name = f"cm{n % 12}"
            if n % 3:
                await api.client.patch(CONFIGMAPS, f"cm{n % 9}", {"data": {"n": f"later {n}"}}, "default")
            elif n % 12 > 8:
                await api.client.create(CONFIGMAPS, config_map(name))
                await api.client.delete(CONFIGMAPS, name, "default")
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    first = (await api.http("GET", f"{MAPS}?limit=2")).json
    whole = (
        await api.http(
            "GET", f"{MAPS}?resourceVersionMatch=Exact&resourceVersion={first['metadata']['resourceVersion']}"
        )
    ).json
    items, page = first["items"], first
    while page["metadata"].get("continue"):
        assert page["metadata"]["remainingItemCount"] == len(whole["items"]) - len(items)
        page = (await api.http("GET", f"{MAPS}?limit=2&continue={page['metadata']['continue']}")).json
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        items += page["items"]
    stop.set()
    await writing
    assert items == whole["items"]


async def compacted(api: Running) -> None:
    """The store and a restarted cache know nothing of what was before."""
    await api.storage.cache.stop()
    await api.store.compact(await api.store.revision())
    await api.storage.cache.start()


async def test_a_token_of_compacted_history_is_410_with_a_token_for_the_rest(api: Running) -> None:
    await fill(api.client, 4)
    first = (await api.http("GET", f"{MAPS}?limit=2")).json
    await api.client.create(CONFIGMAPS, config_map("later"))
    await api.client.create(CONFIGMAPS, config_map("cm1a"))
    await compacted(api)
    answer = await api.http("GET", f"{MAPS}?limit=2&continue={first['metadata']['continue']}")
    assert (answer.code, answer.json["reason"]) == (410, "Expired")
    assert answer.json["message"].startswith("The provided continue parameter is too old to display a consistent list")
    assert json.loads(unwrap(answer.json["metadata"]["continue"]))["rv"] == -1
    rest = (await api.http("GET", f"{MAPS}?limit=2&continue={answer.json['metadata']['continue']}")).json
    assert names(rest) == ["cm1a", "cm2"]
    assert rest["metadata"]["remainingItemCount"] == 2
    last = (await api.http("GET", f"{MAPS}?limit=2&continue={rest['metadata']['continue']}")).json
    assert names(last) == ["cm3", "later"]
    assert last["metadata"]["resourceVersion"] == rest["metadata"]["resourceVersion"]


def unwrap(token: str) -> str:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()


def wrap(content: str) -> str:
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


async def test_a_token_is_what_kubernetes_would_give(http: Http, client: Client) -> None:
    await fill(client, 2)
    first = (await http("GET", f"{MAPS}?limit=1")).json["metadata"]
    expected = {"v": "meta.k8s.io/v1", "rv": int(first["resourceVersion"]), "start": "/cm0\0"}
    assert json.loads(unwrap(first["continue"])) == expected
    everywhere = (await http("GET", "/api/v1/configmaps?limit=1")).json["metadata"]
    assert json.loads(unwrap(everywhere["continue"]))["start"] == "/default/cm0\0"


KUBERNETES = '"v":"meta.k8s.io/v1"'
STRUCT = "into Go struct field continueToken"


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("abc", ": invalid character 'i' looking for beginning of value"),
        ("a=b", ": illegal base64 data at input byte 1"),
        ("abcde", ": illegal base64 data at input byte 4"),
        (wrap("{}"), ": server does not recognize this encoded version "),
        (wrap('{"v":"v9","rv":1,"start":"a"}'), ": server does not recognize this encoded version v9"),
        (
            wrap(f'{{{KUBERNETES},"start":"a"}}'),
            ": incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        ),
        (wrap(f'{{{KUBERNETES},"rv":1}}'), ": encoded start key empty (version meta.k8s.io/v1)"),
        (wrap(f'{{{KUBERNETES},"rv":1,"start":"/../secrets/x"}}'), ": /../secrets/x"),
        (wrap(f'{{{KUBERNETES},"rv":"1"}}'), f": json: cannot unmarshal string {STRUCT}.rv of type int64"),
        (wrap("[1]"), ": json: cannot unmarshal array into Go value of type storage.continueToken"),
    ],
)
async def test_a_token_that_is_none_is_a_bad_request(http: Http, token: str, why: str) -> None:
    answer = await http("GET", f"{MAPS}?limit=1&continue={quote(token)}")
    assert (answer.code, answer.json["message"]) == (400, f"invalid continue token: continue key is not valid{why}")


async def test_a_continued_list_takes_no_revision_beside_the_token_s(http: Http, client: Client) -> None:
    await fill(client, 2)
    token = (await http("GET", f"{MAPS}?limit=1")).json["metadata"]["continue"]
    answer = await http("GET", f"{MAPS}?limit=1&continue={token}&resourceVersion=5")
    assert (answer.code, answer.json["message"]) == (
        400,
        "specifying resource version is not allowed when using continue",
    )
    assert names((await http("GET", f"{MAPS}?limit=1&continue={token}&resourceVersion=0")).json) == ["cm1"]


async def test_the_count_of_what_remains_is_left_out_where_a_selector_is_used(http: Http, client: Client) -> None:
    await fill(client, 3)
    page = (await http("GET", f"{MAPS}?limit=1&labelSelector=!x")).json["metadata"]
    assert "continue" in page
    assert "remainingItemCount" not in page
    page = (await http("GET", f"{MAPS}?limit=1&fieldSelector=metadata.namespace%3Ddefault")).json["metadata"]
    assert "continue" in page
    assert "remainingItemCount" not in page


async def test_a_limit_is_ignored_for_any_revision_and_one_below_zero_always(http: Http, client: Client) -> None:
    await fill(client, 3)
    for query in ("limit=1&resourceVersion=0", "limit=-1", "limit=0"):
        body = (await http("GET", f"{MAPS}?{query}")).json
        assert (len(body["items"]), "continue" in body["metadata"]) == (3, False), query


async def test_a_list_of_exactly_one_revision_shows_what_was_there_then(api: Running) -> None:
    http, client = api.http, api.client
    await fill(client, 2)
    then = (await http("GET", MAPS)).json
    version = then["metadata"]["resourceVersion"]
    await client.patch(CONFIGMAPS, "cm0", {"data": {"n": "changed"}}, "default")
    await client.delete(CONFIGMAPS, "cm1", "default")
    assert (await http("GET", f"{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact")).json == then
    newer = (await http("GET", f"{MAPS}?resourceVersion={version}&resourceVersionMatch=NotOlderThan")).json
    assert names(newer) == names((await http("GET", f"{MAPS}?resourceVersion={version}")).json) == ["cm0"]
    assert newer["items"][0]["data"]["n"] == "changed"
    page = (await http("GET", f"{MAPS}?resourceVersion={version}&limit=1")).json
    assert page["items"] == then["items"][:1]
    assert page["metadata"]["resourceVersion"] == version
    await compacted(api)
    for query in ("resourceVersionMatch=Exact", "limit=1"):
        answer = await http("GET", f"{MAPS}?resourceVersion={version}&{query}")
        assert (answer.code, answer.json["reason"]) == (410, "Expired"), query
        assert answer.json["message"] == "The resourceVersion for the provided list is too old."
        assert answer.json["metadata"] == {}


async def test_a_revision_that_has_not_happened_is_waited_for_and_then_too_large(
    http: Http, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = int((await client.create(CONFIGMAPS, config_map("cm0")))["metadata"]["resourceVersion"])
    waiting = asyncio.create_task(http("GET", f"{MAPS}?resourceVersion={current + 1}"))
    await asyncio.sleep(0.05)
    await client.create(CONFIGMAPS, config_map("cm1"))
    assert names((await waiting).json) == ["cm0", "cm1"]
    started = asyncio.get_running_loop().time()
    token = wrap('{"v":"meta.k8s.io/v1","rv":99999,"start":"/a"}')
    queries = ("resourceVersion=99999", "resourceVersion=99999&resourceVersionMatch=Exact", f"continue={token}")
    answers = await asyncio.gather(
        *(http("GET", f"{MAPS}?{query}") for query in queries), http("GET", f"{MAPS}/cm0?resourceVersion=99999")
    )
    for answer in answers:
        assert (answer.code, answer.json["reason"]) == (504, "Timeout"), answer.text
        assert answer.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
        assert answer.header("retry-after") == "1"
    assert asyncio.get_running_loop().time() - started > 2.5


INVALID = 'ListOptions.meta.k8s.io "" is invalid: '
MATCH = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden"


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("limit=1_0", 400, 'strconv.ParseInt: parsing "1_0": invalid syntax'),
        ("limit=9999999999999999999", 400, 'strconv.ParseInt: parsing "9999999999999999999": value out of range'),
        (
            "resourceVersion=-1",
            400,
            'invalid resource version: resourceVersion: Invalid value: "-1":'
            ' strconv.ParseUint: parsing "-1": invalid syntax',
        ),
        (
            "resourceVersion=5&resourceVersionMatch=Exact&continue=abc",
            422,
            f"{INVALID}{MATCH} when continue is provided",
        ),
        (
            "resourceVersionMatch=Foo",
            422,
            f"{INVALID}[{MATCH} unless resourceVersion is provided, resourceVersionMatch: Unsupported value:"
            ' "Foo": supported values: "Exact", "NotOlderThan", ""]',
        ),
        (
            "sendInitialEvents=false",
            422,
            f"{INVALID}sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
        ),
        (
            "fieldSelector=spec.foo%3D1",
            400,
            '"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ],
)
async def test_what_a_list_cannot_be_asked(http: Http, query: str, code: int, message: str) -> None:
    answer = await http("GET", f"{MAPS}?{query}")
    assert (answer.code, answer.json["message"]) == (code, message)


async def test_label_and_field_selectors(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a", nodeName="n1"))
    await client.create(PODS, pod("b", nodeName="n2"))
    await client.create(PODS, pod("c"))
    for query, expected in (
        ("fieldSelector=spec.nodeName%3Dn1", ["a"]),
        ("fieldSelector=spec.nodeName!%3Dn1,status.phase%3DPending", ["b", "c"]),
        ("fieldSelector=spec.nodeName%3D", ["c"]),
        ("fieldSelector=metadata.name%3Db,", ["b"]),
        ("fieldSelector=spec.host%3Dn2", ["b"]),
        ("fieldSelector=metadata.name!%3Db,metadata.namespace%3Ddefault", ["a", "c"]),
        ("labelSelector=app%20in%20(web)", ["a", "b", "c"]),
        ("labelSelector=!app", []),
    ):
        assert names((await http("GET", f"/api/v1/pods?{query}")).json) == expected, query


async def test_a_large_list_comes_whole(http: Http, client: Client) -> None:
    for number in range(20):
        await client.create(CONFIGMAPS, config_map(f"cm{number:02}", data="x" * 50_000))
    answer = await http("GET", MAPS)
    assert len(answer.json["items"]) == 20
    assert answer.header("transfer-encoding") == "chunked"


async def test_tables_have_cells_and_metadata(http: Http, client: Client) -> None:
    await fill(client, 1)
    body = (await http("GET", MAPS, headers=TABLE)).json
    assert body["kind"] == "Table"
    assert [column["name"] for column in body["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert body["rows"][0]["cells"][:2] == ["cm0", 1]
    assert body["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    body = (await http("GET", f"{MAPS}/cm0?includeObject=Object", headers=TABLE)).json
    assert body["rows"][0]["object"]["data"] == {"n": "0"}


async def test_partial_metadata_lists(http: Http, client: Client) -> None:
    await fill(client, 1)
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    body = (await http("GET", MAPS, headers={"Accept": accept})).json
    assert body["kind"] == "PartialObjectMetadataList"
    assert set(body["items"][0]) == {"kind", "apiVersion", "metadata"}
