import contextlib
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampan_api.patches import PatchError, json_patch, merge_patch, strategic_merge
from sampan_api.schema import model_for

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"a": "1"}, "finalizers": ["x/a", "x/b"]},
    "spec": {
        "containers": [
            {"name": "a", "image": "a:1", "env": [{"name": "E", "value": "1"}]},
            {"name": "b", "image": "b:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            {"name": "c", "image": "c:1"},
        ],
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "nodeSelector": {"disk": "ssd"},
    },
}
REJECTED = "the server rejected our request due to an error in our request"


def strategic(patch, obj=POD):
    before_obj, before_patch = copy.deepcopy(obj), copy.deepcopy(patch)
    result = strategic_merge(obj, patch, model_for("v1", "Pod"))
    assert (obj, patch) == (before_obj, before_patch), "inputs are never changed"
    return result


def names(result):
    return [container["name"] for container in result["spec"]["containers"]]


# RFC 6902; the letter-named cases are those of its appendix A.


@pytest.mark.parametrize(
    ("obj", "ops", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["a", "c"]}, [{"op": "add", "path": "/foo/1", "value": "b"}], {"foo": ["a", "b", "c"]}),
        ({"foo": 1, "baz": 2}, [{"op": "remove", "path": "/baz"}], {"foo": 1}),
        ({"foo": ["a", "b", "c"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "c"]}),
        ({"foo": 1}, [{"op": "replace", "path": "/foo", "value": 2}], {"foo": 2}),
        ({"foo": [1, 2]}, [{"op": "replace", "path": "/foo/0", "value": 3}], {"foo": [3, 2]}),
        ({"a": {"x": 1}, "b": {}}, [{"op": "move", "from": "/a/x", "path": "/b/y"}], {"a": {}, "b": {"y": 1}}),
        ({"l": [1, 2, 3]}, [{"op": "move", "from": "/l/0", "path": "/l/2"}], {"l": [2, 3, 1]}),
        ({"a": {"x": [1]}}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": {"x": [1]}, "b": {"x": [1]}}),
        ({"a": [1, {"b": 2}]}, [{"op": "test", "path": "/a/1/b", "value": 2}], {"a": [1, {"b": 2}]}),
        ({"l": [1]}, [{"op": "add", "path": "/l/-", "value": [2]}], {"l": [1, [2]]}),
        ({"a/b": 1, "m~n": 2}, [{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/m~0n"}], {}),
        ({"a": 1}, [{"op": "add", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"a": 1}, [{"op": "add", "path": "/b", "value": None}], {"a": 1, "b": None}),
        ({"a": 1}, [{"op": "test", "path": "/missing", "value": None}], {"a": 1}),
        ({"": 1}, [{"op": "replace", "path": "/", "value": 2}], {"": 2}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
    ],
)
def test_json_patch_operations(obj, ops, result):
    before = copy.deepcopy(obj)
    assert json_patch(obj, ops) == result
    assert obj == before


@pytest.mark.parametrize(
    "op",
    [
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "add", "path": "/missing/deeper", "value": 1},
        {"op": "add", "path": "/l/5", "value": 1},
        {"op": "add", "path": "/l/01", "value": 1},
        {"op": "remove", "path": "/l/-"},
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/a", "value": True},
        {"op": "add", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/a/b", "value": 1},
        {"op": "foo", "path": "/a"},
        {"op": "copy", "path": "/b"},
        {"op": "move", "from": "/m", "path": "/m/x"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "", "value": [1]},
        {"path": "/a"},
        {"op": "add"},
        "add",
        {"op": "add", "path": "/x" * 500, "value": 1},
    ],
)
def test_a_json_patch_that_does_not_apply_is_invalid(op):
    with pytest.raises(PatchError) as raised:
        json_patch({"a": 1, "l": [1], "m": {}}, [op])
    assert raised.value.code == 422
    assert raised.value.message == REJECTED


def test_a_json_patch_must_be_a_list():
    with pytest.raises(PatchError) as raised:
        json_patch({}, {"op": "remove"})
    assert raised.value.code == 400
    assert raised.value.message == (
        "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
    )


def test_copies_that_double_and_double_are_stopped():
    ops = [{"op": "copy", "from": "/a", "path": f"/a/{index}"} for index in range(60)]
    with pytest.raises(PatchError, match=r"add up to too much|nested too deeply"):
        json_patch({"a": {}}, ops)
    lists = [{"op": "copy", "from": "/a", "path": "/a/-"} for _ in range(60)]
    with pytest.raises(PatchError, match=r"add up to too much|nested too deeply"):
        json_patch({"a": ["x" * 1000]}, lists)


def test_too_many_operations_are_refused():
    with pytest.raises(PatchError, match="maximum operations"):
        json_patch({"a": 1}, [{"op": "test", "path": "/a", "value": 1}] * 10_001)


# RFC 7386, appendix A


@pytest.mark.parametrize(
    ("obj", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(obj, patch, result):
    assert merge_patch(obj, patch) == result


def test_a_merge_patch_must_be_an_object():
    with pytest.raises(PatchError) as raised:
        merge_patch({}, [1])
    assert (raised.value.code, raised.value.message) == (
        400,
        "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
    )


JSON = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=10,
)
OBJECT = st.dictionaries(st.text(max_size=2), JSON, max_size=4)


def difference(old, new):
    """The merge patch that turns one object into another."""
    patch = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value or type(old[key]) is not type(value):
            both = isinstance(old[key], dict) and isinstance(value, dict)
            patch[key] = difference(old[key], value) if both else value
    return patch


@given(OBJECT, OBJECT)
def test_a_merge_patch_leads_to_what_it_was_made_for(old, new):
    before = copy.deepcopy(old)
    assert merge_patch(old, difference(old, new)) == new
    assert old == before


@given(OBJECT, OBJECT)
def test_merging_twice_is_merging_once(obj, patch):
    once = merge_patch(obj, patch)
    assert merge_patch(once, patch) == once


@given(OBJECT, st.text(max_size=2), JSON)
def test_adding_and_removing_leaves_the_rest(obj, key, value):
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    added = json_patch(obj, [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}])
    assert json_patch(added, [{"op": "remove", "path": path}]) == {k: v for k, v in obj.items() if k != key}


# Strategic merge


def test_lists_merge_by_their_key():
    result = strategic({"spec": {"containers": [{"name": "b", "image": "b:2"}, {"name": "d", "image": "d:1"}]}})
    assert names(result) == ["a", "b", "d", "c"]
    by_name = {container["name"]: container for container in result["spec"]["containers"]}
    assert by_name["b"] == {"name": "b", "image": "b:2", "ports": [{"containerPort": 80, "protocol": "TCP"}]}


def test_lists_inside_elements_merge_too():
    result = strategic({"spec": {"containers": [{"name": "a", "env": [{"name": "F", "value": "2"}]}]}})
    assert result["spec"]["containers"][0]["env"] == [{"name": "F", "value": "2"}, {"name": "E", "value": "1"}]


def test_atomic_lists_are_replaced():
    result = strategic({"spec": {"tolerations": [{"key": "z"}], "containers": [{"name": "a", "command": ["x"]}]}})
    assert result["spec"]["tolerations"] == [{"key": "z"}]


def test_maps_merge_and_null_removes():
    result = strategic({"metadata": {"labels": {"b": "2", "a": None}}, "spec": {"nodeSelector": {"zone": "z"}}})
    assert result["metadata"]["labels"] == {"b": "2"}
    assert result["spec"]["nodeSelector"] == {"disk": "ssd", "zone": "z"}


def test_primitive_lists_with_merge_are_unions():
    assert strategic({"metadata": {"finalizers": ["x/b", "x/c"]}})["metadata"]["finalizers"] == ["x/a", "x/b", "x/c"]


def test_an_element_is_deleted_by_directive():
    result = strategic({"spec": {"containers": [{"name": "b", "$patch": "delete"}]}})
    assert names(result) == ["a", "c"]


def test_a_list_is_replaced_by_directive():
    result = strategic({"spec": {"containers": [{"name": "z", "image": "z"}, {"$patch": "replace"}]}})
    assert result["spec"]["containers"] == [{"name": "z", "image": "z"}]


def test_a_map_is_replaced_or_emptied_by_directive():
    assert strategic({"metadata": {"labels": {"$patch": "replace", "z": "1"}}})["metadata"]["labels"] == {"z": "1"}
    assert strategic({"metadata": {"labels": {"$patch": "delete"}}})["metadata"]["labels"] == {}


def test_retain_keys_drops_the_others():
    patch = {"spec": {"volumes": [{"$retainKeys": ["name", "hostPath"], "name": "v", "hostPath": {"path": "/x"}}]}}
    assert strategic(patch)["spec"]["volumes"] == [{"name": "v", "hostPath": {"path": "/x"}}]


def test_primitives_are_deleted_by_directive():
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/a"]}}
    assert strategic(patch)["metadata"]["finalizers"] == ["x/b"]
    assert "finalizers" in strategic(patch)["metadata"]


def test_the_order_is_set_by_directive():
    order = [{"name": "c"}, {"name": "a"}, {"name": "b"}]
    patch = {"spec": {"$setElementOrder/containers": order, "containers": [{"name": "b", "image": "b:2"}]}}
    assert names(strategic(patch)) == ["c", "a", "b"]
    assert names(strategic({"spec": {"$setElementOrder/containers": order}})) == ["c", "a", "b"]


def test_elements_that_only_the_server_has_keep_their_place():
    order = [{"name": "a"}, {"name": "new"}, {"name": "c"}]
    patch = {"spec": {"$setElementOrder/containers": order, "containers": [{"name": "new", "image": "n"}]}}
    assert names(strategic(patch)) == ["a", "new", "b", "c"]


def test_kubectls_apply_of_a_changed_image():
    patch = {
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}\n"}},
        "spec": {
            "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
            "containers": [{"$setElementOrder/env": [{"name": "E"}], "image": "a:2", "name": "a", "env": []}],
        },
    }
    result = strategic(patch)
    assert names(result) == ["a", "b", "c"]
    assert result["spec"]["containers"][0] == {"name": "a", "image": "a:2", "env": [{"name": "E", "value": "1"}]}


def test_a_new_subtree_loses_its_directives_and_nulls():
    patch = {
        "spec": {
            "initContainers": [{"name": "i", "image": "i", "command": None}, {"name": "j", "$patch": "delete"}],
            "securityContext": {"$retainKeys": ["runAsUser"], "runAsUser": 1, "fsGroup": None},
        }
    }
    spec = strategic(patch)["spec"]
    assert spec["initContainers"] == [{"name": "i", "image": "i"}]
    assert spec["securityContext"] == {"runAsUser": 1}


@pytest.mark.parametrize(
    ("patch", "code", "message"),
    [
        (
            {"spec": {"containers": [{"image": "x"}]}},
            500,
            "map: map[image:x] does not contain declared merge key: name",
        ),
        ({"$patch": "foo"}, 500, "unknown patch type: foo in map: map[$patch:foo]"),
        (
            {"spec": {"volumes": [{"$retainKeys": ["name"], "name": "v", "hostPath": {}}]}},
            500,
            "invalid patch format of retainKeys",
        ),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": 1}}, 500, "invalid patch format of primitive list"),
        ({"metadata": {"finalizers": [{}]}}, 500, "invalid patch format of primitive list"),
        ({"spec": {"containers": ["x"]}}, 500, "cannot merge x into a list of maps"),
        (
            {"spec": {"containers": [{"name": []}]}},
            500,
            "map: map[name:[]] has no plain value of its declared merge key: name",
        ),
        ({"spec": {"$setElementOrder/containers": 1}}, 500, "invalid patch format of setElementOrder list"),
        (
            [1],
            400,
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
    ],
)
def test_bad_strategic_patches_are_told(patch, code, message):
    with pytest.raises(PatchError) as raised:
        strategic(patch)
    assert (raised.value.code, raised.value.message) == (code, message)


def test_an_empty_patch_changes_nothing():
    assert strategic({}) == POD


def test_two_ports_of_one_number_both_stay():
    ports = [{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]
    obj = {"spec": {"containers": [{"name": "a", "ports": ports}]}}
    result = strategic({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 53, "name": "dns"}]}]}}, obj)
    assert result["spec"]["containers"][0]["ports"] == [{**ports[0], "name": "dns"}, ports[1]]


KEYS = st.sampled_from(["metadata", "spec", "containers", "finalizers", "labels", "volumes", "name", "$patch", "env"])
DIRECTIVES = st.sampled_from(["$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers", "$retainKeys"])
PATCH = st.recursive(
    st.none() | st.sampled_from(["a", "b", "delete", "replace"]) | st.integers(0, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | DIRECTIVES, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec"]), PATCH, max_size=2))
def test_any_strategic_patch_applies_or_is_told(patch):
    with contextlib.suppress(PatchError):
        strategic(patch)
