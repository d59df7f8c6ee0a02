"""autoscaling/v1 as a view of autoscaling/v2: the old version knows cpu alone.

What it has no fields for travels in annotations, so that an object read in v1 and written back loses nothing: other
metrics, what they are, and conditions as JSON with the field names of v1; behavior with the names that Go gives the
fields of the struct by which it computes. An annotation that cannot be read is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from sampan_api.decoding import decode_json
from sampan_api.fields import Model
from sampan_api.meta import Object
from sampan_api.models import autoscaling_v2 as v2

from sampan_master.apiserver.validation.autoscalers import SOURCES

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _CURRENT = f"{_PREFIX}metrics", f"{_PREFIX}current-metrics"
_CONDITIONS, _BEHAVIOR = f"{_PREFIX}conditions", f"{_PREFIX}behavior"
_CARRIED = (_METRICS, _CURRENT, _CONDITIONS, _BEHAVIOR)
_COMMON_STATUS = ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")

Paths = Mapping[str, tuple[str, ...]]
_TARGETS: dict[str, Paths] = {
    "object": {
        "target": ("describedObject",),
        "metricName": ("metric", "name"),
        "targetValue": ("target", "value"),
        "selector": ("metric", "selector"),
        "averageValue": ("target", "averageValue"),
    },
    "pods": {
        "metricName": ("metric", "name"),
        "targetAverageValue": ("target", "averageValue"),
        "selector": ("metric", "selector"),
    },
    "resource": {
        "name": ("name",),
        "targetAverageUtilization": ("target", "averageUtilization"),
        "targetAverageValue": ("target", "averageValue"),
    },
    "external": {
        "metricName": ("metric", "name"),
        "metricSelector": ("metric", "selector"),
        "targetValue": ("target", "value"),
        "targetAverageValue": ("target", "averageValue"),
    },
}
_TARGETS["containerResource"] = {**_TARGETS["resource"], "container": ("container",)}


def _as_status(paths: Paths) -> Paths:
    """The same fields where they say what is instead of what shall be."""
    return {
        name.replace("target", "current") if name != "target" else name: ("current", *path[1:])
        if path[0] == "target"
        else path
        for name, path in paths.items()
    }


_CURRENTS = {source: _as_status(paths) for source, paths in _TARGETS.items()}
_NEVER_ABSENT = {
    ("object", "targetValue"),
    ("object", "currentValue"),
    ("pods", "targetAverageValue"),
    ("pods", "currentAverageValue"),
    ("resource", "currentAverageValue"),
    ("containerResource", "currentAverageValue"),
    ("external", "currentValue"),
}
"""Amounts that v1 holds by value: 0 when v2 has none."""


def from_stored(obj: Object) -> Object:
    spec, status = obj["spec"], obj.get("status") or {}
    metrics = spec.get("metrics") or []
    carried = {
        _METRICS: [_to_v1(metric, _TARGETS) for metric in metrics if _cpu_share(metric, "target") is None],
        _CURRENT: [_to_v1(metric, _CURRENTS) for metric in status.get("currentMetrics") or []],
        _CONDITIONS: status.get("conditions"),
        _BEHAVIOR: _behavior_as_go_has_it(spec.get("behavior")),
    }
    shown: dict[str, Any] = {field: spec[field] for field in ("scaleTargetRef", "minReplicas") if field in spec}
    shown["maxReplicas"] = spec["maxReplicas"]
    shares = [share for metric in metrics if (share := _cpu_share(metric, "target")) is not None]
    if shares:
        shown["targetCPUUtilizationPercentage"] = shares[0]
    state = {field: status[field] for field in _COMMON_STATUS if field in status}
    state.setdefault("currentReplicas", 0)
    used = [share for metric in status.get("currentMetrics") or [] if (share := _cpu_share(metric, "current"))]
    if used:
        state["currentCPUUtilizationPercentage"] = used[0]
    annotations = {key: orjson.dumps(value).decode() for key, value in carried.items() if value}
    metadata = _annotated(obj["metadata"], annotations)
    return {"kind": obj["kind"], "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": shown, "status": state}


def to_stored(obj: Object) -> Object:
    given, status = obj["spec"], obj.get("status") or {}
    annotations = obj["metadata"].get("annotations") or {}
    spec: dict[str, Any] = {field: value for field, value in given.items() if field != "targetCPUUtilizationPercentage"}
    metrics = _read(annotations.get(_METRICS), v2.MetricSpec, lambda metric: _to_v2(metric, _TARGETS))
    if "targetCPUUtilizationPercentage" in given:
        share = {"type": "Utilization", "averageUtilization": given["targetCPUUtilizationPercentage"]}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": share}})
    if metrics:
        spec["metrics"] = metrics
    behavior = _read_behavior(annotations.get(_BEHAVIOR))
    if behavior is not None:
        spec["behavior"] = behavior
    state: dict[str, Any] = {field: status[field] for field in _COMMON_STATUS if field in status}
    current = _read(annotations.get(_CURRENT), v2.MetricStatus, lambda metric: _to_v2(metric, _CURRENTS))
    if not current and "currentCPUUtilizationPercentage" in status:
        used = {"averageUtilization": status["currentCPUUtilizationPercentage"]}
        current = [{"type": "Resource", "resource": {"name": "cpu", "current": used}}]
    state["currentMetrics"] = current or None
    conditions = _read(annotations.get(_CONDITIONS), v2.HorizontalPodAutoscalerCondition, lambda condition: condition)
    if conditions:
        state["conditions"] = conditions
    metadata = _annotated(obj["metadata"], {})
    return {"kind": obj["kind"], "apiVersion": "autoscaling/v2", "metadata": metadata, "spec": spec, "status": state}


def _annotated(metadata: dict[str, Any], carried: dict[str, str]) -> dict[str, Any]:
    """The metadata with exactly these of the annotations that carry something."""
    own = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in _CARRIED}
    rest = {field: value for field, value in metadata.items() if field != "annotations"}
    annotations = own | carried
    return {**rest, "annotations": annotations} if annotations else rest


def _cpu_share(metric: dict[str, Any], part: str) -> int | None:
    """The one metric that v1 has a field for."""
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    share: int | None = (resource.get(part) or {}).get("averageUtilization")
    return share


def _to_v1(metric: dict[str, Any], sources: Mapping[str, Paths]) -> dict[str, Any]:
    result = {"type": metric["type"]}
    for source, paths in sources.items():
        found = metric.get(source)
        if found is None:
            continue
        part: dict[str, Any] = {}
        for name, path in paths.items():
            value = found
            for step in path:
                value = (value or {}).get(step)
            if value is not None:
                part[name] = value
            elif (source, name) in _NEVER_ABSENT:
                part[name] = "0"
        result[source] = part
    return result


class _Unreadable(ValueError):
    """The annotation does not hold what it should."""


def _to_v2(metric: Any, sources: Mapping[str, Paths]) -> dict[str, Any]:
    """Raises _Unreadable."""
    result = {"type": _fields(metric).get("type", "")}
    for source, paths in sources.items():
        if metric.get(source) is None:
            continue
        part: dict[str, Any] = {}
        for name, value in _fields(metric[source]).items():
            *places, last = paths.get(name, ("",))
            if value is not None and last:
                inner = part
                for place in places:
                    inner = inner.setdefault(place, {})
                inner[last] = value
        if sources is _TARGETS:
            target = part.setdefault("target", {})
            target["type"] = _target_type(source, target)
        result[source] = part
    return result


def _target_type(source: str, target: dict[str, Any]) -> str:
    """v1 does not say it; it follows from which amounts are there."""
    if source in (SOURCES["Resource"], SOURCES["ContainerResource"]):
        return "AverageValue" if target.get("averageUtilization") is None else "Utilization"
    if source == SOURCES["Object"]:
        return "Value" if target.get("averageValue") is None else "AverageValue"
    return "AverageValue" if target.get("value") is None else "Value"


def _fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Unreadable
    return value


def _read(text: str | None, model: type[Model], convert: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """The objects listed in an annotation; none when it cannot be read."""
    try:
        items = orjson.loads(text or "[]")
        if not isinstance(items, list):
            return []
        return [decode_json(model, convert(item)).obj for item in items]
    except ValueError:
        return []


def _read_behavior(text: str | None) -> dict[str, Any] | None:
    try:
        found = _behavior_from_go(orjson.loads(text or "null"))
        return decode_json(v2.HorizontalPodAutoscalerBehavior, found).obj
    except ValueError:
        return None


_RULES = ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")
_POLICY = ("type", "value", "periodSeconds")


def _go_name(field: str) -> str:
    return field[0].upper() + field[1:]


def _behavior_as_go_has_it(behavior: dict[str, Any] | None) -> dict[str, Any] | None:
    if behavior is None:
        return None
    shown: dict[str, Any] = {}
    for direction in ("scaleUp", "scaleDown"):
        rules = behavior.get(direction)
        if rules is None:
            shown[_go_name(direction)] = None
            continue
        policies = [{_go_name(field): policy.get(field) for field in _POLICY} for policy in rules.get("policies") or []]
        shown[_go_name(direction)] = {
            _go_name(field): policies if field == "policies" else rules.get(field) for field in _RULES
        }
    return shown


def _behavior_from_go(value: Any) -> dict[str, Any]:
    """Raises _Unreadable."""
    behavior: dict[str, Any] = {}
    for direction in ("scaleUp", "scaleDown"):
        rules = _fields(value).get(_go_name(direction))
        if rules is None:
            continue
        read = {field: _fields(rules).get(_go_name(field)) for field in _RULES}
        policies = read["policies"] or []
        if not isinstance(policies, list):
            raise _Unreadable
        read["policies"] = [{field: _fields(policy).get(_go_name(field)) for field in _POLICY} for policy in policies]
        behavior[direction] = read
    return behavior
