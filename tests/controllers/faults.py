"""Faults for controllers: killed before or after any of their writes, unclear answers, caches that lag, watches that
break. Every life of a scenario must keep the invariants at every revision and end as the undisturbed life does.

How to use it for a controller of yours:

    async def start(client, clock):                  # what is killed and begun anew; only the informers it needs
        informers = Informers(client, clock, [PODS, NODES])
        controller = MyController(client, clock, informers)
        async with asyncio.TaskGroup() as tasks:
            for informer in informers.all:
                tasks.create_task(informer.run())
            await informers.synced()
            tasks.create_task(controller.run())

    def never_two(moment):                           # an invariant: asserts, asked after every single write
        assert len(moment.objects("pods")) < 2

    SCENARIO = Scenario(
        start=start,
        steps=(make_a_node, lose_it),                # `async (cluster) -> None`: what users and nodes do; each begins
                                                     # when nothing has been written for a while
        end=end,                                     # `async (cluster) -> value`: the end state, comparable with ==,
                                                     # so without uids, generated names and resourceVersions
        always=(never_two,),
    )

    async def test_killed_anywhere():      await killed_at_every_write(SCENARIO)
    async def test_killed_for_longer():    await killed_at_every_write(SCENARIO, late=True)
    async def test_unclear_answers():      await unclear_at_every_write(SCENARIO)
    async def test_a_stale_cache():        await behind(SCENARIO, PODS, events=3)
    async def test_dropped_watches():      await cut_at_every_event(SCENARIO, PODS)
    async def test_forgotten_watches():    await cut_at_every_event(SCENARIO, PODS, expired=True)

Everything runs on a `VirtualClock`: a life takes milliseconds, however long its pauses, and is the same at every run.
For faults of your own give `live` another `fate`, or use a `FaultyClient` by itself. Events are swallowed and do not
count as writes: they are best effort, and nothing may depend on them.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NamedTuple

from cluster import Cluster
from faulty_client import Break, Fate, Fates, FaultyClient, Write, calm, only
from sampan_api.client import Client, Resource
from sampan_api.clock import Clock, VirtualClock
from sampan_api.meta import Key, Object
from sampan_master.storage.entry import read_entry
from sampan_master.storage.keys import REGISTRY, table_of
from sampan_master.storage.store import StoreEvent


class Moment(NamedTuple):
    """The cluster right after one write to the store: what was changed, and all there is, by kind."""

    revision: int
    kind: str
    key: Key
    before: Object | None
    after: Object | None
    world: Mapping[str, Mapping[Key, Object]]
    writes: list[Write]
    """The journal of the controllers under test, over the whole life."""

    def objects(self, kind: str) -> Mapping[Key, Object]:
        return self.world.get(kind, {})


Start = Callable[[Client, Clock], Coroutine[Any, Any, None]]
Step = Callable[[Cluster], Awaitable[None]]
Invariant = Callable[[Moment], None]


@dataclass(frozen=True)
class Scenario:
    start: Start
    steps: tuple[Step, ...]
    end: Callable[[Cluster], Awaitable[Any]]
    always: tuple[Invariant, ...] = ()
    given: Step | None = None
    """Done before the controllers start for the first time."""
    quiet: float = 12.0
    """So many seconds without a write mean that nothing more will come: more than the longest pause between tries,
    which is 8 s, and 32 s where the API refuses something."""
    patience: float = 900.0
    """So long it may take (virtual seconds) until all is quiet."""
    seed: int = 0


@dataclass
class Life:
    end: Any
    writes: list[Write]
    delivered: Counter[Resource]
    deaths: int


async def live(
    scenario: Scenario,
    fate: Fates = calm,
    *,
    lag: Mapping[Resource, int] | None = None,
    breaks: Break | None = None,
    late: bool = False,
) -> Life:
    """One life of the scenario on a cluster of its own. Controllers that die are begun anew, without further faults:
    at once, or, when `late`, only after the next step."""
    state = random.getstate()
    random.seed(scenario.seed)
    cluster = Cluster(VirtualClock())
    await cluster.start()
    try:
        if scenario.given is not None:
            await scenario.given(cluster)
        begin = await cluster.store.revision()
        one = Living(scenario.start, cluster, FaultyClient(cluster.client, fate, lag=lag, breaks=breaks))
        patience = {"quiet": scenario.quiet, "patience": scenario.patience}
        for step in scenario.steps:
            await step(cluster)
            one.revive()
            await one.settle(revive=not late, **patience)
        if one.revive():
            await one.settle(**patience)
        await check_history(cluster, one.client.writes, scenario.always, begin)
        return Life(await scenario.end(cluster), one.client.writes, one.client.delivered, one.deaths)
    finally:
        await cluster.stop()
        random.setstate(state)


class Living:
    """The controllers of a life that goes on, through `client`."""

    def __init__(self, start: Start, cluster: Cluster, client: FaultyClient) -> None:
        self._start, self._cluster, self.client = start, cluster, client
        self.deaths = 0
        self._run = cluster.spawn(start(client, cluster.clock))

    def revive(self, fate: Fates = calm) -> bool:
        """Begins the controllers anew if they have died; False when they live."""
        if not self.client.is_dead.is_set():
            return False
        self._run.cancel()
        self.deaths += 1
        self.client = FaultyClient(self._cluster.client, fate, journal=self.client.writes)
        self._run = self._cluster.spawn(self._start(self.client, self._cluster.clock))
        return True

    async def settle(self, *, revive: bool = True, quiet: float = 12.0, patience: float = 900.0) -> None:
        def disturbed() -> bool:
            if self._run.done() and not self._run.cancelled():
                self._run.result()
                raise AssertionError("the controllers under test have ended")
            return revive and self.revive()

        while True:
            await settle(self._cluster, quiet, patience, disturbed)
            if not await self.client.catch_up():
                return


def _undisturbed() -> bool:
    return False


async def settle(
    cluster: Cluster, quiet: float = 12.0, patience: float = 900.0, disturbed: Callable[[], bool] = _undisturbed
) -> None:
    """Returns when nothing has been written for `quiet` seconds of the cluster's virtual clock. `disturbed` is asked
    whenever nobody writes any more: whether something was done that begins it all anew."""
    clock = cluster.clock
    end, since = clock.monotonic() + patience, clock.monotonic()
    seen = await cluster.store.revision()
    while True:
        revision = await _act(cluster)
        if revision != seen or disturbed():
            seen, since = revision, clock.monotonic()
            assert since < end, f"it is not quiet after {patience} s"
            continue
        rest = since + quiet
        if clock.monotonic() >= rest:
            return
        await clock.advance(min(clock.next_wake or rest, rest) - clock.monotonic())


async def _act(cluster: Cluster) -> int:
    """Lets everybody run as long as somebody writes, at one moment; the revision that is reached."""
    seen = await cluster.store.revision()
    while True:
        await cluster.clock.advance(0)
        revision = await cluster.store.revision()
        if revision == seen:
            return revision
        seen = revision


async def check_history(cluster: Cluster, writes: list[Write], always: Iterable[Invariant], after: int = 0) -> None:
    async for moment in history(cluster, writes, after):
        for invariant in always:
            with _noted(f"after revision {moment.revision}: {moment.kind} {moment.key} was written"):
                invariant(moment)


async def history(cluster: Cluster, writes: list[Write], after: int = 0) -> AsyncIterator[Moment]:
    """Every write to the store of `cluster` since revision `after`, in order. A moment's world is that of the next one
    as soon as that is asked for."""
    world: dict[str, dict[Key, Object]] = {}
    kinds: dict[str, str] = {}
    for event in await _events(cluster):
        namespace, _, name = event.key.removeprefix(f"{REGISTRY}{table_of(event.key)}/").rpartition("/")
        key = Key(namespace, name)
        entry = None if event.value is None else read_entry(event.key, event.revision, event.value)
        if entry is not None:
            kinds[event.key] = entry.obj["kind"]
        kind = kinds.get(event.key)
        if kind is None:
            continue
        table = world.setdefault(kind, {})
        before = table.pop(key, None)
        if entry is not None:
            table[key] = entry.obj
        if event.revision > after:
            yield Moment(event.revision, kind, key, before, table.get(key), world, writes)


async def _events(cluster: Cluster) -> list[StoreEvent]:
    last = await cluster.store.revision()
    events: list[StoreEvent] = []
    async with aclosing(cluster.store.watch(REGISTRY, after=0)) as batches:
        async for batch in batches:
            events += batch.events
            if batch.revision >= last:
                break
    return events


@contextlib.contextmanager
def _noted(text: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(text)
        raise


_CALM: dict[Scenario, Life] = {}


async def _undisturbed_life(scenario: Scenario) -> Life:
    """Lived once for all tests of the scenario: it repeats anyway."""
    if scenario not in _CALM:
        _CALM[scenario] = await live(scenario)
    return _CALM[scenario]


async def _ends_alike(scenario: Scenario, calm_life: Life, what: str, **faults: Any) -> Life:
    with _noted(f"in the life in which {what}"):
        life = await live(scenario, **faults)
        assert life.end == calm_life.end
    return life


async def _at_every_write(scenario: Scenario, fates: Iterable[Fate], **faults: Any) -> int:
    first = await _undisturbed_life(scenario)
    assert first.writes, "the controllers under test write nothing in this scenario"
    for number in range(1, len(first.writes) + 1):
        for fate in fates:
            what = f"{first.writes[number - 1]}: {fate.value}"
            life = await _ends_alike(scenario, first, what, fate=only(number, fate), **faults)
            assert life.deaths == (fate in (Fate.DIE_BEFORE, Fate.DIE_AFTER)), what
    return len(first.writes)


async def killed_at_every_write(scenario: Scenario, *, late: bool = False) -> int:
    """Kills the controllers before and after each write they do in the undisturbed life, and begins them anew. Returns
    the number of writes."""
    return await _at_every_write(scenario, (Fate.DIE_BEFORE, Fate.DIE_AFTER), late=late)


async def unclear_at_every_write(scenario: Scenario, *, lag: Mapping[Resource, int] | None = None) -> int:
    """Each write in turn fails without saying whether it was done: it was not, it was, or it will be. With a `lag` the
    caches do not tell it either."""
    return await _at_every_write(scenario, (Fate.REFUSED, Fate.LOST, Fate.LATE), lag=lag)


async def behind(scenario: Scenario, resource: Resource, events: int) -> None:
    """The cache of `resource` lags by 1, 2, … `events` events, and catches up when all is quiet."""
    first = await _undisturbed_life(scenario)
    for lag in range(1, events + 1):
        await _ends_alike(scenario, first, f"{resource.plural} lag by {lag} events", lag={resource: lag})


async def cut_at_every_event(scenario: Scenario, resource: Resource, *, expired: bool = False) -> int:
    """The watch of `resource` breaks at each event in turn, that event and all behind it not delivered. `expired`: it
    cannot be resumed either, so the cache lists anew and never sees what was in between. Returns how many they were."""
    first = await _undisturbed_life(scenario)
    for event in range(1, first.delivered[resource] + 1):
        what = f"the watch of {resource.plural} breaks at event {event}"
        await _ends_alike(scenario, first, what, breaks=Break(resource, event, expired))
    return first.delivered[resource]
