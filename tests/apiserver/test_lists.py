"""Lists: pages, selectors, tables, partial metadata."""

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


async def test_a_token_of_compacted_history_is_410_with_a_token_for_the_rest(api: Running) -> None:
    await fill(api.client, 4)
    first = (await api.http("GET", f"{MAPS}?limit=2")).json
    await api.client.create(CONFIGMAPS, config_map("later"))
    await api.storage.cache.stop()
    await api.store.compact(await api.store.revision())
    await api.storage.cache.start()
    answer = await api.http("GET", f"{MAPS}?limit=2&continue={first['metadata']['continue']}")
    assert (answer.code, answer.json["reason"]) == (410, "Expired")
    rest = await api.http("GET", f"{MAPS}?continue={answer.json['metadata']['continue']}")
    assert names(rest.json) == ["cm2", "cm3", "later"]


async def test_label_and_field_selectors(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a", nodeName="n1"))
    await client.create(PODS, pod("b", nodeName="n2"))
    await client.create(PODS, pod("c"))
    for query, expected in (
        ("fieldSelector=spec.nodeName%3Dn1", ["a"]),
        ("fieldSelector=spec.nodeName!%3Dn1,status.phase%3DPending", ["b", "c"]),
        ("fieldSelector=spec.nodeName%3D", ["c"]),
        ("fieldSelector=metadata.name%3Db,", ["b"]),
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
