"""LimitRange: bounds and defaults for single objects of a namespace. Admission does not apply them yet."""

from __future__ import annotations

from typing import Any

from sampan_api.client import LIMITRANGES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import CREATED_COLUMN, NAME_COLUMN, name_and_creation
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.limit_ranges import validate_limit_range


def _default(obj: Object) -> None:
    for item in (obj.setdefault("spec", {}).get("limits")) or []:
        if item.get("type") == "Container":
            _complete(item)


def _complete(item: dict[str, Any]) -> None:
    """No limit said: the highest one; no request said: the limit, or else the lowest one."""
    limits = {**(item.get("max") or {}), **(item.get("default") or {})}
    requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
    for field, amounts in (("default", limits), ("defaultRequest", requests)):
        if amounts:
            item[field] = amounts


RESOURCE = ResourceType(
    resource=LIMITRANGES,
    singular="limitrange",
    short_names=("limits",),
    create_on_update=True,
    idle=True,
    default=_default,
    validate=validate_limit_range,
    columns=(NAME_COLUMN, CREATED_COLUMN),
    cells=name_and_creation,
)
