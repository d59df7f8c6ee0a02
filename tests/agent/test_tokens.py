from __future__ import annotations

import pytest
from sampan_agent.errors import ObjectUnavailable
from sampan_agent.tokens import Token, Tokens, Wanted
from sampan_api.clock import VirtualClock

HOUR = Wanted("u1", "", 3600)
MONTH = Wanted("u1", "", 30 * 86400)


class Master:
    def __init__(self, clock):
        self.clock = clock
        self.asked = 0
        self.away = False

    async def __call__(self, wanted):
        if self.away:
            raise ObjectUnavailable("token: the master is away")
        self.asked += 1
        return Token(f"t{self.asked}", self.clock.now() + wanted.seconds)


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def master(clock):
    return Master(clock)


@pytest.fixture
def tokens(master, clock):
    return Tokens(master, clock)


async def test_a_token_is_renewed_when_a_fifth_of_its_time_is_left(tokens, clock):
    assert (await tokens(HOUR)).value == "t1"
    await clock.advance(2880)
    assert (await tokens(HOUR)).value == "t1"
    await clock.advance(1)
    assert (await tokens(HOUR)).value == "t2"


async def test_a_long_token_is_renewed_after_a_day(tokens, clock):
    await tokens(MONTH)
    await clock.advance(86401)
    assert (await tokens(MONTH)).value == "t2"


async def test_the_old_token_is_used_as_long_as_it_is_good_when_the_master_is_away(tokens, master, clock):
    await tokens(HOUR)
    master.away = True
    await clock.advance(3500)
    assert (await tokens(HOUR)).value == "t1"
    await clock.advance(101)
    with pytest.raises(ObjectUnavailable):
        await tokens(HOUR)


async def test_audiences_and_pods_have_tokens_of_their_own_and_a_pod_that_went_none(tokens):
    assert (await tokens(HOUR)).value == "t1"
    assert (await tokens(HOUR._replace(audience="vault"))).value == "t2"
    assert (await tokens(HOUR._replace(pod_uid="u2"))).value == "t3"
    tokens.forget("u1")
    assert (await tokens(HOUR._replace(pod_uid="u2"))).value == "t3"
    assert (await tokens(HOUR)).value == "t4"
