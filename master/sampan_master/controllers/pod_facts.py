"""What controllers ask of a pod."""

from __future__ import annotations

from sampan_api import meta
from sampan_api.clock import parse_time
from sampan_api.meta import Object


def phase(pod: Object) -> str:
    return (pod.get("status") or {}).get("phase") or ""


def has_ended(pod: Object) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    return not has_ended(pod) and not meta.is_deleting(pod)


def node_name(pod: Object) -> str:
    return pod["spec"].get("nodeName") or ""


def is_ready(pod: Object) -> bool:
    return meta.is_true(pod, "Ready")


def ready_since(pod: Object) -> float | None:
    """Unix seconds since when the pod is Ready; None when it is not, or when its condition does not tell."""
    ready = meta.condition(pod, "Ready")
    if ready is None or ready.get("status") != "True":
        return None
    changed = ready.get("lastTransitionTime")
    return parse_time(changed) if changed else None


def created_at(obj: Object) -> float:
    stamp = obj["metadata"].get("creationTimestamp")
    return parse_time(stamp) if stamp else 0.0


def most_restarts(pod: Object) -> tuple[int, int]:
    """Of any of its containers, and of any of its sidecars (init containers that go on running)."""
    status = pod.get("status") or {}
    inits = pod["spec"].get("initContainers") or []
    sidecars = {container["name"] for container in inits if container.get("restartPolicy") == "Always"}
    mains = (s.get("restartCount") or 0 for s in status.get("containerStatuses") or [])
    besides = (s.get("restartCount") or 0 for s in status.get("initContainerStatuses") or [] if s["name"] in sidecars)
    return max(mains, default=0), max(besides, default=0)
