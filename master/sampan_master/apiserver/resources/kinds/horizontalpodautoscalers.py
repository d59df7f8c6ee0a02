"""HorizontalPodAutoscaler: as many replicas as metrics ask for. Stored as autoscaling/v2, of which v1 is a view."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sampan_api.client import HORIZONTALPODAUTOSCALERS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.kinds.autoscaler_versions import from_stored, to_stored
from sampan_master.apiserver.resources.resource_type import Conversion, ResourceType, status_of
from sampan_master.apiserver.validation.autoscalers import SOURCES, validate_autoscaler
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.numbers import non_negative

_CPU_SHARE = 80
_UNKNOWN = "<unknown>"
_SHOWN = 2
"""So many metrics are shown, of the rest the number."""


def _default(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _CPU_SHARE}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
        pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
        _rules(behavior, "scaleUp", {"stabilizationWindowSeconds": 0, "policies": [pods, percent]})
        _rules(behavior, "scaleDown", {"policies": [percent]})
    _complete_status(obj)


def _rules(behavior: dict[str, Any], direction: str, defaults: dict[str, Any]) -> None:
    said = {field: value for field, value in (behavior.get(direction) or {}).items() if value not in (None, [])}
    behavior[direction] = {"selectPolicy": "Max", **defaults, **said}


def _complete_status(obj: Object) -> None:
    """What the real server prints even when nothing was said."""
    obj["status"] = {"desiredReplicas": 0, "currentMetrics": None, **(obj.get("status") or {})}


def _prepare_create(obj: Object) -> None:
    obj["status"] = {"desiredReplicas": 0, "currentMetrics": None}


def _prepare_status(new: Object, old: Object) -> None:
    _complete_status(new)


def _validate(obj: Object) -> Errors:
    return validate_autoscaler(obj["spec"])


def _validate_status(new: Object, old: Object) -> Errors:
    for field in ("currentReplicas", "desiredReplicas"):
        yield from non_negative(new["status"].get(field), f"status.{field}")


def _targets(obj: Object) -> str:
    """`cpu: 12%/80%, 3/10 (avg) + 1 more...`: each metric as it is and as it shall be."""
    metrics = obj["spec"].get("metrics") or []
    if not metrics:
        return "<none>"
    current = (obj.get("status") or {}).get("currentMetrics") or []
    told = [_told(metric, current[i] if i < len(current) else {}) for i, metric in enumerate(metrics)]
    more = f" + {len(told) - _SHOWN} more..." if len(told) > _SHOWN else ""
    return ", ".join(told[:_SHOWN]) + more


def _told(metric: dict[str, Any], state: dict[str, Any]) -> str:
    field = SOURCES.get(metric.get("type", ""))
    if field is None:
        return "<unknown type>"
    source, is_now = metric[field], (state.get(field) or {}).get("current") or {}
    target = source["target"]
    if field in ("resource", "containerResource"):
        return f"{source['name']}: " + _of_resource(target, is_now)
    if field == "pods":
        return f"{is_now.get('averageValue', _UNKNOWN)}/{target['averageValue']}"
    if "averageValue" in target:
        return f"{is_now.get('averageValue', _UNKNOWN)}/{target['averageValue']} (avg)"
    return f"{is_now.get('value', _UNKNOWN)}/{target['value']}"


def _of_resource(target: dict[str, Any], is_now: dict[str, Any]) -> str:
    if "averageValue" in target:
        return f"{is_now.get('averageValue', _UNKNOWN)}/{target['averageValue']}"
    wanted = f"{target['averageUtilization']}%" if "averageUtilization" in target else "<auto>"
    used = f"{is_now['averageUtilization']}%" if "averageUtilization" in is_now else _UNKNOWN
    return f"{used}/{wanted}"


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    target = spec["scaleTargetRef"]
    return [
        obj["metadata"]["name"],
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _targets(obj),
        str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(obj, now),
    ]


RESOURCE = ResourceType(
    resource=HORIZONTALPODAUTOSCALERS,
    singular="horizontalpodautoscaler",
    short_names=("hpa",),
    categories=("all",),
    subresources=(status_of("HorizontalPodAutoscaler"),),
    separate_status=True,
    idle=True,
    default=_default,
    prepare_create=_prepare_create,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_status=_validate_status,
    columns=(
        NAME_COLUMN,
        Column("Reference"),
        Column("Targets"),
        Column("MinPods"),
        Column("MaxPods"),
        Column("Replicas"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
RESOURCE_V1 = replace(
    RESOURCE, resource=HORIZONTALPODAUTOSCALERS._replace(version="v1"), conversion=Conversion(from_stored, to_stored)
)
