"""ReplicaSet: so many pods of one template."""

from __future__ import annotations

from typing import Any

from sampan_api.client import REPLICASETS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.kinds import replicas
from sampan_master.apiserver.resources.resource_type import SCALE_SUBRESOURCE, ResourceType, status_of
from sampan_master.apiserver.resources.templates import (
    default_template,
    selector_cell,
    workload_warnings,
)
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.numbers import non_negative
from sampan_master.apiserver.validation.replica_status import validate_counts, validate_parts
from sampan_master.apiserver.validation.templates import selector_unchanged, validate_selected_template


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    yield from non_negative(spec.get("replicas"), "spec.replicas")
    yield from non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    yield from validate_selected_template(spec, "empty selector is invalid for deployment")


def _validate_status(new: Object, old: Object) -> Errors:
    status = new.get("status") or {}
    yield from validate_counts(status, ("replicas", *replicas.PARTS, "observedGeneration", "terminatingReplicas"))
    yield from validate_parts(status, replicas.PARTS)


def _cells(obj: Object, now: float) -> list[Any]:
    return replicas.cells(obj, now, selector_cell(obj["spec"]))


RESOURCE = ResourceType(
    resource=REPLICASETS,
    singular="replicaset",
    short_names=("rs",),
    categories=("all",),
    subresources=(SCALE_SUBRESOURCE, status_of("ReplicaSet")),
    generation=True,
    separate_status=True,
    default=_default,
    prepare_create=replicas.prepare_create,
    prepare_status=replicas.prepare_status,
    validate=_validate,
    validate_update=selector_unchanged,
    validate_status=_validate_status,
    columns=replicas.COLUMNS,
    cells=_cells,
    field_selectors=replicas.FIELD_SELECTORS,
    warnings=workload_warnings,
)
