"""StorageClass: a kind of storage. Claims that name no class get the default one; nobody makes volumes yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_api.client import STORAGECLASSES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import (
    Errors,
    duplicate,
    forbidden,
    invalid,
    one_of,
    required,
    too_long,
)
from sampan_master.apiserver.validation.names import complain, label_value, qualified_name
from sampan_master.apiserver.validation.updates import unchanged

_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_POLICIES = ("Delete", "Retain")
_MODES = ("Immediate", "WaitForFirstConsumer")
_LARGEST, _MOST = 256 * 1024, 512


def is_default(obj: Object) -> bool:
    annotations = obj["metadata"].get("annotations") or {}
    return any(annotations.get(name) == "true" for name in _DEFAULT_CLASS)


def default_class(classes: Iterable[Object]) -> str:
    """The name of the youngest default class, "" when there is none. Of the same age: the first by name."""
    defaults = sorted((obj for obj in classes if is_default(obj)), key=lambda obj: str(obj["metadata"]["name"]))
    youngest = max(defaults, key=lambda obj: str(obj["metadata"]["creationTimestamp"]), default=None)
    return "" if youngest is None else str(youngest["metadata"]["name"])


def _default(obj: Object) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def _validate(obj: Object) -> Errors:
    provisioner = obj.get("provisioner", "")
    if provisioner:
        yield from complain("provisioner", provisioner, qualified_name(provisioner.lower()))
    else:
        yield required("provisioner")
    parameters = obj.get("parameters") or {}
    if len(parameters) > _MOST:
        yield too_long("parameters", _MOST)
    elif sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > _LARGEST:
        yield too_long("parameters", _LARGEST)
    if "" in parameters:
        yield invalid("parameters", "", "field can not be empty.")
    yield from one_of(obj["reclaimPolicy"], _POLICIES, "reclaimPolicy")
    yield from one_of(obj["volumeBindingMode"], _MODES, "volumeBindingMode")
    for index, term in enumerate(obj.get("allowedTopologies") or []):
        yield from _topology(term, f"allowedTopologies[{index}]")


def _topology(term: dict[str, Any], path: str) -> Errors:
    seen: set[str] = set()
    for index, expression in enumerate(term.get("matchLabelExpressions") or []):
        at, key, values = f"{path}.matchLabelExpressions[{index}]", expression["key"], expression.get("values") or []
        if not values:
            yield required(f"{at}.values")
        for place, value in enumerate(values):
            if value in values[:place]:
                yield duplicate(f"{at}.values[{place}]", value)
            yield from complain(f"{at}.values[{place}]", value, label_value(value))
        yield from complain(f"{at}.key", key, qualified_name(key))
        if key in seen:
            yield duplicate(f"{at}.key", key)
        seen.add(key)


def _validate_update(new: Object, old: Object) -> Errors:
    for field in ("parameters", "provisioner", "reclaimPolicy"):
        if new.get(field) != old.get(field):
            yield forbidden(field, f"updates to {field} are forbidden.")
    yield from unchanged(new, old, ("volumeBindingMode",))


def _cells(obj: Object, now: float) -> list[Any]:
    name = obj["metadata"]["name"]
    return [
        f"{name} (default)" if is_default(obj) else name,
        obj["provisioner"],
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


RESOURCE = ResourceType(
    resource=STORAGECLASSES,
    singular="storageclass",
    short_names=("sc",),
    idle=True,
    answers_object=True,
    default=_default,
    validate=_validate,
    validate_update=_validate_update,
    columns=(
        NAME_COLUMN,
        Column("Provisioner"),
        Column("ReclaimPolicy"),
        Column("VolumeBindingMode"),
        Column("AllowVolumeExpansion"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
