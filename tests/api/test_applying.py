"""Server-side apply on plain data: what must hold whatever is applied to whatever."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampan_api.fieldsets import sets
from sampan_api.fieldsets.applying import Conflicts, applied, last_applied
from sampan_api.fieldsets.checking import check, listed
from sampan_api.fieldsets.comparing import compare, fields_of
from sampan_api.fieldsets.managers import APPLY, UPDATE, Manager, entries_of, stored
from sampan_api.fieldsets.merging import merge, remove
from sampan_api.fieldsets.shapes import shape_of
from sampan_api.fieldsets.updating import Write, empty, updated
from sampan_api.models.core_v1.configuration import ConfigMap
from sampan_api.models.core_v1.pod import Pod

SHAPE = shape_of(Pod)
NAMES = st.sampled_from("abc")
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={
            "image": st.sampled_from("xyz"),
            "args": st.lists(st.sampled_from("xy"), min_size=1),
            "env": st.lists(
                st.fixed_dictionaries({"name": NAMES}, optional={"value": NAMES}),
                unique_by=lambda entry: entry["name"],
                min_size=1,
            ),
        },
    ),
    unique_by=lambda container: container["name"],
    min_size=1,
)


def pod(labels, containers, finalizers):
    metadata = {"name": "p", "labels": labels, "finalizers": finalizers}
    obj = {"kind": "Pod", "apiVersion": "v1", "metadata": {key: value for key, value in metadata.items() if value}}
    return {**obj, "spec": {"containers": containers}} if containers else obj


PODS = st.builds(
    pod,
    st.dictionaries(NAMES, NAMES, max_size=3),
    CONTAINERS | st.none(),
    st.lists(NAMES, unique=True, max_size=3),
)


def write(manager, now="t1", model=Pod):
    return Write(model, "v1", manager, now)


def start(live):
    return updated(empty(Pod), live, {}, write("creator"))


def plain(value):
    """Without what decoding drops: null, and what is empty."""
    if isinstance(value, dict):
        parts = {key: plain(item) for key, item in value.items()}
        return {key: item for key, item in parts.items() if item not in (None, {}, [])}
    return [plain(item) for item in value] if isinstance(value, list) else value


def in_any_order(value):
    if isinstance(value, dict):
        return {key: in_any_order(item) for key, item in sorted(value.items())}
    return sorted((in_any_order(item) for item in value), key=json.dumps) if isinstance(value, list) else value


@settings(deadline=None)
@given(PODS, PODS)
def test_what_was_applied_is_there(live, config):
    obj, _ = applied(live, config, start(live), write("m"), force=True)
    missing = compare(config, obj, SHAPE)
    assert (missing.modified, missing.removed) == ({}, {})


@settings(deadline=None)
@given(PODS, PODS)
def test_applying_twice_changes_nothing(live, config):
    once, managed = applied(live, config, start(live), write("m", "t1"), force=True)
    twice, again = applied(once, config, managed, write("m", "t2"))
    assert plain(twice) == plain(once)
    if twice == once:
        assert entries_of(again) == entries_of(managed)


@settings(deadline=None)
@given(PODS, PODS)
def test_taking_back_what_one_added_restores_the_object(live, config):
    """Only what nobody had before: a forced value stays, because nobody remembers the old one."""
    try:
        obj, managed = applied(live, config, start(live), write("m"))
    except Conflicts:
        return
    nothing = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}}
    back, owners = applied(obj, nothing, managed, write("m"))
    assert in_any_order(plain(back)) == in_any_order(plain(live))
    assert Manager("m", APPLY) not in owners


@settings(deadline=None)
@given(PODS, PODS, PODS)
def test_managers_without_common_fields_may_come_in_any_order(live, left, right):
    both = sets.intersection(fields_of(left, SHAPE), fields_of(right, SHAPE))
    if any(both.values()) or both:
        return

    def after(first, second):
        (a, one), (b, two) = first, second
        obj, managed = applied(live, one, start(live), write(a), force=True)
        return applied(obj, two, managed, write(b), force=True)

    obj, managed = after(("l", left), ("r", right))
    other, others = after(("r", right), ("l", left))
    assert in_any_order(plain(obj)) == in_any_order(plain(other))
    assert {m: owned.fields for m, owned in managed.items()} == {m: owned.fields for m, owned in others.items()}


@settings(deadline=None)
@given(PODS, PODS)
def test_owners_survive_being_stored(live, config):
    _, managed = applied(live, config, start(live), write("m"), force=True)
    entries = json.loads(json.dumps(entries_of(managed)))
    assert entries_of(stored(entries)) == entries
    for entry in entries:
        assert json.dumps(sets.read(entry["fieldsV1"])) == json.dumps(entry["fieldsV1"])


@settings(deadline=None)
@given(PODS, PODS)
def test_a_refused_apply_names_only_fields_that_would_change(live, config):
    named = []
    try:
        applied(live, config, start(live), write("m"))
    except Conflicts as error:
        named = error.conflicts
    changed = compare(live, merge(live, config, SHAPE), SHAPE)
    assert all(sets.has(sets.union(changed.modified, changed.added), conflict.path) for conflict in named)


@settings(deadline=None)
@given(PODS)
def test_removing_every_field_leaves_identity(obj):
    left = remove(obj, sets.with_parents(fields_of(obj, SHAPE), SHAPE), SHAPE)
    assert not plain({key: value for key, value in left.items() if key not in ("kind", "apiVersion", "metadata")})


def containers(*names):
    return {"spec": {"containers": [{"name": name} for name in names]}}


@pytest.mark.parametrize(
    ("live", "config", "expected"),
    [
        ("abc", "cb", "acb"),
        ("ab", "xb", "axb"),
        ("ab", "bx", "abx"),
        ("ab", "xy", "abxy"),
        ("sut", "xs", "xsut"),
        ("", "ab", "ab"),
    ],
)
def test_items_of_both_come_in_the_order_of_the_configuration(live, config, expected):
    merged = merge(containers(*live), containers(*config), SHAPE)
    assert "".join(item["name"] for item in merged["spec"]["containers"]) == expected


def test_a_configuration_is_checked_against_the_schema():
    config = {
        "kind": "Pod",
        "metadata": {"nmae": "x", "labels": {"a": True}},
        "spec": {
            "hostNetwork": "yes",
            "priority": "1",
            "containers": {"name": "c"},
            "tolerations": [{"key": 1}],
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": 5}}, "x"],
        },
    }
    assert listed(check(config, Pod)) == "\n".join(
        [
            "errors:",
            "  .metadata.nmae: field not declared in schema",
            "  .spec.hostNetwork: expected boolean, got &{yes}",
            "  .spec.priority: expected numeric (int or float), got string",
            "  .spec.containers: expected list, got &{map[name:c]}",
            "  .spec.tolerations[0].key: expected string, got &value.valueUnstructured{Value:1}",
            "  .spec.volumes: element 1: associative list with keys may not have non-map elements",
        ]
    )


def test_the_note_of_client_side_apply_is_written_as_go_writes_json():
    config = {
        "metadata": {"name": "x", "annotations": {"b": "<&>", "kubectl.kubernetes.io/last-applied-configuration": "y"}}
    }
    assert last_applied(config) == '{"metadata":{"annotations":{"b":"\\u003c\\u0026\\u003e"},"name":"x"}}\n'


def test_an_entry_in_another_version_stays_as_it_is():
    live = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"a": "1"}}
    entry = {"manager": "old", "operation": "Update", "apiVersion": "v1beta1", "fieldsV1": {"f:data": {"f:a": {}}}}
    config = {**live, "data": {"a": "2"}}
    _, managed = applied(live, config, stored([entry]), write("m", model=ConfigMap))
    assert managed[Manager("old", UPDATE, "v1beta1")].fields == {"f:data": {"f:a": {}}}
