"""PersistentVolumeClaim: a wish for storage. Nobody grants it yet, so it stays Pending.

The finalizer that protects it while pods use it is set as Kubernetes does; as no pod can use a claim, it never holds.
"""

from __future__ import annotations

from typing import Any

from sampan_api.client import PERSISTENTVOLUMECLAIMS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.kinds.persistentvolumes import (
    access_modes,
    class_of,
    held_otherwise,
    phase,
    protect,
)
from sampan_master.apiserver.resources.resource_type import ResourceType, status_of
from sampan_master.apiserver.validation.persistent import validate_claim, validate_claim_update

PROTECTION = "kubernetes.io/pvc-protection"


def default_claim_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("volumeMode", "Filesystem")
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)
    elif source is None and reference is not None and not reference.get("namespace"):
        spec["dataSource"] = {k: v for k, v in reference.items() if k != "namespace"}


def _default(obj: Object) -> None:
    default_claim_spec(obj.setdefault("spec", {}))


def _prepare_create(obj: Object) -> None:
    protect(obj, PROTECTION)
    obj["status"] = {"phase": "Pending"}


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        obj["metadata"]["name"],
        phase(obj),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "0") if bound else "",
        access_modes(status.get("accessModes") or []) if bound else "",
        class_of(obj),
        spec.get("volumeAttributesClassName") or "<unset>",
        age(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


RESOURCE = ResourceType(
    resource=PERSISTENTVOLUMECLAIMS,
    singular="persistentvolumeclaim",
    short_names=("pvc",),
    subresources=(status_of("PersistentVolumeClaim"),),
    separate_status=True,
    idle=True,
    answers_object=True,
    default=_default,
    prepare_create=_prepare_create,
    validate=validate_claim,
    validate_update=validate_claim_update,
    lingers=lambda obj: held_otherwise(obj, PROTECTION),
    columns=(
        NAME_COLUMN,
        Column("Status"),
        Column("Volume"),
        Column("Capacity"),
        Column("Access Modes"),
        Column("StorageClass"),
        Column("VolumeAttributesClass"),
        AGE_COLUMN,
        Column("VolumeMode", wide=True),
    ),
    cells=_cells,
)
