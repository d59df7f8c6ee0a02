import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampan_api import selectors
from sampan_api.selectors import SelectorError, from_label_selector, parse_fields, parse_labels
from sampan_api.selectors.fields import FieldRequirement

LABELS = {"app": "web", "tier": "front", "n": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app!=web", False),
        ("missing!=web", True),
        ("app in (web, db)", True),
        ("app notin (web)", False),
        ("missing notin (web)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("n>4,n<6", True),
        ("app>4", False),
        ("missing=", False),
        ("in in (in)", False),
        (" app = web , tier ", True),
    ],
)
def test_label_selectors_match(text, matches):
    assert parse_labels(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a>b", 'unable to parse requirement: values[0]: Invalid value: "b": '),
        ("a=-b", 'unable to parse requirement: values[0][a]: Invalid value: "-b": a valid label must be'),
        ("a/b/c=d", 'unable to parse requirement: <nil>: Invalid value: "a/b/c": a qualified name'),
    ],
)
def test_a_bad_label_selector_is_told_in_the_servers_words(text, message):
    with pytest.raises(SelectorError) as raised:
        parse_labels(text)
    assert str(raised.value).startswith(message)


def test_null_selects_nothing_and_empty_everything():
    assert not from_label_selector(None).matches(LABELS)
    assert from_label_selector({}).matches({})
    assert from_label_selector({}).matches(None)


def test_label_selector_objects_match():
    selector = from_label_selector(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front", "back"]},
                {"key": "x", "operator": "DoesNotExist"},
            ],
        }
    )
    assert selector.matches(LABELS)
    assert not selector.matches({**LABELS, "x": ""})
    assert str(selector) == "app=web,tier in (back,front),!x"


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "a", "operator": "Foo"},
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "Exists", "values": ["b"]},
        {"key": "a b", "operator": "Exists"},
    ],
)
def test_a_bad_label_selector_object_is_refused(expression):
    with pytest.raises(SelectorError):
        from_label_selector({"matchExpressions": [expression]})


def test_plain_maps_ask_for_exactly_their_labels():
    assert selectors.from_labels({"app": "web"}).matches(LABELS)
    assert selectors.from_labels(None).empty


FIELDS = {"metadata.name": "web", "status.phase": "Running"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=web", True),
        ("metadata.name==web,status.phase!=Failed", True),
        ("metadata.name=web,", True),
        ("spec.nodeName=", True),
        ("spec.nodeName!=", False),
    ],
)
def test_field_selectors_match(text, matches):
    assert parse_fields(text).matches(lambda field: FIELDS.get(field, "")) is matches


def test_field_values_may_escape_separators():
    (requirement,) = parse_fields(r"a=b\,c\=d\\").requirements
    assert requirement.value == "b,c=d\\"


def test_bad_field_selectors_are_told():
    with pytest.raises(SelectorError, match="invalid selector: 'abc'; can't understand 'abc'"):
        parse_fields("abc")
    with pytest.raises(SelectorError, match="invalid escape sequence"):
        parse_fields(r"a=b\c")
    with pytest.raises(SelectorError, match="unescaped character in value: ="):
        parse_fields("a=b=c")


def test_the_exact_value_of_a_field_is_known():
    selector = parse_fields("metadata.name=web,status.phase!=x")
    assert selector.exact("metadata.name") == "web"
    assert selector.exact("status.phase") is None


word = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,5}[a-z0-9])?", fullmatch=True)
requirement = st.one_of(
    st.builds("{}={}".format, word, word),
    st.builds("{}!={}".format, word, word),
    st.builds("{} in ({})".format, word, st.lists(word, min_size=1, max_size=3).map(",".join)),
    st.builds("{} notin ({})".format, word, st.lists(word, min_size=1, max_size=3).map(",".join)),
    st.builds("!{}".format, word),
    word,
    st.builds("{}>{}".format, word, st.integers(0, 99)),
)


@given(st.lists(requirement, max_size=4).map(",".join), st.dictionaries(word, word, max_size=4))
def test_a_label_selector_survives_being_printed(text, labels):
    selector = parse_labels(text)
    again = parse_labels(str(selector))
    assert again == selector
    assert again.matches(labels) == selector.matches(labels)


@given(st.text(max_size=30))
def test_no_text_breaks_the_parsers(text):
    for parse in (parse_labels, parse_fields):
        with contextlib.suppress(SelectorError):
            parse(text)


@given(st.text(max_size=10))
def test_any_field_value_survives_being_printed(value):
    selector = selectors.FieldSelector((FieldRequirement("a.b", "=", value),))
    assert parse_fields(str(selector)) == selector
