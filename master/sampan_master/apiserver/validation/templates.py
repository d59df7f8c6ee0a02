"""Pod templates and the selectors that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan_api.meta import Object
from sampan_api.selectors import LabelSelector, SelectorError, from_label_selector

from sampan_master.apiserver.validation.affinity import validate_label_selector
from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, required, unsupported
from sampan_master.apiserver.validation.metadata import validate_annotations
from sampan_master.apiserver.validation.names import label_map
from sampan_master.apiserver.validation.podspec import validate_deletion_cost, validate_pod_spec
from sampan_master.apiserver.validation.updates import unchanged


def validate_template(template: Mapping[str, Any], path: str) -> Errors:
    """Any PodTemplateSpec, whoever makes pods from it."""
    metadata = template.get("metadata") or {}
    spec = template.get("spec") or {}
    yield from label_map(metadata.get("labels") or {}, f"{path}.labels")
    yield from validate_annotations(metadata.get("annotations") or {}, f"{path}.annotations")
    yield from validate_deletion_cost(metadata.get("annotations") or {}, f"{path}.annotations")
    yield from validate_pod_spec(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        yield forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")


def validate_selected_template(spec: Mapping[str, Any], said: str, kind: str = "ReplicaSet") -> Errors:
    """`spec.selector` and `spec.template` of what keeps pods running. `said`: how this kind complains of an empty
    selector; `kind`: what it calls itself where a deadline is forbidden."""
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    else:
        yield from validate_label_selector(selector, "spec.selector")
        yield from not_empty(selector, said)
    try:
        parsed = from_label_selector(selector)
    except SelectorError:
        yield invalid("spec.selector", selector, "invalid label selector")
    else:
        yield from selected(spec["template"], parsed)
        yield from validate_template(spec["template"], "spec.template")
        yield from keeps_running(spec["template"]["spec"], kind)


def not_empty(selector: Mapping[str, Any], said: str) -> Errors:
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid("spec.selector", selector, said)


def selected(template: Mapping[str, Any], selector: LabelSelector) -> Errors:
    """The pods that the template makes must be among those selected, else more and more would be made."""
    labels = (template.get("metadata") or {}).get("labels")
    if not selector.matches(labels):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def selector_unchanged(new: Object, old: Object) -> Errors:
    """Another selector would leave the pods of the first to nobody."""
    return unchanged(new["spec"], old["spec"], ("selector",), "spec")


def keeps_running(spec: Mapping[str, Any], kind: str) -> Errors:
    """The spec of pods that are not meant to end."""
    if spec.get("restartPolicy") != "Always":
        yield unsupported("spec.template.spec.restartPolicy", spec.get("restartPolicy", ""), ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        said = f"activeDeadlineSeconds in {kind} is not Supported"
        yield forbidden("spec.template.spec.activeDeadlineSeconds", said)
