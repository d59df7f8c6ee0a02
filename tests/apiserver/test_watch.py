"""Watches over HTTP and in process."""

import asyncio

import pytest
from api_harness import Http, Running, config_map, pod, running
from sampan_api.client import CONFIGMAPS, PODS, Client, DeleteOptions, EventType, Selection
from sampan_api.clock import VirtualClock
from sampan_api.errors import Expired
from sampan_master.apiserver.registry.watching import next_bookmark

PODS_PATH = "/api/v1/namespaces/default/pods"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


async def test_a_watch_from_a_revision_tells_what_came_after(http: Http, client: Client) -> None:
    first = await client.create(PODS, pod("a"))
    version = first["metadata"]["resourceVersion"]
    await client.create(PODS, pod("b"))
    async with http.stream(f"{PODS_PATH}?watch=true&resourceVersion={version}&timeoutSeconds=30") as watch:
        event = await watch.event()
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "b")
        assert event["object"]["kind"] == "Pod"
        await client.delete(PODS, "b", "default")
        event = await watch.event()
        assert event["type"] == "DELETED"
        assert int(event["object"]["metadata"]["resourceVersion"]) > int(version) + 1


async def test_a_watch_without_revision_begins_with_what_is_there(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    async with http.stream(f"{PODS_PATH}?watch=1&timeoutSeconds=1") as watch:
        assert (await watch.event())["object"]["metadata"]["name"] == "a"
        assert await watch.event() is None


async def test_watch_list_marks_the_end_of_the_initial_events(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with http.stream(f"{PODS_PATH}?{query}&timeoutSeconds=30") as watch:
        assert (await watch.event())["type"] == "ADDED"
        bookmark = await watch.event()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await client.create(PODS, pod("b"))
        assert (await watch.event())["object"]["metadata"]["name"] == "b"


async def test_bookmarks_come_about_every_minute_and_shortly_before_the_end() -> None:
    clock = VirtualClock()
    async with running(clock=clock) as api:
        current = (await api.client.list(PODS)).resource_version
        query = f"watch=true&allowWatchBookmarks=true&resourceVersion={current}&timeoutSeconds=150"
        async with api.http.stream(f"{PODS_PATH}?{query}") as watch:
            made = await api.client.create(PODS, pod("a"))
            assert (await watch.event())["type"] == "ADDED"
            for seconds in (60, 60, 28):
                coming = asyncio.create_task(watch.event())
                await clock.advance(seconds - 0.1)
                assert not coming.done()
                await clock.advance(0.1)
                bookmark = await coming
                assert bookmark == {
                    "type": "BOOKMARK",
                    "object": {
                        "kind": "Pod",
                        "apiVersion": "v1",
                        "metadata": {"resourceVersion": made["metadata"]["resourceVersion"]},
                    },
                }
            await clock.advance(2)
            assert await watch.event() is None


@pytest.mark.parametrize(
    ("now", "end", "due"), [(0, 1800, 60), (0, 61, 59), (59, 61, 119), (0, 2, 60), (0, 1, 60), (100, 163, 160)]
)
def test_when_the_next_bookmark_is_due(now: float, end: float, due: float) -> None:
    assert next_bookmark(now, end) == due


async def test_no_bookmark_is_sent_to_who_did_not_ask(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
    async with http.stream(f"{PODS_PATH}?{query}") as watch:
        assert (await watch.event())["type"] == "ADDED"
        assert await watch.event() is None


@pytest.mark.parametrize("version", ["", "0"])
async def test_a_watch_of_everything_marks_the_end_of_what_was_there(http: Http, client: Client, version: str) -> None:
    await client.create(PODS, pod("a"))
    query = f"watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds=1"
    async with http.stream(f"{PODS_PATH}?{query}") as watch:
        assert (await watch.event())["type"] == "ADDED"
        assert (await watch.event())["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert await watch.event() is None


@pytest.mark.parametrize("version", ["", "0"])
async def test_without_initial_events_a_watch_begins_with_the_next_change(
    http: Http, client: Client, version: str
) -> None:
    await client.create(PODS, pod("a"))
    query = f"watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion={version}"
    async with http.stream(f"{PODS_PATH}?{query}&timeoutSeconds=30") as watch:
        await client.create(PODS, pod("b"))
        assert (await watch.event())["object"]["metadata"]["name"] == "b"


async def test_initial_events_are_filtered_and_not_older_than_asked(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    made = await client.create(PODS, pod("b", nodeName="n1"))
    query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    query += f"&resourceVersion={made['metadata']['resourceVersion']}&fieldSelector=spec.nodeName%3Dn1"
    async with http.stream(f"{PODS_PATH}?{query}&timeoutSeconds=30") as watch:
        assert (await watch.event())["object"]["metadata"]["name"] == "b"
        bookmark = (await watch.event())["object"]["metadata"]
        assert int(bookmark["resourceVersion"]) >= int(made["metadata"]["resourceVersion"])
        assert "annotations" in bookmark


async def test_initial_events_newer_than_what_has_happened_are_an_error_event(http: Http) -> None:
    query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=99999"
    async with http.stream(f"{PODS_PATH}?{query}") as watch:
        event = await watch.event()
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 504, "Timeout")
        assert await watch.event() is None


async def test_a_watch_from_the_future_is_silent_until_it_is_reached(http: Http, client: Client) -> None:
    current = int((await client.create(PODS, pod("a")))["metadata"]["resourceVersion"])
    async with http.stream(f"{PODS_PATH}?watch=true&resourceVersion={current + 1}&timeoutSeconds=30") as watch:
        await client.create(PODS, pod("b"))
        await client.create(PODS, pod("c"))
        assert (await watch.event())["object"]["metadata"]["name"] == "c"


PARTIAL = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
WATCH_LIST = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"


async def test_watch_list_as_tables(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    async with http.stream(f"{PODS_PATH}?{WATCH_LIST}&timeoutSeconds=30", TABLE) as watch:
        added, bookmark = await watch.event(), await watch.event()
    assert added["object"]["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    table = bookmark["object"]
    assert (bookmark["type"], table["kind"], table["columnDefinitions"]) == ("BOOKMARK", "Table", None)
    (row,) = table["rows"]
    assert row["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert row["object"]["metadata"]["resourceVersion"] == table["metadata"]["resourceVersion"]
    await client.delete(PODS, "a", "default", DeleteOptions(grace_seconds=0))
    async with http.stream(f"{PODS_PATH}?{WATCH_LIST}&timeoutSeconds=30", TABLE) as watch:
        first = (await watch.event())["object"]
        assert first["columnDefinitions"][0]["name"] == "Name"


async def test_watch_list_as_metadata_only(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    async with http.stream(f"{PODS_PATH}?{WATCH_LIST}&timeoutSeconds=30", PARTIAL) as watch:
        added, bookmark = (await watch.event())["object"], (await watch.event())["object"]
    for obj in (added, bookmark):
        assert (set(obj), obj["kind"], obj["apiVersion"]) == (
            {"kind", "apiVersion", "metadata"}, "PartialObjectMetadata", "meta.k8s.io/v1",
        )  # fmt: skip
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_the_old_paths_of_watches(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    for path in (
        "/api/v1/watch/pods",
        "/api/v1/watch/namespaces/default/pods",
        "/api/v1/watch/namespaces/default/pods/a",
    ):
        async with http.stream(f"{path}?timeoutSeconds=1") as watch:
            assert (await watch.event())["object"]["metadata"]["name"] == "a", path
    answer = await http("GET", "/api/v1/watch/namespaces/default/pods/a?fieldSelector=metadata.name%3Db")
    assert (answer.code, answer.json["message"]) == (400, "fieldSelector metadata.name doesn't match requested name")
    assert (await http("POST", "/api/v1/watch/namespaces/default/pods", pod("b"))).code == 405
    assert (await http("GET", "/api/v1/watch/namespaces/default/pods/a/status")).code == 404
    assert (await http("GET", f"{PODS_PATH}/a?watch=true")).json["kind"] == "Pod"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "resourceVersionMatch=Exact&sendInitialEvents=true",
            "[resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan,"
            ' resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]',
        ),
        (
            "resourceVersionMatch=NotOlderThan&sendInitialEvents=true&continue=x",
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
        ),
    ],
)
async def test_what_a_watch_cannot_be_asked(http: Http, query: str, message: str) -> None:
    answer = await http("GET", f"{PODS_PATH}?watch=1&{query}")
    assert (answer.code, answer.json["message"]) == (422, f'ListOptions.meta.k8s.io "" is invalid: {message}')


async def test_an_old_revision_is_an_error_event_that_ends_the_stream(api: Running) -> None:
    cache = api.storage.cache
    for number in range(3):
        await api.client.create(CONFIGMAPS, config_map(f"cm{number}"))
    await cache.stop()
    await cache.start()
    await api.store.compact(await api.store.revision())
    await cache.stop()
    await cache.start()
    path = "/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=1"
    async with api.http.stream(path) as watch:
        event = await watch.event()
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert await watch.event() is None
    with pytest.raises(Expired):
        async for _ in api.client.watch(CONFIGMAPS, "1"):
            pass


async def test_objects_enter_and_leave_the_view_of_a_selector(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    current = (await client.list(PODS)).resource_version
    query = f"watch=true&labelSelector=tier%3Dfe&resourceVersion={current}&timeoutSeconds=30"
    async with http.stream(f"{PODS_PATH}?{query}") as watch:
        await client.patch(PODS, "a", {"metadata": {"labels": {"tier": "fe"}}}, "default")
        assert (await watch.event())["type"] == "ADDED"
        left = await client.patch(PODS, "a", {"metadata": {"labels": {"tier": "be"}}}, "default")
        event = await watch.event()
        assert event["type"] == "DELETED"
        assert event["object"]["metadata"]["labels"]["tier"] == "fe"
        assert event["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]


async def test_a_table_watch_defines_its_columns_once(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    await client.create(PODS, pod("b"))
    async with http.stream(f"{PODS_PATH}?watch=true&resourceVersion=0&timeoutSeconds=30", TABLE) as watch:
        first, second = await watch.event(), await watch.event()
        assert first["object"]["kind"] == "Table"
        assert first["object"]["columnDefinitions"][0]["name"] == "Name"
        assert second["object"]["columnDefinitions"] is None
        assert second["object"]["rows"][0]["cells"][0] == "b"


async def test_a_named_watch_sees_one_object(http: Http, client: Client) -> None:
    await client.create(PODS, pod("a"))
    await client.create(PODS, pod("b"))
    async with http.stream(f"{PODS_PATH}?watch=true&fieldSelector=metadata.name%3Db&timeoutSeconds=1") as watch:
        assert (await watch.event())["object"]["metadata"]["name"] == "b"
        assert await watch.event() is None
    async with http.stream("/api/v1/watch/namespaces/default/pods/a?timeoutSeconds=1") as watch:
        assert (await watch.event())["object"]["metadata"]["name"] == "a"


async def test_the_in_process_watch_is_filtered_by_node(client: Client) -> None:
    version = (await client.list(PODS)).resource_version
    selection = Selection(field_selector="spec.nodeName=node1")
    seen = []

    async def watch() -> None:
        async for event in client.watch(PODS, version, selection):
            seen.append((event.type, event.object["metadata"]["name"]))
            if event.type is EventType.DELETED:
                return

    task = asyncio.create_task(watch())
    await client.create(PODS, pod("elsewhere", nodeName="node2"))
    await client.create(PODS, pod("here", nodeName="node1"))
    await client.patch(PODS, "here", {"status": {"phase": "Failed"}}, "default", subresource="status")
    await client.delete(PODS, "here", "default")
    await asyncio.wait_for(task, 60)
    assert seen == [("ADDED", "here"), ("MODIFIED", "here"), ("DELETED", "here")]


async def test_stopping_the_server_ends_watches_cleanly(api: Running) -> None:
    async with api.http.stream(f"{PODS_PATH}?watch=true") as watch:
        await api.client.create(PODS, pod("a"))
        assert (await watch.event())["type"] == "ADDED"
        stopping = asyncio.create_task(api.server.stop())
        assert await watch.event() is None
        await asyncio.wait_for(stopping, 60)
