"""Ephemeral containers: put into a running pod to look around, never taken out or changed again."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.validation.containers import named_once, validate_container
from sampan_master.apiserver.validation.fields import Errors, forbidden, not_found, quoted

_FIELD = "ephemeralContainers"
_FORBIDDEN = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)
"""A container nobody relies on has no part in what a pod promises. In the order in which they are reported."""

_NOT_HERE = "cannot be set for an Ephemeral Container"


def validate_ephemeral_containers(spec: dict[str, Any], path: str, volumes: set[str]) -> Errors:
    others = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    names = {container.get("name", "") for container in others}
    seen = set(names)
    for index, container in enumerate(spec.get(_FIELD) or []):
        at = f"{path}.{_FIELD}[{index}]"
        yield from named_once(container, at, seen)
        yield from validate_container(container, at, volumes, bool(spec.get("hostNetwork")))
        target = container.get("targetContainerName", "")
        if target and target not in names:
            yield not_found(f"{at}.targetContainerName", target)
        for field in _FORBIDDEN:
            if container.get(field):
                yield forbidden(f"{at}.{field}", _NOT_HERE)
        for place, mount in enumerate(container.get("volumeMounts") or []):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    yield forbidden(f"{at}.volumeMounts[{place}].{field}", _NOT_HERE)


def validate_additions(new: Object, old: Object) -> Errors:
    """Those that were there are there still, as they were."""
    path = f"spec.{_FIELD}"
    now = {container.get("name"): container for container in new["spec"].get(_FIELD) or []}
    for before in old["spec"].get(_FIELD) or []:
        name = before["name"]
        if name not in now:
            yield forbidden(path, f"existing ephemeral containers {quoted(name)} may not be removed\n")
        elif now[name] != before:
            difference = f"- {quoted(before)}\n+ {quoted(now[name])}\n"
            yield forbidden(path, f"existing ephemeral containers {quoted(name)} may not be changed\n{difference}")
