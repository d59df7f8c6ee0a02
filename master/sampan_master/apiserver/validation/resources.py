"""Resource lists: requests and limits of containers, capacity of nodes."""

from __future__ import annotations

from typing import Any

from sampan_api import quantity

from sampan_master.apiserver.validation.fields import Errors, invalid
from sampan_master.apiserver.validation.names import complain, qualified_name

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_STANDARD = frozenset(
    {
        *_COMPUTE,
        "storage",
        *(f"{side}.{name}" for side in ("requests", "limits") for name in _COMPUTE),
        "requests.storage",
        "pods",
        "services",
        "services.nodeports",
        "services.loadbalancers",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
    }
)
"""What a resource may be called without a domain in front, somewhere at least."""


def validate_requirements(resources: dict[str, Any], path: str) -> Errors:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            at = f"{path}.{field}[{name}]"
            yield from container_resource_name(name, at)
            yield from _amount(name, amount, at)
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is not None and quantity.milli(amount) > quantity.milli(limit):
            yield invalid(f"{path}.requests", amount, f"must be less than or equal to {name} limit of {limit}")
        elif limit is None and not is_overcommittable(name):
            yield invalid(f"{path}.limits", "", f"Limit must be set for non overcommitable resource {name}")


def is_overcommittable(name: str) -> bool:
    return ("/" not in name or name.startswith("kubernetes.io/")) and not name.startswith("hugepages-")


def is_standard_resource(name: str) -> bool:
    return name in _STANDARD or name.startswith(("hugepages-", "requests.hugepages-"))


def standard_resource_name(name: str, path: str) -> Errors:
    complaints = qualified_name(name)
    yield from complain(path, name, complaints)
    if not complaints and "/" not in name and not is_standard_resource(name):
        yield invalid(path, name, "must be a standard resource type or fully qualified")


def container_resource_name(name: str, path: str) -> Errors:
    yield from standard_resource_name(name, path)
    if "/" not in name and name not in _COMPUTE and not name.startswith("hugepages-"):
        yield invalid(path, name, "must be a standard resource for containers")


def non_negative_amount(amount: str, path: str) -> Errors:
    if quantity.milli(amount) < 0:
        yield invalid(path, amount, "must be greater than or equal to 0")


def _amount(name: str, amount: str, path: str) -> Errors:
    yield from non_negative_amount(amount, path)
    if not is_overcommittable(name) and quantity.milli(amount) % 1000:
        yield invalid(path, amount, "must be an integer")


def validate_capacity(amounts: dict[str, str], path: str) -> Errors:
    for name, amount in amounts.items():
        yield from complain(f"{path}[{name}]", name, qualified_name(name))
        yield from non_negative_amount(amount, f"{path}[{name}]")
