"""ReplicaSet, the decisions: which pods are ours, how many to make, which to delete, what the status says.

Pods that have ended or are being deleted do not count, so a deleted pod is replaced while it still terminates. A set
that is being deleted keeps what matches and changes nothing. All of it holds for ReplicationControllers too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sampan_api import meta
from sampan_api.clock import rfc3339
from sampan_api.meta import Object
from sampan_api.selectors import from_labels

from sampan_master.controllers.deletion_ranking import first_to_delete
from sampan_master.controllers.pod_facts import has_ended, is_active, is_ready, ready_since
from sampan_master.controllers.replica_kinds import ReplicaKind

BURST = 500
"""Most pods made or deleted in one go."""
_LONGEST_NAME = 253
FAILURE = "ReplicaFailure"


@dataclass(slots=True)
class Claims:
    """`mine` are active pods this set controls (adopted ones join when the patch succeeded)."""

    mine: list[Object] = field(default_factory=list)
    adopt: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)


def replicas(replica_set: Object) -> int:
    wanted = replica_set["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def claims(kind: ReplicaKind, replica_set: Object, pods: Iterable[Object]) -> Claims:
    """Sorts `pods` into ours, to adopt, to release; those that another object controls are nobody's business."""
    result, uid, selector = Claims(), meta.uid(replica_set), kind.selector(replica_set)
    deleting = meta.is_deleting(replica_set)
    for pod in pods:
        if not is_active(pod):
            continue
        controller, matches = meta.controller_of(pod), selector.matches(meta.labels(pod))
        if controller is None:
            if matches and not deleting:
                result.adopt.append(pod)
        elif controller.get("uid") == uid:
            if matches:
                result.mine.append(pod)
            elif not deleting:
                result.release.append(pod)
    return result


def missing(replica_set: Object, there: int) -> int:
    """How many pods to make now; below 0: so many are to go."""
    if meta.is_deleting(replica_set):
        return 0
    return max(-BURST, min(replicas(replica_set) - there, BURST))


def surplus(replica_set: Object, mine: list[Object], related: Iterable[Object], now: float) -> list[Object]:
    """The pods to delete now."""
    return first_to_delete(mine, max(0, -missing(replica_set, len(mine))), related, now)


def owner_reference(kind: ReplicaKind, replica_set: Object) -> dict[str, Any]:
    return {
        "apiVersion": kind.resource.api_version,
        "kind": kind.resource.kind,
        "name": meta.name(replica_set),
        "uid": meta.uid(replica_set),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def new_pod(kind: ReplicaKind, replica_set: Object) -> Object:
    template = replica_set["spec"]["template"]
    template_metadata = template.get("metadata") or {}
    metadata = {k: template_metadata[k] for k in ("labels", "annotations", "finalizers") if k in template_metadata}
    prefix = f"{meta.name(replica_set)}-"
    metadata["generateName"] = prefix if len(prefix) <= _LONGEST_NAME else meta.name(replica_set)
    metadata["ownerReferences"] = [owner_reference(kind, replica_set)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why pods could not be made (FailedCreate) or deleted (FailedDelete)."""

    reason: str
    message: str


def status(
    kind: ReplicaKind, replica_set: Object, mine: list[Object], terminating: int, failure: Failure | None, now: float
) -> dict[str, Any]:
    """The status to write; equal to the present one when there is nothing to say."""
    template = from_labels(_template_labels(replica_set))
    minimum = _min_ready_seconds(replica_set)
    counts = {
        "fullyLabeledReplicas": sum(template.matches(meta.labels(pod)) for pod in mine),
        "readyReplicas": sum(map(is_ready, mine)),
        "availableReplicas": sum(_is_available(pod, minimum, now) for pod in mine),
    }
    result: dict[str, Any] = {"replicas": len(mine)}
    result |= {name: count for name, count in counts.items() if count}
    if kind.counts_terminating:
        result["terminatingReplicas"] = terminating
    result["observedGeneration"] = replica_set["metadata"].get("generation", 0)
    conditions = _conditions(replica_set, failure, now)
    return result | {"conditions": conditions} if conditions else result


def until_available(replica_set: Object, mine: list[Object], now: float) -> float | None:
    """Seconds until the next ready pod is available by minReadySeconds; None when all that are ready are available.
    A pod of which it is not known since when it is ready is looked at again after minReadySeconds."""
    minimum = _min_ready_seconds(replica_set)
    waiting = [pod for pod in mine if is_ready(pod) and not _is_available(pod, minimum, now)]
    if not waiting:
        return None
    return min((since + minimum - now for pod in waiting if (since := ready_since(pod)) is not None), default=minimum)


def terminating(kind: ReplicaKind, replica_set: Object, pods: Iterable[Object]) -> int:
    uid, selector = meta.uid(replica_set), kind.selector(replica_set)
    return sum(
        meta.is_deleting(pod)
        and not has_ended(pod)
        and (meta.controller_of(pod) or {}).get("uid") == uid
        and selector.matches(meta.labels(pod))
        for pod in pods
    )


def _template_labels(replica_set: Object) -> dict[str, str]:
    return (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}


def _min_ready_seconds(replica_set: Object) -> int:
    return replica_set["spec"].get("minReadySeconds") or 0


def _is_available(pod: Object, minimum: int, now: float) -> bool:
    if not minimum:
        return is_ready(pod)
    since = ready_since(pod)
    return since is not None and since + minimum <= now


def _conditions(replica_set: Object, failure: Failure | None, now: float) -> list[dict[str, Any]]:
    """A failure that is there stays as it was first told until nothing fails."""
    before: list[dict[str, Any]] = (replica_set.get("status") or {}).get("conditions") or []
    if failure is None:
        return [condition for condition in before if condition["type"] != FAILURE]
    if any(condition["type"] == FAILURE for condition in before):
        return before
    condition = {
        "type": FAILURE,
        "status": "True",
        "lastTransitionTime": rfc3339(now),
        "reason": failure.reason,
        "message": failure.message,
    }
    return [*before, condition]
