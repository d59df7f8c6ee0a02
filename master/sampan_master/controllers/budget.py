"""PodDisruptionBudget, the count: how many of its pods are healthy, how many must be, how many may go.

    expected   with minAvailable as a number: the pods that are there; else what their owners want in all
    desired    minAvailable, or expected less maxUnavailable; shares are rounded up
    healthy    ready, not being deleted, and not promised to an eviction within the last two minutes
    allowed    healthy - desired, and nothing while nothing is expected

A promise (`disruptedPods`) that no deletion followed within two minutes is void, and so is a pod's own condition
DisruptionTarget: it says no more that the pod is about to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan_api import disruption, meta
from sampan_api.clock import parse_time
from sampan_api.meta import Object
from sampan_api.selectors import LabelSelector, SelectorError, from_label_selector

from sampan_master.controllers.pod_facts import has_ended, is_ready

DELETION_TIMEOUT = 120.0
_BY_THE_NODE = "TerminationByKubelet"
"""A node may take as long as it needs to end a pod it has chosen."""


@dataclass(frozen=True, slots=True)
class Count:
    """`recheck`: seconds until the first promise becomes void, None without one. `void`: pods whose promise was."""

    status: dict[str, Any]
    recheck: float | None
    void: tuple[str, ...]


def selector(budget: Object) -> LabelSelector:
    """Matches nothing when the budget selects nothing, or cannot say what."""
    try:
        return from_label_selector((budget.get("spec") or {}).get("selector"))
    except SelectorError:
        return from_label_selector(None)


def needs_scales(budget: Object) -> bool:
    """Whether the budget is measured by what the owners want."""
    spec = budget.get("spec") or {}
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


def count(budget: Object, pods: Iterable[Object], scales: Mapping[str, int], now: float) -> Count:
    """`pods` are those the budget selects; `scales`: uid of an owner -> how many it wants."""
    pods = list(pods)
    expected = sum(scales.values()) if needs_scales(budget) else len(pods)
    desired = _desired(budget.get("spec") or {}, expected)
    promised, void = _promises(budget, pods, now)
    healthy = sum(_is_healthy(pod) and meta.name(pod) not in promised for pod in pods)
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    status: dict[str, Any] = {
        "observedGeneration": budget["metadata"].get("generation", 0),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": (budget.get("status") or {}).get("conditions") or [],
    }
    if promised:
        status["disruptedPods"] = promised
    ends = [parse_time(stamp) + DELETION_TIMEOUT - now for stamp in promised.values()]
    return Count(disruption.with_condition(status, now), min(ends, default=None), void)


def failed(budget: Object, why: str, now: float) -> dict[str, Any]:
    """The status when the count could not be made: nothing may go."""
    status = {**(budget.get("status") or {}), "disruptionsAllowed": 0}
    return disruption.with_condition(status, now, why)


def until_stale(pod: Object, now: float) -> float | None:
    """Seconds until the pod's DisruptionTarget is void; None when it has none, or what it says has come about."""
    condition = meta.condition(pod, "DisruptionTarget")
    if condition is None or meta.is_deleting(pod) or has_ended(pod):
        return None
    if condition.get("status") != "True" or condition.get("reason") == _BY_THE_NODE:
        return None
    since = condition.get("lastTransitionTime")
    return (parse_time(since) if since else 0.0) + DELETION_TIMEOUT - now


def _desired(spec: dict[str, Any], expected: int) -> int:
    if spec.get("maxUnavailable") is not None:
        return max(expected - _scaled(spec["maxUnavailable"], expected), 0)
    return _scaled(spec.get("minAvailable") or 0, expected)


def _scaled(value: int | str, total: int) -> int:
    if isinstance(value, int):
        return value
    return -(-int(value.removesuffix("%")) * total // 100)


def _is_healthy(pod: Object) -> bool:
    return not meta.is_deleting(pod) and is_ready(pod)


def _promises(budget: Object, pods: list[Object], now: float) -> tuple[dict[str, str], tuple[str, ...]]:
    noted = (budget.get("status") or {}).get("disruptedPods") or {}
    open_: dict[str, str] = {}
    void: list[str] = []
    for pod in pods:
        name = meta.name(pod)
        if name not in noted or meta.is_deleting(pod):
            continue
        if parse_time(noted[name]) + DELETION_TIMEOUT < now:
            void.append(name)
        else:
            open_[name] = noted[name]
    return open_, tuple(void)
