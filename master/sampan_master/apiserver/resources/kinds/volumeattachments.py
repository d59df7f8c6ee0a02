"""VolumeAttachment: a wish to attach a volume to a node. The spec never changes; `/status` says how far it is."""

from __future__ import annotations

from typing import Any

from sampan_api.client import VOLUMEATTACHMENTS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType, status_of
from sampan_master.apiserver.validation.csi import (
    validate_attachment,
    validate_attachment_status,
    validate_attachment_update,
)


def _prepare_create(obj: Object) -> None:
    obj["status"] = {"attached": False}


def _cells(obj: Object, now: float) -> list[Any]:
    spec = obj["spec"]
    return [
        obj["metadata"]["name"],
        spec.get("attacher", ""),
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName", ""),
        bool((obj.get("status") or {}).get("attached")),
        age(obj, now),
    ]


RESOURCE = ResourceType(
    resource=VOLUMEATTACHMENTS,
    singular="volumeattachment",
    idle=True,
    answers_object=True,
    subresources=(status_of("VolumeAttachment"),),
    separate_status=True,
    prepare_create=_prepare_create,
    validate=validate_attachment,
    validate_update=validate_attachment_update,
    validate_status=validate_attachment_status,
    columns=(
        NAME_COLUMN,
        Column("Attacher", format="name"),
        Column("PV"),
        Column("Node"),
        Column("Attached", "boolean"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
