"""ResourceQuota: what a namespace may use in all. Nobody counts yet, so nothing is refused and status stays empty."""

from __future__ import annotations

from typing import Any

from sampan_api.client import RESOURCEQUOTAS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType, nothing_observed, status_of
from sampan_master.apiserver.validation.quotas import (
    validate_quota,
    validate_quota_status,
    validate_quota_update,
)


def _default(obj: Object) -> None:
    obj.setdefault("spec", {})


def _cells(obj: Object, now: float) -> list[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    texts = {name: f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard)}
    limits = [text for name, text in texts.items() if name.startswith("limits.")]
    requests = [text for name, text in texts.items() if not name.startswith("limits.")]
    return [obj["metadata"]["name"], ", ".join(requests), ", ".join(limits), age(obj, now)]


RESOURCE = ResourceType(
    resource=RESOURCEQUOTAS,
    singular="resourcequota",
    short_names=("quota",),
    subresources=(status_of("ResourceQuota"),),
    separate_status=True,
    idle=True,
    answers_object=True,
    default=_default,
    prepare_create=nothing_observed,
    validate=validate_quota,
    validate_update=validate_quota_update,
    validate_status=validate_quota_status,
    columns=(NAME_COLUMN, Column("Request"), Column("Limit"), AGE_COLUMN),
    cells=_cells,
)
