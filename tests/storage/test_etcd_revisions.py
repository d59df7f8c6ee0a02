import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampan_master.storage.etcd_revisions import STEP, Places, main_of, mark, unmark, watch_start, whole


@given(st.integers(0, 998), st.dictionaries(st.text(), st.text()))
def test_a_place_travels_with_its_value_and_leaves_it_json(place, obj):
    value = orjson.dumps(obj)
    stored = mark(value, place)
    assert unmark(stored) == (value, place)
    assert orjson.loads(stored) == obj


def test_a_lone_write_is_stored_as_it_is():
    assert mark(b"{}", 0) == b"{}"


def test_values_written_by_others_have_place_zero():
    assert unmark(b'{"a": 1}\n') == (b'{"a": 1}\n', 0)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=100))
def test_writer_and_watcher_derive_the_same_revisions(batch):
    """Each write of a batch deletes or puts, and takes effect or not; the watcher sees only those that did."""
    writer, watcher = Places(), Places()
    written = [
        writer.delete(7) if deletes else writer.put(7, place)
        for place, (deletes, effective) in enumerate(batch)
        if effective
    ]
    seen = [
        watcher.delete(7) if deletes else watcher.put(7, unmark(mark(b"{}", place))[1])
        for place, (deletes, effective) in enumerate(batch)
        if effective
    ]
    assert seen == written == sorted(set(written))
    assert all(main_of(revision) == 7 and revision < whole(7) for revision in written)


def test_places_begin_anew_with_every_revision():
    places = Places()
    assert [places.delete(7), places.delete(7), places.delete(8), places.put(8, 5), places.put(9, 0)] == [
        7 * STEP,
        7 * STEP + 1,
        8 * STEP,
        8 * STEP + 5,
        9 * STEP,
    ]


def test_more_deletions_than_places_never_leave_their_revision():
    places = Places()
    assert [places.delete(7) for _ in range(1500)][-1] == whole(7) - 1


@pytest.mark.parametrize(("after", "start"), [(whole(7), 8), (7 * STEP + 3, 7), (0, 0)])
def test_a_watch_begins_where_nothing_is_missed(after, start):
    assert watch_start(after) == start
