"""Ranges of pod addresses: each node one of its own, however it joined."""

import asyncio

import pytest
from cluster import eventually
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, unclear_at_every_write
from sampan_api import meta
from sampan_api.client import EVENTS, NODES
from sampan_master.controllers import ControllersConfig
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.node_cidr_controller import NodeCidrController
from sampan_master.controllers.node_cidrs import CidrPool, why_not


def test_ranges_are_given_in_turn_and_one_given_back_rests():
    pool = CidrPool("10.0.0.0/22", 24)
    assert [pool.allot(name) for name in "ab"] == ["10.0.0.0/24", "10.0.1.0/24"]
    pool.release("a")
    assert [pool.allot(name) for name in "cde"] == ["10.0.2.0/24", "10.0.3.0/24", "10.0.0.0/24"]
    assert pool.allot("f") is None
    pool.release("c")
    assert pool.allot("f") == "10.0.2.0/24"


def test_who_comes_back_under_its_name_gets_what_it_had_if_that_is_free():
    pool = CidrPool("10.0.0.0/23", 24)
    pool.allot("a"), pool.allot("b")
    pool.release("a")
    assert pool.allot("a") == "10.0.0.0/24"
    pool.release("a")
    assert pool.allot("c") == "10.0.0.0/24"
    assert pool.allot("a") is None
    roomy = CidrPool("10.0.0.0/22", 24)
    roomy.allot("a"), roomy.allot("b")
    roomy.release("a")
    assert roomy.allot("a") == "10.0.0.0/24", "not the next in turn"


@pytest.mark.parametrize(
    ("network", "mask", "fits"),
    [
        ("10.0.0.0/16", 24, True),
        ("10.0.0.0/16", 16, True),
        ("10.0.0.0/16", 15, False),
        ("10.0.0.0/8", 24, True),
        ("10.0.0.0/8", 25, False),
        ("10.0.0.0/16", 30, True),
        ("10.0.0.0/16", 31, False),
    ],
)
def test_a_network_is_cut_into_parts_of_which_there_are_not_too_many_nor_too_small_ones(network, mask, fits):
    assert (why_not(network, mask) == "") is fits


def test_a_network_that_is_none_is_told_so():
    assert why_not("10.0.0.1/16", 24).startswith("--cluster-cidr: ")


def test_ranges_set_by_others_are_taken_whatever_their_size():
    pool = CidrPool("10.0.0.0/21", 24)
    pool.occupy("small", ["10.0.0.128/25"])
    pool.occupy("large", ["10.0.2.0/23"])
    pool.occupy("elsewhere", ["192.168.0.0/24", "fd00::/64", "nonsense"])
    assert [pool.allot(name) for name in "abcdef"] == [
        *("10.0.1.0/24", "10.0.4.0/24", "10.0.5.0/24", "10.0.6.0/24", "10.0.7.0/24", None)
    ]
    pool.release("large")
    assert pool.allot("g") == "10.0.2.0/24"


async def start(client, clock, network="10.0.0.0/22"):
    informers = Informers(client, clock, [NODES])
    controller = NodeCidrController(client, clock, informers, ControllersConfig(cluster_cidr=network))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(informers.nodes.run())
        await informers.synced()
        tasks.create_task(controller.run())


async def add(cluster, name, **spec):
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}
    await cluster.client.create(NODES, node)


async def given(cluster):
    return {meta.name(n): n["spec"].get("podCIDRs") for n in await cluster.list(NODES)}


def all_of(cluster, expected):
    async def check():
        return await given(cluster) == expected

    return check


async def test_nodes_made_through_the_api_get_ranges_and_one_more_than_there_are_is_told(cluster):
    await add(cluster, "mine", podCIDR="10.0.1.0/24")
    cluster.spawn(start(cluster.client, cluster.clock))
    for name in ("a", "b", "c"):
        await add(cluster, name)
        await eventually(lambda name=name: has_one(cluster, name))
    await add(cluster, "late")

    async def told():
        return [e for e in await cluster.list(EVENTS) if e["reason"] == "CIDRNotAvailable"]

    [event] = await eventually(told)
    assert event["message"] == "Node late status is now: CIDRNotAvailable"
    assert event["source"]["component"] == "cidrAllocator"
    await cluster.client.delete(NODES, "b")
    expected = {"a": "10.0.0.0/24", "c": "10.0.3.0/24", "late": "10.0.2.0/24", "mine": "10.0.1.0/24"}
    await eventually(all_of(cluster, {name: [cidr] for name, cidr in expected.items()}))
    [event] = await told()
    assert event["count"] == 1


async def has_one(cluster, name):
    return bool((await given(cluster))[name])


async def two_join(cluster):
    await add(cluster, "a")
    await add(cluster, "b")


async def one_goes_and_two_join(cluster):
    await cluster.client.delete(NODES, "a")
    await add(cluster, "c")
    await add(cluster, "d")


async def end(cluster):
    found = await given(cluster)
    return sorted(found), all(found.values())


def no_range_twice(moment):
    cidrs = [n["spec"].get("podCIDR") for n in moment.objects("Node").values() if n["spec"].get("podCIDR")]
    assert len(set(cidrs)) == len(cidrs), cidrs


SCENARIO = Scenario(start=start, quiet=4, steps=(two_join, one_goes_and_two_join), end=end, always=(no_range_twice,))


async def test_killed_at_every_write():
    assert await killed_at_every_write(SCENARIO) == 4
    await killed_at_every_write(SCENARIO, late=True)


async def test_every_answer_in_turn_is_unclear():
    await unclear_at_every_write(SCENARIO)


async def test_a_cache_that_lags_and_watches_that_break():
    await behind(SCENARIO, NODES, 4)
    await cut_at_every_event(SCENARIO, NODES)
    await cut_at_every_event(SCENARIO, NODES, expired=True)
