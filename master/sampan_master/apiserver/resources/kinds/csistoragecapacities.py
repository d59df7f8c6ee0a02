"""CSIStorageCapacity: how much room a driver has for volumes of one class in one part of the cluster."""

from __future__ import annotations

from sampan_api.client import CSISTORAGECAPACITIES

from sampan_master.apiserver.resources.columns import CREATED_COLUMN, NAME_COLUMN, name_and_creation
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.csi import validate_capacity, validate_capacity_update

RESOURCE = ResourceType(
    resource=CSISTORAGECAPACITIES,
    singular="csistoragecapacity",
    idle=True,
    answers_object=True,
    validate=validate_capacity,
    validate_update=validate_capacity_update,
    columns=(NAME_COLUMN, CREATED_COLUMN),
    cells=name_and_creation,
)
