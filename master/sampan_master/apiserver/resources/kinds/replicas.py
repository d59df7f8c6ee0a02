"""What ReplicaSet and ReplicationController share: a number of pods of one template, and how many there are."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.templates import CONTAINER_COLUMNS, SELECTOR_COLUMN, container_cells

PARTS = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
"""Counts of some of `status.replicas`."""
COLUMNS = (
    NAME_COLUMN,
    Column("Desired", "integer"),
    Column("Current", "integer"),
    Column("Ready", "integer"),
    AGE_COLUMN,
    *CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
)


def prepare_create(obj: Object) -> None:
    obj["status"] = {"replicas": 0}


def prepare_status(new: Object, old: Object) -> None:
    new.setdefault("status", {}).setdefault("replicas", 0)


def replicas(obj: Object) -> int:
    count: int = (obj.get("status") or {}).get("replicas", 0)
    return count


FIELD_SELECTORS = {"status.replicas": lambda obj: str(replicas(obj))}


def cells(obj: Object, now: float, selector: str) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        spec.get("replicas", 0),
        replicas(obj),
        status.get("readyReplicas", 0),
        age(obj, now),
        *container_cells(spec["template"]),
        selector,
    ]
