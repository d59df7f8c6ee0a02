"""`pods/resize`: how much cpu and memory the containers of a pod get, and nothing else of it."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object
from sampan_api.qos import qos_class

from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid

_RESIZABLE = ("cpu", "memory")
_LISTS = ("containers", "initContainers")
_SAME_CLASS = "Pod QOS Class may not change as a result of resizing"


def validate_resize(new: Object, old: Object) -> Errors:
    """`new` differs from `old` in the containers' resources and resizePolicy at most, or in the containers' order."""
    spec, before = new["spec"], old["spec"]
    current = (old.get("status") or {}).get("qosClass") or qos_class(before)
    if qos_class(spec) != current:
        yield invalid("spec", current, _SAME_CLASS)
    misplaced = [*_order(spec, before)]
    if misplaced:
        yield from misplaced
        return
    for field in reversed(_LISTS):
        pairs = zip(spec.get(field) or [], before.get(field) or [], strict=True)
        for index, (container, was) in enumerate(pairs):
            yield from _removals(container, was, f"spec.{field}[{index}].resources")
    yield from _others(spec, before)


def _order(spec: dict[str, Any], before: dict[str, Any]) -> Errors:
    for field in _LISTS:
        names, known = ([c.get("name") for c in s.get(field) or []] for s in (spec, before))
        if len(names) != len(known):
            yield forbidden(f"spec.{field}", f"{field} may not be added or removed on resize")
            continue
        for index, (name, was) in enumerate(zip(names, known, strict=True)):
            if name != was:
                yield forbidden(f"spec.{field}[{index}].name", f"{field} may not be renamed or reordered on resize")


def _removals(container: dict[str, Any], was: dict[str, Any], path: str) -> Errors:
    now, before = container.get("resources") or {}, was.get("resources") or {}
    for part in ("requests", "limits"):
        if set(before.get(part) or {}) - set(now.get(part) or {}):
            yield forbidden(f"{path}.{part}", f"resource {part} cannot be removed")


def _others(spec: dict[str, Any], before: dict[str, Any]) -> Errors:
    for container, was in zip(spec.get("containers") or [], before.get("containers") or [], strict=True):
        if _fixed(container) != _fixed(was):
            yield forbidden("spec", "only cpu and memory resources are mutable")
    for container, was in zip(spec.get("initContainers") or [], before.get("initContainers") or [], strict=True):
        if was.get("restartPolicy") != "Always":
            if container != was:
                yield forbidden("spec", "resources for non-sidecar init containers are immutable")
        elif _fixed(container) != _fixed(was):
            yield forbidden("spec", "only cpu and memory resources for sidecar containers are mutable")


def _fixed(container: dict[str, Any]) -> dict[str, Any]:
    """The container without what may change."""
    resources = dict(container.get("resources") or {})
    for part in ("requests", "limits"):
        kept = {name: amount for name, amount in (resources.pop(part, None) or {}).items() if name not in _RESIZABLE}
        if kept:
            resources[part] = kept
    return {**container, "resources": resources}
