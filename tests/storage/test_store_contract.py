"""What every `Store` does; runs on the one in memory and on etcd."""

import asyncio
from contextlib import aclosing

import pytest
from sampan_master.storage.store import (
    Compacted,
    FutureRevision,
    KeyExists,
    RevisionMismatch,
    Unwritten,
    WrittenMeanwhile,
)


def value(number: int) -> bytes:
    return b'{"n":%d}' % number


async def take(store, prefix, after, wanted, seconds=5.0):
    """The first `wanted` events, and the revision the watch was complete up to."""
    events, reached = [], after
    async with asyncio.timeout(seconds), aclosing(store.watch(prefix, after=after)) as batches:
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
    assert events == [("/r/a", value(1), first), ("/r/a", value(2), second), ("/r/a", None, third)]
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
    assert (await take(store, "/r/", now, 1))[0] == [("/r/a", None, third)]


async def test_a_key_with_a_ttl_goes_and_watches_are_told(store):
    before = await store.revision()
    kept = await store.create("/r/kept", value(1))
    await store.create("/r/gone", value(1), ttl=1)
    events, _ = await take(store, "/r/", before, 3, seconds=15)
    assert events[2][:2] == ("/r/gone", None)
    assert [item.mod_revision for item in (await store.range("/r/")).items] == [kept]


async def test_an_update_with_a_ttl_renews_it(store):
    first = await store.create("/r/a", value(1), ttl=1)
    await store.update("/r/a", value(2), expected=first, ttl=3600)
    await store.create("/r/b", value(1), ttl=1)
    before = await store.revision()
    events, _ = await take(store, "/r/", before, 1, seconds=15)
    assert events[0][:2] == ("/r/b", None)
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
