import os
from ipaddress import IPv4Network

import pytest
from sampan_runtime.ipam import AddressPool, NoFreeAddress


@pytest.fixture
def pool(tmp_path):
    return AddressPool(tmp_path / "ipam", IPv4Network("10.1.2.0/29"), cooldown_seconds=30)


def test_the_gateway_and_the_ends_are_never_given(pool):
    given = [str(pool.allocate(str(n))) for n in range(5)]
    assert given == [f"10.1.2.{n}" for n in (2, 3, 4, 5, 6)]
    with pytest.raises(NoFreeAddress):
        pool.allocate("one too many")


def test_a_freed_address_rests(pool):
    address = str(pool.allocate("a"))
    pool.release(address, "a")
    pool._next = 0
    assert str(pool.allocate("b")) != address


def test_after_its_rest_it_is_given_again(pool):
    for n in range(5):
        pool.allocate(str(n))
    pool.release("10.1.2.4", "2")
    os.utime(pool.directory / "10.1.2.4", (0, 0))
    assert str(pool.allocate("new")) == "10.1.2.4"


def test_only_the_owner_frees(pool):
    address = str(pool.allocate("a"))
    pool.release(address, "another")
    assert (pool.directory / address).read_text() == "a"
    pool.release("10.1.2.6", "a")


def test_reconcile_frees_what_has_no_sandbox(pool):
    pool.allocate("kept")
    lost = str(pool.allocate("lost"))
    assert pool.reconcile({"kept"}) == [lost]
    assert pool.reconcile({"kept"}) == []
