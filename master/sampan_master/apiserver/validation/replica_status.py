"""What the status of a workload may say of its pods: counts that fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.validation.fields import Errors, invalid
from sampan_master.apiserver.validation.numbers import non_negative


def validate_counts(status: Mapping[str, Any], fields: Iterable[str]) -> Errors:
    for field in fields:
        yield from non_negative(status.get(field), f"status.{field}")


def validate_parts(status: Mapping[str, Any], fields: Iterable[str], ready: str = "readyReplicas") -> Errors:
    """`fields` count some of `status.replicas`. `ready`: the ready ones, as this kind calls them."""
    for field in fields:
        count = status.get(field, 0)
        if count > status.get("replicas", 0):
            yield invalid(f"status.{field}", count, "cannot be greater than status.replicas")
    available = status.get("availableReplicas", 0)
    if available > status.get("readyReplicas", 0):
        yield invalid("status.availableReplicas", available, f"cannot be greater than {ready}")


def validate_collisions(new: Object, old: Object) -> Errors:
    """Names that were taken stay taken."""
    count, before = (obj.get("status", {}).get("collisionCount") for obj in (new, old))
    if before is not None and (count is None or count < before):
        yield invalid("status.collisionCount", count or 0, "cannot be decremented")
