"""`matchLabelKeys` and `mismatchLabelKeys` of a new pod: its own values of these labels are written into the selectors.

So the pods that are meant stay the same when the pod's labels change (KEP-3633 for affinity, KEP-3243 for topology
spread). A term without selector selects nobody and stays so; keys the pod lacks do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_STRENGTHS = ("requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution")


def merge_label_keys(spec: dict[str, Any], labels: Mapping[str, str]) -> None:
    """Changes `spec`."""
    for term in _affinity_terms(spec.get("affinity") or {}):
        _merge(term, labels)
    for constraint in spec.get("topologySpreadConstraints") or []:
        _merge(constraint, labels)


def _affinity_terms(affinity: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in ("podAffinity", "podAntiAffinity"):
        for strength in _STRENGTHS:
            for term in (affinity.get(kind) or {}).get(strength) or []:
                yield term.get("podAffinityTerm") or {} if "weight" in term else term


def _merge(term: dict[str, Any], labels: Mapping[str, str]) -> None:
    selector = term.get("labelSelector")
    if selector is None:
        return
    added = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in term.get(field) or []
        if key in labels
    ]
    if added:
        term["labelSelector"] = {**selector, "matchExpressions": [*(selector.get("matchExpressions") or []), *added]}
