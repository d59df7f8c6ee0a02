"""Emptying a namespace, the decisions: how long what remains may take, and when it takes longer than it should.

Pods may need the longest of their grace periods, counted from the deletion of the namespace; what has finalizers waits
for whoever set them. Anything else that is still there after it was deleted is a fault, and is told as one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sampan_api import meta
from sampan_api.client import PODS, Resource
from sampan_api.clock import parse_time
from sampan_api.errors import ApiError, InternalError
from sampan_api.meta import Object

from sampan_master.controllers.pod_facts import has_ended

FINALIZERS_TAKE = 15


@dataclass(slots=True)
class Drain:
    """What one pass has left: objects by resource, why something could not be deleted, how long the rest may take."""

    remaining: dict[Resource, list[Object]] = field(default_factory=dict)
    failures: dict[str, ApiError] = field(default_factory=dict)
    estimate: int = 0

    @property
    def is_empty(self) -> bool:
        return not self.remaining and not self.failures

    @property
    def look_again(self) -> float:
        return self.estimate // 2 + 1

    def fail(self, error: ApiError) -> None:
        self.failures.setdefault(error.message, error)

    def add(self, namespace: Object, resource: Resource, left: list[Object], now: float) -> None:
        """Takes in what is left of a resource after all of it was told to go."""
        if not left:
            return
        self.remaining[resource] = left
        seconds = grace_left(left, namespace, now) if resource == PODS else 0
        if not seconds and any(obj["metadata"].get("finalizers") for obj in left):
            seconds = FINALIZERS_TAKE
        if not seconds:
            self.fail(InternalError(unexpected(meta.name(namespace), resource)))
        self.estimate = max(self.estimate, seconds)


def grace_left(pods: list[Object], namespace: Object, now: float) -> int:
    """The longest grace period of the pods that still run; 0 when the namespace is deleted for longer than that."""
    grace = max((p["spec"].get("terminationGracePeriodSeconds") or 0 for p in pods if not has_ended(p)), default=0)
    deleted_at = parse_time(namespace["metadata"]["deletionTimestamp"])
    return int(grace) if now - deleted_at < grace else 0


def unexpected(namespace: str, resource: Resource) -> str:
    kind = f"{resource.group}/{resource.version}, Resource={resource.plural}"
    return f"unexpected items still remain in namespace: {namespace} for gvr: {kind}"
