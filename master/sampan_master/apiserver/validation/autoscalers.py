"""The spec of a HorizontalPodAutoscaler."""

from __future__ import annotations

from typing import Any

from sampan_api import quantity

from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, one_of, required
from sampan_master.apiserver.validation.names import dns_label, named, path_segment
from sampan_master.apiserver.validation.resources import container_resource_name

SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
"""Type of a metric -> the field that describes it."""
_LOOKED_AT = ("object", "external", "pods", "resource", "containerResource")
_TARGETS = ("Utilization", "Value", "AverageValue")
_SELECTIONS = ("Disabled", "Max", "Min")
_POLICIES = ("Percent", "Pods")
_LONGEST_PERIOD, _LONGEST_WINDOW = 1800, 3600


def validate_autoscaler(spec: dict[str, Any]) -> Errors:
    low, high = spec.get("minReplicas"), spec["maxReplicas"]
    if low is not None and low < 1:
        yield invalid("spec.minReplicas", low, "must be greater than or equal to 1")
    if high < 1:
        yield invalid("spec.maxReplicas", high, "must be greater than 0")
    if low is not None and high < low:
        yield invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    yield from _reference(spec["scaleTargetRef"], "spec.scaleTargetRef")
    for index, metric in enumerate(spec.get("metrics") or []):
        yield from _metric(metric, f"spec.metrics[{index}]")
    for direction in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(direction)
        if rules is not None:
            yield from _rules(rules, f"spec.behavior.{direction}")


def _reference(reference: dict[str, Any], path: str) -> Errors:
    for field in ("kind", "name"):
        value = reference.get(field, "")
        yield from named(value, path_segment, f"{path}.{field}")


def _metric(metric: dict[str, Any], path: str) -> Errors:
    kind = metric.get("type", "")
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
    yield from one_of(kind, SOURCES, f"{path}.type")
    present = [field for field in _LOOKED_AT if metric.get(field) is not None]
    if present:
        yield from _source(present[0], metric[present[0]], f"{path}.{present[0]}")
    expected = SOURCES.get(kind, "")
    if expected and expected not in present:
        yield required(f"{path}.{expected}", "must populate information for the given metric source")
    if len(present) != 1:
        for field in present:
            if field != expected:
                yield forbidden(f"{path}.{field}", "must populate the given metric source only")


def _source(field: str, source: dict[str, Any], path: str) -> Errors:
    target = source["target"]
    value, average, utilization = (target.get(part) for part in ("value", "averageValue", "averageUtilization"))
    if field == "object":
        yield from _reference(source["describedObject"], f"{path}.describedObject")
    if field in ("resource", "containerResource"):
        yield from _resource(field, source, path)
    else:
        yield from _identifier(source["metric"], f"{path}.metric")
    yield from _target(target, f"{path}.target")
    if field in ("resource", "containerResource"):
        if utilization is None and average is None:
            said = "must set either a target raw value or a target utilization"
            yield required(f"{path}.target.averageUtilization", said)
        if utilization is not None and average is not None:
            said = "may not set both a target raw value and a target utilization"
            yield forbidden(f"{path}.target.averageValue", said)
    elif field == "pods":
        if average is None:
            yield required(f"{path}.target.averageValue", "must specify a positive target averageValue")
    elif value is None and average is None:
        said = "value or averageValue" if field == "object" else "value for metric or a per-pod target"
        yield required(f"{path}.target.averageValue", f"must set either a target {said}")
    elif field == "external" and value is not None and average is not None:
        yield forbidden(f"{path}.target.value", "may not set both a target value for metric and a per-pod target")


def _resource(field: str, source: dict[str, Any], path: str) -> Errors:
    name = source.get("name", "")
    if not name:
        yield required(f"{path}.name", "must specify a resource name")
    if field == "resource":
        return
    if name:
        yield from container_resource_name(name, f"{path}.name")
    container = source.get("container", "")
    yield from named(container, dns_label, f"{path}.container", "must specify a container")


def _identifier(metric: dict[str, Any], path: str) -> Errors:
    name = metric.get("name", "")
    yield from named(name, path_segment, f"{path}.name", "must specify a metric name")


def _target(target: dict[str, Any], path: str) -> Errors:
    kind = target.get("type", "")
    if not kind:
        yield required(f"{path}.type", "must specify a metric target type")
    if kind not in _TARGETS:
        yield invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for field in ("value", "averageValue"):
        amount = target.get(field)
        if amount is not None and quantity.parse(amount).nanos <= 0:
            yield invalid(f"{path}.{field}", amount, "must be positive")
    utilization = target.get("averageUtilization")
    if utilization is not None and utilization < 1:
        yield invalid(f"{path}.averageUtilization", utilization, "must be greater than 0")


def _rules(rules: dict[str, Any], path: str) -> Errors:
    window, selection, tolerance = (
        rules.get(field) for field in ("stabilizationWindowSeconds", "selectPolicy", "tolerance")
    )
    if window is not None and window < 0:
        yield invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > _LONGEST_WINDOW:
        said = f"must be less than or equal to {_LONGEST_WINDOW}"
        yield invalid(f"{path}.stabilizationWindowSeconds", window, said)
    yield from one_of(selection, _SELECTIONS, f"{path}.selectPolicy")
    policies = rules.get("policies") or []
    if not policies:
        yield required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(policies):
        yield from _policy(policy, f"{path}.policies[{index}]")
    if tolerance is not None and quantity.parse(tolerance).nanos < 0:
        yield invalid(f"{path}.tolerance", tolerance, "must be greater or equal to zero")


def _policy(policy: dict[str, Any], path: str) -> Errors:
    yield from one_of(policy.get("type", ""), _POLICIES, f"{path}.type")
    for field in ("value", "periodSeconds"):
        if policy[field] <= 0:
            yield invalid(f"{path}.{field}", policy[field], "must be greater than zero")
    if policy["periodSeconds"] > _LONGEST_PERIOD:
        said = f"must be less than or equal to {_LONGEST_PERIOD}"
        yield invalid(f"{path}.periodSeconds", policy["periodSeconds"], said)
