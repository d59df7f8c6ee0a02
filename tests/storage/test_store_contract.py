"""What every `Store` does; runs on the one in memory and on etcd."""

import asyncio
from contextlib import aclosing

import pytest
from sampan_master.storage.store import (
    Compacted,
    FutureRevision,
    KeyExists,
    KeyValue,
    RevisionMismatch,
    StoreEvent,
    Unwritten,
    WrittenMeanwhile,
)


def value(number: int) -> bytes:
    return b'{"n":%d}' % number


async def take(store, prefix, after, wanted, seconds=60.0, previous=False):
    """The first `wanted` events, and the revision the watch was complete up to."""
    events, reached = [], after
    async with asyncio.timeout(seconds), aclosing(store.watch(prefix, after=after, previous=previous)) as batches:
        async for batch in batches:
            events += batch.events
            reached = batch.revision
            if len(events) >= wanted:
                break
    return events, reached


async def test_what_was_created_is_read_back_with_its_revision(store):
    revision = await store.create("/r/a", value(1))
    found = await store.get("/r/a")
    assert (found.key, found.value, found.mod_revision) == ("/r/a", value(1), revision)


async def test_a_missing_key_reads_as_none(store):
    assert await store.get("/r/missing") is None


async def test_creating_twice_is_refused_and_changes_nothing(store):
    first = await store.create("/r/a", value(1))
    with pytest.raises(KeyExists):
        await store.create("/r/a", value(2))
    assert (await store.get("/r/a")).mod_revision == first


async def test_an_update_needs_the_revision_that_stands_there(store):
    first = await store.create("/r/a", value(1))
    second = await store.update("/r/a", value(2), expected=first)
    assert second > first
    with pytest.raises(RevisionMismatch) as lost:
        await store.update("/r/a", value(3), expected=first)
    assert lost.value.current == await store.get("/r/a")
    assert lost.value.current.value == value(2)


async def test_an_update_of_a_missing_key_says_that_nothing_stands_there(store):
    with pytest.raises(RevisionMismatch) as lost:
        await store.update("/r/a", value(3), expected=5000)
    assert lost.value.current is None


async def test_a_deletion_has_a_revision_and_needs_the_right_one(store):
    first = await store.create("/r/a", value(1))
    second = await store.update("/r/a", value(2), expected=first)
    with pytest.raises(RevisionMismatch):
        await store.delete("/r/a", expected=first)
    assert await store.delete("/r/a", expected=second) > second
    assert await store.get("/r/a") is None
    with pytest.raises(RevisionMismatch) as lost:
        await store.delete("/r/a", expected=second)
    assert lost.value.current is None


async def test_a_key_can_be_created_again_after_its_deletion(store):
    first = await store.create("/r/a", value(1))
    gone = await store.delete("/r/a", expected=first)
    assert await store.create("/r/a", value(1)) > gone


async def test_concurrent_writes_each_get_a_revision_of_their_own(store):
    revisions = await asyncio.gather(*(store.create(f"/r/{i:03}", value(i)) for i in range(250)))
    assert len(set(revisions)) == 250
    page = await store.range("/r/")
    assert {item.key: item.mod_revision for item in page.items} == {
        f"/r/{i:03}": revision for i, revision in enumerate(revisions)
    }
    assert page.revision >= max(revisions)


async def test_of_concurrent_updates_of_one_key_one_wins(store):
    first = await store.create("/r/a", value(0))
    outcomes = await asyncio.gather(
        *(store.update("/r/a", value(i), expected=first) for i in range(1, 21)), return_exceptions=True
    )
    won = [i for i, outcome in enumerate(outcomes, 1) if isinstance(outcome, int)]
    assert len(won) == 1
    assert all(isinstance(outcome, RevisionMismatch) for i, outcome in enumerate(outcomes, 1) if i not in won)
    assert (await store.get("/r/a")).value == value(won[0])


async def test_a_range_is_in_key_order_and_pages_are_one_snapshot(store):
    for i in (3, 1, 2, 0):
        await store.create(f"/r/{i}", value(i))
    await store.create("/s/0", value(9))
    page = await store.range("/r/", limit=2)
    assert [item.key for item in page.items] == ["/r/0", "/r/1"]
    assert (page.more, page.total) == (True, 4)
    current = await store.get("/r/3")
    await store.delete("/r/3", expected=current.mod_revision)
    await store.create("/r/25", value(25))
    rest = await store.range("/r/", start="/r/1\0", limit=10, revision=page.revision)
    assert [item.key for item in rest.items] == ["/r/2", "/r/3"]
    assert (rest.more, rest.revision) == (False, page.revision)


async def test_an_old_revision_shows_what_stood_there_then(store):
    first = await store.create("/r/a", value(1))
    then = await store.revision()
    second = await store.update("/r/a", value(2), expected=first)
    await store.delete("/r/a", expected=second)
    assert (await store.range("/r/")).items == []
    assert [item.value for item in (await store.range("/r/", revision=then)).items] == [value(1)]


async def test_a_future_revision_cannot_be_read(store):
    with pytest.raises(FutureRevision):
        await store.range("/r/", revision=await store.revision() + 5000)


async def test_the_store_s_revision_covers_every_write_acknowledged_before(store):
    revision = await store.create("/r/a", value(1))
    assert await store.revision() >= revision


async def test_a_watch_tells_what_comes_after_in_order(store):
    before = await store.revision()
    first = await store.create("/r/a", value(1))
    second = await store.update("/r/a", value(2), expected=first)
    await store.create("/other/a", value(7))
    third = await store.delete("/r/a", expected=second)
    events, reached = await take(store, "/r/", before, 3)
    assert events == [
        StoreEvent("/r/a", value(1), first),
        StoreEvent("/r/a", value(2), second),
        StoreEvent("/r/a", None, third),
    ]
    assert reached >= third


async def test_a_watch_sees_live_changes(store):
    before = await store.revision()
    watching = asyncio.create_task(take(store, "/r/", before, 100))
    revisions = await asyncio.gather(*(store.create(f"/r/{i}", value(i)) for i in range(100)))
    events, _ = await watching
    assert sorted(event.revision for event in events) == sorted(revisions)


async def test_the_revisions_of_a_watch_strictly_increase_and_equal_the_writers(store):
    before = await store.revision()
    created = await asyncio.gather(*(store.create(f"/r/{i:03}", value(i)) for i in range(120)))
    changed = await asyncio.gather(
        *(
            store.delete(f"/r/{i:03}", expected=created[i])
            if i % 3 == 0
            else store.update(f"/r/{i:03}", value(-i), expected=created[i])
            for i in range(120)
        )
    )
    events, reached = await take(store, "/r/", before, 240)
    told = [event.revision for event in events]
    assert told == sorted(set(told))
    assert set(told) == {*created, *changed}
    by_key = {(event.key, event.revision) for event in events}
    assert {(f"/r/{i:03}", revision) for i, revision in enumerate(changed)} <= by_key
    assert reached >= await store.revision()


async def test_a_watch_resumed_after_any_event_tells_exactly_the_rest(store):
    before = await store.revision()
    created = await asyncio.gather(*(store.create(f"/r/{i}", value(i)) for i in range(12)))
    await asyncio.gather(*(store.delete(f"/r/{i}", expected=created[i]) for i in range(0, 12, 2)))
    events, _ = await take(store, "/r/", before, 18)
    for position in range(17):
        rest, _ = await take(store, "/r/", events[position].revision, 17 - position)
        assert rest == events[position + 1 :]


async def test_compaction_forgets_the_past_but_not_the_present(store):
    first = await store.create("/r/a", value(1))
    await store.create("/r/b", value(1))
    then = await store.revision()
    second = await store.update("/r/a", value(2), expected=first)
    now = await store.revision()
    await store.compact(now)
    with pytest.raises(Compacted):
        await store.range("/r/", revision=then)
    with pytest.raises(Compacted):
        await take(store, "/r/", first, 1)
    page = await store.range("/r/", revision=now)
    assert [(item.key, item.value) for item in page.items] == [("/r/a", value(2)), ("/r/b", value(1))]
    third = await store.delete("/r/a", expected=second)
    assert (await take(store, "/r/", now, 1))[0] == [StoreEvent("/r/a", None, third)]


async def pages(store, prefix, limit, revision=0):
    """All pages of a list pinned to the first one's revision, and that revision."""
    found, start, more = [], "", True
    while more:
        page = await store.range(prefix, start=start, limit=limit, revision=revision)
        assert page.revision == (revision or page.revision)
        found.append([item.key for item in page.items])
        revision, more = page.revision, page.more
        start = f"{page.items[-1].key}\0" if page.items else start
    return found, revision


async def test_pages_pinned_to_the_first_one_s_revision_ignore_writes_between_them(store):
    made = await asyncio.gather(*(store.create(f"/r/{i:02}", value(i)) for i in range(30)))
    first = await store.range("/r/", limit=7)
    expected = [f"/r/{i:02}" for i in range(30)]
    stop = asyncio.Event()

    async def churn():
        for i in range(29, 7, -3):
            await store.delete(f"/r/{i:02}", expected=made[i])
            await store.create(f"/r/{i:02}x", value(i))
        stop.set()

    churning = asyncio.create_task(churn())
    while True:
        found, revision = await pages(store, "/r/", 7, first.revision)
        assert ([key for page in found for key in page], revision) == (expected, first.revision)
        if stop.is_set():
            break
        await asyncio.sleep(0)
    await churning
    assert [len(page) for page in found] == [7, 7, 7, 7, 2]
    assert [item.key for item in (await store.range("/r/")).items] != expected


async def test_a_page_tells_how_many_keys_are_there_from_its_start_on(store):
    for i in range(5):
        await store.create(f"/r/{i}", value(i))
    page = await store.range("/r/", start="/r/2", limit=1)
    assert ([item.key for item in page.items], page.total, page.more) == (["/r/2"], 3, True)


async def test_a_page_of_compacted_history_is_refused_and_the_compacted_revision_itself_is_not(store):
    first = await store.create("/r/a", value(1))
    await store.create("/r/b", value(1))
    pinned = (await store.range("/r/", limit=1)).revision
    second = await store.update("/r/a", value(2), expected=first)
    now = await store.revision()
    await store.compact(now)
    with pytest.raises(Compacted):
        await store.range("/r/", start="/r/a\0", limit=1, revision=pinned)
    await store.delete("/r/a", expected=second)
    assert await pages(store, "/r/", 1, now) == ([["/r/a"], ["/r/b"]], now)
    with pytest.raises(Compacted):
        await store.compact(now)
    with pytest.raises(FutureRevision):
        await store.compact(now + 1_000_000)


async def test_the_revision_of_any_one_write_can_be_read_exactly(store):
    """Also where several writes were committed together."""
    kept = [await store.create(f"/r/{i}", value(0)) for i in range(3)]
    await asyncio.gather(
        store.update("/r/0", value(1), expected=kept[0]),
        store.create("/r/3", value(1)),
        store.delete("/r/1", expected=kept[1]),
        store.create("/s/x", value(1)),
        store.update("/r/2", value(1), expected=kept[2]),
        store.create("/r/4", value(1)),
    )
    events, _ = await take(store, "/r/", kept[-1], 5)
    there = {f"/r/{i}": (value(0), revision) for i, revision in enumerate(kept)}
    for event in events:
        if event.value is None:
            del there[event.key]
        else:
            there[event.key] = (event.value, event.revision)
        page = await store.range("/r/", revision=event.revision)
        assert {item.key: item[1:] for item in page.items} == there
        assert (page.revision, page.total) == (event.revision, len(there))
        found, _ = await pages(store, "/r/", 1, event.revision)
        assert [key for page in found for key in page] == sorted(there)


async def test_nothing_was_there_at_the_beginning(store):
    await store.create("/r/a", value(1))
    try:
        assert (await store.range("/r/", revision=1)).items == []
        events, _ = await take(store, "/r/", 0, 1)
        assert events[0].key.startswith("/r/")
    except Compacted:
        # An etcd that other tests have used has no beginning any more; it must not show the present in its place.
        with pytest.raises(Compacted):
            await store.require_history(0)


async def test_a_watch_from_before_the_compacted_revision_is_refused_and_from_it_is_complete(store):
    made = await asyncio.gather(*(store.create(f"/r/{i}", value(i)) for i in range(6)))
    await asyncio.gather(*(store.delete(f"/r/{i}", expected=made[i]) for i in range(6)))
    events, _ = await take(store, "/r/", max(made), 6)
    middle, now = events[2].revision, await store.revision()
    await store.require_history(middle)
    await store.compact(now)
    for after in (max(made), middle):
        with pytest.raises(Compacted):
            await store.require_history(after)
        with pytest.raises(Compacted):
            await take(store, "/r/", after, 1)
    await store.require_history(now)
    again = await store.create("/r/0", value(7))
    assert (await take(store, "/r/", now, 1))[0] == [StoreEvent("/r/0", value(7), again)]


async def test_a_watch_tells_what_stood_there_before_to_who_asks(store):
    before = await store.revision()
    first = await store.create("/r/a", value(1))
    second = await store.update("/r/a", value(2), expected=first)
    await store.delete("/r/a", expected=second)
    await store.create("/r/a", value(3))
    events, _ = await take(store, "/r/", before, 4, previous=True)
    assert [event.previous for event in events] == [
        None,
        KeyValue("/r/a", value(1), first),
        KeyValue("/r/a", value(2), second),
        None,
    ]
    later, _ = await take(store, "/r/", first, 3, previous=True)
    assert later == events[1:]


async def test_a_watch_of_a_part_tells_the_same_revisions_as_one_of_the_whole(store):
    before = await store.revision()
    made = await asyncio.gather(*(store.create(f"/r/{i % 2}/{i:02}", value(i)) for i in range(20)))
    await asyncio.gather(*(store.delete(f"/r/{i % 2}/{i:02}", expected=made[i]) for i in range(20)))
    whole, _ = await take(store, "/r/", before, 40)
    part, _ = await take(store, "/r/1/", before, 20)
    assert part == [event for event in whole if event.key.startswith("/r/1/")]


async def test_a_key_with_a_ttl_goes_and_watches_are_told(store):
    before = await store.revision()
    kept = await store.create("/r/kept", value(1))
    await store.create("/r/gone", value(1), ttl=1)
    events, _ = await take(store, "/r/", before, 3)
    assert events[2][:2] == ("/r/gone", None)
    assert [item.mod_revision for item in (await store.range("/r/")).items] == [kept]


async def test_an_update_with_a_ttl_renews_it(store):
    first = await store.create("/r/a", value(1), ttl=5)
    before = await store.update("/r/a", value(2), expected=first, ttl=3600)
    await store.create("/r/b", value(1), ttl=5)
    events, _ = await take(store, "/r/", before, 2)
    assert [event[:2] for event in events] == [("/r/b", value(1)), ("/r/b", None)]
    assert (await store.get("/r/a")).value == value(2)


async def test_the_past_reaches_back_as_asked_but_not_behind_compaction(store):
    first = await store.create("/r/a", value(0))
    revision, seen = first, [await store.revision()]
    for n in range(1, 12):
        revision = await store.update("/r/a", value(n), expected=revision)
        seen.append(await store.revision())
    assert await store.past(0) == seen[-1]
    assert await store.past(5) == seen[-6]
    await store.compact(seen[4])
    assert await store.past(1_000_000) == seen[4]
    assert (await store.range("/r/", revision=await store.past(1_000_000))).items[0].value == value(4)


async def test_a_write_that_depends_on_other_keys_is_refused_when_one_was_written_meanwhile(store):
    first = await store.create("/r/a/1", value(1))
    seen = await store.revision()
    await store.create("/r/a/2", value(2), given=Unwritten("/r/a/", seen))
    with pytest.raises(WrittenMeanwhile):
        await store.create("/r/a/3", value(3), given=Unwritten("/r/a/", seen))
    with pytest.raises(WrittenMeanwhile):
        await store.update("/r/a/1", value(3), expected=first, given=Unwritten("/r/a/", seen))
    assert await store.get("/r/a/3") is None
    seen = await store.revision()
    assert await store.update("/r/a/1", value(3), expected=first, given=Unwritten("/r/a/", seen)) > seen


async def test_other_folders_and_deletions_do_not_refuse_such_a_write(store):
    gone = await store.create("/r/a/1", value(1))
    seen = await store.revision()
    await store.create("/r/ab", value(2))
    await store.delete("/r/a/1", expected=gone)
    assert await store.create("/r/a/2", value(2), given=Unwritten("/r/a/", seen)) > seen


async def test_such_a_write_still_needs_its_own_key(store):
    there = await store.create("/r/a/1", value(1))
    given = Unwritten("/r/a/", await store.revision())
    with pytest.raises(KeyExists):
        await store.create("/r/a/1", value(2), given=given)
    with pytest.raises(RevisionMismatch):
        await store.update("/r/a/1", value(2), expected=there - 1000, given=given)


async def test_of_many_such_writes_at_once_only_one_takes_effect(store):
    seen = await store.revision()
    writes = [store.create(f"/r/a/{n}", value(n), given=Unwritten("/r/a/", seen)) for n in range(20)]
    others = [store.create(f"/r/b/{n}", value(n)) for n in range(20)]
    outcomes = await asyncio.gather(*writes, *others, return_exceptions=True)
    assert sum(isinstance(outcome, int) for outcome in outcomes[:20]) == 1
    assert sum(isinstance(outcome, WrittenMeanwhile) for outcome in outcomes[:20]) == 19
    assert all(isinstance(outcome, int) for outcome in outcomes[20:])
