"""CSIDriver: a storage driver that the cluster has, and what it wants of others."""

from __future__ import annotations

from typing import Any

from sampan_api.client import CSIDRIVERS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.csi import validate_driver, validate_driver_update


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("attachRequired", True)
    spec.setdefault("podInfoOnMount", False)
    spec.setdefault("storageCapacity", False)
    spec.setdefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
    spec["volumeLifecycleModes"] = spec.get("volumeLifecycleModes") or ["Persistent"]
    spec.setdefault("requiresRepublish", False)
    spec.setdefault("seLinuxMount", False)


def _cells(obj: Object, now: float) -> list[Any]:
    spec = obj["spec"]
    requests = spec.get("tokenRequests")
    return [
        obj["metadata"]["name"],
        spec["attachRequired"],
        spec["podInfoOnMount"],
        spec["storageCapacity"],
        "<unset>" if requests is None else ",".join(request.get("audience", "") for request in requests),
        bool(spec.get("requiresRepublish")),
        ",".join(spec["volumeLifecycleModes"]),
        age(obj, now),
    ]


RESOURCE = ResourceType(
    resource=CSIDRIVERS,
    singular="csidriver",
    idle=True,
    answers_object=True,
    default=_default,
    validate=validate_driver,
    validate_update=validate_driver_update,
    columns=(
        NAME_COLUMN,
        Column("AttachRequired", "boolean"),
        Column("PodInfoOnMount", "boolean"),
        Column("StorageCapacity", "boolean"),
        Column("TokenRequests"),
        Column("RequiresRepublish", "boolean"),
        Column("Modes"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
