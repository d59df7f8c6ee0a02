"""Deployment: pods of one template, replaced step by step when it changes, by way of ReplicaSets."""

from __future__ import annotations

from typing import Any

from sampan_api.client import DEPLOYMENTS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import SCALE_SUBRESOURCE, ResourceType, nothing_observed, status_of
from sampan_master.apiserver.resources.templates import (
    CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
    container_cells,
    default_template,
    selector_cell,
    workload_warnings,
)
from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, unsupported
from sampan_master.apiserver.validation.numbers import count_or_percent, non_negative, not_above_all, share
from sampan_master.apiserver.validation.replica_status import validate_collisions, validate_counts, validate_parts
from sampan_master.apiserver.validation.strategies import strategy_as_go_has_it
from sampan_master.apiserver.validation.templates import selector_unchanged, validate_selected_template

_ABSENT = {"maxUnavailable": 0, "maxSurge": 0}
_PARTS = ("updatedReplicas", "readyReplicas", "availableReplicas")
_COUNTS = ("observedGeneration", "replicas", *_PARTS, "unavailableReplicas", "terminatingReplicas", "collisionCount")


def _default(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    default_template(spec)
    strategy = spec["strategy"]
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def _prepare_status(new: Object, old: Object) -> None:
    """Labels are not the status writer's business."""
    labels = old["metadata"].get("labels")
    new["metadata"].pop("labels", None)
    if labels:
        new["metadata"]["labels"] = labels


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    yield from non_negative(spec["replicas"], "spec.replicas")
    yield from validate_selected_template(spec, "empty selector is invalid for deployment")
    yield from _strategy(spec["strategy"])
    yield from non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    yield from non_negative(spec["revisionHistoryLimit"], "spec.revisionHistoryLimit")
    deadline = spec["progressDeadlineSeconds"]
    yield from non_negative(deadline, "spec.progressDeadlineSeconds")
    if deadline <= spec.get("minReadySeconds", 0):
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _strategy(strategy: dict[str, Any]) -> Errors:
    path = "spec.strategy.rollingUpdate"
    if strategy["type"] == "Recreate":
        if "rollingUpdate" in strategy:
            yield forbidden(path, "may not be specified when strategy `type` is 'Recreate'")
    elif strategy["type"] == "RollingUpdate":
        rolling = strategy["rollingUpdate"]
        missing, more = rolling["maxUnavailable"], rolling["maxSurge"]
        yield from count_or_percent(missing, f"{path}.maxUnavailable")
        yield from count_or_percent(more, f"{path}.maxSurge")
        if share(missing) == 0 and share(more) == 0:
            yield invalid(f"{path}.maxUnavailable", missing, "may not be 0 when `maxSurge` is 0")
        yield from not_above_all(missing, f"{path}.maxUnavailable")
    else:
        yield unsupported("spec.strategy", strategy_as_go_has_it(strategy, _ABSENT), ("Recreate", "RollingUpdate"))


def _validate_status(new: Object, old: Object) -> Errors:
    status = new.get("status") or {}
    yield from validate_counts(status, _COUNTS)
    yield from validate_parts(status, _PARTS)
    yield from validate_collisions(new, old)


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(obj, now),
        *container_cells(spec["template"]),
        selector_cell(spec),
    ]


RESOURCE = ResourceType(
    resource=DEPLOYMENTS,
    singular="deployment",
    short_names=("deploy",),
    categories=("all",),
    subresources=(SCALE_SUBRESOURCE, status_of("Deployment")),
    generation=True,
    counts_annotations=True,
    separate_status=True,
    idle=True,
    default=_default,
    prepare_create=nothing_observed,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=selector_unchanged,
    validate_status=_validate_status,
    columns=(
        NAME_COLUMN,
        Column("Ready"),
        Column("Up-to-date"),
        Column("Available"),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    cells=_cells,
    warnings=workload_warnings,
)
