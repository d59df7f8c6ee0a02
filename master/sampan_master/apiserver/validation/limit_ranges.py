"""LimitRanges: that the amounts for one resource do not contradict each other."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object
from sampan_api.quantity import Quantity, parse

from sampan_master.apiserver.validation.fields import Errors, duplicate, forbidden, invalid, required
from sampan_master.apiserver.validation.names import complain, qualified_name
from sampan_master.apiserver.validation.resources import (
    container_resource_name,
    is_overcommittable,
    standard_resource_name,
)

_TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_AMOUNTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_ONE = parse("1")


def validate_limit_range(obj: Object) -> Errors:
    seen: set[str] = set()
    for index, item in enumerate(obj["spec"].get("limits") or []):
        at, kind = f"spec.limits[{index}]", item["type"]
        complaints = qualified_name(kind)
        yield from complain(f"{at}.type", kind, complaints)
        if not complaints and "/" not in kind and kind not in _TYPES:
            yield invalid(f"{at}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            yield duplicate(f"{at}.type", kind)
        seen.add(kind)
        yield from _item(item, at)


def _item(item: dict[str, Any], at: str) -> Errors:
    kind = item["type"]
    resources: dict[str, None] = {}
    for field in _AMOUNTS:
        amounts = item.get(field) or {}
        if amounts and kind == "Pod" and field in ("default", "defaultRequest"):
            yield forbidden(f"{at}.{field}", "may not be specified when `type` is 'Pod'")
            continue
        for name in amounts:
            named = container_resource_name if kind in ("Pod", "Container") else standard_resource_name
            yield from named(name, f"{at}.{field}[{name}]")
            resources[name] = None
    if kind == "PersistentVolumeClaim" and not any("storage" in (item.get(field) or {}) for field in ("min", "max")):
        said = "either minimum or maximum storage value is required, but neither was provided"
        yield required(f"{at}.limits", said)
    for name in resources:
        amounts = {f: parse(item[f][name]) for f in _AMOUNTS if name in (item.get(f) or {})}
        yield from _order(amounts, at, name)
        yield from _ratio(amounts, at, name)


def _order(amounts: dict[str, Quantity], at: str, name: str) -> Errors:
    """Pairs that must be in order, and what is shown when they are not."""
    for low, high, shown, where, said in (
        ("min", "max", "min", "min", "min value {} is greater than max value {}"),
        (
            "min",
            "defaultRequest",
            "defaultRequest",
            "defaultRequest",
            "min value {} is greater than default request value {}",
        ),
        (
            "defaultRequest",
            "max",
            "defaultRequest",
            "defaultRequest",
            "default request value {} is greater than max value {}",
        ),
        (
            "defaultRequest",
            "default",
            "defaultRequest",
            "defaultRequest",
            "default request value {} is greater than default limit value {}",
        ),
        ("min", "default", "min", "default", "min value {} is greater than default value {}"),
        ("default", "max", "max", "default", "default value {} is greater than max value {}"),
    ):
        if low in amounts and high in amounts and amounts[low] > amounts[high]:
            detail = said.format(amounts[low], amounts[high])
            yield invalid(f"{at}.{where}[{name}]", str(amounts[shown]), detail)
    request, limit = amounts.get("defaultRequest"), amounts.get("default")
    if request is not None and limit is not None and request != limit and not is_overcommittable(name):
        detail = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        yield invalid(f"{at}.defaultRequest[{name}]", str(request), detail)


def _ratio(amounts: dict[str, Quantity], at: str, name: str) -> Errors:
    ratio = amounts.get("maxLimitRequestRatio")
    if ratio is None:
        return
    path = f"{at}.maxLimitRequestRatio[{name}]"
    if ratio < _ONE:
        yield invalid(path, str(ratio), f"ratio {ratio} is less than 1")
    low, high = amounts.get("min"), amounts.get("max")
    if low and high is not None and ratio.nanos / _ONE.nanos > high.nanos / low.nanos:
        yield invalid(path, str(ratio), f"ratio {ratio} is greater than max/min = {high.nanos / low.nanos:f}")
