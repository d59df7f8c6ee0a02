import asyncio
import copy

import pytest
from sampan_api.client import LEASES
from sampan_api.clock import VirtualClock, rfc3339_micro
from sampan_api.election import Election, Seen, Terms, may_take, released, taken
from sampan_api.errors import AlreadyExists, Conflict, NotFound, ServiceUnavailable


def lease(holder, duration=15):
    return {"metadata": {"name": "l"}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": duration}}


@pytest.mark.parametrize(
    ("holder", "passed", "may"),
    [("other", 14.9, False), ("other", 15, True), ("me", 0, True), ("", 0, True), (None, 0, True)],
)
def test_a_lease_may_be_taken_when_it_is_ones_own_nobodys_or_has_run_out(holder, passed, may):
    assert may_take(Seen(lease(holder), 100.0), "me", 100.0 + passed) is may


def test_it_runs_for_as_long_as_its_holder_said():
    assert not may_take(Seen(lease("other", duration=60), 0), "me", 59)
    assert may_take(Seen(lease("other", duration=1), 0), "me", 1)


def test_who_takes_it_notes_since_when_and_how_often_it_changed_hands():
    first = taken(None, "a", 15, 1000.5)
    assert first == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "renewTime": rfc3339_micro(1000.5),
        "acquireTime": rfc3339_micro(1000.5),
        "leaseTransitions": 0,
    }
    renewed = taken({"spec": first}, "a", 15, 1002)
    assert renewed == first | {"renewTime": rfc3339_micro(1002)}
    second = taken({"spec": renewed}, "b", 15, 1020)
    assert (second["leaseTransitions"], second["acquireTime"]) == (1, rfc3339_micro(1020))
    given_up = released({"spec": second}, 1030)
    assert (given_up["holderIdentity"], given_up["leaseDurationSeconds"], given_up["leaseTransitions"]) == ("", 1, 1)
    assert taken({"spec": given_up}, "b", 15, 1031)["leaseTransitions"] == 2


def test_what_others_wrote_into_it_stays():
    assert taken({"spec": {"strategy": "x"}}, "a", 15, 0)["strategy"] == "x"


@pytest.mark.parametrize("terms", [(10, 10, 2), (15, 2.4, 2), (0.5, 0.4, 0.1), (15, 10, 0)])
def test_terms_that_could_make_two_leaders_are_refused(terms):
    with pytest.raises(ValueError, match="must be"):
        Terms(*terms)


class Server:
    """One lease with compare-and-swap. `failing` errors are raised instead of answers; `hanging` ones never come."""

    def __init__(self):
        self.lease, self.version, self.events = None, 0, []
        self.failing, self.hanging, self.writes = False, False, 0

    async def _answer(self):
        if self.hanging:
            await asyncio.Event().wait()
        if self.failing:
            raise ServiceUnavailable("down")

    def _store(self, obj):
        self.version += 1
        self.writes += 1
        self.lease = copy.deepcopy(obj)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.lease)

    async def get(self, resource, name, namespace=""):
        await self._answer()
        if self.lease is None:
            raise NotFound("no lease")
        return copy.deepcopy(self.lease)

    async def create(self, resource, obj, namespace="", subresource=""):
        await self._answer()
        if resource is not LEASES:
            self.events.append(obj["message"])
            return obj
        if self.lease is not None:
            raise AlreadyExists("there")
        return self._store(obj)

    async def update(self, resource, obj, subresource=""):
        await self._answer()
        if self.lease is None:
            raise NotFound("no lease")
        if obj["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        return self._store(obj)

    @property
    def holder(self):
        return self.lease["spec"]["holderIdentity"]


class Candidate:
    """Works, once it leads, until it is stopped; `worked` has from when to when."""

    def __init__(self, server, clock, identity):
        self.server, self.clock = server, clock
        self.election = Election(server, clock, "kube-scheduler", identity)
        self.worked = []
        self.end = asyncio.Event()
        self.task = asyncio.create_task(self.election.lead(self.part))

    @property
    def working(self):
        return bool(self.worked) and self.worked[-1][1] is None

    async def part(self):
        self.worked.append([self.clock.monotonic(), None])
        try:
            await self.end.wait()
        finally:
            self.worked[-1][1] = self.clock.monotonic()

    async def stop(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def die(self):
        """As kill -9: nothing is written any more."""
        own, self.election._client = self.election._client, _Dead()
        self.election._events._client = own
        await asyncio.sleep(0)
        self.task.cancel()
        await self.clock.advance(5)
        await asyncio.gather(self.task, return_exceptions=True)


class _Dead:
    async def get(self, *_, **__):
        await asyncio.Event().wait()

    create = update = get


@pytest.fixture
async def lab():
    class Lab:
        clock, server, candidates = VirtualClock(), Server(), []

        def join(self, identity):
            self.candidates.append(Candidate(self.server, self.clock, identity))
            return self.candidates[-1]

        @property
        def working(self):
            return [c.election.identity for c in self.candidates if c.working]

    lab = Lab()
    lab.candidates = []
    yield lab
    lab.server.hanging = lab.server.failing = False
    for candidate in lab.candidates:
        await candidate.stop()


async def test_the_first_works_at_once_and_says_so(lab):
    a = lab.join("a")
    await lab.clock.advance(0)
    assert (a.working, lab.server.holder, a.election.leading) == (True, "a", True)
    assert lab.server.events == ["a became leader"]


async def test_the_second_waits_while_the_first_renews(lab):
    lab.join("a")
    await lab.clock.advance(0)
    b = lab.join("b")
    await lab.clock.advance(300)
    assert lab.working == ["a"]
    assert (b.election.holder, b.election.leading) == ("a", False)
    assert 140 <= lab.server.writes <= 152


async def test_a_clean_stop_lets_the_next_begin_at_its_next_look(lab):
    a = lab.join("a")
    await lab.clock.advance(0)
    b = lab.join("b")
    await lab.clock.advance(10)
    await a.stop()
    assert lab.server.holder == ""
    await lab.clock.advance(4.5)
    assert lab.working == ["b"]
    assert lab.server.lease["spec"]["leaseTransitions"] == 1
    assert b.worked[0][0] >= a.worked[0][1]


async def test_a_killed_leader_is_followed_when_its_lease_has_run_out(lab):
    a = lab.join("a")
    await lab.clock.advance(0)
    b = lab.join("b")
    await lab.clock.advance(10)
    await a.die()
    died = lab.clock.monotonic()
    await lab.clock.advance(20)
    assert lab.working == ["b"]
    assert 8 < b.worked[0][0] - died < 20


async def test_who_is_started_again_under_its_name_takes_its_own_lease_back_at_once(lab):
    a = lab.join("a")
    await lab.clock.advance(5)
    await a.die()
    again = lab.join("a")
    await lab.clock.advance(0)
    assert again.working
    assert lab.server.lease["spec"]["leaseTransitions"] == 0


@pytest.mark.parametrize("fault", ["failing", "hanging"])
async def test_a_leader_that_cannot_renew_stops_before_another_may_begin(lab, fault):
    a = lab.join("a")
    await lab.clock.advance(7)
    before = a.election._renewed_at
    setattr(lab.server, fault, True)
    await lab.clock.advance(9.9 - (lab.clock.monotonic() - before))
    assert a.working
    await lab.clock.advance(0.2)
    assert not a.working
    assert a.worked[0][1] - before == pytest.approx(10)
    setattr(lab.server, fault, False)
    await lab.clock.advance(10)
    assert a.working


async def test_a_leader_whose_lease_is_another_s_stops_at_its_next_look(lab):
    a = lab.join("a")
    await lab.clock.advance(3)
    lab.server._store(lab.server.lease | {"spec": lab.server.lease["spec"] | {"holderIdentity": "usurper"}})
    await lab.clock.advance(2)
    assert not a.working
    assert lab.server.holder == "usurper"
    await lab.clock.advance(20)
    assert a.working


async def test_a_lease_that_somebody_labels_or_deletes_stays_the_leader_s(lab):
    a = lab.join("a")
    await lab.clock.advance(3)
    lab.server._store(lab.server.lease)
    await lab.clock.advance(4)
    lab.server.lease = None
    await lab.clock.advance(4)
    assert (lab.server.holder, len(a.worked), a.working) == ("a", 1, True)


async def test_clocks_that_disagree_do_no_harm(lab):
    """The times in the lease are an hour wrong; only that they change counts."""
    lab.clock._wall += 3600
    lab.join("a")
    await lab.clock.advance(1)
    lab.clock._wall -= 7200
    lab.join("b")
    await lab.clock.advance(120)
    assert lab.working == ["a"]


async def test_a_part_that_ends_or_fails_gives_the_lease_up(lab):
    a = lab.join("a")
    await lab.clock.advance(1)
    a.end.set()
    await a.task
    assert lab.server.holder == ""

    async def fails():
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await Election(lab.server, lab.clock, "kube-scheduler", "c").lead(fails)
    assert lab.server.holder == ""


async def test_a_stop_does_not_wait_for_a_server_that_is_silent(lab):
    a = lab.join("a")
    await lab.clock.advance(1)
    lab.server.hanging = True
    a.task.cancel()
    await lab.clock.advance(3.1)
    assert a.task.done()


async def test_a_renewal_that_was_broken_off_and_written_all_the_same_is_given_up_too(lab):
    a = lab.join("a")
    await lab.clock.advance(1)
    lab.server._store(lab.server.lease)
    await a.stop()
    assert lab.server.holder == ""


async def test_a_lease_that_is_another_s_by_now_is_not_given_up(lab):
    a = lab.join("a")
    await lab.clock.advance(1)
    lab.server._store(lab.server.lease | {"spec": lab.server.lease["spec"] | {"holderIdentity": "usurper"}})
    await a.stop()
    assert lab.server.holder == "usurper"


async def test_there_is_never_more_than_one_among_many(lab):
    """Candidates come, go, die and are cut off for a while."""
    for round_ in range(30):
        candidate = lab.join(f"c{round_}")
        await lab.clock.advance(3)
        assert len(lab.working) <= 1
        if round_ % 3 == 0:
            leader = next((c for c in lab.candidates if c.working), candidate)
            await (leader.die() if round_ % 2 else leader.stop())
        lab.server.failing = round_ % 7 == 0
        for _ in range(20):
            await lab.clock.advance(0.5)
            assert len(lab.working) <= 1
    lab.server.failing = False
    await lab.clock.advance(30)
    assert len(lab.working) == 1
