"""A model of `sampan_api` -> its OpenAPI schema. Names are Kubernetes' own, since clients look kinds up by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_api.fields import Field, Kind, Model, fields

V2, V3 = "#/definitions/", "#/components/schemas/"
"""Where a reference points, which also says the dialect."""

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_SPECIAL: dict[Kind, tuple[str, dict[str, Any]]] = {
    Kind.TIME: (f"{_META}.Time", {"type": "string", "format": "date-time"}),
    Kind.MICRO_TIME: (f"{_META}.MicroTime", {"type": "string", "format": "date-time"}),
    Kind.QUANTITY: ("io.k8s.apimachinery.pkg.api.resource.Quantity", {"type": "string"}),
    Kind.INT_OR_STRING: (
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        {"type": "string", "format": "int-or-string"},
    ),
}
_SPECIAL_V3: dict[Kind, dict[str, Any]] = {
    Kind.QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    Kind.INT_OR_STRING: {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}
_SCALAR: dict[Kind, dict[str, Any]] = {
    Kind.STRING: {"type": "string"},
    Kind.INT32: {"type": "integer", "format": "int32"},
    Kind.INT64: {"type": "integer", "format": "int64"},
    Kind.DOUBLE: {"type": "number", "format": "double"},
    Kind.BOOL: {"type": "boolean"},
    Kind.BYTES: {"type": "string", "format": "byte"},
    Kind.RAW: {"type": "object"},
    Kind.STRINGS: {"type": "array", "items": {"type": "string"}},
}


def schema_name(model: type[Model]) -> str:
    """`io.k8s.api.core.v1.Pod` of `sampan_api.models.core_v1.pod.Pod`."""
    module = model.__module__.removeprefix("sampan_api.models.").partition(".")[0]
    if module in ("meta_v1", "tables"):
        return f"{_META}.{model.__name__}"
    group, _, version = module.rpartition("_")
    return f"io.k8s.api.{group}.{version}.{model.__name__}"


class Definitions:
    """All schemas that some roots reach, in one dialect."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self.found: dict[str, dict[str, Any]] = {}

    def add(self, model: type[Model], kinds: Iterable[dict[str, str]] = ()) -> str:
        """Adds the model and all it refers to; answers the reference to it."""
        name = schema_name(model)
        if name not in self.found:
            self.found[name] = {}
            self.found[name] = self._schema(model)
        kinds = list(kinds)
        if kinds:
            self.found[name]["x-kubernetes-group-version-kind"] = kinds
        return self._dialect + name

    def add_list(self, model: type[Model], kind: dict[str, str], list_meta: type[Model]) -> str:
        """The list type of a kind, which has no class of its own."""
        name = f"{schema_name(model)}List"
        items = {"type": "array", "items": {"$ref": self.add(model)}, "description": "The objects."}
        self.found[name] = {
            "description": f"{model.__name__}List is a page of {model.__name__} objects.",
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string", "description": "Version of the API, with its group."},
                "items": items,
                "kind": {"type": "string", "description": "Kind of the object."},
                "metadata": self._reference(self.add(list_meta), "As of the list."),
            },
            "x-kubernetes-group-version-kind": [kind],
        }
        return self._dialect + name

    def _schema(self, model: type[Model]) -> dict[str, Any]:
        table = fields(model)
        schema: dict[str, Any] = {"description": (model.__doc__ or "").strip(), "type": "object"}
        required = [field.json for field in table.values() if field.required]
        if required:
            schema["required"] = required
        schema["properties"] = {name: self._field(table[name]) for name in sorted(table)}
        if model.MAP_TYPE:
            schema["x-kubernetes-map-type"] = model.MAP_TYPE
        return schema

    def _field(self, field: Field) -> dict[str, Any]:
        match field.container:
            case "list":
                schema = {"description": field.doc, "type": "array", "items": self._element(field)}
            case "map":
                schema = {"description": field.doc, "type": "object", "additionalProperties": self._element(field)}
            case _:
                element = self._element(field)
                if "$ref" in element:
                    schema = self._reference(element["$ref"], field.doc)
                else:
                    schema = {"description": field.doc, **element}
        if field.enum and field.container == "" and self._dialect == V3:
            schema["enum"] = list(field.enum)
        if field.default is not None and self._dialect == V3:
            schema["default"] = field.default
        return schema | field.extensions

    def _reference(self, target: str, doc: str) -> dict[str, Any]:
        """Version 3 allows nothing beside a `$ref`, so it goes into `allOf`."""
        if self._dialect == V3:
            return {"description": doc, "allOf": [{"$ref": target}]}
        return {"description": doc, "$ref": target}

    def _element(self, field: Field) -> dict[str, Any]:
        if field.message is not None:
            return {"$ref": self.add(field.message)}
        special = _SPECIAL.get(field.kind)
        if special is None:
            return dict(_SCALAR[field.kind])
        name, schema = special
        if self._dialect == V3:
            schema = _SPECIAL_V3.get(field.kind, schema)
        self.found.setdefault(name, dict(schema))
        return {"$ref": self._dialect + name}
