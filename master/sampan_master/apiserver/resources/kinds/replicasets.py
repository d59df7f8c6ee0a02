"""ReplicaSet: so many pods of one template."""

from __future__ import annotations

from typing import Any

from sampan_api.client import REPLICASETS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.resource_type import (
    AGE_COLUMN,
    NAME_COLUMN,
    SCALE_SUBRESOURCE,
    Column,
    ResourceType,
    age,
    status_of,
)
from sampan_master.apiserver.resources.templates import (
    CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
    container_cells,
    default_template,
    pod_name_warnings,
    selector_cell,
    template_warnings,
)
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.numbers import non_negative
from sampan_master.apiserver.validation.replica_status import validate_counts, validate_parts
from sampan_master.apiserver.validation.templates import selector_unchanged, validate_selected_template

_PARTS = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)


def _prepare_create(obj: Object) -> None:
    obj["status"] = {"replicas": 0}


def _prepare_status(new: Object, old: Object) -> None:
    new.setdefault("status", {}).setdefault("replicas", 0)


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    yield from non_negative(spec.get("replicas"), "spec.replicas")
    yield from non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    yield from validate_selected_template(spec, "empty selector is invalid for deployment")


def _validate_status(new: Object, old: Object) -> Errors:
    status = new.get("status") or {}
    yield from validate_counts(status, ("replicas", *_PARTS, "observedGeneration", "terminatingReplicas"))
    yield from validate_parts(status, _PARTS)


def _warnings(obj: Object) -> list[str]:
    return pod_name_warnings(obj) + template_warnings(obj)


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj, now),
        *container_cells(spec["template"]),
        selector_cell(spec),
    ]


RESOURCE = ResourceType(
    resource=REPLICASETS,
    singular="replicaset",
    short_names=("rs",),
    categories=("all",),
    subresources=(SCALE_SUBRESOURCE, status_of("ReplicaSet")),
    generation=True,
    separate_status=True,
    default=_default,
    prepare_create=_prepare_create,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=selector_unchanged,
    validate_status=_validate_status,
    columns=(
        NAME_COLUMN,
        Column("Desired", "integer"),
        Column("Current", "integer"),
        Column("Ready", "integer"),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    cells=_cells,
    field_selectors={"status.replicas": lambda obj: str((obj.get("status") or {}).get("replicas", 0))},
    warnings=_warnings,
)
