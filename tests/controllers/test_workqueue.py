import asyncio
import contextlib

import pytest
import pytest_asyncio
from sampan_api.clock import VirtualClock
from sampan_api.errors import Conflict, Forbidden, ServiceUnavailable
from sampan_master.controllers.workqueue import WorkQueue, repeat, work


class Bench:
    """A queue at work on a virtual clock; `seen` lists (time, key) of every sync."""

    def __init__(self):
        self.clock = VirtualClock()
        self.queue = WorkQueue(self.clock)
        self.seen, self.failures, self.again = [], {}, {}
        self.gate = None

    async def sync(self, key):
        self.seen.append((round(self.clock.monotonic(), 3), key))
        if self.gate is not None:
            await self.gate.wait()
        if self.failures.get(key, 0):
            self.failures[key] -= 1
            raise self.error
        return self.again.pop(key, None)

    error: Exception = ServiceUnavailable("away")

    def times(self, key):
        return [at for at, seen in self.seen if seen == key]


@pytest_asyncio.fixture
async def bench():
    made = Bench()
    task = asyncio.create_task(work("test", made.queue, made.sync, 3))
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_key_waits_once_and_is_never_in_work_twice(bench):
    bench.gate = asyncio.Event()
    for _ in range(5):
        bench.queue.add("a")
    await bench.clock.advance(0)
    for _ in range(5):
        bench.queue.add("a")
    await bench.clock.advance(0)
    assert bench.times("a") == [0]
    bench.gate.set()
    await bench.clock.advance(0)
    assert bench.times("a") == [0, 0]


async def test_a_failing_key_comes_again_after_growing_pauses_and_then_fresh(bench):
    bench.failures["a"] = 3
    bench.queue.add("a")
    await bench.clock.advance(5)
    assert bench.times("a") == [0, 0.05, 0.15, 0.35]
    bench.failures["a"] = 1
    bench.queue.add("a")
    await bench.clock.advance(1)
    assert bench.times("a")[-2:] == [5, 5.05]


async def test_a_bug_in_one_key_does_not_stop_the_others(bench):
    bench.error = ZeroDivisionError()
    bench.failures["a"] = 1
    bench.queue.add("a")
    bench.queue.add("b")
    await bench.clock.advance(1)
    assert bench.times("b") == [0]
    assert bench.times("a") == [0, 0.05]


async def test_of_several_later_times_the_earliest_counts(bench):
    bench.queue.add_after("a", 10)
    bench.queue.add_after("a", 3)
    bench.queue.add_after("a", 5)
    bench.queue.add_after("b", 4)
    await bench.clock.advance(20)
    assert bench.times("a") == [3]
    assert bench.times("b") == [4]


async def test_a_time_that_is_moved_many_times_is_kept_once(bench):
    for number in range(10_000):
        bench.queue.add_after("a", 20_000 - number)
    bench.queue.add_after("b", 3)
    assert len(bench.queue._later) < 200
    await bench.clock.advance(20_000)
    assert bench.times("a") == [10_001]
    assert bench.times("b") == [3]


async def test_sync_says_when_it_wants_the_key_again(bench):
    bench.again["a"] = 7
    bench.queue.add("a")
    await bench.clock.advance(20)
    assert bench.times("a") == [0, 7]


async def test_many_keys_that_need_nothing_do_not_hold_up_others(bench):
    for number in range(1000):
        bench.queue.add(str(number))
    while not bench.seen:
        await asyncio.sleep(0)
    assert len(bench.seen) <= 3


@pytest.mark.parametrize(
    ("error", "longest"), [(ServiceUnavailable("away"), 8), (Conflict("who was first?"), 8), (Forbidden("quota"), 32)]
)
async def test_who_is_refused_asks_less_often_than_who_was_not_heard(bench, error, longest):
    bench.error = error
    bench.failures["a"] = 1000
    bench.queue.add("a")
    await bench.clock.advance(300)
    *_, before, last = bench.times("a")
    assert last - before == pytest.approx(longest)


async def test_what_is_repeated_goes_on_after_a_failure_and_after_a_bug():
    clock, seen = VirtualClock(), []

    async def act():
        seen.append(clock.monotonic())
        if len(seen) < 3:
            raise (ServiceUnavailable("away"), ZeroDivisionError())[len(seen) - 1]

    task = asyncio.create_task(repeat("test", clock, 5, act))
    await clock.advance(12)
    task.cancel()
    assert seen == [0, 5, 10]
