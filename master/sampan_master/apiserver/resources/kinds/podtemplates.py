"""PodTemplate: a pod template stored by itself, for whoever wants to make pods from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_api.client import PODTEMPLATES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import NAME_COLUMN, Column, label_text
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.resources.templates import container_cells, default_template
from sampan_master.apiserver.resources.unused_fields import pod_spec_warnings
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.templates import validate_template


def _validate(obj: Object) -> Errors:
    return validate_template(obj["template"], "template")


def _warnings(obj: Object) -> Iterable[str]:
    return pod_spec_warnings(obj["template"]["spec"], "template.spec")


def _cells(obj: Object, now: float) -> list[Any]:
    template = obj["template"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    return [obj["metadata"]["name"], *container_cells(template), label_text(labels)]


RESOURCE = ResourceType(
    resource=PODTEMPLATES,
    singular="podtemplate",
    generation=True,
    idle=True,
    answers_object=True,
    default=default_template,
    validate=_validate,
    columns=(NAME_COLUMN, Column("Containers"), Column("Images"), Column("Pod Labels")),
    cells=_cells,
    warnings=_warnings,
)
