"""Event: what happened to an object. Kept for an hour, then it goes by itself.

The core group and events.k8s.io show the same objects; the latter is stricter about what it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sampan_api.client import EVENTS, EVENTS_V1
from sampan_api.meta import Object

from sampan_master.apiserver.resources.ages import since
from sampan_master.apiserver.resources.columns import Column
from sampan_master.apiserver.resources.kinds.event_versions import CONVERSION
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.events import validate_event, validate_strict_update, validate_strictly
from sampan_master.apiserver.validation.names import object_name, path_segment

_ALWAYS: dict[str, Any] = {
    "source": {},
    "firstTimestamp": None,
    "lastTimestamp": None,
    "eventTime": None,
    "reportingComponent": "",
    "reportingInstance": "",
}
"""Fields the real server prints even when they are empty."""


def _default(obj: Object) -> None:
    for field, value in _ALWAYS.items():
        obj.setdefault(field, value)
    obj.setdefault("involvedObject", {})


def _cells(obj: Object, now: float) -> list[Any]:
    involved, series = obj.get("involvedObject") or {}, obj.get("series") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or first
    kind, name = involved.get("kind", "").lower(), involved.get("name", "")
    count = series.get("count") or obj.get("count") or 1
    return [
        since(last, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        involved.get("fieldPath", ""),
        _source(obj),
        (obj.get("message") or "").strip(),
        since(first, now),
        count,
        obj["metadata"]["name"],
    ]


def _source(obj: Object) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent") or ""
    place = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {place}" if place else component


def _involved(field: str) -> Callable[[Object], str]:
    return lambda obj: str((obj.get("involvedObject") or {}).get(field, ""))


def _top(field: str) -> Callable[[Object], str]:
    return lambda obj: str(obj.get(field) or "")


def _component(obj: Object) -> str:
    return str((obj.get("source") or {}).get("component") or obj.get("reportingComponent") or "")


_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

RESOURCE = ResourceType(
    resource=EVENTS,
    singular="event",
    short_names=("ev",),
    create_on_update=True,
    expires=True,
    name_rule=path_segment,
    default=_default,
    validate=validate_event,
    columns=(
        Column("Last Seen"),
        Column("Type"),
        Column("Reason"),
        Column("Object"),
        Column("Subobject", wide=True),
        Column("Source", wide=True),
        Column("Message"),
        Column("First Seen", wide=True),
        Column("Count", wide=True),
        Column("Name", format="name", wide=True),
    ),
    cells=_cells,
    field_selectors={
        **{f"involvedObject.{field}": _involved(field) for field in _INVOLVED},
        "reason": _top("reason"),
        "type": _top("type"),
        "reportingComponent": _top("reportingComponent"),
        "source": _component,
    },
)

RESOURCE_V1 = replace(
    RESOURCE,
    resource=EVENTS_V1,
    name_rule=object_name,
    conversion=CONVERSION,
    validate_create=validate_strictly,
    validate_update=validate_strict_update,
    field_selectors={
        **{f"regarding.{field}": _involved(field) for field in _INVOLVED},
        "reason": _top("reason"),
        "type": _top("type"),
        "reportingController": _top("reportingComponent"),
    },
)
