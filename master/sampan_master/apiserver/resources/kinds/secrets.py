"""Secret: `stringData` is folded into `data` and never stored."""

from __future__ import annotations

import base64
from typing import Any

from sampan_api.client import SECRETS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.kinds.configmaps import MAX_DATA, validate_immutable
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import Errors, required, too_long
from sampan_master.apiserver.validation.names import complain, config_key
from sampan_master.apiserver.validation.updates import unchanged

_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _default(obj: Object) -> None:
    if not obj.get("type"):
        obj["type"] = "Opaque"
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _validate(obj: Object) -> Errors:
    data = obj.get("data") or {}
    size = 0
    for key, value in data.items():
        yield from complain(f"data[{key}]", key, config_key(key))
        size += len(base64.b64decode(value))
    if size > MAX_DATA:
        yield too_long("data", MAX_DATA)
    for key in _REQUIRED_KEYS.get(obj.get("type", ""), ()):
        if key not in data:
            yield required(f"data[{key}]")


def _validate_update(new: Object, old: Object) -> Errors:
    yield from unchanged(new, old, ("type",))
    yield from validate_immutable(new, old, ("data",))


def _type(obj: Object) -> str:
    return str(obj.get("type", ""))


def _cells(obj: Object, now: float) -> list[Any]:
    return [obj["metadata"]["name"], _type(obj), len(obj.get("data") or {}), age(obj, now)]


RESOURCE = ResourceType(
    resource=SECRETS,
    singular="secret",
    default=_default,
    validate=_validate,
    validate_update=_validate_update,
    columns=(NAME_COLUMN, Column("Type"), Column("Data"), AGE_COLUMN),
    cells=_cells,
    field_selectors={"type": _type},
)
