"""PriorityClass: a name for a number that pods take at creation."""

from __future__ import annotations

from typing import Any

from sampan_api.client import PRIORITYCLASSES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import Errors, forbidden, unsupported
from sampan_master.apiserver.validation.updates import unchanged

HIGHEST_USER_VALUE = 1_000_000_000
SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_POLICIES = ("Never", "PreemptLowerPriority")


def _default(obj: Object) -> None:
    obj.setdefault("value", 0)
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _validate(obj: Object) -> Errors:
    name, value = obj["metadata"].get("name", ""), obj["value"]
    if name.startswith("system-"):
        if SYSTEM_CLASSES.get(name) != value:
            yield forbidden(
                "metadata.name", "priority class names with 'system-' prefix are reserved for system use only"
            )
    elif value > HIGHEST_USER_VALUE:
        said = f"maximum allowed value of a user defined priority is {HIGHEST_USER_VALUE}"
        yield forbidden("value", said)
    if obj["preemptionPolicy"] not in _POLICIES:
        yield unsupported("preemptionPolicy", obj["preemptionPolicy"], ("PreemptLowerPriority", "Never"))


def _validate_update(new: Object, old: Object) -> Errors:
    if new["value"] != old.get("value", 0):
        yield forbidden("value", "may not be changed in an update.")
    yield from unchanged(new, old, ("preemptionPolicy",))


def _cells(obj: Object, now: float) -> list[Any]:
    return [
        obj["metadata"]["name"],
        obj.get("value", 0),
        bool(obj.get("globalDefault")),
        age(obj, now),
        obj.get("preemptionPolicy", ""),
    ]


RESOURCE = ResourceType(
    resource=PRIORITYCLASSES,
    singular="priorityclass",
    short_names=("pc",),
    generation=True,
    create_on_update=True,
    default=_default,
    validate=_validate,
    validate_update=_validate_update,
    columns=(
        NAME_COLUMN,
        Column("Value", "integer"),
        Column("Global-Default", "boolean"),
        AGE_COLUMN,
        Column("PreemptionPolicy"),
    ),
    cells=_cells,
    protected=frozenset(SYSTEM_CLASSES),
)
