"""The watch cache, over both stores."""

import asyncio

import orjson
import pytest
from sampan_api.clock import RealClock, VirtualClock
from sampan_master.storage import (
    Cache,
    Compacted,
    FutureRevision,
    KeyExists,
    KeyMissing,
    Storage,
    StoreUnavailable,
    object_key,
    resource_prefix,
)
from sampan_master.storage.audit import differences
from sampan_master.storage.memory import MemoryStore

PODS = resource_prefix("pods")


def pod(name, namespace="default", node="", **labels):
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    spec = {"nodeName": node} if node else {}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec}


def on(obj):
    return obj["spec"].get("nodeName")


def key(name, namespace="default"):
    return object_key("pods", namespace, name)


def labelled(**labels):
    return lambda obj: labels.items() <= obj["metadata"]["labels"].items()


def told(changes):
    return [(str(c.type), c.obj["metadata"]["name"], c.revision) for c in changes]


@pytest.fixture
async def storage(store):
    cache = Cache(store, RealClock(), indexes={"pods": lambda obj: obj["spec"].get("nodeName", "")})
    await cache.start()
    yield Storage(store, cache)
    await cache.stop()


async def collect(watcher, wanted, seconds=60.0):
    changes = []
    async with asyncio.timeout(seconds):
        while len(changes) < wanted:
            changes += await watcher.changes()
    return changes


async def relabel(storage, name, **labels):
    return await storage.update(key(name), lambda entry: pod(name, **labels))


async def test_a_created_object_is_read_back_with_its_resource_version(storage):
    made = await storage.create(key("a"), pod("a"))
    found = await storage.get(key("a"))
    assert found.revision == made.revision
    assert found.obj == {**pod("a"), "metadata": {"resourceVersion": str(made.revision), **pod("a")["metadata"]}}
    assert orjson.loads(found.data) == found.obj


async def test_creating_an_object_twice_is_refused(storage):
    await storage.create(key("a"), pod("a"))
    with pytest.raises(KeyExists):
        await storage.create(key("a"), pod("a"))


async def test_stored_bytes_hold_no_resource_version(storage, store):
    made = await storage.create(key("a"), pod("a"))
    await storage.update(key("a"), lambda entry: {**entry.obj, "spec": {"x": 1}})
    assert b"resourceVersion" not in (await store.get(key("a"))).value
    assert b"resourceVersion" not in made.value


async def test_an_update_without_a_difference_is_not_written(storage):
    made = await storage.create(key("a"), pod("a"))
    watcher = storage.cache.watch(PODS, made.revision)
    assert (await storage.update(key("a"), lambda entry: pod("a"))).revision == made.revision
    assert (await storage.update(key("a"), lambda entry: None)).revision == made.revision
    changed = await relabel(storage, "a", x="1")
    assert told(await collect(watcher, 1)) == [("MODIFIED", "a", changed.revision)]


async def test_updates_at_the_same_moment_all_take_effect(storage):
    await storage.create(key("a"), {**pod("a"), "n": 0})
    await asyncio.gather(
        *(storage.update(key("a"), lambda entry: {**entry.obj, "n": entry.obj["n"] + 1}) for _ in range(20))
    )
    assert (await storage.get(key("a"))).obj["n"] == 20


async def test_updating_or_deleting_what_is_missing_says_so(storage):
    with pytest.raises(KeyMissing):
        await relabel(storage, "a")
    with pytest.raises(KeyMissing):
        await storage.delete(key("a"))


async def test_a_refused_deletion_leaves_the_object(storage):
    def refuse(entry):
        raise PermissionError

    await storage.create(key("a"), pod("a"))
    with pytest.raises(PermissionError):
        await storage.delete(key("a"), refuse)
    assert await storage.get(key("a")) is not None


async def test_a_refusal_caused_by_a_stale_cache_is_tried_on_the_store_s_state(storage, store):
    """A client that knows a revision the cache has not seen yet must not be told that it conflicts."""
    made = await storage.create(key("a"), pod("a"))
    await storage.get(key("a"))
    await storage.cache.stop()
    newer = await store.update(key("a"), orjson.dumps(pod("a", x="1")), expected=made.revision)

    def expecting_newer(entry):
        if entry.revision != newer:
            raise ValueError(entry.revision)
        return pod("a", x="2")

    assert (await storage.update(key("a"), expecting_newer)).revision > newer


async def test_a_deletion_returns_the_last_state_under_its_own_revision(storage):
    made = await storage.create(key("a"), pod("a"))
    watcher = storage.cache.watch(PODS, made.revision)
    gone = await storage.delete(key("a"))
    assert gone.revision > made.revision
    assert gone.obj["metadata"]["resourceVersion"] == str(gone.revision)
    (change,) = await collect(watcher, 1)
    assert (str(change.type), change.entry.data) == ("DELETED", gone.data)
    assert await storage.get(key("a")) is None


async def test_a_list_is_in_key_order_and_of_one_resource_and_namespace(storage):
    for name, namespace in (("b", "default"), ("a", "other"), ("a", "default"), ("z", "default-2")):
        await storage.create(key(name, namespace), pod(name, namespace))
    await storage.create(object_key("nodes", "", "n"), {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}})
    await storage.cache.fresh()
    listing = storage.cache.list(PODS)
    assert [e.key for e in listing.entries] == [
        key("z", "default-2"), key("a"), key("b"), key("a", "other")
    ]  # fmt: skip
    assert [e.key for e in storage.cache.list(resource_prefix("pods", "default")).entries] == [key("a"), key("b")]
    assert listing.revision >= max(e.revision for e in listing.entries)
    assert storage.cache.list(resource_prefix("secrets")).entries == ()


async def test_a_consistent_read_sees_every_acknowledged_write(storage):
    for i in range(30):
        await storage.create(key(f"p{i}"), pod(f"p{i}"))
        await storage.cache.fresh()
        assert storage.cache.get(key(f"p{i}")) is not None


async def test_a_consistent_read_is_not_held_up_by_a_foreign_key(storage, store):
    await store.create("/elsewhere/x", b"{}")
    async with asyncio.timeout(60):
        assert await storage.cache.fresh() >= await store.revision()


async def test_waiting_for_a_revision_that_does_not_come_ends(storage):
    with pytest.raises(FutureRevision):
        await storage.cache.at_least(storage.cache.revision + 1_000_000, timeout=0.05)


async def test_a_watch_from_the_past_tells_history_then_live(storage):
    first = await storage.create(key("a"), pod("a"))
    second = await relabel(storage, "a", x="1")
    await storage.cache.fresh()
    watcher = storage.cache.watch(PODS, first.revision)
    third = await storage.delete(key("a"))
    assert told(await collect(watcher, 2)) == [("MODIFIED", "a", second.revision), ("DELETED", "a", third.revision)]


async def test_a_watch_resumed_after_any_event_of_a_burst_loses_and_repeats_nothing(storage):
    start = await storage.cache.fresh()
    await asyncio.gather(*(storage.create(key(f"p{i}"), pod(f"p{i}")) for i in range(60)))
    changes = await collect(storage.cache.watch(PODS, start), 60)
    revisions = [c.revision for c in changes]
    assert revisions == sorted(set(revisions))
    for position in range(59):
        rest = await collect(storage.cache.watch(PODS, revisions[position]), 59 - position)
        assert rest == changes[position + 1 :]


async def test_a_watch_from_the_future_is_silent_until_it_is_reached(storage):
    made = await storage.create(key("a"), pod("a"))
    current = await storage.cache.fresh()
    watcher = storage.cache.watch(PODS, current + 1_000_000)
    await relabel(storage, "a", x="1")
    await storage.cache.fresh()
    assert watcher.revision == current + 1_000_000
    with pytest.raises(TimeoutError):
        await collect(watcher, 1, seconds=0.1)
    assert made.revision < watcher.revision


async def test_watchers_of_a_namespace_a_key_and_a_node_are_told_only_of_theirs(storage):
    start = await storage.cache.fresh()
    cache = storage.cache
    of_namespace = cache.watch(resource_prefix("pods", "other"), start)
    of_key = cache.watch(key("a"), start)
    on_node = cache.watch(PODS, start, lambda obj: obj["spec"].get("nodeName") == "n1", index="n1")
    await storage.create(key("a"), pod("a"))
    await storage.create(key("ab"), pod("ab", node="n2"))
    await storage.create(key("a", "other"), pod("a", "other"))
    await storage.update(key("a"), lambda entry: pod("a", node="n1"))
    await storage.create(key("last", "other"), pod("last", "other"))
    await cache.fresh()
    assert [(str(c.type), c.key) for c in await collect(of_namespace, 2)] == [
        ("ADDED", key("a", "other")),
        ("ADDED", key("last", "other")),
    ]
    assert [(str(c.type), c.key) for c in await collect(of_key, 2)] == [("ADDED", key("a")), ("MODIFIED", key("a"))]
    assert [(str(c.type), c.key) for c in await collect(on_node, 1)] == [("ADDED", key("a"))]


async def test_an_object_that_begins_or_ceases_to_match_is_added_or_deleted_for_the_watcher(storage):
    start = await storage.cache.fresh()
    watcher = storage.cache.watch(PODS, start, labelled(app="x"))
    made = await storage.create(key("a"), pod("a", app="y"))
    arrived = await relabel(storage, "a", app="x")
    changed = await relabel(storage, "a", app="x", more="1")
    left = await relabel(storage, "a", app="z")
    await storage.delete(key("a"))
    again = await storage.create(key("a"), pod("a", app="x"))
    gone = await storage.delete(key("a"))
    changes = await collect(watcher, 5)
    assert told(changes) == [
        ("ADDED", "a", arrived.revision),
        ("MODIFIED", "a", changed.revision),
        ("DELETED", "a", left.revision),
        ("ADDED", "a", again.revision),
        ("DELETED", "a", gone.revision),
    ]
    departed = changes[2].obj["metadata"]
    assert departed["labels"] == {"app": "x", "more": "1"}
    assert departed["resourceVersion"] == str(left.revision)
    assert made.revision < arrived.revision


async def test_watchers_share_one_encoded_line_per_event(storage):
    start = await storage.cache.fresh()
    watchers = [storage.cache.watch(PODS, start) for _ in range(2)]
    await storage.create(key("a"), pod("a"))
    (one,), (two,) = [await collect(watcher, 1) for watcher in watchers]
    assert one.line is two.line
    event = orjson.loads(one.line)
    assert (event["type"], event["object"]) == ("ADDED", one.obj)


async def test_a_bookmark_may_say_only_what_was_handed_out(storage):
    start = await storage.cache.fresh()
    watcher = storage.cache.watch(PODS, start)
    await storage.create(key("a"), pod("a"))
    await storage.cache.fresh()
    assert watcher.revision == start
    await watcher.changes()
    assert watcher.revision == storage.cache.revision


async def test_a_closed_watcher_ends_its_reader(storage):
    watcher = storage.cache.watch(PODS, await storage.cache.fresh())
    reading = asyncio.create_task(watcher.changes())
    await asyncio.sleep(0)
    watcher.close()
    assert await reading == []


async def test_an_interrupted_reader_gets_what_is_there_and_may_read_on(storage):
    watcher = storage.cache.watch(PODS, await storage.cache.fresh())
    reading = asyncio.create_task(watcher.changes())
    await asyncio.sleep(0)
    watcher.interrupt()
    assert (await reading, watcher.ended) == ([], False)
    made = await storage.create(key("a"), pod("a"))
    await storage.cache.fresh()
    watcher.interrupt()
    assert told(await watcher.changes()) == [("ADDED", "a", made.revision)]


async def test_pages_at_an_old_revision_are_one_snapshot(storage):
    for name in "abcd":
        await storage.create(key(name), pod(name))
    revision = await storage.cache.fresh()
    await relabel(storage, "c", x="1")
    await storage.delete(key("d"))
    await storage.create(key("bb"), pod("bb"))
    rest = await storage.cache.list_at(PODS, revision, start=key("a") + "\0")
    assert [e.key for e in rest.entries] == [key("b"), key("c"), key("d")]
    assert rest.entries[1].obj["metadata"]["labels"] == {}
    assert rest.revision == revision


async def test_a_snapshot_older_than_the_cache_is_read_from_the_store(storage, store, monkeypatch):
    for name in "abc":
        await storage.create(key(name), pod(name))
    revision = await storage.cache.fresh()
    await storage.delete(key("b"))
    monkeypatch.setattr("sampan_master.storage.cache.HISTORY_AT_START", 0)
    later = Cache(store, RealClock())
    await later.start()
    listing = await later.list_at(PODS, revision)
    assert [e.key for e in listing.entries] == [key("a"), key("b"), key("c")]
    await store.compact(await store.revision())
    with pytest.raises(Compacted):
        await later.list_at(PODS, revision)
    await later.stop()


async def test_a_key_that_holds_no_object_does_not_stop_the_cache(storage, store):
    await store.create(key("bad"), b"not json")
    await store.create(key("worse"), b"[]")
    await storage.create(key("a"), pod("a"))
    await storage.cache.fresh()
    assert [e.key for e in storage.cache.list(PODS).entries] == [key("a")]


async def test_bytes_written_by_others_in_another_order_are_served_alike(storage, store):
    revision = await store.create(key("a"), b'{"metadata": {"name": "a"}, "apiVersion": "v1", "kind": "Pod"}')
    found = await storage.get(key("a"))
    assert found.data == b'{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"%d","name":"a"}}' % revision
    assert found.item == b'{"metadata":{"resourceVersion":"%d","name":"a"}}' % revision


async def test_a_watcher_that_lags_too_far_is_ended_and_can_resume(storage, monkeypatch):
    monkeypatch.setattr("sampan_master.storage.watcher.QUEUE_LIMIT", 10)
    start = await storage.cache.fresh()
    slow = storage.cache.watch(PODS, start)
    await asyncio.gather(*(storage.create(key(f"p{i:02}"), pod(f"p{i:02}")) for i in range(30)))
    await storage.cache.fresh()
    first = await slow.changes()
    assert len(first) == 10
    assert await slow.changes() == []
    rest = await collect(storage.cache.watch(PODS, first[-1].revision), 20)
    assert len({c.key for c in first + rest}) == 30


async def test_history_is_kept_for_minutes_and_then_expires():
    clock, store = VirtualClock(), MemoryStore()
    cache = Cache(store, clock, history_seconds=300)
    await cache.start()
    storage = Storage(store, cache)
    first = await storage.create(key("a"), pod("a"))
    for minute in range(4):
        await clock.advance(60)
        await relabel(storage, "a", x=str(minute))
        await cache.fresh()
    assert len(await collect(cache.watch(PODS, first.revision), 4)) == 4
    await clock.advance(240)
    last = await relabel(storage, "a", x="last")
    await cache.fresh()
    with pytest.raises(Compacted):
        cache.watch(PODS, first.revision)
    cache.watch(PODS, last.revision)
    await cache.stop()


async def test_a_watch_of_the_time_before_a_restart_is_resumed_after_it(storage, store):
    first = await storage.create(key("a"), pod("a"))
    second = await relabel(storage, "a", x="1")
    third = await storage.delete(key("a"))
    restarted = Cache(store, RealClock())
    await restarted.start()
    changes = await collect(restarted.watch(PODS, first.revision), 2)
    assert told(changes) == [("MODIFIED", "a", second.revision), ("DELETED", "a", third.revision)]
    assert restarted.list(PODS).entries == []
    await restarted.stop()


async def test_after_a_gap_in_the_store_s_history_watchers_see_the_differences():
    class Interrupted(MemoryStore):
        """Its watch can be held up long enough for a compaction to pass it."""

        def __init__(self):
            super().__init__()
            self.open = asyncio.Event()
            self.open.set()

        async def watch(self, prefix, *, after):
            async for batch in super().watch(prefix, after=after):
                if not self.open.is_set():
                    await self.open.wait()
                    raise Compacted(self._compacted)
                yield batch

    store = Interrupted()
    cache = Cache(store, RealClock())
    await cache.start()
    storage = Storage(store, cache)
    for name in "abc":
        await storage.create(key(name), pod(name))
    revision = await cache.fresh()
    watcher = cache.watch(PODS, revision)
    store.open.clear()
    changed = await relabel(storage, "a", x="1")
    await storage.delete(key("b"))
    made = await storage.create(key("d"), pod("d"))
    await store.compact(await store.revision())
    store.open.set()
    changes = await collect(watcher, 3)
    assert told(changes) == [
        ("MODIFIED", "a", changed.revision),
        ("ADDED", "d", made.revision),
        ("DELETED", "b", await store.revision()),
    ]
    with pytest.raises(Compacted):
        cache.watch(PODS, revision)
    await cache.stop()


async def test_an_audit_finds_nothing_when_all_is_well(storage, store):
    await store.create(key("bad"), b"not json")
    await asyncio.gather(*(storage.create(key(f"p{i}"), pod(f"p{i}")) for i in range(50)))
    await storage.delete(key("p3"))
    assert await differences(storage.cache, store) == set()


async def test_an_audit_finds_what_the_cache_missed_and_a_reload_repairs_it():
    class Lossy(MemoryStore):
        """Its watch loses the events of one key, as etcd 3.4 may."""

        async def watch(self, prefix, *, after):
            async for batch in super().watch(prefix, after=after):
                yield batch._replace(events=[event for event in batch.events if event.key != key("lost")])

    store = Lossy()
    cache = Cache(store, RealClock())
    await cache.start()
    storage = Storage(store, cache)
    await storage.create(key("a"), pod("a"))
    watcher = cache.watch(PODS, await cache.fresh())
    made = await storage.create(key("lost"), pod("lost"))
    await cache.fresh()
    assert await differences(cache, store) == {key("lost")}
    await cache.reload()
    assert told(await collect(watcher, 1)) == [("ADDED", "lost", made.revision)]
    assert await differences(cache, store) == set()
    await cache.stop()


async def test_a_store_that_went_back_in_time_is_read_anew(eventually):
    store = MemoryStore()
    cache = Cache(store, RealClock())
    await cache.start()
    storage = Storage(store, cache)
    for name in "abc":
        await storage.create(key(name), pod(name))
    watcher = cache.watch(PODS, await cache.fresh())
    backup = MemoryStore()
    await backup.create(key("old"), orjson.dumps(pod("old")))
    cache._store = backup
    with pytest.raises(StoreUnavailable):
        await cache.fresh()
    assert await watcher.changes() == []
    await eventually(lambda: [e.key for e in cache.list(PODS).entries] == [key("old")])
    await cache.fresh()
    await cache.stop()


class LateAnswers(MemoryStore):
    """A store whose events come before its answers, as etcd's often do."""

    cache: Cache

    async def create(self, key, value, **options):
        revision = await super().create(key, value, **options)
        await self.cache.at_least(revision)
        self.seen = self.cache.get(key).is_decoded
        return revision

    async def update(self, key, value, **options):
        revision = await super().update(key, value, **options)
        await self.cache.at_least(revision)
        self.seen = self.cache.get(key).is_decoded
        return revision


async def test_an_event_before_its_answer_has_the_writers_object():
    store = LateAnswers(RealClock())
    store.cache = Cache(store, RealClock())
    await store.cache.start()
    storage = Storage(store, store.cache)
    made = pod("a")
    made["spec"]["hostname"] = name = "".join(["host", "name"])
    created = await storage.create(key("a"), made)
    assert store.seen
    assert created is store.cache.get(key("a"))
    assert created.obj["spec"]["hostname"] is name
    changed = await storage.update(key("a"), lambda entry: {**entry.obj, "status": {"phase": "Running"}})
    assert store.seen
    assert changed.obj["spec"] is created.obj["spec"]
    assert changed.obj == orjson.loads(changed.data)
    with pytest.raises(KeyExists):
        await storage.create(key("a"), pod("a"))
    await store.cache.stop()
    await store.close()


async def test_a_change_of_long_ago_is_told_as_it_was(storage):
    """Though its line and what stood there before are given up meanwhile."""
    await storage.create(key("a"), pod("a", node="one"))
    start = await storage.cache.fresh()
    await storage.update(key("a"), lambda entry: pod("a", node="two"))
    changes, gone = storage.cache.watch(PODS, start), storage.cache.watch(PODS, start, lambda obj: on(obj) == "one")
    (change,), (left,) = await collect(changes, 1), await collect(gone, 1)
    line, departure = change.line, left.line
    assert change.previous.is_decoded
    await asyncio.gather(*(storage.create(key(f"b{number}"), pod(f"b{number}")) for number in range(1000)))
    await storage.cache.fresh()
    assert not change.previous.is_decoded
    again, gone = storage.cache.watch(PODS, start), storage.cache.watch(PODS, start, lambda obj: on(obj) == "one")
    assert (await collect(again, 1))[0].line == line
    assert (await collect(gone, 1))[0].line == departure
