import json

from hypothesis import given
from hypothesis import strategies as st
from sampan_api.documents import _duplicates, load_json

TEXTS = st.text(alphabet='ab\\": \t\n{},', max_size=6)
VALUES = st.recursive(
    TEXTS | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(TEXTS, inner), max_size=4)
)


def written(value, colon):
    """JSON in which a list of pairs is an object, whose keys may occur twice."""
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return "{" + ",".join(json.dumps(key) + colon + written(item, colon) for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(item, colon) for item in value) + "]"
    return json.dumps(value)


@given(VALUES, st.sampled_from([":", ": ", " :", "\n:\t"]))
def test_the_quick_look_misses_no_key_that_occurs_twice(value, colon):
    body = written(value, colon).encode()
    assert load_json(body, find_duplicates=True)[1] == _duplicates(body)


def test_what_is_told_of_annotations_that_hold_json():
    inner = json.dumps({"metadata": {"name": "x"}, "a": [1, {"b": 2}]})
    body = json.dumps({"metadata": {"annotations": {"last-applied": inner}}}).encode()
    assert load_json(body, find_duplicates=True)[1] == []
    assert load_json(b'{"a":{"b":1,"b":2}}', find_duplicates=True)[1] == ["a.b"]
