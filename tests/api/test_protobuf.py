"""The decoder against Google's own encoder, whose messages are made from the recorded field numbers."""

import base64
import contextlib
import json
import re

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st
from sampan_api import protobuf
from sampan_api.clock import parse_time
from sampan_api.schema import DecodeError, UnknownKind, decode_json, model_for

PROTO = descriptor_pb2.FieldDescriptorProto
TYPES = {"string": PROTO.TYPE_STRING, "bool": PROTO.TYPE_BOOL, "int32": PROTO.TYPE_INT32, "int64": PROTO.TYPE_INT64}
TYPES["bytes"] = PROTO.TYPE_BYTES
SMALL = {
    "Time": [("seconds", 1, "int64"), ("nanos", 2, "int32")],
    "MicroTime": [("seconds", 1, "int64"), ("nanos", 2, "int32")],
    "Quantity": [("string", 1, "string")],
    "IntOrString": [("type", 1, "int64"), ("intVal", 2, "int32"), ("strVal", 3, "string")],
    "FieldsV1": [("raw", 1, "bytes")],
    "RawExtension": [("raw", 1, "bytes")],
}


def proto_name(type_):
    return re.sub(r"\W", "_", type_)


def add_field(message, name, number, type_, *, repeated=False):
    label = PROTO.LABEL_REPEATED if repeated else PROTO.LABEL_OPTIONAL
    if type_ in TYPES:
        message.field.add(name=name, number=number, type=TYPES[type_], label=label)
    else:
        kind = PROTO.TYPE_MESSAGE
        message.field.add(name=name, number=number, type=kind, type_name=f".k.{proto_name(type_)}", label=label)


@pytest.fixture(scope="session")
def messages(recorded_fields):
    """message name → protobuf class."""
    file = descriptor_pb2.FileDescriptorProto(name="k.proto", package="k", syntax="proto2")
    for small, parts in SMALL.items():
        message = file.message_type.add(name=small)
        for name, number, type_ in parts:
            add_field(message, name, number, type_)
    for name, recorded in recorded_fields.items():
        message = file.message_type.add(name=proto_name(name))
        for json_name, (number, type_, _, _) in recorded["fields"].items():
            field_name = json_name or "EMBEDDED"
            if type_.startswith("map:"):
                entry = file.message_type.add(name=f"{proto_name(name)}_{json_name}_entry")
                add_field(entry, "key", 1, "string")
                add_field(entry, "value", 2, type_.removeprefix("map:").removeprefix("wrap[]"))
                add_field(message, field_name, number, entry.name, repeated=True)
            else:
                add_field(message, field_name, number, type_.removeprefix("[]"), repeated=type_.startswith("[]"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles(["k.proto"], pool)
    return {name.removeprefix("k."): cls for name, cls in classes.items()}


@pytest.fixture(scope="session")
def encode(messages, recorded_fields):
    """JSON object → protobuf bytes, as Go's encoder would lay them out."""

    def fill(target, name, obj):
        fields = recorded_fields[name]["fields"]
        for json_name, (_, type_, _, _) in fields.items():
            if json_name == "":
                fill(target.EMBEDDED, type_, obj)
                target.EMBEDDED.SetInParent()
            elif obj.get(json_name) is not None:
                put(target, json_name, type_, obj[json_name])

    def put(target, name, type_, value):
        if type_.startswith("[]"):
            for item in value:
                put_item(target, name, type_.removeprefix("[]"), item)
        elif type_.startswith("map:"):
            for key, item in value.items():
                entry = getattr(target, name).add(key=key)
                put(entry, "value", type_.removeprefix("map:"), item)
        elif type_ in TYPES:
            setattr(target, name, base64.b64decode(value) if type_ == "bytes" else value)
        else:
            getattr(target, name).SetInParent()
            small(getattr(target, name), type_, value)

    def put_item(target, name, type_, item):
        if type_ in TYPES:
            getattr(target, name).append(item)
        else:
            small(getattr(target, name).add(), type_, item)

    def small(target, type_, value):
        if type_ in ("Time", "MicroTime"):
            target.seconds = int(parse_time(value))
            target.nanos = int(value[20:26]) * 1000 if "." in value else 0
        elif type_ == "Quantity":
            target.string = value
        elif type_ == "IntOrString":
            target.type = int(isinstance(value, str))
            setattr(target, "strVal" if isinstance(value, str) else "intVal", value)
        elif type_ in ("FieldsV1", "RawExtension"):
            target.raw = json.dumps(value).encode()
        else:
            fill(target, type_, value)

    def encode(name, obj):
        message = messages[proto_name(name)]()
        fill(message, name, obj)
        return message.SerializeToString()

    return encode


def field(number: int, raw: bytes) -> bytes:
    assert len(raw) < 128 * 128
    size = bytes([len(raw)]) if len(raw) < 128 else bytes([len(raw) & 127 | 128, len(raw) >> 7])
    return bytes([number << 3 | 2]) + size + raw


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    return b"k8s\x00" + field(1, type_meta) + field(2, raw) + field(3, b"") + field(4, b"")


@pytest.mark.parametrize(
    ("name", "message", "api_version"),
    [
        ("configmap", "core/v1.ConfigMap", "v1"),
        ("cronjob", "batch/v1.CronJob", "batch/v1"),
        ("daemonset", "apps/v1.DaemonSet", "apps/v1"),
        ("deployment", "apps/v1.Deployment", "apps/v1"),
        ("event", "core/v1.Event", "v1"),
        ("hpa", "autoscaling/v2.HorizontalPodAutoscaler", "autoscaling/v2"),
        ("job", "batch/v1.Job", "batch/v1"),
        ("lease", "coordination/v1.Lease", "coordination.k8s.io/v1"),
        ("namespace", "core/v1.Namespace", "v1"),
        ("node", "core/v1.Node", "v1"),
        ("node-status", "core/v1.Node", "v1"),
        ("pod-full", "core/v1.Pod", "v1"),
        ("pod-minimal", "core/v1.Pod", "v1"),
        ("priorityclass", "scheduling/v1.PriorityClass", "scheduling.k8s.io/v1"),
        ("replicaset", "apps/v1.ReplicaSet", "apps/v1"),
        ("secret", "core/v1.Secret", "v1"),
        ("serviceaccount", "core/v1.ServiceAccount", "v1"),
    ],
)
def test_an_object_is_the_same_whichever_way_it_came(name, message, api_version, recorded_object, encode):
    obj = recorded_object(name)
    kind = message.split(".")[-1]
    body = envelope(api_version, kind, encode(message, obj))
    decoded_version, decoded_kind, decoded = protobuf.decode(body)
    assert (decoded_version, decoded_kind) == (api_version, kind)
    assert decoded == decode_json(model_for(api_version, kind), obj).obj


def test_what_kubectl_sends_to_create_a_namespace():
    metadata = field(1, b"x1") + field(2, b"") + field(3, b"") + field(4, b"") + field(5, b"") + field(6, b"")
    metadata += bytes([7 << 3, 0]) + field(8, b"")
    raw = field(1, metadata) + field(2, b"") + field(3, field(1, b""))
    assert protobuf.decode(envelope("v1", "Namespace", raw)) == (
        "v1",
        "Namespace",
        {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "x1"}, "spec": {}, "status": {}},
    )


def test_user_extras_are_lists_in_a_map():
    extra = field(1, b"k") + field(2, field(1, b"a") + field(1, b"b"))
    raw = field(2, field(1, field(1, b"bob") + field(4, extra)))
    *_, obj = protobuf.decode(envelope("authentication.k8s.io/v1", "SelfSubjectReview", raw))
    assert obj["status"]["userInfo"] == {"username": "bob", "extra": {"k": ["a", "b"]}}


def test_negative_and_packed_numbers():
    minus_one = b"\xff" * 9 + b"\x01"
    context = bytes([2 << 3]) + minus_one + field(4, b"\x01\x02")
    *_, obj = protobuf.decode(envelope("v1", "Pod", field(2, field(14, context))))
    assert obj["spec"]["securityContext"] == {"runAsUser": -1, "supplementalGroups": [1, 2]}


def test_fields_from_the_future_are_skipped():
    raw = (
        field(15, b"new")
        + bytes([14 << 3 | 1])
        + b"8 bytes!"
        + bytes([13 << 3 | 5])
        + b"four"
        + field(2, field(1, b"x"))
    )
    *_, obj = protobuf.decode(envelope("v1", "Binding", raw))
    assert obj["target"] == {"kind": "x"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "does not appear to be a protobuf message"),
        (b"k8s\x00\x0a\x05v1", "unexpected EOF"),
        (b"k8s\x00\x0a", "unexpected EOF"),
        (b"k8s\x00" + b"\xff" * 11, "integer overflow"),
        (b"k8s\x00\x00", "illegal tag 0"),
        (b"k8s\x00\x0b", "illegal wireType 3"),
        (envelope("v1", "ConfigMap", bytes([1 << 3, 1])), "wrong wireType = 0"),
        (envelope("v1", "Namespace", field(1, field(1, b"\xff"))), "invalid UTF-8"),
    ],
)
def test_broken_bodies_are_refused(body, message):
    with pytest.raises(DecodeError, match=message):
        protobuf.decode(body)


def test_unknown_types_are_told():
    with pytest.raises(UnknownKind):
        protobuf.decode(envelope("v1", "Boat", b""))


@given(st.binary(max_size=80))
def test_no_bytes_break_the_decoder(raw):
    with contextlib.suppress(DecodeError):
        protobuf.decode(envelope("v1", "Pod", raw))
