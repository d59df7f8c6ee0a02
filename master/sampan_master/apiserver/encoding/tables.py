"""Table, PartialObjectMetadata: the two ways a client asks for less than the whole object (`Accept: …;as=Table`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.encoding.representations import ListBody
from sampan_master.apiserver.resources.columns import Column
from sampan_master.apiserver.resources.resource_type import ResourceType


@dataclass(frozen=True, slots=True)
class View:
    """What the client wants to see: "" is the object itself. `include` is the `includeObject` parameter."""

    kind: str = ""
    version: str = "v1"
    include: str = "Metadata"

    @property
    def api_version(self) -> str:
        return f"meta.k8s.io/{self.version}"


WHOLE = View()


def partial(obj: Object, view: View = WHOLE) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": view.api_version, "metadata": obj["metadata"]}


def partial_body(rt: ResourceType, objects: Iterable[Object], metadata: dict[str, Any], view: View) -> ListBody:
    head = {"kind": "PartialObjectMetadataList", "apiVersion": view.api_version, "metadata": metadata}
    return ListBody(head, (partial(rt.from_stored(obj), view) for obj in objects))


def table_body(
    rt: ResourceType, objects: Iterable[Object], metadata: dict[str, Any], now: float, view: View
) -> ListBody:
    return ListBody(_table_head(rt, metadata, view), (_row(rt, obj, now, view) for obj in objects), "rows")


def table(
    rt: ResourceType,
    objects: Iterable[Object],
    metadata: dict[str, Any],
    now: float,
    view: View,
    *,
    columns: bool = True,
) -> Object:
    head = _table_head(rt, metadata, view, columns=columns)
    return {**head, "rows": [_row(rt, obj, now, view) for obj in objects]}


def _table_head(rt: ResourceType, metadata: dict[str, Any], view: View, *, columns: bool = True) -> dict[str, Any]:
    """`columns` False: later events of a watch do not repeat the definitions."""
    return {
        "kind": "Table",
        "apiVersion": view.api_version,
        "metadata": metadata,
        "columnDefinitions": [_definition(column) for column in rt.columns] if columns else None,
    }


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": 1 if column.wide else 0,
    }


def _row(rt: ResourceType, obj: Object, now: float, view: View) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": rt.cells(obj, now)}
    conditions = rt.row_conditions(obj)
    if conditions:
        row["conditions"] = conditions
    if view.include == "Object":
        row["object"] = rt.from_stored(obj)
    elif view.include != "None":
        row["object"] = partial(rt.from_stored(obj))
    return row


def bookmark_table(rt: ResourceType, obj: Object, view: View, *, columns: bool) -> Object:
    """A bookmark seen as a Table: one row without content that carries the metadata."""
    row = {"cells": [None] * len(rt.columns), "object": partial(obj)}
    return {
        "kind": "Table",
        "apiVersion": view.api_version,
        "metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]},
        "columnDefinitions": [_definition(column) for column in rt.columns] if columns else None,
        "rows": [row],
    }
