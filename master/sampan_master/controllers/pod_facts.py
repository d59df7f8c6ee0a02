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


def ready_since(pod: Object) -> float | None:
    """Unix seconds since when the pod is Ready; None when it is not."""
    ready = meta.condition(pod, "Ready")
    if ready is None or ready.get("status") != "True":
        return None
    changed = ready.get("lastTransitionTime")
    return parse_time(changed) if changed else 0.0


def created_at(obj: Object) -> float:
    stamp = obj["metadata"].get("creationTimestamp")
    return parse_time(stamp) if stamp else 0.0


def most_restarts(pod: Object) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return max((s.get("restartCount") or 0 for s in statuses), default=0)
