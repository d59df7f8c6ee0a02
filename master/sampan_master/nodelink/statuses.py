"""Merging what a node says of its pods and of itself into what the API knows.

Pure. The node owns most of a status, not all of it: conditions it does not report (PodScheduled, readiness gates) stay,
a condition that did not flip keeps its transition time, and a pod that has ended never comes back to life.
"""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

_TERMINAL = ("Succeeded", "Failed")
_PASSING = ("PodResizePending", "PodResizeInProgress")
"""Conditions of a pod that end by not being reported any more."""

_OTHERS = ("nominatedNodeName", "resourceClaimStatuses", "extendedResourceClaimStatus")
"""Fields of a pod's status that the master's own components write."""


def merge_conditions(current: list[dict[str, Any]], reported: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`reported` in its order, then the current ones it does not mention. The API's PodScheduled wins."""
    known = {c["type"]: c for c in current}
    merged = []
    for condition in reported:
        before = known.pop(condition["type"], None)
        if before is None:
            merged.append(condition)
        elif condition["type"] == "PodScheduled":
            merged.append(before)
        elif before.get("status") == condition.get("status") and before.get("lastTransitionTime"):
            merged.append({**condition, "lastTransitionTime": before["lastTransitionTime"]})
        else:
            merged.append(condition)
    return merged + list(known.values())


def merge_pod_status(current: dict[str, Any], reported: dict[str, Any]) -> dict[str, Any]:
    merged = dict(reported)
    now = reported.get("conditions") or []
    said = {condition["type"] for condition in now}
    before = current.get("conditions") or []
    kept = [c for c in before if c["type"] not in _PASSING or c["type"] in said]
    merged["conditions"] = merge_conditions(kept, now)
    for field in _OTHERS:
        if field in current:
            merged[field] = current[field]
    if current.get("startTime"):
        merged["startTime"] = current["startTime"]
    if current.get("phase") in _TERMINAL and merged.get("phase") not in _TERMINAL:
        merged["phase"] = current["phase"]
        for field in ("reason", "message"):
            if field in current:
                merged[field] = current[field]
    return merged


def merge_node_status(current: dict[str, Any], reported: dict[str, Any]) -> dict[str, Any]:
    merged = {**current, **reported}
    merged["conditions"] = merge_conditions(current.get("conditions") or [], reported.get("conditions") or [])
    return merged


def concerns_node(old: Object | None, new: Object) -> bool:
    """Whether a change of a pod is news to the node that runs it, rather than the echo of its own status."""
    if old is None:
        return True
    if old.get("spec") != new.get("spec"):
        return True
    if any(old["metadata"].get(f) != new["metadata"].get(f) for f in _METADATA):
        return True
    return _phase(new) in _TERMINAL and _phase(old) not in _TERMINAL


_METADATA = ("uid", "labels", "annotations", "deletionTimestamp", "deletionGracePeriodSeconds")


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", ""))
