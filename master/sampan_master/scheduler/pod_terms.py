"""What a pod says of other pods, read into hashable values: topology spread constraints and pod affinity terms.

Selectors are requirements that must all hold; None selects nothing (the field is absent), () everything (it is {}).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias


class LabelRequirement(NamedTuple):
    """One `metav1.LabelSelectorRequirement`; a matchLabels entry is an In with one value."""

    key: str
    operator: str
    values: tuple[str, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case _:
                return value is None


LabelSelector: TypeAlias = "tuple[LabelRequirement, ...] | None"


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    return selector is not None and all(requirement.matches(labels) for requirement in selector)


class SpreadConstraint(NamedTuple):
    """One `core/v1.TopologySpreadConstraint`, defaults filled in, matchLabelKeys merged into the selector (KEP-3243).
    API servers have done so already, from 1.34 on; the real scheduler does it all the same.

    `hard` is DoNotSchedule. `honor_affinity` and `honor_taints` are the node inclusion policies (KEP-3094).
    """

    topology_key: str
    max_skew: int
    hard: bool
    selector: LabelSelector
    min_domains: int
    honor_affinity: bool
    honor_taints: bool


class AffinityTerm(NamedTuple):
    """One `core/v1.PodAffinityTerm`. The API server has merged (mis)matchLabelKeys into the selector (KEP-3633).

    It is about the pods `selector` selects in `namespaces` and in those whose labels `namespace_selector` selects.
    """

    topology_key: str
    selector: LabelSelector
    namespaces: frozenset[str]
    namespace_selector: LabelSelector


class WeightedTerm(NamedTuple):
    weight: int
    term: AffinityTerm


def label_selector(selector: dict[str, Any] | None) -> LabelSelector:
    if selector is None:
        return None
    equal = [LabelRequirement(k, "In", (v,)) for k, v in sorted((selector.get("matchLabels") or {}).items())]
    others = [
        LabelRequirement(r["key"], r["operator"], tuple(sorted(r.get("values") or ())))
        for r in selector.get("matchExpressions") or ()
    ]
    return tuple(equal + others)


def spread_constraints(
    constraints: Iterable[dict[str, Any]], labels: Mapping[str, str]
) -> tuple[SpreadConstraint, ...]:
    return tuple(
        SpreadConstraint(
            c["topologyKey"],
            c["maxSkew"],
            c["whenUnsatisfiable"] == "DoNotSchedule",
            _narrowed(label_selector(c.get("labelSelector")), c.get("matchLabelKeys") or (), labels),
            c.get("minDomains") or 1,
            (c.get("nodeAffinityPolicy") or "Honor") == "Honor",
            (c.get("nodeTaintsPolicy") or "Ignore") == "Honor",
        )
        for c in constraints
    )


def pod_affinity(
    affinity: dict[str, Any], namespace: str
) -> tuple[tuple[AffinityTerm, ...], tuple[AffinityTerm, ...], tuple[WeightedTerm, ...]]:
    """(required affinity, required anti-affinity, preferred of both) of a `core/v1.Affinity`."""
    with_, without = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    weighted = [
        WeightedTerm(sign * t["weight"], _term(t["podAffinityTerm"], namespace))
        for sign, side in ((1, with_), (-1, without))
        for t in side.get(preferred) or ()
    ]
    return (
        tuple(_term(t, namespace) for t in with_.get(required) or ()),
        tuple(_term(t, namespace) for t in without.get(required) or ()),
        tuple(weighted),
    )


def _term(term: dict[str, Any], namespace: str) -> AffinityTerm:
    namespaces, namespace_selector = term.get("namespaces") or (), label_selector(term.get("namespaceSelector"))
    if not namespaces and namespace_selector is None:
        namespaces = (namespace,)
    return AffinityTerm(
        term["topologyKey"], label_selector(term.get("labelSelector")), frozenset(namespaces), namespace_selector
    )


def _narrowed(selector: LabelSelector, keys: Iterable[str], labels: Mapping[str, str]) -> LabelSelector:
    """The selector with the pod's own values of `keys` added; keys the pod lacks do not count, nor repeats."""
    if selector is None:
        return None
    added = [LabelRequirement(key, "In", (labels[key],)) for key in keys if key in labels]
    return selector + tuple(requirement for requirement in added if requirement not in selector)
