"""Several masters on one etcd: each has a cache of its own, and all say the same."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sampan_api.clock import RealClock
from sampan_master.storage import (
    Cache,
    KeyMissing,
    Storage,
    Unwritten,
    WrittenMeanwhile,
    object_key,
    resource_prefix,
)
from sampan_master.storage.etcd import EtcdStore

pytestmark = pytest.mark.etcd


@asynccontextmanager
async def master(endpoint):
    store = EtcdStore(endpoint)
    cache = Cache(store, RealClock())
    await cache.start()
    yield Storage(store, cache)
    await cache.stop()
    await store.close()


def counter(name, n=0):
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": "d"}, "data": {"n": n}}


def key(name):
    return object_key("configmaps", "d", name)


async def test_both_tell_the_same_events_under_the_same_resource_versions(own_etcd):
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(master(own_etcd.endpoint)) for _ in range(2)]
        start = await one.cache.fresh()
        watchers = [each.cache.watch(resource_prefix("configmaps"), start) for each in (one, two)]

        async def churn(storage, prefix):
            for n in range(20):
                await storage.create(key(f"{prefix}{n}"), counter(f"{prefix}{n}"))
            await asyncio.gather(*(storage.delete(key(f"{prefix}{n}")) for n in range(0, 20, 2)))

        await asyncio.gather(*(churn(storage, f"{i}-{w}-") for i, storage in enumerate((one, two)) for w in range(8)))
        told = []
        for watcher in watchers:
            changes = []
            async with asyncio.timeout(60):
                while len(changes) < 16 * 30:
                    changes += await watcher.changes()
            told.append([(str(c.type), c.key, c.revision, c.entry.data) for c in changes])
        assert told[0] == told[1]
        revisions = [revision for _, _, revision, _ in told[0]]
        assert revisions == sorted(set(revisions))
        lists = [storage.cache.list(resource_prefix("configmaps")).entries for storage in (one, two)]
        assert [e.data for e in lists[0]] == [e.data for e in lists[1]]


async def test_no_update_made_through_either_is_lost(own_etcd):
    async with AsyncExitStack() as stack:
        masters = [await stack.enter_async_context(master(own_etcd.endpoint)) for _ in range(2)]
        await masters[0].create(key("a"), counter("a"))

        async def add(storage):
            for _ in range(15):
                await storage.update(key("a"), lambda entry: counter("a", entry.obj["data"]["n"] + 1))

        await asyncio.gather(*(add(storage) for storage in masters for _ in range(3)))
        for storage in masters:
            assert (await storage.get(key("a"))).obj["data"]["n"] == 90


async def test_what_one_acknowledged_the_other_reads_at_once(own_etcd):
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(master(own_etcd.endpoint)) for _ in range(2)]
        for n in range(20):
            made = await one.create(key(f"c{n}"), counter(f"c{n}"))
            assert (await two.get(key(f"c{n}"))).revision == made.revision
            await two.delete(key(f"c{n}"))
            assert await one.get(key(f"c{n}")) is None
            with pytest.raises(KeyMissing):
                await one.update(key(f"c{n}"), lambda entry: None)


async def test_what_each_may_have_alone_is_never_given_out_twice(own_etcd):
    """Each takes the lowest number that no object it sees has: the worst that two choosers can do to each other."""

    async def take(storage, name):
        prefix = resource_prefix("configmaps")
        while True:
            given = Unwritten(prefix, await storage.cache.fresh())
            taken = {entry.obj["data"]["n"] for entry in storage.cache.list(prefix).entries}
            free = next(n for n in range(100) if n not in taken)
            try:
                await storage.create(key(name), counter(name, free), given=given)
                return
            except WrittenMeanwhile:
                continue

    async def move(storage, name):
        prefix = resource_prefix("configmaps")

        def change(entry):
            taken = {other.obj["data"]["n"] for other in storage.cache.list(prefix).entries}
            return counter(name, next(n for n in range(100, 200) if n not in taken))

        await storage.update(key(name), change, seeing=prefix)

    async with AsyncExitStack() as stack:
        masters = [await stack.enter_async_context(master(own_etcd.endpoint)) for _ in range(2)]
        names = [f"c{n}" for n in range(20)]
        await asyncio.gather(*(take(masters[n % 2], name) for n, name in enumerate(names)))
        await asyncio.gather(*(move(masters[n % 2], name) for n, name in enumerate(names[:10])))
        numbers = [(await masters[0].get(key(name))).obj["data"]["n"] for name in names]
        assert sorted(numbers[:10]) == list(range(100, 110))
        assert len(set(numbers[10:])) == 10
