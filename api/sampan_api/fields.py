"""How a model declares its fields, and how the declarations are read back as one table per model.

A model is a pydantic class whose attributes carry the JSON names themselves (`podIP`, not `pod_ip`: one spelling
everywhere). The annotation says the type, `field(...)` the rest:

    class ContainerPort(Model):
        containerPort: Int32 = field(3, "Port inside the pod.", required=True, always=True)
        protocol: str | None = field(4, "TCP, UDP or SCTP.", enum=("SCTP", "TCP", "UDP"))

A base class that stands for a struct embedded in Go (`Volume` holds `VolumeSource`) is named in `EMBEDDED` with its
protobuf number; in JSON its fields lie flat among the others.
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, TypeAlias, Union, get_args, get_origin

import pydantic
from pydantic.fields import FieldInfo


class Kind(StrEnum):
    """What one value (of a list or map: each element) is."""

    STRING = "string"
    INT32 = "int32"
    INT64 = "int64"
    DOUBLE = "double"
    BOOL = "bool"
    BYTES = "bytes"
    TIME = "Time"
    MICRO_TIME = "MicroTime"
    QUANTITY = "Quantity"
    INT_OR_STRING = "IntOrString"
    RAW = "Raw"
    STRINGS = "Strings"
    """A list of strings; only as the element of a map."""
    MESSAGE = "Message"


Int32: TypeAlias = Annotated[int, Kind.INT32]
Int64: TypeAlias = Annotated[int, Kind.INT64]
Base64: TypeAlias = Annotated[str, Kind.BYTES]
Time: TypeAlias = Annotated[str, Kind.TIME]
MicroTime: TypeAlias = Annotated[str, Kind.MICRO_TIME]
Quantity: TypeAlias = Annotated[str, Kind.QUANTITY]
IntOrString: TypeAlias = Annotated[int | str, Kind.INT_OR_STRING]
Raw: TypeAlias = Annotated[Any, Kind.RAW]
Strings: TypeAlias = Annotated[list[str], Kind.STRINGS]


class Model(pydantic.BaseModel):
    """A message of the API: a struct in JSON, a message in protobuf."""

    model_config = pydantic.ConfigDict(defer_build=True, extra="ignore", frozen=True)

    EMBEDDED: ClassVar[Mapping[type[Model], int]] = {}
    """Base classes whose fields Go embeds, with the protobuf number of the embedded message."""
    MAP_TYPE: ClassVar[str] = ""
    """"atomic" where server-side apply owns the struct as one value. A class that embeds such a one says "" again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What `field` was told."""

    json: str
    number: int
    required: bool
    always: bool
    pointer: bool
    patch_strategy: str
    merge_key: str
    list_type: str
    list_map_keys: tuple[str, ...]
    map_type: str
    enum: tuple[str, ...]
    default: Any
    go: str

    @property
    def extensions(self) -> dict[str, Any]:
        """The keys of OpenAPI and JSON schemas by which clients learn how to merge."""
        extensions = {
            "x-kubernetes-list-map-keys": list(self.list_map_keys),
            "x-kubernetes-list-type": self.list_type,
            "x-kubernetes-map-type": self.map_type,
            "x-kubernetes-patch-merge-key": self.merge_key,
            "x-kubernetes-patch-strategy": self.patch_strategy,
        }
        return {name: value for name, value in extensions.items() if value}

    def __call__(self, schema: dict[str, Any]) -> None:
        """As pydantic's `json_schema_extra`, the one place where a field has room for it."""
        schema.update(self.extensions)


def field(
    number: int,
    doc: str,
    *,
    json: str = "",
    required: bool = False,
    always: bool = False,
    pointer: bool = False,
    patch: str = "",
    merge_key: str = "",
    list_type: str = "",
    map_keys: tuple[str, ...] = (),
    map_type: str = "",
    enum: tuple[str, ...] = (),
    default: Any = None,
    go: str = "",
) -> Any:
    """Declares one field.

    `always`: the server prints it even when it is empty (Go: no `omitempty`, or a struct held by value).
    `pointer`: absent and zero are different things, so a zero is kept.
    `patch`/`merge_key`: strategic merge; `list_type`/`map_keys`/`map_type`: server-side apply.
    `go`: the type as Go's error messages name it, where it is not what the annotation suggests.
    """
    declared = Declaration(
        json=json,
        number=number,
        required=required,
        always=always,
        pointer=pointer,
        patch_strategy=patch,
        merge_key=merge_key,
        list_type=list_type,
        list_map_keys=map_keys,
        map_type=map_type,
        enum=enum,
        default=default,
        go=go,
    )
    return pydantic.Field(
        default=... if required else None, alias=json or None, description=doc, json_schema_extra=declared
    )


class TypedModel(Model):
    """A message that says its own kind. In protobuf both fields live in the envelope, hence number 0."""

    API_VERSION: ClassVar[str] = ""

    kind: str | None = field(0, "Kind of the object.")
    apiVersion: str | None = field(0, "Version of the API, with its group, that the object is written in.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Declaration):
    """Everything known of one field of one model: what was declared, its name and Go type filled in, and what the
    annotation says."""

    kind: Kind
    container: str
    """"" for a single value, "list" or "map"."""
    message: type[Model] | None
    """The element's model when `kind` is MESSAGE."""
    embedded: int
    """Protobuf number of the embedded message that holds this field; 0 when the model itself does."""
    go_element: str
    """Go's name of the element's type, as its decoder's errors print it; `go` is that of the whole."""
    doc: str


@cache
def fields(model: type[Model]) -> Mapping[str, Field]:
    """The table of a model: JSON name → Field, in the order in which the server prints them."""
    entries = [_field(model, name, info) for name, info in model.model_fields.items()]
    if model.EMBEDDED:  # Python puts what a base class declares first, Go has the embedded struct anywhere.
        entries.sort(key=lambda entry: entry.embedded or entry.number)
    return types.MappingProxyType({entry.json: entry for entry in entries})


def _field(model: type[Model], name: str, info: FieldInfo) -> Field:
    declared = info.json_schema_extra
    if not isinstance(declared, Declaration):
        raise TypeError(f"{model.__name__}.{name} is not declared with field()")
    container, element, metadata = _unwrap(info.annotation, list(info.metadata))
    kind, message = _kind(element, metadata)
    go_element = _GO[kind] if message is None else go_name(message)
    shape = {"": "", "list": "[]", "map": "map[string]"}[container]
    said = {each.name: getattr(declared, each.name) for each in dataclasses.fields(declared)}
    filled_in = {"json": declared.json or name, "go": declared.go or shape + go_element}
    return Field(
        **said | filled_in,
        kind=kind,
        container=container,
        message=message,
        embedded=model.EMBEDDED.get(_owner(model, name), 0),
        go_element=_go_element(declared.go, container) or go_element,
        doc=info.description or "",
    )


_GO = {
    Kind.STRING: "string",
    Kind.INT32: "int32",
    Kind.INT64: "int64",
    Kind.DOUBLE: "float64",
    Kind.BOOL: "bool",
    Kind.BYTES: "[]uint8",
    Kind.TIME: "v1.Time",
    Kind.MICRO_TIME: "v1.MicroTime",
    Kind.QUANTITY: "resource.Quantity",
    Kind.INT_OR_STRING: "intstr.IntOrString",
    Kind.RAW: "runtime.RawExtension",
    Kind.STRINGS: "v1.ExtraValue",
    Kind.MESSAGE: "",
}


def go_name(model: type[Model]) -> str:
    """A model as Go's messages name it: `v2.MetricSpec` of `sampan_api.models.autoscaling_v2`."""
    version = re.search(r"_(v\d\w*)(?:\.|$)", model.__module__)
    return f"{version[1] if version else 'v1'}.{model.__name__}"


def _go_element(go: str, container: str) -> str:
    """`v1.Capability` of a declared `[]v1.Capability`; a named map type says nothing of its elements."""
    return "" if container == "map" else go.removeprefix("[]")


def _owner(model: type[Model], name: str) -> type[Model]:
    """The class whose body declares this field."""
    for base in model.__mro__:
        if issubclass(base, Model) and name in vars(base).get("__annotations__", {}):
            return base
    return model


def _unwrap(annotation: Any, metadata: list[Any]) -> tuple[str, Any, list[Any]]:
    """(container, element type, its annotations) of `list[X] | None`, `dict[str, X]`, `Annotated[X, …] | None` …"""
    if get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
        rest = [arg for arg in get_args(annotation) if arg is not type(None)]
        if len(rest) == 1:
            return _unwrap(rest[0], metadata)
    if get_origin(annotation) is Annotated:
        return _unwrap(get_args(annotation)[0], [*metadata, *get_args(annotation)[1:]])
    if any(isinstance(item, Kind) for item in metadata):
        return "", annotation, metadata
    if get_origin(annotation) is list:
        return "list", *_element(get_args(annotation)[0])
    if get_origin(annotation) is dict:
        return "map", *_element(get_args(annotation)[1])
    return "", annotation, metadata


def _element(annotation: Any) -> tuple[Any, list[Any]]:
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0], list(get_args(annotation)[1:])
    return annotation, []


def _kind(element: Any, metadata: list[Any]) -> tuple[Kind, type[Model] | None]:
    for item in metadata:
        if isinstance(item, Kind):
            return item, None
    if element is str:
        return Kind.STRING, None
    if element is bool:
        return Kind.BOOL, None
    if element is float:
        return Kind.DOUBLE, None
    if isinstance(element, type) and issubclass(element, Model):
        return Kind.MESSAGE, element
    raise TypeError(f"{element!r} is no type of the API")
