"""Timers, outbox, addresses."""

import asyncio

import pytest
from sampan_api.clock import VirtualClock
from sampan_sim.addresses import PodAddresses, free_addresses, free_ranges, prefix_length
from sampan_sim.config import read
from sampan_sim.errors import ConfigError
from sampan_sim.outbox import Outbox
from sampan_sim.timers import Timers


async def test_timers_are_due_in_order_and_a_key_has_one_moment():
    clock, due = VirtualClock(1000.0), []
    timers = Timers(clock, lambda key: due.append((key, timers.now())))
    running = asyncio.create_task(timers.run())
    timers.set("b", 1002.0)
    timers.set("a", 1001.0)
    timers.set("c", 1003.0)
    timers.set("b", 1004.0)
    timers.cancel("c")
    await clock.advance(1)
    timers.set("sooner", 1001.5)
    await clock.advance(9)
    assert due == [("a", 1001.0), ("sooner", 1001.5), ("b", 1004.0)]
    running.cancel()


async def test_moments_that_were_moved_many_times_are_not_kept():
    timers = Timers(VirtualClock(0.0), lambda key: None)
    for moment in range(10_000):
        timers.set("one", float(moment))
    assert len(timers._heap) < 200


async def test_what_changes_while_it_waits_is_written_once_and_by_one_worker():
    written, open_gate = [], asyncio.Event()

    async def write(key):
        written.append(key)
        await open_gate.wait()

    outbox = Outbox(write)
    workers = asyncio.create_task(outbox.run(4))
    for _ in range(5):
        outbox.put("a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for _ in range(5):
        outbox.put("a")
    assert written == ["a"]
    open_gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert written == ["a", "a"]
    assert len(outbox) == 0
    workers.cancel()


def test_addresses_rest_before_they_are_used_again():
    addresses = PodAddresses("100.64.3.0/24")
    first = [addresses.take() for _ in range(10)]
    assert first[0] == "100.64.3.2"
    addresses.give_back(first[0])
    assert addresses.take() == "100.64.3.12"
    assert not addresses.keep("100.64.3.5")
    assert addresses.keep("100.64.3.77")
    assert not addresses.keep("100.64.4.9")
    assert not addresses.keep("fd00::7")
    rest = {addresses.take() for _ in range(300)}
    assert "" in rest
    assert "100.64.3.2" in rest
    assert "100.64.3.77" not in rest
    assert "100.64.3.255" not in rest


def test_ranges_hold_twice_the_pods_and_overlap_with_nobody():
    assert (prefix_length(110), prefix_length(250), prefix_length(5)) == (24, 23, 24)
    small = read({"podCIDR": "100.64.0.0/22"})
    taken = ["100.64.0.0/25", "100.64.2.0/24", "10.0.0.0/8", "fd00:10::/64"]
    ranges = free_ranges(small, taken)
    assert [next(ranges), next(ranges)] == ["100.64.1.0/24", "100.64.3.0/24"]
    with pytest.raises(ConfigError, match="room for 4 nodes with a /24 each"):
        next(ranges)
    with pytest.raises(ConfigError, match="smaller than the /24"):
        next(free_ranges(read({"podCIDR": "100.64.0.0/25"}), []))
    addresses = free_addresses(read({"nodeCIDR": "198.18.0.0/30"}), ["198.18.0.1"])
    assert next(addresses) == "198.18.0.2"
    with pytest.raises(ConfigError, match="no address left"):
        next(addresses)


async def test_a_key_that_was_moved_many_times_is_due_at_its_last_moment():
    clock, due = VirtualClock(0.0), []
    timers = Timers(clock, lambda key: due.append((key, timers.now())))
    running = asyncio.create_task(timers.run())
    timers.set("other", 5.0)
    for moment in range(1000, 0, -1):
        timers.set("one", float(moment))
    await clock.advance(2000)
    assert due == [("one", 1.0), ("other", 5.0)]
    running.cancel()
