"""Watches over HTTP and in process."""

import asyncio

import pytest
from api_harness import Http, Running, config_map, pod
from sampan_api.client import CONFIGMAPS, PODS, Client, EventType, Selection
from sampan_api.errors import Expired

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


async def test_a_bookmark_comes_before_the_time_is_over(http: Http) -> None:
    async with http.stream(f"{PODS_PATH}?watch=true&allowWatchBookmarks=true&timeoutSeconds=1") as watch:
        bookmark = await watch.event()
        assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "Pod")
        assert await watch.event() is None


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
    await asyncio.wait_for(task, 10)
    assert seen == [("ADDED", "here"), ("MODIFIED", "here"), ("DELETED", "here")]


async def test_stopping_the_server_ends_watches_cleanly(api: Running) -> None:
    async with api.http.stream(f"{PODS_PATH}?watch=true") as watch:
        await api.client.create(PODS, pod("a"))
        assert (await watch.event())["type"] == "ADDED"
        stopping = asyncio.create_task(api.server.stop())
        assert await watch.event() is None
        await asyncio.wait_for(stopping, 5)
