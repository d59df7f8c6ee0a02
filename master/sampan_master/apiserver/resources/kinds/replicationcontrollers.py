"""ReplicationController: the predecessor of ReplicaSet. Its selector is a map, by default the template's labels."""

from __future__ import annotations

from typing import Any

from sampan_api.client import REPLICATIONCONTROLLERS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import label_text
from sampan_master.apiserver.resources.kinds import replicas
from sampan_master.apiserver.resources.resource_type import SCALE_SUBRESOURCE, ResourceType, status_of
from sampan_master.apiserver.resources.templates import (
    default_template,
    template_warnings,
)
from sampan_master.apiserver.validation.fields import Errors, invalid, required
from sampan_master.apiserver.validation.numbers import non_negative
from sampan_master.apiserver.validation.replica_status import validate_counts, validate_parts
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


def _validate_status(new: Object, old: Object) -> Errors:
    status = new["status"]
    yield from validate_counts(status, ("replicas", *replicas.PARTS, "observedGeneration"))
    yield from validate_parts(status, replicas.PARTS)


def _scale_selector(obj: Object) -> str:
    selector = obj["spec"].get("selector")
    return label_text(selector) if selector else ""


def _cells(obj: Object, now: float) -> list[Any]:
    return replicas.cells(obj, now, label_text(obj["spec"].get("selector") or {}))


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
    prepare_create=replicas.prepare_create,
    prepare_status=replicas.prepare_status,
    validate=_validate,
    validate_status=_validate_status,
    columns=replicas.COLUMNS,
    cells=_cells,
    field_selectors=replicas.FIELD_SELECTORS,
    scale_selector=_scale_selector,
    warnings=template_warnings,
)
