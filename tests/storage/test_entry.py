import orjson
import pytest
from sampan_master.storage.change import Change
from sampan_master.storage.entry import Entry, encode, read_entry, with_resource_version

POD = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "d"}, "spec": {"metadata": {"x": 1}}}


def test_the_resource_version_is_the_first_field_of_metadata():
    assert Entry("/k", 7, encode(POD)).data.startswith(
        b'{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"a"'
    )


@pytest.mark.parametrize(
    "obj",
    [
        POD,
        {**POD, "metadata": {}},
        {"metadata": {"name": "a"}, "spec": {}, "apiVersion": "v1", "kind": "Pod"},
        {"spec": {"metadata": {"name": "other"}}, "metadata": {"name": "a"}},
        {"kind": 'odd "metadata":{ name', "apiVersion": "v1", "metadata": {"name": "a"}},
        {**POD, "metadata": {"name": "a", "resourceVersion": "3"}},
        {"kind": "K" * 600, "apiVersion": "v1", "metadata": {"name": "a"}},
    ],
)
def test_any_order_of_keys_gives_the_same_views(obj):
    value = orjson.dumps(obj)
    entry = Entry("/k", 12, value)
    expected = with_resource_version(obj, 12)
    assert orjson.loads(entry.data) == entry.obj == expected
    assert entry.value == encode(obj)
    assert orjson.loads(entry.item) == {k: v for k, v in expected.items() if k not in ("kind", "apiVersion")}
    assert entry.at_revision(1000).obj == with_resource_version(obj, 1000)
    assert entry.at_revision(1000).value == entry.value


def test_the_decoded_object_has_the_key_order_of_the_bytes():
    entry = Entry("/k", 12, encode(POD))
    assert orjson.dumps(with_resource_version(POD, 12)) == entry.data


@pytest.mark.parametrize("value", [b"", b"[]", b"1", b"{}", b'{"metadata":5}', b'"metadata":{'])
def test_what_is_no_object_reads_as_none(value):
    assert read_entry("/k", 1, value) is None


def test_a_watch_line_is_one_event_and_a_newline():
    line = Change("ADDED", Entry("/k", 7, encode(POD)), None).line
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
