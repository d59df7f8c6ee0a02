"""`pods/eviction`: a deletion that asks the pod's disruption budget first. The algorithm, in the order of its answers:

    pod ends, waits or goes anyway      → deleted; a waiting one only as it was looked at (it may become healthy)
    no budget selects it                → deleted
    more than one does                  → 500: which one should pay?
    not ready, and its budget lets such go (AlwaysAllow, or enough others are healthy)
                                        → deleted as it was looked at; if it became ready meanwhile, 429
    else                                → the budget pays, or 429

A budget pays by compare-and-swap on its status: one disruption less, and the pod noted in `disruptedPods` until the
controller sees it gone. So two evictions at one moment cannot both use the last one, and a controller that counted
before the grant cannot take it back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sampan_api import disruption, meta
from sampan_api.client import DeleteOptions
from sampan_api.clock import rfc3339
from sampan_api.errors import ApiError, BadRequest, Conflict, Forbidden, TooManyRequests
from sampan_api.meta import Object
from sampan_api.selectors import SelectorError, from_label_selector

from sampan_master.apiserver.encoding.options import WriteOptions, delete_request
from sampan_master.apiserver.registry import deletion, preparing
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.resources.kinds import poddisruptionbudgets
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.storage import Entry

BUDGETS = poddisruptionbudgets.RESOURCE
MOST_DISRUPTED = 2000
"""Grants that the controller may leave unconfirmed before a budget grants no more."""

_ATTEMPTS = 20
_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_TWO_BUDGETS = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


@dataclass(frozen=True, slots=True)
class _Eviction:
    """One request: which pod, and how it is to be deleted."""

    registry: Registry
    pods: ResourceType
    namespace: str
    name: str
    wishes: DeleteOptions
    dry_run: bool

    async def pod(self) -> Object:
        return (await self.registry.get(self.pods, self.namespace, self.name)).obj


async def evict(
    registry: Registry, rt: ResourceType, namespace: str, name: str, eviction: Object, options: WriteOptions
) -> None:
    """Raises BadRequest, NotFound, Invalid, Conflict, TooManyRequests, Forbidden, and a 500 for two budgets."""
    if eviction["metadata"].get("name") != name:
        raise BadRequest("name in URL does not match name in Eviction object")
    if eviction["metadata"].get("namespace", namespace) != namespace:
        raise BadRequest(preparing.WRONG_NAMESPACE)
    asked = delete_request(eviction.get("deleteOptions") or {}, {})
    request = _Eviction(registry, rt, namespace, name, asked.options, options.dry_run or asked.dry_run)
    pod = await _unless_free_to_go(request)
    if pod is not None:
        await _within_budget(request, pod)


async def _unless_free_to_go(request: _Eviction) -> Object | None:
    """Deletes a pod that no budget guards; else answers the pod as it is, for its budget to decide."""
    for attempt in range(_ATTEMPTS):
        pod = await request.pod()
        if not _needs_no_budget(pod):
            return pod
        wishes = request.wishes
        if not _is_over(pod) and not wishes.resource_version:
            wishes = replace(wishes, resource_version=meta.resource_version(pod))
        try:
            await _delete(request, wishes)
        except Conflict:
            # Who named a revision or another pod meant it; else the pod has changed since we looked at it.
            meant = request.wishes.resource_version or request.wishes.uid not in ("", meta.uid(pod))
            if meant or attempt == _ATTEMPTS - 1:
                raise
            continue
        return None
    return None


async def _within_budget(request: _Eviction, pod: Object) -> None:
    budget = await _budget_of(request.registry, pod)
    if budget is None:
        await _delete(request, request.wishes)
        return
    if not meta.is_true(pod, "Ready") and _lets_unhealthy_go(budget.obj):
        wishes = request.wishes
        try:
            await _delete(request, replace(wishes, resource_version=meta.resource_version(pod)))
        except Conflict as error:
            if wishes.resource_version:
                raise
            raise _try_again(meta.name(budget.obj)) from error
        return
    await _pay(request, budget)
    await _delete(request, request.wishes)


def _needs_no_budget(pod: Object) -> bool:
    return _is_over(pod) or (pod.get("status") or {}).get("phase") == "Pending"


def _is_over(pod: Object) -> bool:
    return meta.is_deleting(pod) or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


async def _budget_of(registry: Registry, pod: Object) -> Entry | None:
    """Raises a 500 when there are several."""
    cache = registry.storage.cache
    await cache.fresh()
    found = [entry for entry in cache.list(BUDGETS.prefix(meta.namespace(pod))).entries if _guards(entry.obj, pod)]
    if len(found) > 1:
        raise ApiError(_TWO_BUDGETS)
    return found[0] if found else None


def _guards(budget: Object, pod: Object) -> bool:
    try:
        return from_label_selector((budget.get("spec") or {}).get("selector")).matches(meta.labels(pod))
    except SelectorError:
        return False


def _lets_unhealthy_go(budget: Object) -> bool:
    """Such a pod is not among the healthy ones, so its going takes nothing from the budget."""
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired = status.get("desiredHealthy", 0)
    return bool(status.get("currentHealthy", 0) >= desired > 0)


async def _pay(request: _Eviction, budget: Entry) -> None:
    registry = request.registry

    def granted(entry: Entry) -> Object:
        status = _after_grant(entry.obj, request.name, registry.clock.now())
        return {**entry.obj, "status": status}

    name = meta.name(budget.obj)
    options = WriteOptions(dry_run=request.dry_run)
    await registry.modify(BUDGETS, request.namespace, name, granted, options)


def _after_grant(budget: Object, pod: str, now: float) -> dict[str, Any]:
    """The budget's status once it has let `pod` go. Raises TooManyRequests or Forbidden when it does not."""
    name, status = meta.name(budget), budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _try_again(name)
    allowed, disrupted = status.get("disruptionsAllowed", 0), status.get("disruptedPods") or {}
    if allowed < 0:
        raise _forbidden(name, "pdb disruptions allowed is negative")
    if len(disrupted) > MOST_DISRUPTED:
        said = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise _forbidden(name, said)
    if allowed == 0:
        raise TooManyRequests(_REFUSED, {"causes": [_cause(_why_not(name, status))]})
    status = {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": {**disrupted, pod: rfc3339(now)}}
    return disruption.with_condition(status, now) if allowed == 1 else status


def _why_not(name: str, status: dict[str, Any]) -> str:
    condition = disruption.allowed_condition(status) or {}
    current, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    if condition.get("status") == "False" and condition.get("reason") == disruption.SYNC_FAILED:
        said = condition.get("message", "")
        return f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {said}"
    if current <= desired:
        return f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"
    return f"The disruption budget {name} does not allow evicting pods currently"


def _cause(message: str) -> dict[str, str]:
    return {"reason": "DisruptionBudget", "message": message}


def _try_again(name: str) -> TooManyRequests:
    cause = _cause(f"The disruption budget {name} is still being processed by the server.")
    return TooManyRequests(_REFUSED, {"causes": [cause], "retryAfterSeconds": 10})


def _forbidden(name: str, why: str) -> Forbidden:
    details = {"name": name, "group": BUDGETS.group, "kind": "poddisruptionbudget"}
    return Forbidden(f'poddisruptionbudget.policy "{name}" is forbidden: {why}', details)


async def _delete(request: _Eviction, wishes: DeleteOptions) -> None:
    """Deletes after it was noted on the pod why it goes."""
    if not request.dry_run:
        marked = await _mark(request, wishes)
        if wishes.resource_version:
            wishes = replace(wishes, resource_version=marked)
    await request.registry.delete(request.pods, request.namespace, request.name, wishes, dry_run=request.dry_run)


async def _mark(request: _Eviction, wishes: DeleteOptions) -> str:
    """The resourceVersion of the pod with its DisruptionTarget condition."""

    def disrupted(entry: Entry) -> Object:
        deletion.check_preconditions(request.pods, entry.obj, wishes)
        return _with_disruption(entry.obj, request.registry.clock.now())

    written = await request.registry.modify(request.pods, request.namespace, request.name, disrupted, WriteOptions())
    return meta.resource_version(written.obj)


def _with_disruption(pod: Object, now: float) -> Object:
    before = meta.condition(pod, "DisruptionTarget") or {}
    since = before.get("lastTransitionTime") if before.get("status") == "True" else None
    condition = {
        "type": "DisruptionTarget",
        "observedGeneration": pod["metadata"].get("generation", 0),
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": since or rfc3339(now),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    status = pod.get("status") or {}
    others = [c for c in status.get("conditions") or [] if c.get("type") != "DisruptionTarget"]
    return {**pod, "status": {**status, "conditions": [*others, condition]}}
