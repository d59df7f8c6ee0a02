"""PodDisruptionBudget: how many pods of an application evictions may take away at once. See `eviction`."""

from __future__ import annotations

from typing import Any

from sampan_api.client import PODDISRUPTIONBUDGETS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType, status_of
from sampan_master.apiserver.validation.affinity import validate_label_selector
from sampan_master.apiserver.validation.conditions import validate_conditions
from sampan_master.apiserver.validation.fields import Errors, invalid, one_of
from sampan_master.apiserver.validation.numbers import count_or_percent, non_negative, not_above_all

_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def _prepare_create(obj: Object) -> None:
    obj["status"] = dict.fromkeys(_COUNTS, 0)


def _validate(obj: Object) -> Errors:
    spec = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield invalid("spec", _as_go_has_it(spec), "minAvailable and maxUnavailable cannot be both set")
    for field in ("minAvailable", "maxUnavailable"):
        yield from count_or_percent(spec.get(field), f"spec.{field}")
        yield from not_above_all(spec.get(field), f"spec.{field}")
    if spec.get("selector") is not None:
        yield from validate_label_selector(spec["selector"], "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    yield from one_of(policy, _POLICIES, "spec.unhealthyPodEvictionPolicy")


def _as_go_has_it(spec: dict[str, Any]) -> dict[str, Any]:
    """The real server prints the struct by which it computes, whose fields carry Go's names."""
    fields = ("minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy")
    return {field[0].upper() + field[1:]: spec.get(field) for field in fields}


def _validate_status(new: Object, old: Object) -> Errors:
    status = new.get("status") or {}
    yield from validate_conditions(status.get("conditions") or [], "status.conditions")
    for field in _COUNTS:
        yield from non_negative(status.get(field), f"status.{field}")


def _prepare_status(new: Object, old: Object) -> None:
    status = new.get("status") or {}
    new["status"] = {**dict.fromkeys(_COUNTS, 0), **status}


def _shown(value: int | str | None) -> str:
    return "N/A" if value is None else str(value)


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        _shown(spec.get("minAvailable")),
        _shown(spec.get("maxUnavailable")),
        status.get("disruptionsAllowed", 0),
        age(obj, now),
    ]


RESOURCE = ResourceType(
    resource=PODDISRUPTIONBUDGETS,
    singular="poddisruptionbudget",
    short_names=("pdb",),
    subresources=(status_of("PodDisruptionBudget"),),
    generation=True,
    separate_status=True,
    prepare_create=_prepare_create,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_status=_validate_status,
    columns=(
        NAME_COLUMN,
        Column("Min Available"),
        Column("Max Unavailable"),
        Column("Allowed Disruptions", "integer"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
