"""The classes against what was recorded of the real types: every field, nothing more."""

from importlib import import_module

import pytest
from sampan_api.fields import Field, Kind, Model, TypedModel, field, fields
from sampan_api.models.core_v1.container import Container, EphemeralContainer
from sampan_api.models.core_v1.pod import Pod, PodSpec
from sampan_api.models.core_v1.volumes import Volume, VolumeSource

SCALARS = {
    "string": Kind.STRING,
    "bool": Kind.BOOL,
    "int32": Kind.INT32,
    "int64": Kind.INT64,
    "bytes": Kind.BYTES,
    "Time": Kind.TIME,
    "MicroTime": Kind.MICRO_TIME,
    "Quantity": Kind.QUANTITY,
    "IntOrString": Kind.INT_OR_STRING,
    "FieldsV1": Kind.RAW,
    "RawExtension": Kind.RAW,
    "wrap[]string": Kind.STRINGS,
}
BY_VALUE = {"Time", "MicroTime", "Quantity", "IntOrString", "RawExtension"}


def model_of(recorded_fields, message):
    home = recorded_fields[message]["home"].replace("/", ".")
    return getattr(import_module(f"sampan_api.models.{home}"), message.split(".")[-1])


def messages(recorded_fields):
    return [message for message, facts in recorded_fields.items() if facts["home"]]


def test_every_recorded_message_has_its_class_with_exactly_its_fields(recorded_fields):
    for message in messages(recorded_fields):
        model = model_of(recorded_fields, message)
        expected = {name for name in recorded_fields[message]["fields"] if name}
        ours = {entry.json for entry in fields(model).values() if not entry.embedded}
        if issubclass(model, TypedModel):
            ours -= {"kind", "apiVersion"}
        assert ours == expected, message
        assert recorded_fields[message]["map_type"] == model.MAP_TYPE, message


def test_numbers_types_and_merge_keys_are_the_recorded_ones(recorded_fields):
    for message in messages(recorded_fields):
        table = fields(model_of(recorded_fields, message))
        for name, (number, type_, flags, facts) in recorded_fields[message]["fields"].items():
            if name:
                check(f"{message}.{name}", table[name], number, type_, flags, facts)


def check(where: str, entry: Field, number, type_, flags, facts):
    container = "list" if type_.startswith("[]") else "map" if type_.startswith("map:") else ""
    element = type_.removeprefix("[]").removeprefix("map:")
    assert (entry.number, entry.container) == (number, container), where
    if entry.message is not None:
        assert entry.message.__name__ == element.split(".")[-1], where
    else:
        assert entry.kind is SCALARS[element], where
    if not container:
        by_value = type_ in BY_VALUE or entry.message is not None
        held = "p" not in flags and ("o" not in flags or by_value)
        assert entry.always is (held and entry.json != "creationTimestamp"), where
        assert entry.pointer is ("p" in flags and entry.message is None), where
    recorded = (
        facts.get("required", False),
        facts.get("patch", ""),
        facts.get("merge_key", ""),
        facts.get("list_type", ""),
        tuple(facts.get("map_keys", ())),
        facts.get("map_type", ""),
        set(facts.get("enum", ())),
        facts.get("default"),
    )
    assert recorded == (
        entry.required,
        entry.patch_strategy,
        entry.merge_key,
        entry.list_type,
        entry.list_map_keys,
        entry.map_type,
        set(entry.enum),
        entry.default,
    ), where


def test_ephemeral_containers_share_the_fields_of_containers(recorded_fields):
    common = recorded_fields["core/v1.EphemeralContainerCommon"]["fields"]
    numbers = {name: row[0] for name, row in common.items()}
    assert numbers == {entry.json: entry.number for entry in fields(Container).values()}
    table = fields(EphemeralContainer)
    assert table["image"].embedded == 1
    assert table["targetContainerName"].embedded == 0


def test_every_field_says_what_it_is(recorded_fields):
    for message in messages(recorded_fields):
        model = model_of(recorded_fields, message)
        assert model.__doc__, message
        for entry in fields(model).values():
            assert len(entry.doc) > 3, f"{message}.{entry.json}"
            assert entry.doc.endswith((".", "?", "…")), f"{message}.{entry.json}"


def test_no_field_repeats_what_its_struct_says_of_itself(recorded_fields):
    """`kubectl explain` prints the text of a field and below it that of its struct."""
    for message in messages(recorded_fields):
        for entry in fields(model_of(recorded_fields, message)).values():
            if entry.message is not None:
                assert entry.doc != entry.message.__doc__, f"{message}.{entry.json}"


def test_embedded_structs_lie_flat_and_keep_their_place():
    table = fields(Volume)
    assert next(iter(table)) == "name"
    assert table["configMap"].embedded == 2
    assert table["configMap"].number == fields(VolumeSource)["configMap"].number


def test_an_undeclared_attribute_is_a_mistake():
    class Wrong(Model):
        name: str = ""

    with pytest.raises(TypeError, match=r"Wrong\.name is not declared"):
        fields(Wrong)


def test_a_type_outside_the_api_is_a_mistake():
    class Wrong(Model):
        names: set[str] = field(1, "Names.")

    with pytest.raises(TypeError, match="is no type of the API"):
        fields(Wrong)


def test_the_classes_validate_as_pydantic_models():
    pod = Pod.model_validate({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    assert pod.spec.containers[0].image == "i"


def test_the_json_schema_carries_the_patch_keys():
    schema = PodSpec.model_json_schema()["properties"]["containers"]
    assert schema["x-kubernetes-patch-merge-key"] == "name"
    assert schema["x-kubernetes-list-map-keys"] == ["name"]
