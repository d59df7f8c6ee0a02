"""ReplicaSet, the decisions: which pods are ours, how many to make, which to delete, what the status says.

Pods that end or are being deleted do not count, so a deleted pod is replaced while it still terminates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sampan_api import meta
from sampan_api.clock import rfc3339
from sampan_api.meta import Object
from sampan_api.selectors import LabelSelector, from_label_selector

from sampan_master.controllers.deletion_ranking import first_to_delete
from sampan_master.controllers.pod_facts import has_ended, is_active, ready_since

BURST = 500
"""Most pods made or deleted in one go."""


@dataclass(slots=True)
class Claims:
    """`mine` are active pods this set controls (adopted ones join when the patch succeeded)."""

    mine: list[Object] = field(default_factory=list)
    adopt: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scaling:
    create: int = 0
    delete: list[Object] = field(default_factory=list)


def selector(replica_set: Object) -> LabelSelector:
    return from_label_selector(replica_set["spec"]["selector"])


def replicas(replica_set: Object) -> int:
    wanted = replica_set["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def claims(replica_set: Object, pods: Iterable[Object]) -> Claims:
    """Sorts `pods` (those controlled by this set, and those controlled by nobody) into ours, to adopt, to release."""
    result, uid, matching = Claims(), meta.uid(replica_set), selector(replica_set)
    deleting = meta.is_deleting(replica_set)
    for pod in pods:
        if not is_active(pod):
            continue
        controller, matches = meta.controller_of(pod), matching.matches(meta.labels(pod))
        if controller is None:
            if matches and not deleting:
                result.adopt.append(pod)
        elif controller.get("uid") == uid:
            if matches or deleting:
                result.mine.append(pod)
            else:
                result.release.append(pod)
    return result


def scaling(replica_set: Object, mine: list[Object], related: Iterable[Object], now: float) -> Scaling:
    if meta.is_deleting(replica_set):
        return Scaling()
    missing = replicas(replica_set) - len(mine)
    if missing >= 0:
        return Scaling(create=min(missing, BURST))
    return Scaling(delete=first_to_delete(mine, min(-missing, BURST), related, now))


def owner_reference(replica_set: Object) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": meta.name(replica_set),
        "uid": meta.uid(replica_set),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def new_pod(replica_set: Object) -> Object:
    template = replica_set["spec"]["template"]
    template_metadata = template.get("metadata") or {}
    metadata = {k: template_metadata[k] for k in ("labels", "annotations", "finalizers") if k in template_metadata}
    metadata["generateName"] = f"{meta.name(replica_set)}-"
    metadata["ownerReferences"] = [owner_reference(replica_set)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why pods could not be made (FailedCreate) or deleted (FailedDelete)."""

    reason: str
    message: str


def status(
    replica_set: Object, mine: list[Object], terminating: int, failure: Failure | None, now: float
) -> dict[str, Any]:
    """The status to write; equal to the present one when there is nothing to say."""
    template = from_label_selector({"matchLabels": _template_labels(replica_set)})
    ready = [since for pod in mine if (since := ready_since(pod)) is not None]
    minimum = replica_set["spec"].get("minReadySeconds") or 0
    counts = {
        "fullyLabeledReplicas": sum(template.matches(meta.labels(pod)) for pod in mine),
        "readyReplicas": len(ready),
        "availableReplicas": sum(since + minimum <= now for since in ready) if minimum else len(ready),
    }
    result: dict[str, Any] = {"replicas": len(mine)}
    result |= {name: count for name, count in counts.items() if count}
    result["terminatingReplicas"] = terminating
    result["observedGeneration"] = replica_set["metadata"].get("generation", 0)
    conditions = _conditions(replica_set, failure, now)
    return result | {"conditions": conditions} if conditions else result


def until_available(replica_set: Object, mine: list[Object], now: float) -> float | None:
    """Seconds until the next ready pod becomes available by minReadySeconds."""
    minimum = replica_set["spec"].get("minReadySeconds") or 0
    ready = [since for pod in mine if (since := ready_since(pod)) is not None]
    return min((since + minimum - now for since in ready if since + minimum > now), default=None)


def terminating(replica_set: Object, pods: Iterable[Object]) -> int:
    uid = meta.uid(replica_set)
    return sum(
        1
        for pod in pods
        if meta.is_deleting(pod) and not has_ended(pod) and (meta.controller_of(pod) or {}).get("uid") == uid
    )


def _template_labels(replica_set: Object) -> dict[str, str]:
    return (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}


def _conditions(replica_set: Object, failure: Failure | None, now: float) -> list[dict[str, Any]]:
    before = (replica_set.get("status") or {}).get("conditions") or []
    others = [c for c in before if c["type"] != "ReplicaFailure"]
    if failure is None:
        return others
    same = next((c for c in before if c["type"] == "ReplicaFailure" and c.get("reason") == failure.reason), None)
    return [
        *others,
        {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": same["lastTransitionTime"] if same else rfc3339(now),
            "reason": failure.reason,
            "message": failure.message,
        },
    ]
