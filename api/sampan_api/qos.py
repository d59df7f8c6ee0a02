"""The quality-of-service class of a pod: the one definition that the API server shows and the node acts upon."""

from __future__ import annotations

from typing import Any

from sampan_api import quantity

_COUNTED = ("cpu", "memory")


def qos_class(spec: dict[str, Any]) -> str:
    """Guaranteed: every container has limits equal to requests for both cpu and memory; BestEffort: nobody asks for
    anything. A request that is not named is its limit, as the defaults of a stored pod have it."""
    anything = False
    guaranteed = True
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        resources = container.get("resources") or {}
        limits = _amounts(resources.get("limits"))
        requests = limits | _amounts(resources.get("requests"))
        anything = anything or any(requests.values())
        guaranteed = guaranteed and len(limits) == len(_COUNTED) and all(limits.values()) and limits == requests
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _amounts(amounts: dict[str, Any] | None) -> dict[str, int]:
    """The counted amounts, in thousandths."""
    return {name: quantity.milli(value) for name, value in (amounts or {}).items() if name in _COUNTED}
