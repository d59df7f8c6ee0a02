"""Watches that begin before the cache's history, over both stores."""

import asyncio

import pytest
from sampan_api.clock import RealClock, VirtualClock
from sampan_master.storage import Cache, Compacted, PastWatcher, Storage, object_key, resource_prefix
from sampan_master.storage.compaction import PERIOD_SECONDS, compact_periodically
from sampan_master.storage.memory import MemoryStore

PODS = resource_prefix("pods")


def pod(name, **labels):
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": "d", "labels": labels}}


def key(name):
    return object_key("pods", "d", name)


def told(changes):
    return [(str(change.type), change.entry.data) for change in changes]


async def collect(watcher, wanted):
    changes = []
    async with asyncio.timeout(60):
        while len(changes) < wanted:
            changes += await watcher.changes()
    return changes


async def open_from(cache, after, matches=None):
    try:
        return cache.watch(PODS, after, matches)
    except Compacted:
        return await cache.watch_past(PODS, after, matches)


@pytest.fixture
async def storage(store):
    """Its cache remembers five changes of a resource."""
    cache = Cache(store, RealClock(), history_events=5)
    await cache.start()
    yield Storage(store, cache)
    await cache.stop()


async def churn(storage):
    """Forty changes; the revision before them."""
    start = await storage.cache.fresh()
    await asyncio.gather(*(storage.create(key(f"p{i}"), pod(f"p{i}", app="x" if i % 2 else "y")) for i in range(16)))
    await storage.create(object_key("nodes", "", "n"), {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}})
    await asyncio.gather(
        *(
            storage.update(key(f"p{i}"), lambda entry: pod(entry.obj["metadata"]["name"], app="x"))
            for i in range(0, 16, 2)
        )
    )
    await asyncio.gather(*(storage.delete(key(f"p{i}")) for i in range(16)))
    return start


async def test_what_the_cache_has_forgotten_is_told_by_the_store_and_then_goes_on_live(storage):
    everything = storage.cache.watch(PODS, await storage.cache.fresh())
    start = await churn(storage)
    expected = await collect(everything, 40)
    with pytest.raises(Compacted):
        storage.cache.watch(PODS, start)
    watcher = await storage.cache.watch_past(PODS, start)
    assert told(await collect(watcher, 40)) == told(expected)
    made = await storage.create(key("later"), pod("later"))
    (live,) = await collect(watcher, 1)
    assert (live.entry.data, watcher.revision) == (made.data, storage.cache.revision)
    watcher.close()
    assert await watcher.changes() == []


async def test_resumed_after_any_event_it_loses_and_repeats_nothing(storage):
    everything = storage.cache.watch(PODS, await storage.cache.fresh())
    await churn(storage)
    expected = await collect(everything, 40)
    for position in range(0, 39, 3):
        watcher = await open_from(storage.cache, expected[position].revision)
        assert told(await collect(watcher, 39 - position)) == told(expected[position + 1 :])
        watcher.close()


async def test_a_selector_sees_the_past_as_it_saw_the_present(storage):
    def chosen(obj):
        return obj["metadata"]["labels"].get("app") == "y"

    present = storage.cache.watch(PODS, await storage.cache.fresh(), chosen)
    start = await churn(storage)
    expected = await collect(present, 16)
    assert [kind for kind, _ in told(expected)] == ["ADDED"] * 8 + ["DELETED"] * 8
    watcher = await storage.cache.watch_past(PODS, start, chosen)
    assert told(await collect(watcher, 16)) == told(expected)
    watcher.close()


async def test_a_restarted_master_resumes_what_only_the_store_remembers(storage, store, monkeypatch):
    monkeypatch.setattr("sampan_master.storage.cache.HISTORY_AT_START", 0)
    everything = storage.cache.watch(PODS, await storage.cache.fresh())
    start = await churn(storage)
    expected = await collect(everything, 40)
    restarted = Cache(store, RealClock())
    await restarted.start()
    watcher = await open_from(restarted, start)
    assert isinstance(watcher, PastWatcher)
    assert told(await collect(watcher, 40)) == told(expected)
    watcher.close()
    await restarted.stop()


async def test_what_the_store_has_forgotten_too_is_refused(storage, store):
    start = await churn(storage)
    await store.compact(await store.revision())
    with pytest.raises(Compacted):
        await storage.cache.watch_past(PODS, start)


async def test_it_may_be_interrupted_in_the_past_and_live(storage):
    start = await churn(storage)
    watcher = await storage.cache.watch_past(PODS, start)
    watcher.interrupt()
    assert (await watcher.changes(), watcher.ended) == ([], False)
    assert len(await collect(watcher, 40)) == 40
    reading = asyncio.create_task(watcher.changes())
    await storage.cache.fresh()
    watcher.interrupt()
    assert (await reading, watcher.ended) == ([], False)
    watcher.close()
    assert (await watcher.changes(), watcher.ended) == ([], True)


async def test_one_whose_history_goes_while_it_is_told_ends():
    store = MemoryStore()
    cache = Cache(store, RealClock(), history_events=1)
    await cache.start()
    storage = Storage(store, cache)
    start = await churn(storage)
    await cache.fresh()
    watcher = await cache.watch_past(PODS, start)
    await store.compact(await store.revision())
    async with asyncio.timeout(60):
        assert await watcher.changes() == []
    assert watcher.revision == start
    await cache.stop()


async def test_history_is_there_for_five_minutes_and_the_master_then_compacts_it():
    clock = VirtualClock()
    store = MemoryStore(clock)
    cache = Cache(store, clock, history_events=3)
    await cache.start()
    storage = Storage(store, cache)
    compacting = asyncio.create_task(compact_periodically(store, clock))
    await clock.advance(PERIOD_SECONDS * 1.5)
    written = []
    for n in range(40):
        entry = await storage.create(key(f"p{n}"), pod(f"p{n}"))
        written.append((clock.monotonic(), entry.revision))
        await clock.advance(30)
        await cache.fresh()
        for moment, revision in written:
            age = clock.monotonic() - moment
            wanted = sum(later > revision for _, later in written)
            try:
                watcher = await open_from(cache, revision)
            except Compacted:
                assert age > PERIOD_SECONDS
                continue
            assert age <= 2 * PERIOD_SECONDS + 60
            assert len(await collect(watcher, wanted)) == wanted
            watcher.close()
    compacting.cancel()
    await asyncio.gather(compacting, return_exceptions=True)
    await cache.stop()
