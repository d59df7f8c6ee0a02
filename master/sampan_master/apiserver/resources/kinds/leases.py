"""Lease: heartbeats of nodes and locks of leaders."""

from __future__ import annotations

from typing import Any

from sampan_api.client import LEASES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import Errors, invalid
from sampan_master.apiserver.validation.numbers import non_negative


def _validate(obj: Object) -> Errors:
    spec = obj.get("spec") or {}
    duration = spec.get("leaseDurationSeconds")
    if duration is not None and duration <= 0:
        yield invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    yield from non_negative(spec.get("leaseTransitions"), "spec.leaseTransitions")


def _cells(obj: Object, now: float) -> list[Any]:
    return [obj["metadata"]["name"], (obj.get("spec") or {}).get("holderIdentity", ""), age(obj, now)]


RESOURCE = ResourceType(
    resource=LEASES,
    singular="lease",
    create_on_update=True,
    validate=_validate,
    columns=(NAME_COLUMN, Column("Holder"), AGE_COLUMN),
    cells=_cells,
)
