"""ConfigMap."""

from __future__ import annotations

import base64
from typing import Any

from sampan_api.client import CONFIGMAPS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, too_long
from sampan_master.apiserver.validation.names import complain, config_key

MAX_DATA = 1024 * 1024


def _validate(obj: Object) -> Errors:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    size = 0
    for key, value in data.items():
        yield from complain(f"data[{key}]", key, config_key(key))
        if key in binary:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        size += len(value.encode())
    for key, value in binary.items():
        yield from complain(f"binaryData[{key}]", key, config_key(key))
        size += len(base64.b64decode(value))
    if size > MAX_DATA:
        yield too_long("[]", MAX_DATA)


def validate_immutable(new: Object, old: Object, fields: tuple[str, ...]) -> Errors:
    """`immutable: true` is for ever, and freezes `fields`."""
    if not old.get("immutable"):
        return
    said = "field is immutable when `immutable` is set"
    if not new.get("immutable"):
        yield forbidden("immutable", said)
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            yield forbidden(field, said)


def _validate_update(new: Object, old: Object) -> Errors:
    return validate_immutable(new, old, ("data", "binaryData"))


def _cells(obj: Object, now: float) -> list[Any]:
    count = len(obj.get("data") or {}) + len(obj.get("binaryData") or {})
    return [obj["metadata"]["name"], count, age(obj, now)]


RESOURCE = ResourceType(
    resource=CONFIGMAPS,
    singular="configmap",
    short_names=("cm",),
    validate=_validate,
    validate_update=_validate_update,
    columns=(NAME_COLUMN, Column("Data"), AGE_COLUMN),
    cells=_cells,
)
