"""Compaction by the masters: history is there for five minutes at least, and for ten at most."""

import asyncio

import pytest
from sampan_api.clock import VirtualClock
from sampan_master.storage.compaction import NOTE_KEY, PERIOD_SECONDS, compact_periodically
from sampan_master.storage.memory import MemoryStore
from sampan_master.storage.store import Compacted, StoreUnavailable

KEY = "/registry/configmaps/d/a"


async def oldest_age(store, clock, minutes, masters):
    """Writes each half minute while masters come and go; how old the oldest history was at most, and at least."""
    moments, ages = [], []
    revision = await store.create(KEY, b"{}")
    for step in range(minutes * 2):
        await clock.advance(30)
        masters(step)
        revision = await store.update(KEY, b'{"n":%d}' % step, expected=revision)
        moments.append((clock.monotonic(), revision))
        ages.append(max([clock.monotonic() - at for at, rev in moments if await known(store, rev)]))
    return max(ages), min(ages[20:])


async def known(store, revision):
    try:
        await store.require_history(revision)
    except Compacted:
        return False
    return True


@pytest.fixture
async def masters():
    """Starts and kills loops of compaction."""
    running = []

    def start(store, clock):
        running.append(asyncio.create_task(compact_periodically(store, clock)))

    def kill():
        running.pop(0).cancel()

    yield start, kill
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.parametrize("count", [1, 3])
async def test_history_is_between_five_and_ten_minutes_old(masters, count):
    clock = VirtualClock()
    store = MemoryStore(clock)
    start, _ = masters

    def come(step):
        if step < count:
            start(store, clock)

    oldest, youngest = await oldest_age(store, clock, 60, come)
    assert youngest >= PERIOD_SECONDS
    assert oldest <= 2 * PERIOD_SECONDS + 60


async def test_a_master_that_restarts_every_minute_compacts_all_the_same(masters):
    clock = VirtualClock()
    store = MemoryStore(clock)
    start, kill = masters

    def restart(step):
        if step % 2 == 0:
            if step:
                kill()
            start(store, clock)

    oldest, youngest = await oldest_age(store, clock, 60, restart)
    assert youngest >= PERIOD_SECONDS
    assert oldest <= 2 * PERIOD_SECONDS + 60


async def test_a_note_that_is_none_or_of_the_future_is_written_anew(masters):
    clock = VirtualClock()
    store = MemoryStore(clock)
    start, _ = masters
    for value in (b"not json", b'{"at":%d,"revision":1}' % (clock.now() + 1e6)):
        there = await store.get(NOTE_KEY)
        if there is None:
            await store.create(NOTE_KEY, value)
        else:
            await store.update(NOTE_KEY, value, expected=there.mod_revision)
        start(store, clock)
        await clock.advance(PERIOD_SECONDS + 1)
        assert str(int(clock.now() - 1)).encode() in (await store.get(NOTE_KEY)).value


async def test_an_absent_store_is_waited_for(masters):
    class Absent(MemoryStore):
        away = True

        async def get(self, key):
            if self.away:
                raise StoreUnavailable("away")
            return await super().get(key)

    clock = VirtualClock()
    store = Absent(clock)
    masters[0](store, clock)
    await clock.advance(PERIOD_SECONDS)
    store.away = False
    await clock.advance(PERIOD_SECONDS)
    assert await store.get(NOTE_KEY) is not None
