"""The quality-of-service class of a pod, from the cpu and memory amounts of all its containers."""

from __future__ import annotations

from typing import Any

from sampan_api import quantity

_COUNTED = ("cpu", "memory")


def qos_class(spec: dict[str, Any]) -> str:
    """Guaranteed: every container has limits equal to requests for both; BestEffort: nobody asks for anything."""
    anything = False
    guaranteed = True
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        resources = container.get("resources") or {}
        limits, requests = _amounts(resources.get("limits")), _amounts(resources.get("requests"))
        anything = anything or bool(limits or requests)
        guaranteed = guaranteed and len(limits) == len(_COUNTED) and limits == requests
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _amounts(amounts: dict[str, str] | None) -> dict[str, int]:
    """The counted amounts that are not zero, in thousandths."""
    found = {name: quantity.milli(value) for name, value in (amounts or {}).items() if name in _COUNTED}
    return {name: milli for name, milli in found.items() if milli}
