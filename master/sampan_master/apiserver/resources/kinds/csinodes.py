"""CSINode: the storage drivers of the node of that name. Our nodes have none and so make none."""

from __future__ import annotations

from typing import Any

from sampan_api.client import CSINODES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.csi import validate_node, validate_node_update


def _cells(obj: Object, now: float) -> list[Any]:
    return [obj["metadata"]["name"], len(obj["spec"].get("drivers") or []), age(obj, now)]


RESOURCE = ResourceType(
    resource=CSINODES,
    singular="csinode",
    idle=True,
    answers_object=True,
    validate=validate_node,
    validate_update=validate_node_update,
    columns=(NAME_COLUMN, Column("Drivers", "integer"), AGE_COLUMN),
    cells=_cells,
)
