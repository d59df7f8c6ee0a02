"""etcd is killed, paused and restarted under load: no acknowledged write is lost, and all recovers by itself."""

import asyncio
from contextlib import aclosing

import pytest
from sampan_api.clock import RealClock
from sampan_master.storage import Cache, Storage, StoreUnavailable, object_key, resource_prefix
from sampan_master.storage.etcd import EtcdStore
from sampan_master.storage.store import KeyExists

pytestmark = pytest.mark.etcd


def config_map(name, n):
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": "d"}, "data": {"n": n}}


async def follow(store, events):
    async with aclosing(store.watch("/registry/", after=0)) as batches:
        async for batch in batches:
            events += batch.events


async def test_no_acknowledged_write_is_lost_when_etcd_is_killed_under_load(own_etcd, eventually):
    store = EtcdStore(own_etcd.endpoint, patience=60)
    events, acknowledged = [], {}
    following = asyncio.create_task(follow(store, events))
    stop = asyncio.Event()

    async def writer(number):
        n = 0
        while not stop.is_set():
            key = f"/registry/w/{number}/{n}"
            revision = await store.create(key, b'{"n":%d}' % n)
            acknowledged[key] = revision
            if n % 3 == 0:
                acknowledged[key] = await store.update(key, b'{"n":-1}', expected=revision)
            n += 1

    writers = [asyncio.create_task(writer(number)) for number in range(20)]
    for _ in range(3):
        before = len(acknowledged)
        await eventually(lambda before=before: len(acknowledged) > before + 300)
        await asyncio.to_thread(own_etcd.kill)
        await asyncio.to_thread(own_etcd.start)
    before = len(acknowledged)
    await eventually(lambda: len(acknowledged) > before + 100)
    stop.set()
    await asyncio.gather(*writers)
    there = {}
    start, more = "", True
    while more:
        page = await store.range("/registry/w/", start=start, limit=500)
        there |= {item.key: item.mod_revision for item in page.items}
        start, more = page.items[-1].key + "\0", page.more
    assert there == acknowledged
    last = max(acknowledged.values())
    await eventually(lambda: events and events[-1].revision >= last)
    revisions = [event.revision for event in events]
    assert revisions == sorted(set(revisions))
    assert set(acknowledged.values()) <= set(revisions)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await store.close()


async def test_a_write_during_a_long_outage_fails_in_time_and_later_ones_succeed(own_etcd):
    store = EtcdStore(own_etcd.endpoint, patience=1.0)
    await store.create("/registry/a", b"{}")
    own_etcd.kill()
    async with asyncio.timeout(60):
        with pytest.raises(StoreUnavailable):
            await store.create("/registry/b", b"{}")
    await asyncio.to_thread(own_etcd.start)
    assert await store.get("/registry/a") is not None
    await store.update("/registry/a", b'{"n":1}', expected=(await store.get("/registry/a")).mod_revision)
    await store.close()


async def test_a_write_that_waits_out_a_short_outage_succeeds(own_etcd):
    store = EtcdStore(own_etcd.endpoint, patience=60)
    own_etcd.kill()
    writing = asyncio.create_task(store.create("/registry/a", b"{}"))
    await asyncio.to_thread(own_etcd.start)
    revision = await writing
    assert (await store.get("/registry/a")).mod_revision == revision
    await store.close()


async def test_an_unclear_write_is_recognised_as_our_own(own_etcd, monkeypatch):
    """etcd stands still while the write is on its way, so the attempt times out and takes effect afterwards."""
    monkeypatch.setattr("sampan_master.storage.etcd_commit.ATTEMPT_SECONDS", 0.3)
    store = EtcdStore(own_etcd.endpoint, patience=60)
    first = await store.create("/registry/a", b'{"n":0}')
    own_etcd.pause()
    writes = [
        asyncio.create_task(store.update("/registry/a", b'{"n":1}', expected=first)),
        asyncio.create_task(store.create("/registry/b", b'{"n":2}')),
    ]
    await asyncio.sleep(1.0)
    own_etcd.resume()
    second, third = await asyncio.gather(*writes)
    assert (await store.get("/registry/a")).mod_revision == second > first
    assert (await store.get("/registry/b")).mod_revision == third
    # Another value: what an attempt of ours may have written would be taken for it, and each may time out here.
    with pytest.raises(KeyExists):
        await store.create("/registry/b", b'{"n":3}')
    await store.close()


async def test_the_cache_follows_through_an_outage_and_its_watchers_miss_nothing(own_etcd, eventually):
    store = EtcdStore(own_etcd.endpoint, patience=60)
    cache = Cache(store, RealClock())
    await cache.start()
    storage = Storage(store, cache)
    watcher = cache.watch(resource_prefix("configmaps"), await cache.fresh())
    made = []

    async def write():
        for n in range(60):
            made.append(await storage.create(object_key("configmaps", "d", f"c{n}"), config_map(f"c{n}", n)))

    writing = asyncio.create_task(write())
    await eventually(lambda: len(made) > 10)
    await asyncio.to_thread(own_etcd.kill)
    await asyncio.to_thread(own_etcd.start)
    await writing
    seen = []
    async with asyncio.timeout(60):
        while len(seen) < 60:
            seen += await watcher.changes()
    assert [change.revision for change in seen] == [entry.revision for entry in made]
    await cache.stop()
    await store.close()


async def test_the_cache_waits_for_an_etcd_that_is_not_there_yet(own_etcd):
    own_etcd.kill()
    store = EtcdStore(own_etcd.endpoint)
    cache = Cache(store, RealClock())
    starting = asyncio.create_task(cache.start())
    await asyncio.to_thread(own_etcd.start)
    async with asyncio.timeout(60):
        await starting
    await cache.stop()
    await store.close()


async def test_objects_near_the_size_limit_are_listed_and_watched(own_etcd):
    store = EtcdStore(own_etcd.endpoint)
    before = await store.revision()
    big = b'{"x":"%b"}' % (b"x" * 1_400_000)
    for n in range(20):
        await store.create(f"/registry/big/{n:02}", big)
    found, start, more = [], "", True
    while more:
        page = await store.range("/registry/big/", start=start, limit=500)
        found += [item.key for item in page.items]
        start, more = page.items[-1].key + "\0", page.more
    assert found == [f"/registry/big/{n:02}" for n in range(20)]
    count = 0
    async with aclosing(store.watch("/registry/", after=before)) as batches:
        async for batch in batches:
            count += len(batch.events)
            if count == 20:
                break
    await store.close()
