"""CSIStorageCapacity: how much room a driver has for volumes of one class in one part of the cluster."""

from __future__ import annotations

from typing import Any

from sampan_api.client import CSISTORAGECAPACITIES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.resource_type import NAME_COLUMN, Column, ResourceType
from sampan_master.apiserver.validation.csi import validate_capacity, validate_capacity_update


def _cells(obj: Object, _now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj["metadata"]["creationTimestamp"]]


RESOURCE = ResourceType(
    resource=CSISTORAGECAPACITIES,
    singular="csistoragecapacity",
    idle=True,
    answers_object=True,
    validate=validate_capacity,
    validate_update=validate_capacity_update,
    columns=(NAME_COLUMN, Column("Created At", "date")),
    cells=_cells,
)
