"""ControllerRevision: a snapshot of a template that its controller keeps, to go back to."""

from __future__ import annotations

from typing import Any

from sampan_api.client import CONTROLLERREVISIONS
from sampan_api.meta import Object, controller_of

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import Errors, required
from sampan_master.apiserver.validation.numbers import non_negative
from sampan_master.apiserver.validation.updates import unchanged


def _validate(obj: Object) -> Errors:
    if obj.get("data") is None:
        yield required("data", "data is mandatory")
    yield from non_negative(obj["revision"], "revision")


def _validate_update(new: Object, old: Object) -> Errors:
    return unchanged(new, old, ("data",))


def _owner(obj: Object) -> str:
    """`statefulset.apps/web`."""
    owner = controller_of(obj)
    if owner is None:
        return "<none>"
    group = owner["apiVersion"].rpartition("/")[0]
    kind = owner["kind"].lower()
    return f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"


def _cells(obj: Object, now: float) -> list[Any]:
    return [obj["metadata"]["name"], _owner(obj), obj.get("revision", 0), age(obj, now)]


RESOURCE = ResourceType(
    resource=CONTROLLERREVISIONS,
    singular="controllerrevision",
    validate=_validate,
    validate_update=_validate_update,
    columns=(NAME_COLUMN, Column("Controller"), Column("Revision"), AGE_COLUMN),
    cells=_cells,
)
