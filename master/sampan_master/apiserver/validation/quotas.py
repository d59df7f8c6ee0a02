"""ResourceQuotas: which resources can be counted, and for which part of the objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_api import quantity
from sampan_api.meta import Object
from sampan_api.names import is_extended_resource

from sampan_master.apiserver.validation.fields import Errors, invalid, required
from sampan_master.apiserver.validation.resources import (
    is_standard_resource,
    non_negative_amount,
    standard_resource_name,
)
from sampan_master.apiserver.validation.updates import immutable

_COUNTED = frozenset(
    {
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "persistentvolumeclaims",
        "configmaps",
        "services.nodeports",
        "services.loadbalancers",
    }
)
_COMPUTE = frozenset({"cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"})
_PODS = _COMPUTE | {"pods"}
_BY_SCOPE = {
    "Terminating": _PODS,
    "NotTerminating": _PODS,
    "BestEffort": frozenset({"pods"}),
    "NotBestEffort": _PODS,
    "PriorityClass": _PODS,
    "CrossNamespacePodAffinity": _PODS,
    "VolumeAttributesClass": frozenset({"persistentvolumeclaims", "requests.storage"}),
}
"""Scope -> the resources that can be counted within it."""
_ONLY_EXISTS = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})


def validate_quota(obj: Object) -> Errors:
    spec = obj["spec"]
    hard = spec.get("hard") or {}
    yield from _amounts(hard, "spec.hard")
    scopes = spec.get("scopes") or []
    for scope in scopes:
        if scope not in _BY_SCOPE:
            yield invalid("spec.scopes", scopes, "unsupported scope")
        yield from _applies(scope, hard, "spec.scopes", scopes)
    yield from _conflicts(scopes, "spec.scopes", scopes)
    selector = spec.get("scopeSelector")
    if selector is not None:
        yield from _selector(selector, hard, scopes)


def _amounts(amounts: dict[str, str], path: str) -> Errors:
    for name, amount in amounts.items():
        at = f"{path}[{name}]"
        yield from standard_resource_name(name, at)
        if "/" not in name and not (is_standard_resource(name) and name != "storage"):
            yield invalid(at, name, "must be a standard resource for quota")
        yield from non_negative_amount(amount, at)
        if quantity.milli(amount) % 1000 and (name in _COUNTED or is_extended_resource(name)):
            yield invalid(at, amount, "must be an integer")


def _applies(scope: str, hard: Iterable[str], path: str, shown: Any) -> Errors:
    for name in sorted(hard):
        if is_standard_resource(name) and name not in _BY_SCOPE.get(scope, (name,)):
            yield invalid(path, shown, "unsupported scope applied to resource")


def _conflicts(scopes: Iterable[str], path: str, shown: Any) -> Errors:
    for pair in _OPPOSITES:
        if pair <= set(scopes):
            yield invalid(path, shown, "conflicting scopes")


def _selector(selector: dict[str, Any], hard: dict[str, str], scopes: list[str]) -> Errors:
    path = "spec.scopeSelector.matchExpressions"
    expressions = selector.get("matchExpressions") or []
    for expression in expressions:
        scope, operator, values = expression["scopeName"], expression["operator"], expression.get("values") or []
        if scope not in _BY_SCOPE:
            yield invalid(f"{path}.scopeName", scope, "unsupported scope")
        yield from _applies(scope, hard, path, selector)
        if scope in _ONLY_EXISTS and operator != "Exists":
            listed = ", ".join(f"ResourceQuotaScope{each}" for each in _LISTED[:-1])
            said = f"must be 'Exist' when scope is any of {listed} or ResourceQuotaScope{_LISTED[-1]}"
            yield invalid(f"{path}.operator", operator, said)
        if operator in ("In", "NotIn"):
            if not values:
                said = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                yield required(f"{path}.values", said)
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                said = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                yield invalid(f"{path}.values", values, said)
        else:
            yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    yield from _conflicts((expression["scopeName"] for expression in expressions), path, scopes)


_LISTED = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity")


def validate_quota_update(new: Object, old: Object) -> Errors:
    scopes = new["spec"].get("scopes") or []
    if set(scopes) != set((old.get("spec") or {}).get("scopes") or []):
        yield immutable("spec.scopes", scopes)


def validate_quota_status(new: Object, old: Object) -> Errors:
    for field in ("hard", "used"):
        yield from _amounts((new.get("status") or {}).get(field) or {}, f"status.{field}")
