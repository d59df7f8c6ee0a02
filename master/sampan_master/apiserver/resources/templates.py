"""Pod templates: what the kinds that make pods from one have in common, apart from its validation."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object
from sampan_api.names import dns_label
from sampan_api.selectors import SelectorError, from_label_selector

from sampan_master.apiserver.defaults.podspec import default_pod_spec
from sampan_master.apiserver.resources.columns import Column
from sampan_master.apiserver.resources.unused_fields import pod_spec_warnings

CONTAINER_COLUMNS = (Column("Containers", wide=True), Column("Images", wide=True))
SELECTOR_COLUMN = Column("Selector", wide=True)


def default_template(spec: dict[str, Any]) -> None:
    """Completes `template` of the spec of a workload."""
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def template_warnings(obj: Object) -> list[str]:
    return pod_spec_warnings(obj["spec"]["template"]["spec"], "spec.template.spec")


def pod_name_warnings(obj: Object) -> list[str]:
    """The names of pods begin with the object's, and hosts are named after pods."""
    complaints = dns_label(obj["metadata"]["name"])
    if not complaints:
        return []
    said = (
        "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended"
    )
    return [f"metadata.name: {said}: [{' '.join(complaints)}]"]


def workload_warnings(obj: Object) -> list[str]:
    return pod_name_warnings(obj) + template_warnings(obj)


def container_cells(template: dict[str, Any]) -> list[Any]:
    """The cells of `CONTAINER_COLUMNS`."""
    containers = (template.get("spec") or {}).get("containers") or []
    return [",".join(container.get(field, "") for container in containers) for field in ("name", "image")]


def selector_cell(spec: dict[str, Any]) -> str:
    """The cell of `SELECTOR_COLUMN` for a `selector` that is a LabelSelector."""
    selector = spec.get("selector")
    if selector is None:
        return "<none>"
    try:
        return str(from_label_selector(selector)) or "<none>"
    except SelectorError:
        return "<error>"
