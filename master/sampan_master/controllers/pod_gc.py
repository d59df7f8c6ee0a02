"""Pods nobody else will remove, the decisions.

terminated     ended, and more of them than the threshold: those evicted by their node first, then the oldest
out of service terminating on a node that is not ready and that its operator has declared dead
orphaned       bound to a node that is no more, for the whole quarantine (see `pod_gc_controller`)
unscheduled    deleted before any node had them

A pod that terminates on a node that is merely not heard of stays until the node returns: only the node knows
whether its processes still run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_api import meta
from sampan_api.clock import rfc3339
from sampan_api.meta import Object

from sampan_master.controllers.node_health import ready_status
from sampan_master.controllers.pod_facts import created_at, has_ended, node_name, phase

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def beyond_threshold(pods: Iterable[Object], threshold: int) -> list[Object]:
    """A threshold of 0 keeps all."""
    ended = [pod for pod in pods if has_ended(pod)]
    excess = len(ended) - threshold
    return sorted(ended, key=_order)[:excess] if threshold > 0 and excess > 0 else []


def deleted_before_scheduled(pods: Iterable[Object]) -> list[Object]:
    return [pod for pod in pods if meta.is_deleting(pod) and not node_name(pod)]


def terminating_on(pods: Iterable[Object], nodes: Iterable[str]) -> list[Object]:
    names = set(nodes)
    return sorted((pod for pod in pods if meta.is_deleting(pod) and node_name(pod) in names), key=_order)


def is_out_of_service(node: Object) -> bool:
    taints = (node.get("spec") or {}).get("taints") or []
    return ready_status(node) != "True" and any(taint["key"] == OUT_OF_SERVICE for taint in taints)


def failed_status(pod: Object, now: float, *, node_is_gone: bool) -> dict[str, Any] | None:
    """What the pod says before it is removed, so that whoever waits for its end sees one; None when it has ended."""
    if has_ended(pod):
        return None
    status: dict[str, Any] = {"phase": "Failed"}
    if node_is_gone:
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists",
            "lastTransitionTime": rfc3339(now),
        }
        status["conditions"] = [condition]
    return status


def _order(pod: Object) -> tuple[bool, float, str]:
    evicted = phase(pod) == "Failed" and (pod.get("status") or {}).get("reason") == "Evicted"
    return not evicted, created_at(pod), meta.name(pod)
