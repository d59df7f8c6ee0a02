"""What requests, limits and the quality-of-service class mean to the kernel."""

from __future__ import annotations

from typing import Any

from sampan_api import quantity
from sampan_api.qos import qos_class

CPU_PERIOD = 100_000
MIN_SHARES, MIN_QUOTA = 2, 1000


def request(container: dict[str, Any], name: str) -> int:
    """Milli-cores for cpu, bytes for the rest; a limit without a request is the request too."""
    resources = container.get("resources") or {}
    amount = (resources.get("requests") or {}).get(name, (resources.get("limits") or {}).get(name, 0))
    return quantity.milli(amount) if name == "cpu" else quantity.value(amount)


def limit(container: dict[str, Any], name: str) -> int:
    """0: no limit."""
    amount = ((container.get("resources") or {}).get("limits") or {}).get(name, 0)
    return quantity.milli(amount) if name == "cpu" else quantity.value(amount)


def shares(milli_cpu: int) -> int:
    return max(MIN_SHARES, milli_cpu * 1024 // 1000)


def quota(milli_cpu: int, most: int = 0) -> int:
    """Microseconds per period; 0: no limit. `most`: what the node has, as cgroup v1 refuses a child more than that."""
    if not milli_cpu:
        return 0
    return max(MIN_QUOTA, min(milli_cpu, most or milli_cpu) * CPU_PERIOD // 1000)


def pod_totals(spec: dict[str, Any], what: Any, name: str) -> int:
    """Main containers plus sidecars together, or the largest init container on top of the sidecars before it.

    `what` is `request` or `limit`; for limits 0 means that some container is unlimited.
    """
    mains = [what(c, name) for c in spec.get("containers") or []]
    sidecars, peak = 0, 0
    amounts = list(mains)
    for container in spec.get("initContainers") or []:
        amount = what(container, name)
        amounts.append(amount)
        if container.get("restartPolicy") == "Always":
            sidecars += amount
        peak = max(peak, sidecars + (0 if container.get("restartPolicy") == "Always" else amount))
    if what is limit and not all(amounts):
        return 0
    return int(max(sum(mains) + sidecars, peak))


def oom_score_adj(spec: dict[str, Any], container: dict[str, Any], node_memory: int) -> int:
    match qos_class(spec):
        case "Guaranteed":
            return -997
        case "BestEffort":
            return 1000
    score = 1000 - 1000 * request(container, "memory") // max(node_memory, 1)
    return min(999, max(3, score))
