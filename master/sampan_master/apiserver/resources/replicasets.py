"""ReplicaSet: so many pods of one template."""

from __future__ import annotations

from typing import Any

from sampan_api.client import REPLICASETS
from sampan_api.meta import Object
from sampan_api.selectors import SelectorError, from_label_selector

from sampan_master.apiserver.defaults.podspec import default_pod_spec
from sampan_master.apiserver.resource import (
    AGE_COLUMN,
    NAME_COLUMN,
    Column,
    ResourceType,
    Subresource,
    age,
    status_of,
)
from sampan_master.apiserver.unused_fields import pod_spec_warnings
from sampan_master.apiserver.validation.affinity import validate_label_selector
from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, required, unsupported
from sampan_master.apiserver.validation.metadata import immutable
from sampan_master.apiserver.validation.names import label_map
from sampan_master.apiserver.validation.numbers import non_negative
from sampan_master.apiserver.validation.podspec import validate_pod_spec


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    template = spec.setdefault("template", {})
    default_pod_spec(template.setdefault("spec", {}))


def _prepare_create(obj: Object) -> None:
    obj["status"] = {"replicas": 0}


def _prepare_status(new: Object, old: Object) -> None:
    new.setdefault("status", {}).setdefault("replicas", 0)


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    yield from non_negative(spec.get("replicas"), "spec.replicas")
    yield from non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    selector = spec.get("selector")
    parsed = None
    if selector is None:
        yield required("spec.selector")
        parsed = from_label_selector(None)
    else:
        yield from validate_label_selector(selector, "spec.selector")
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            yield invalid("spec.selector", selector, "empty selector is invalid for deployment")
        else:
            try:
                parsed = from_label_selector(selector)
            except SelectorError:
                yield invalid("spec.selector", selector, "invalid label selector")
    yield from _template(spec.get("template") or {}, parsed)


def _template(template: dict[str, Any], selector: Any) -> Errors:
    labels = (template.get("metadata") or {}).get("labels")
    if selector is not None and not selector.matches(labels):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from label_map(labels or {}, "spec.template.labels")
    spec = template.get("spec") or {}
    yield from validate_pod_spec(spec, "spec.template.spec")
    if spec.get("restartPolicy") not in (None, "Always"):
        yield unsupported("spec.template.spec.restartPolicy", spec["restartPolicy"], ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        said = "activeDeadlineSeconds in ReplicaSet is not Supported"
        yield forbidden("spec.template.spec.activeDeadlineSeconds", said)


def _validate_update(new: Object, old: Object) -> Errors:
    if new["spec"].get("selector") != old["spec"].get("selector"):
        yield immutable("spec.selector", new["spec"].get("selector"))


def _warnings(obj: Object) -> list[str]:
    return pod_spec_warnings(obj["spec"]["template"].get("spec") or {}, "spec.template.spec")


def format_label_selector(selector: dict[str, Any] | None) -> str:
    """The selector in the string grammar, as the SELECTOR column and Scale's status show it."""
    if selector is None:
        return "<none>"
    try:
        return str(from_label_selector(selector)) or "<none>"
    except SelectorError:
        return "<error>"


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    containers = (spec["template"].get("spec") or {}).get("containers") or []
    return [
        obj["metadata"]["name"],
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj, now),
        ",".join(container.get("name", "") for container in containers),
        ",".join(container.get("image", "") for container in containers),
        format_label_selector(spec.get("selector")),
    ]


RESOURCE = ResourceType(
    resource=REPLICASETS,
    singular="replicaset",
    short_names=("rs",),
    categories=("all",),
    subresources=(
        Subresource("scale", "Scale", ("get", "patch", "update"), "autoscaling", "v1"),
        status_of("ReplicaSet"),
    ),
    generation=True,
    separate_status=True,
    default=_default,
    prepare_create=_prepare_create,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=_validate_update,
    columns=(
        NAME_COLUMN,
        Column("Desired", "integer"),
        Column("Current", "integer"),
        Column("Ready", "integer"),
        AGE_COLUMN,
        Column("Containers", wide=True),
        Column("Images", wide=True),
        Column("Selector", wide=True),
    ),
    cells=_cells,
    field_selectors={"status.replicas": lambda obj: str((obj.get("status") or {}).get("replicas", 0))},
    warnings=_warnings,
)
