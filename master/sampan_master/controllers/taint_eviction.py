"""Eviction by NoExecute taints, the decisions: a pod leaves its node when it does not tolerate a taint, or no longer.

The time runs for each taint from when it was set (`timeAdded`), so a restarted master does not start it again, and not
before the pod was bound: a pod that comes to a tainted node has its whole time too. A taint that does not say when it
was set (`kubectl taint` does not) counts from when it was first seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sampan_api import meta
from sampan_api.clock import parse_time, rfc3339
from sampan_api.meta import Object

from sampan_master.controllers.pod_facts import created_at
from sampan_master.scheduler.signature import Taint, taints, tolerations


class Standing(NamedTuple):
    """A NoExecute taint and since when (Unix seconds) it stands."""

    taint: Taint
    since: float


def evicts(node: Object) -> bool:
    return any(taint.effect == "NoExecute" for taint in taints(node))


def standing(node: Object, first_seen: dict[Taint, float], now: float) -> list[Standing]:
    """The node's NoExecute taints. `first_seen` remembers those without a time of their own, and only those."""
    raw = (node.get("spec") or {}).get("taints") or []
    present = [
        (taint, raw_one) for taint, raw_one in zip(taints(node), raw, strict=True) if taint.effect == "NoExecute"
    ]
    timeless = {taint for taint, raw_one in present if not raw_one.get("timeAdded")}
    for taint in first_seen.keys() - timeless:
        del first_seen[taint]
    return [
        Standing(taint, first_seen.setdefault(taint, now) if taint in timeless else parse_time(given["timeAdded"]))
        for taint, given in present
    ]


def eviction_time(pod: Object, present: Iterable[Standing]) -> float | None:
    """When (Unix seconds) the pod must leave the node; None when it may stay. Of the tolerations that match a taint
    the first counts, as in Kubernetes."""
    given = pod["spec"].get("tolerations") or []
    matchers = tolerations(pod["spec"])
    here_since = bound_at(pod)
    deadline: float | None = None
    for taint, since in present:
        matching = next((t for t, m in zip(given, matchers, strict=True) if m.tolerates(taint)), None)
        seconds = 0 if matching is None else matching.get("tolerationSeconds")
        if seconds is None:
            continue
        until = max(since, here_since) + max(0, seconds)
        deadline = until if deadline is None else min(deadline, until)
    return deadline


def bound_at(pod: Object) -> float:
    """Since when the pod has its node, as far as it says so; never later than it is."""
    scheduled = meta.condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "True" and scheduled.get("lastTransitionTime"):
        return parse_time(scheduled["lastTransitionTime"])
    return created_at(pod)


def disruption(pod: Object, now: float) -> dict[str, Any] | None:
    """The condition by which the pod says why it goes; None when it says so already."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
    }
    said = meta.condition(pod, "DisruptionTarget") or {}
    if all(said.get(key) == value for key, value in condition.items()):
        return None
    return condition | {"lastTransitionTime": rfc3339(now)}
