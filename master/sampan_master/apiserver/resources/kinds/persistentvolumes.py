"""PersistentVolume: storage of the cluster. Nobody binds claims to it yet.

The finalizer that protects it while it is bound is set as Kubernetes does; a volume that is not bound goes at once.
"""

from __future__ import annotations

from typing import Any

from sampan_api.client import PERSISTENTVOLUMES
from sampan_api.fields import fields
from sampan_api.meta import Object
from sampan_api.models.core_v1.persistent_volume import PersistentVolumeSource

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType, status_of
from sampan_master.apiserver.validation.persistent import BETA_CLASS, validate_volume, validate_volume_update

PROTECTION = "kubernetes.io/pv-protection"
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if spec.get("hostPath") is not None:
        spec["hostPath"].setdefault("type", "")
    for name, source in fields(PersistentVolumeSource).items():
        if spec.get(name) is not None and source.message is not None:
            for field in fields(source.message).values():
                if field.default is not None:
                    spec[name].setdefault(field.json, field.default)


def _prepare_create(obj: Object) -> None:
    protect(obj, PROTECTION)
    obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": obj["metadata"]["creationTimestamp"]}


def protect(obj: Object, finalizer: str) -> None:
    finalizers = obj["metadata"].get("finalizers") or []
    if finalizer not in finalizers:
        obj["metadata"]["finalizers"] = [*finalizers, finalizer]


def held_otherwise(obj: Object, protection: str) -> bool:
    """Whether somebody beside the protection holds a deleted object."""
    return any(finalizer != protection for finalizer in obj["metadata"].get("finalizers") or [])


def _lingers(obj: Object) -> bool:
    return held_otherwise(obj, PROTECTION) or (obj.get("status") or {}).get("phase") == "Bound"


def access_modes(modes: list[str]) -> str:
    return ",".join(short for mode, short in _SHORT.items() if mode in modes)


def class_of(obj: Object) -> str:
    annotation = (obj["metadata"].get("annotations") or {}).get(BETA_CLASS)
    return str(annotation or obj["spec"].get("storageClassName") or "")


def phase(obj: Object) -> str:
    going = obj["metadata"].get("deletionTimestamp")
    return "Terminating" if going else str((obj.get("status") or {}).get("phase", ""))


def _cells(obj: Object, now: float) -> list[Any]:
    spec, claim = obj["spec"], obj["spec"].get("claimRef")
    return [
        obj["metadata"]["name"],
        (spec.get("capacity") or {}).get("storage", "0"),
        access_modes(spec.get("accessModes") or []),
        spec.get("persistentVolumeReclaimPolicy", ""),
        phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        class_of(obj),
        spec.get("volumeAttributesClassName") or "<unset>",
        (obj.get("status") or {}).get("reason", ""),
        age(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


RESOURCE = ResourceType(
    resource=PERSISTENTVOLUMES,
    singular="persistentvolume",
    short_names=("pv",),
    subresources=(status_of("PersistentVolume"),),
    separate_status=True,
    idle=True,
    answers_object=True,
    default=_default,
    prepare_create=_prepare_create,
    validate=validate_volume,
    validate_update=validate_volume_update,
    lingers=_lingers,
    columns=(
        NAME_COLUMN,
        Column("Capacity"),
        Column("Access Modes"),
        Column("Reclaim Policy"),
        Column("Status"),
        Column("Claim"),
        Column("StorageClass"),
        Column("VolumeAttributesClass"),
        Column("Reason"),
        AGE_COLUMN,
        Column("VolumeMode", wide=True),
    ),
    cells=_cells,
)
