"""The scheduling signature: everything of a pod that decides where it may and should run, as one hashable value.

Pods with equal signatures get equal masks and scores, so the engine works once for all replicas of a template.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
from sampan_api.meta import Object

from sampan_master.scheduler.requests import pod_requests, pod_requests_for_scoring


class Toleration(NamedTuple):
    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self.operator == "Exists" or (bool(self.key) and self.value == taint.value)


class Taint(NamedTuple):
    key: str
    value: str
    effect: str


class Requirement(NamedTuple):
    """One node selector requirement; `is_field` means `key` is a field (only metadata.name exists), not a label."""

    key: str
    operator: str
    values: tuple[str, ...]
    is_field: bool = False


class PreferredTerm(NamedTuple):
    weight: int
    requirements: tuple[Requirement, ...]


class Placement(NamedTuple):
    """The part that depends only on Node objects, not on what runs there.

    `required` are ORed terms of ANDed requirements; None means no required affinity, () that nothing can match.
    """

    node_name: str
    node_selector: tuple[tuple[str, str], ...]
    required: tuple[tuple[Requirement, ...], ...] | None
    preferred: tuple[PreferredTerm, ...]
    tolerations: tuple[Toleration, ...]


class Signature(NamedTuple):
    placement: Placement
    requests: tuple[tuple[str, int], ...]
    scoring_requests: tuple[int, int]


_REMEMBERED = 4096
_known: dict[bytes, Signature] = {}


def signature(pod: Object) -> Signature:
    """Replicas of one template have equal specs, so the work is done for the first of them."""
    spec = pod["spec"]
    key = orjson.dumps(spec)
    known = _known.get(key)
    if known is None:
        if len(_known) >= _REMEMBERED:
            _known.clear()
        known = Signature(placement(spec), tuple(pod_requests(pod).items()), pod_requests_for_scoring(pod))
        _known[key] = known
    return known


def placement(spec: Object) -> Placement:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return Placement(
        spec.get("nodeName") or "",
        tuple(sorted((spec.get("nodeSelector") or {}).items())),
        None if required is None else _terms(required.get("nodeSelectorTerms") or []),
        tuple(
            PreferredTerm(term["weight"], _requirements(term.get("preference") or {}))
            for term in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or []
        ),
        tuple(_toleration(t) for t in spec.get("tolerations") or ()),
    )


def taints(node: Object) -> tuple[Taint, ...]:
    return tuple(
        Taint(t["key"], t.get("value") or "", t["effect"]) for t in (node.get("spec") or {}).get("taints") or ()
    )


def _toleration(toleration: dict[str, Any]) -> Toleration:
    return Toleration(
        toleration.get("key") or "",
        toleration.get("operator") or "Equal",
        toleration.get("value") or "",
        toleration.get("effect") or "",
    )


def _terms(terms: list[dict[str, Any]]) -> tuple[tuple[Requirement, ...], ...]:
    """An empty term matches nothing, so it is left out."""
    return tuple(requirements for term in terms if (requirements := _requirements(term)))


def _requirements(term: dict[str, Any]) -> tuple[Requirement, ...]:
    labels = [
        Requirement(r["key"], r["operator"], tuple(r.get("values") or ())) for r in term.get("matchExpressions") or ()
    ]
    fields = [
        Requirement(r["key"], r["operator"], tuple(r.get("values") or ()), True) for r in term.get("matchFields") or ()
    ]
    return tuple(labels + fields)
