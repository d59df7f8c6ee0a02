"""ReplicationController: the predecessor of ReplicaSet. Its selector is a map, by default the template's labels."""

from __future__ import annotations

from typing import Any

from sampan_api.client import REPLICATIONCONTROLLERS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.kinds.services import label_text
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
    template_warnings,
)
from sampan_master.apiserver.validation.fields import Errors, invalid, required
from sampan_master.apiserver.validation.numbers import non_negative
from sampan_master.apiserver.validation.templates import keeps_running, validate_template


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    if "template" not in spec:
        return
    default_template(spec)
    labels = spec["template"]["metadata"].get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)


def _prepare_create(obj: Object) -> None:
    obj["status"] = {"replicas": 0}


def _prepare_status(new: Object, old: Object) -> None:
    new.setdefault("status", {}).setdefault("replicas", 0)


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    yield from non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    selector = spec.get("selector") or {}
    if not selector:
        yield required("spec.selector")
    yield from non_negative(spec.get("replicas"), "spec.replicas")
    if "template" not in spec:
        yield required("spec.template")
        return
    labels = spec["template"]["metadata"].get("labels")
    if not selector.items() <= (labels or {}).items():
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from validate_template(spec["template"], "spec.template")
    yield from keeps_running(spec["template"]["spec"], "ReplicationController")


_COUNTS = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")


def _validate_status(new: Object, old: Object) -> Errors:
    status = new["status"]
    for field in ("replicas", *_COUNTS, "observedGeneration"):
        yield from non_negative(status.get(field), f"status.{field}")
    for field in _COUNTS:
        if status.get(field, 0) > status["replicas"]:
            yield invalid(f"status.{field}", status[field], "cannot be greater than status.replicas")
    if status.get("availableReplicas", 0) > status.get("readyReplicas", 0):
        yield invalid("status.availableReplicas", status["availableReplicas"], "cannot be greater than readyReplicas")


def _scale_selector(obj: Object) -> str:
    selector = obj["spec"].get("selector")
    return label_text(selector) if selector else ""


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj, now),
        *container_cells(spec["template"]),
        label_text(spec.get("selector") or {}),
    ]


RESOURCE = ResourceType(
    resource=REPLICATIONCONTROLLERS,
    singular="replicationcontroller",
    short_names=("rc",),
    categories=("all",),
    subresources=(SCALE_SUBRESOURCE, status_of("ReplicationController")),
    generation=True,
    orphans=True,
    separate_status=True,
    default=_default,
    prepare_create=_prepare_create,
    prepare_status=_prepare_status,
    validate=_validate,
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
    scale_selector=_scale_selector,
    warnings=template_warnings,
)
