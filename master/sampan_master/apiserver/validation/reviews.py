"""Access reviews: SubjectAccessReview, LocalSubjectAccessReview, SelfSubjectAccessReview."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.validation.fields import Errors, invalid, required


def validate_access_review(kind: str, obj: Object) -> Errors:
    spec = obj["spec"]
    local = kind == "LocalSubjectAccessReview"
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        said = "cannot be specified in combination with resourceAttributes"
        yield invalid("spec.nonResourceAttributes", _shown(path), said)
    if resource is None and path is None:
        said = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        yield invalid("spec.resourceAttributes", None, said)
    if kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        yield invalid("spec.user", "", "at least one of user or group must be specified")
    if resource is not None:
        yield from _selectors(resource)
    metadata = {field: value for field, value in obj["metadata"].items() if field != "managedFields"}
    if local:
        namespace = metadata.pop("namespace", "")
        if metadata:
            yield invalid("metadata", obj["metadata"], "must be empty except for namespace")
        if resource is not None and resource.get("namespace", "") != namespace:
            said = "must match metadata.namespace"
            yield invalid("spec.resourceAttributes.namespace", resource.get("namespace", ""), said)
        if path is not None:
            yield invalid("spec.nonResourceAttributes", _shown(path), "disallowed on this kind of request")
    elif metadata:
        yield invalid("metadata", obj["metadata"], "must be empty")


def _shown(path: dict[str, Any]) -> dict[str, Any]:
    return {"Path": path.get("path", ""), "Verb": path.get("verb", "")}


def _selectors(resource: dict[str, Any]) -> Errors:
    for field in ("fieldSelector", "labelSelector"):
        selector = resource.get(field)
        if selector is None:
            continue
        where = f"spec.resourceAttributes.{field}"
        raw, requirements = selector.get("rawSelector", ""), selector.get("requirements")
        if raw and requirements:
            yield invalid(f"{where}.rawSelector", raw, "may not specified at the same time as requirements")
        if not raw and not requirements:
            said = f"when {where} is specified, requirements or rawSelector is required"
            yield required(f"{where}.requirements", said)
