"""What a pod asks of a node.

Containers run side by side: their requests add up. Init containers run one after the other before them: the greatest
counts. A sidecar (an init container with restartPolicy Always) stays, so it adds to everything that starts after it.
Overhead comes on top (KEP-753, "resource calculations"). While a resize in place is under way the greater of what is
asked for and what is held counts (KEP-1287). CPU is counted in millicores, all else in whole units.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

from sampan_api import meta, quantity
from sampan_api.meta import Object

Amounts: TypeAlias = dict[str, int]

_RESIZABLE = {"cpu", "memory"}
DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024
_ASSUMED_FOR_SCORING: Amounts = {"cpu": DEFAULT_MILLI_CPU, "memory": DEFAULT_MEMORY}


@lru_cache(maxsize=8192)
def amount(resource: str, text: str | int | float) -> int:
    return quantity.milli(text) if resource == "cpu" else quantity.value(text)


def amounts(quantities: dict[str, Any] | None) -> Amounts:
    return {name: amount(name, text) for name, text in (quantities or {}).items()}


def as_held(pod: Object) -> Object:
    """A bound pod as it weighs on its node: the same object, unless a container holds more than it asks for (its resize
    is not done), or can never have what it asks for (Infeasible): then a copy whose requests say so."""
    status = pod.get("status") or {}
    statuses = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
    held = {s["name"]: _held(s) for s in statuses if s.get("resources") or s.get("allocatedResources")}
    if not held:
        return pod
    pending = meta.condition(pod, "PodResizePending") or {}
    infeasible = pending.get("status") == "True" and pending.get("reason") == "Infeasible"
    spec, changed = dict(pod["spec"]), False
    for field in ("containers", "initContainers"):
        containers = [_weighing(c, held.get(c["name"]), infeasible) for c in spec.get(field) or ()]
        if any(new is not old for new, old in zip(containers, spec.get(field) or (), strict=True)):
            spec[field], changed = containers, True
    return {**pod, "spec": spec} if changed else pod


def _held(status: Object) -> dict[str, Any]:
    """The greater of what was allotted and what runs, of what can be resized."""
    allotted, runs = status.get("allocatedResources") or {}, (status.get("resources") or {}).get("requests") or {}
    return {name: _greater(name, allotted.get(name), runs.get(name)) for name in {*allotted, *runs} & _RESIZABLE}


def _weighing(container: Object, held: dict[str, Any] | None, infeasible: bool) -> Object:
    asked = (container.get("resources") or {}).get("requests") or {}
    weighing = {
        name: text if infeasible else _greater(name, asked.get(name), text) for name, text in (held or {}).items()
    }
    if all(amount(name, text) == amount(name, asked.get(name, 0)) for name, text in weighing.items()):
        return container
    return {**container, "resources": {**(container.get("resources") or {}), "requests": {**asked, **weighing}}}


def _greater(resource: str, one: Any, other: Any) -> Any:
    """The greater of two quantities, None being none."""
    if one is None or other is None:
        return other if one is None else one
    return one if amount(resource, one) >= amount(resource, other) else other


def pod_requests(pod: Object) -> Amounts:
    """What the node must have free. Resources asked for with 0 are left out."""
    return {name: value for name, value in _sum(pod["spec"], {}).items() if value}


def pod_requests_for_scoring(pod: Object) -> tuple[int, int]:
    """Millicores and bytes, a container that names none counted with a usual amount so that nodes fill evenly."""
    total = _sum(pod["spec"], _ASSUMED_FOR_SCORING)
    return total["cpu"], total["memory"]


def _sum(spec: Object, assumed: Amounts) -> Amounts:
    running: Amounts = {}
    for container in spec["containers"]:
        _add(running, _of(container, assumed))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = dict(sidecars)
        _add(own, _of(container, assumed))
        if container.get("restartPolicy") == "Always":
            sidecars = own
        for name, value in own.items():
            peak[name] = max(peak.get(name, 0), value)
    _add(running, sidecars)
    for name, value in peak.items():
        running[name] = max(running.get(name, 0), value)
    running.update(amounts((spec.get("resources") or {}).get("requests")))
    _add(running, amounts(spec.get("overhead")))
    return running


def _of(container: Object, assumed: Amounts) -> Amounts:
    requests = (container.get("resources") or {}).get("requests")
    if not requests:
        return assumed
    return assumed | amounts(requests)


def _add(total: Amounts, more: Amounts) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value
