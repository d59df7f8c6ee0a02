"""Sets of fields: the algebra, what changes between two objects, and the entries of their owners."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampan_api.fieldsets import sets
from sampan_api.fieldsets.comparing import compare, fields_of
from sampan_api.fieldsets.keys import PathError, canonical, in_order, shown
from sampan_api.fieldsets.managers import (
    APPLY,
    UPDATE,
    EntryError,
    Manager,
    entries_of,
    is_reset,
    stored,
)
from sampan_api.fieldsets.managers import given as read_entries
from sampan_api.fieldsets.shapes import shape_of
from sampan_api.fieldsets.updating import Write, empty, is_noop, updated
from sampan_api.models.core_v1.pod import Pod

SHAPE = shape_of(Pod)
KEYS = st.sampled_from(["f:a", "f:b", "f:b-c", 'k:{"name":"x"}', 'k:{"port":80}', 'k:{"port":9}', 'v:"x"', "v:1"])
SETS = st.recursive(
    st.just({}),
    lambda children: st.builds(
        lambda itself, nodes: (
            {**({".": {}} if itself and nodes else {}), **{key: nodes[key] for key in in_order(nodes)}}
        ),
        st.booleans(),
        st.dictionaries(KEYS, children, max_size=4),
    ),
    max_leaves=12,
).map(lambda node: {key: value for key, value in node.items() if key != "."})


def members(fields):
    return set(sets.paths(fields))


@given(SETS)
def test_a_set_is_read_as_it_is_written(fields):
    assert json.dumps(sets.read(json.loads(json.dumps(fields)))) == json.dumps(fields)


@given(SETS, SETS)
def test_sets_behave_as_sets_of_paths(left, right):
    assert members(sets.union(left, right)) == members(left) | members(right)
    assert members(sets.intersection(left, right)) == members(left) & members(right)
    assert members(sets.difference(left, right)) == members(left) - members(right)


@given(SETS, SETS)
def test_results_are_in_the_one_form(left, right):
    for result in (sets.union(left, right), sets.intersection(left, right), sets.difference(left, right)):
        assert json.dumps(sets.read(result)) == json.dumps(result)


@given(SETS, SETS)
def test_without_takes_what_is_below_too(left, right):
    gone = members(right)
    kept = {path for path in members(left) if not any(path[: n + 1] in gone for n in range(len(path)))}
    assert members(sets.without(left, right)) == kept


@given(SETS)
def test_every_path_is_found(fields):
    assert all(sets.has(fields, path) for path in sets.paths(fields))
    assert not sets.has(fields, ())


def test_unknown_spellings_are_dropped_and_impossible_ones_refused():
    assert sets.read({"x:1": {}, "f:a": {}, 'k:{"b":2,"a":1}': {}}) == {"f:a": {}, 'k:{"a":1,"b":2}': {}}
    for key in ("f", "fa", "k:[]", "k:{", "i:x", "v:"):
        with pytest.raises(PathError):
            canonical(key)
    with pytest.raises(PathError):
        sets.read({"f:a": 1})


def test_paths_are_shown_as_the_real_server_shows_them():
    path = ("f:spec", 'k:{"containerPort":80,"protocol":"TCP"}', "f:name")
    assert shown(path) == '.spec[containerPort=80,protocol="TCP"].name'
    assert shown(('v:"x"', "i:3")) == '[="x"][3]'


def test_items_with_numbers_are_sorted_by_them():
    assert in_order(['k:{"port":80}', 'k:{"port":9}', "f:a", "."]) == [".", "f:a", 'k:{"port":9}', 'k:{"port":80}']
    assert in_order(['k:{"port":80}', 'k:{"port":9}', 'v:"x"']) == ['k:{"port":9}', 'k:{"port":80}', 'v:"x"']
    assert in_order(['v:"a!"', 'v:"a"']) == ['v:"a"', 'v:"a!"']


def pod(**spec):
    container = {"name": "c", "image": "a", "resources": {}}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "p", "uid": "1", "labels": {"app": "x"}},
        "spec": {"containers": [container], **spec},
        "status": {},
    }


def test_a_changed_image_is_one_modified_field():
    new = pod(containers=[{"name": "c", "image": "b", "resources": {}}])
    added, modified, removed = compare(pod(), new, SHAPE)
    assert (added, removed) == ({}, {})
    assert modified == {"f:spec": {"f:containers": {'k:{"name":"c"}': {"f:image": {}}}}}


def test_ports_are_told_apart_by_number_and_protocol_which_defaults_to_tcp():
    one = {"name": "c", "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]}
    ports = fields_of({"spec": {"containers": [one]}}, SHAPE)["f:spec"]["f:containers"]['k:{"name":"c"}']["f:ports"]
    tcp, udp = 'k:{"containerPort":80,"protocol":"TCP"}', 'k:{"containerPort":80,"protocol":"UDP"}'
    assert list(ports) == [tcp, udp]
    assert ports[tcp] == {".": {}, "f:containerPort": {}}


def test_atomic_lists_and_structs_are_one_field():
    tolerations = [{"key": "k"}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    fields = fields_of({"spec": {"tolerations": tolerations, "affinity": affinity, "nodeSelector": {"a": "b"}}}, SHAPE)
    assert fields["f:spec"]["f:tolerations"] == {}
    assert fields["f:spec"]["f:nodeSelector"] == {}
    assert fields["f:spec"]["f:affinity"] == {
        "f:nodeAffinity": {"f:requiredDuringSchedulingIgnoredDuringExecution": {}}
    }


def test_identity_belongs_to_nobody():
    assert fields_of(pod(), SHAPE)["f:metadata"] == {"f:labels": {"f:app": {}}}


def test_doubled_items_are_one_value():
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    old = pod(containers=[{"name": "c", "env": env}])
    new = pod(containers=[{"name": "c", "env": env[:1]}])
    added, _, removed = compare(old, new, SHAPE)
    place = ("f:spec", "f:containers", 'k:{"name":"c"}', "f:env", 'k:{"name":"A"}')
    assert sets.has(removed, place)
    assert sets.has(added, (*place, "f:value"))
    assert compare(old, pod(containers=[{"name": "c", "env": env[::-1]}]), SHAPE).modified


def test_an_item_without_its_key_is_an_error():
    with pytest.raises(PathError, match='omits key field "name"'):
        fields_of({"spec": {"containers": [{"image": "x"}]}}, SHAPE)
    with pytest.raises(PathError, match="non-map elements"):
        fields_of({"spec": {"containers": ["x"]}}, SHAPE)


def write(manager, now="2026-01-01T00:00:00Z", **rest):
    return Write(Pod, "v1", manager, now, **rest)


OTHER = Manager("b", UPDATE, "v1")
FIRST = Manager("a", UPDATE, "v1")


def test_an_update_takes_what_it_changes_and_leaves_the_rest():
    created = updated(empty(Pod), pod(), {}, write("a"))
    new = pod(containers=[{"name": "c", "image": "b", "resources": {}}], hostNetwork=True)
    after = updated(pod(), new, created, write("b", "2026-01-01T00:00:09Z"))
    image = ("f:spec", "f:containers", 'k:{"name":"c"}', "f:image")
    assert not sets.has(after[FIRST].fields, image)
    assert sets.has(after[FIRST].fields, (*image[:-1], "f:name"))
    assert after[FIRST].time == "2026-01-01T00:00:00Z"
    assert set(sets.paths(after[OTHER].fields)) == {image, ("f:spec", "f:hostNetwork")}


def test_who_has_nothing_left_is_gone_and_who_changes_nothing_is_not_counted():
    created = updated(empty(Pod), pod(), {}, write("a"))
    assert updated(pod(), pod(), created, write("b")) == created
    bare = {**pod(), "metadata": {"name": "p"}, "spec": {"containers": None}}
    assert updated(pod(), bare, created, write("b")) == {}


def test_what_a_door_never_changes_is_not_owned_through_it():
    new = {**pod(hostNetwork=True), "status": {"phase": "Running"}}
    after = updated(pod(), new, {}, write("kubelet", subresource="status", ignored={"f:spec": {}}))
    (entry,) = entries_of(after)
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {"f:status": {"f:phase": {}}}


def test_appliers_come_first_then_the_oldest():
    entries = [
        {"manager": name, "operation": operation, "apiVersion": "v1", "time": time, "fieldsV1": {"f:data": {}}}
        for name, operation, time in (
            ("late", UPDATE, "2026-01-02T00:00:00Z"),
            ("early", UPDATE, "2026-01-01T00:00:00Z"),
            ("z", APPLY, "2026-01-03T00:00:00Z"),
        )
    ]
    assert [entry["manager"] for entry in entries_of(stored(entries))] == ["z", "early", "late"]


def test_more_than_ten_updaters_become_ten():
    managed = {}
    obj = empty(Pod) | {"metadata": {"name": "p", "labels": {}}}
    for number in range(14):
        labels = {**obj["metadata"]["labels"], f"l{number}": "x"}
        new = {**obj, "metadata": {"name": "p", "labels": labels}}
        managed = updated(obj, new, managed, write(f"m{number}", f"2026-01-01T00:00:{number:02}Z"))
        obj = new
    assert len(managed) == 10
    ancient = managed[Manager("ancient-changes", UPDATE, "v1")]
    assert {path[-1] for path in sets.paths(ancient.fields)} >= {"f:l0", "f:l1", "f:l2", "f:l3", "f:l4"}
    assert ancient.time == "2026-01-01T00:00:04Z"


def test_entries_that_no_server_writes_are_refused():
    good = {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    assert list(read_entries([good])) == [Manager("m", UPDATE, "v1")]
    for wrong in ({"operation": "Patch"}, {"apiVersion": ""}, {"fieldsType": "FieldsV2"}, {"fieldsV1": {"a": {}}}):
        with pytest.raises(EntryError):
            read_entries([{**good, **wrong}])


def test_only_the_two_empty_forms_reset():
    assert is_reset([])
    assert is_reset([{}])
    assert not is_reset(None)
    assert not is_reset([{"manager": "m"}])


def test_times_alone_are_no_change():
    one, two = [{"manager": "a", "time": "1"}], [{"manager": "a", "time": "2"}]
    assert is_noop(one, two)
    assert not is_noop(one, [{"manager": "b", "time": "1"}])
    assert not is_noop(one, None)


LABELS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"), max_size=4)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("cde")},
        optional={
            "image": st.sampled_from("xyz"),
            "ports": st.lists(
                st.fixed_dictionaries(
                    {"containerPort": st.sampled_from([80, 443])},
                    optional={"protocol": st.sampled_from(["TCP", "UDP"])},
                ),
                unique_by=lambda port: (port["containerPort"], port.get("protocol", "TCP")),
            ),
            "args": st.lists(st.sampled_from("xy")),
        },
    ),
    unique_by=lambda container: container["name"],
    min_size=1,
)
PODS = st.builds(
    lambda labels, containers, more: {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "p", **({"labels": labels} if labels else {})},
        "spec": {"containers": containers, **more},
    },
    LABELS,
    CONTAINERS,
    st.fixed_dictionaries({}, optional={"hostNetwork": st.just(True), "nodeSelector": LABELS}),
)


@settings(deadline=None)
@given(PODS, PODS)
def test_a_comparison_is_complete_and_disjoint(old, new):
    added, modified, removed = compare(old, new, SHAPE)
    assert (added, modified, removed) == ({}, {}, {}) if old == new else True
    for one, other in ((added, modified), (added, removed), (modified, removed)):
        assert sets.intersection(one, other) == {}
    back = compare(new, old, SHAPE)
    assert (back.added, back.modified, back.removed) == (removed, modified, added)


@settings(deadline=None)
@given(PODS, PODS)
def test_after_an_update_every_field_that_changed_has_one_owner(old, new):
    managed = updated(old, new, updated(empty(Pod), old, {}, write("a")), write("b"))
    owned = [members(entry.fields) for entry in managed.values()]
    added, modified, removed = compare(old, new, SHAPE)
    changed = members(added) | members(modified)
    assert all(sum(path in one for one in owned) == 1 for path in changed)
    assert not any(path in one for path in members(removed) for one in owned)
