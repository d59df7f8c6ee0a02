import asyncio
from collections import deque

import pytest
from sampan_api.client import PODS, EventType, ObjectList, Selection, WatchEvent
from sampan_api.clock import VirtualClock
from sampan_api.errors import Expired, ServiceUnavailable
from sampan_api.informer import Informer
from sampan_api.meta import Key


def pod(name, version, *, uid="", node=""):
    metadata = {"namespace": "ns", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"nodeName": node}}


class ScriptedClient:
    """Answers lists and watches from a script: lists are pages or errors, a watch is a list of events, then an error,
    a clean end (None) or silence."""

    def __init__(self, lists, watches):
        self.lists, self.watches = deque(lists), deque(watches)
        self.asked = []

    async def list(self, resource, selection, *, limit=0, continue_=""):
        self.asked.append(("list", continue_))
        answer = self.lists.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(self, resource, resource_version, selection):
        self.asked.append(("watch", resource_version))
        script = self.watches.popleft() if self.watches else []
        for step in script:
            if step is None:
                return
            if isinstance(step, Exception):
                raise step
            yield step
        await asyncio.Event().wait()


class Run:
    """An informer over a script, with what its callback was told."""

    def __init__(self, lists, watches):
        self.clock = VirtualClock()
        self.client = ScriptedClient(lists, watches)
        self.informer = Informer(self.client, PODS, self.clock, Selection())
        self.told = []
        self.informer.subscribe(lambda type_, obj, old: self.told.append((type_.value, obj, old)))

    async def until_quiet(self, seconds=60):
        task = asyncio.create_task(self.informer.run())
        try:
            await self.clock.advance(seconds)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if task.done() and not task.cancelled() and task.exception():
            raise task.exception()
        return self

    @property
    def changes(self):
        return [(type_, obj["metadata"]["name"], obj["metadata"]["resourceVersion"]) for type_, obj, _ in self.told]


def added(obj):
    return WatchEvent(EventType.ADDED, obj)


def modified(obj):
    return WatchEvent(EventType.MODIFIED, obj)


def deleted(obj):
    return WatchEvent(EventType.DELETED, obj)


def bookmark(version):
    return WatchEvent(EventType.BOOKMARK, {"metadata": {"resourceVersion": str(version)}})


async def test_it_lists_all_pages_then_follows_the_watch():
    run = Run(
        [ObjectList([pod("a", 1)], "5", "more"), ObjectList([pod("b", 2)], "5")],
        [[added(pod("c", 6)), modified(pod("a", 7)), deleted(pod("b", 8))]],
    )
    await run.until_quiet()
    assert run.client.asked == [("list", ""), ("list", "more"), ("watch", "5")]
    assert run.changes == [
        ("ADDED", "a", "1"),
        ("ADDED", "b", "2"),
        ("ADDED", "c", "6"),
        ("MODIFIED", "a", "7"),
        ("DELETED", "b", "8"),
    ]
    assert sorted(key.name for key in run.informer.items) == ["a", "c"]
    assert run.told[3][2] == pod("a", 1)
    assert run.informer.revision == "8"


async def test_taking_in_a_long_first_list_does_not_hold_up_others():
    run = Run([ObjectList([pod(str(number), 1) for number in range(5000)], "5")], [])
    running = asyncio.create_task(run.informer.run())
    while not run.told:
        await asyncio.sleep(0)
    assert len(run.told) < 1000
    assert not run.informer.has_synced
    await run.informer.synced()
    running.cancel()
    assert len(run.told) == 5000
    assert run.informer.revision == "5"


async def test_synced_waits_for_the_first_list():
    run = Run([ObjectList([pod("a", 1)], "5")], [])
    waiting = asyncio.create_task(run.informer.synced())
    assert not run.informer.has_synced
    await run.until_quiet()
    await waiting
    assert run.informer.get("a", "ns") == pod("a", 1)


async def test_a_closed_watch_goes_on_where_it_was_bookmarks_included():
    run = Run([ObjectList([], "5")], [[added(pod("a", 6)), bookmark(9), None], [added(pod("b", 10))]])
    await run.until_quiet()
    assert run.client.asked == [("list", ""), ("watch", "5"), ("watch", "9")]
    assert sorted(key.name for key in run.informer.items) == ["a", "b"]


async def test_an_expired_revision_is_listed_anew_and_only_differences_are_told():
    run = Run(
        [
            ObjectList([pod("a", 1), pod("b", 2), pod("c", 3)], "5"),
            ObjectList([pod("a", 1), pod("b", 7), pod("d", 8)], "9"),
        ],
        [[Expired("too old resource version")], []],
    )
    await run.until_quiet()
    assert sorted(run.changes[3:]) == [("ADDED", "d", "8"), ("DELETED", "c", "3"), ("MODIFIED", "b", "7")]
    assert run.client.asked[-1] == ("watch", "9")


async def test_an_object_made_again_under_its_name_is_two_lives():
    run = Run(
        [ObjectList([pod("a", 1, uid="first")], "5"), ObjectList([pod("a", 8, uid="second")], "9")],
        [[Expired("gone")], []],
    )
    await run.until_quiet()
    assert run.changes == [("ADDED", "a", "1"), ("DELETED", "a", "1"), ("ADDED", "a", "8")]


async def test_a_list_older_than_what_was_seen_is_refused():
    run = Run(
        [ObjectList([pod("a", 1)], "50"), ObjectList([], "40"), ObjectList([pod("a", 1), pod("b", 60)], "60")],
        [[Expired("gone")], []],
    )
    await run.until_quiet()
    assert run.changes == [("ADDED", "a", "1"), ("ADDED", "b", "60")]


async def test_a_failing_server_is_asked_ever_more_slowly():
    run = Run([ServiceUnavailable("down")] * 1000, [])
    await run.until_quiet(60)
    assert 8 <= len(run.client.asked) <= 25


async def test_a_broken_connection_does_not_lose_the_items():
    run = Run([ObjectList([pod("a", 1)], "5")], [[ConnectionResetError("reset")], [modified(pod("a", 6))]])
    await run.until_quiet()
    assert run.client.asked == [("list", ""), ("watch", "5"), ("watch", "5")]
    assert run.changes == [("ADDED", "a", "1"), ("MODIFIED", "a", "6")]


async def test_a_watch_that_ends_at_once_is_not_asked_in_a_tight_loop():
    run = Run([ObjectList([], "5")], [[None]] * 1000)
    await run.until_quiet(60)
    assert len(run.client.asked) < 30


async def test_an_event_seen_before_is_not_told_again():
    run = Run([ObjectList([pod("a", 6)], "6")], [[added(pod("a", 6)), deleted(pod("x", 7))]])
    await run.until_quiet()
    assert run.changes == [("ADDED", "a", "6")]


async def test_a_late_subscriber_is_told_of_what_is_there():
    run = Run([ObjectList([pod("a", 1)], "5")], [])
    await run.until_quiet()
    told = []
    run.informer.subscribe(lambda type_, obj, old: told.append((type_, obj["metadata"]["name"])))
    assert told == [(EventType.ADDED, "a")]


async def test_indexes_follow_every_change():
    run = Run(
        [ObjectList([pod("a", 1, node="n1"), pod("b", 2, node="n1")], "5")],
        [[modified(pod("a", 6, node="n2")), deleted(pod("b", 7, node="n1")), added(pod("c", 8, node="n2"))]],
    )
    run.informer.add_index("node", lambda obj: [obj["spec"]["nodeName"]])
    await run.until_quiet()
    assert run.informer.by_index("node", "n1") == []
    assert [obj["metadata"]["name"] for obj in run.informer.by_index("node", "n2")] == ["a", "c"]
    run.informer.add_index("name", lambda obj: [obj["metadata"]["name"]])
    assert run.informer.by_index("name", "c") == [pod("c", 8, node="n2")]


async def test_the_items_can_only_be_read():
    run = Run([ObjectList([pod("a", 1)], "5")], [])
    await run.until_quiet()
    with pytest.raises(TypeError):
        run.informer.items[Key("ns", "z")] = pod("z", 1)


async def test_a_mistake_in_a_callback_is_not_swallowed():
    run = Run([ObjectList([pod("a", 1)], "5")], [])

    def mistaken(type_, obj, old):
        raise ZeroDivisionError

    run.informer.subscribe(mistaken)
    with pytest.raises(ZeroDivisionError):
        await run.until_quiet()
