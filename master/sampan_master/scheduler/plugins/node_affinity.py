"""NodeAffinity: nodeSelector and required node affinity refuse; preferred terms add their weight.

Where every required term names its nodes (metadata.name, as DaemonSets do), `NAMED` rules out all others before any
other filter is asked: Kubernetes narrows its search by that in PreFilter and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np
from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.scheduler.columns import ABSENT, Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Filter, Normalise, Plugin, Refusal, Scope, Score
from sampan_master.scheduler.signature import (
    Placement,
    PreferredTerm,
    Requirement,
    Signature,
    node_selector_terms,
    preferred_terms,
)

_INTEGER = re.compile(r"[+-]?0*[0-9]{1,19}", re.ASCII)
_Terms: TypeAlias = tuple[tuple[Requirement, ...], ...]
NAME = "NodeAffinity"
REASON = "node(s) didn't match Pod's node affinity/selector"
NOT_NAMED = f"node(s) didn't satisfy plugin(s) [{NAME}]"
CONFLICT = "pod affinity terms conflict"
ENFORCED = "node(s) didn't match scheduler-enforced node affinity"


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    placement = pod.placement
    result = nodes.live[rows]
    for key, value in placement.node_selector:
        column = nodes.label_column(key)
        result = result & (column.codes[rows] == column.values.get(value, ABSENT - 1))
    if placement.required is not None:
        result = result & _any(nodes, placement.required, rows)
    return result


def named(placement: Placement) -> frozenset[str] | None:
    """The only nodes the required terms name; None when some term leaves the name open."""
    found: set[str] = set()
    for term in placement.required or ():
        sets = [set(r.values) for r in term if r.is_field and r.key == "metadata.name" and r.operator == "In"]
        if not sets:
            return None
        found |= set.intersection(*sets)
    return frozenset(found) if placement.required else None


def named_mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    wanted = named(pod.placement)
    return nodes.live[rows] if wanted is None else _are_called(nodes, wanted, rows)


def named_refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
    wanted = named(pod.placement) or ()
    have, hopeless = np.arange(rows.size), np.ones(rows.size, np.bool_)
    words = [nodes.names[row] for row in rows.tolist()]
    need = f"the node {' or '.join(sorted(wanted))}" if wanted else "a node with two names"
    return [Refusal(NAME, NOT_NAMED if wanted else CONFLICT, rows, hopeless, need, have, words)]


def refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
    """What a node has instead are its values of the keys that are asked about."""
    placement = pod.placement
    keys = [key for key, _ in placement.node_selector] + [r.key for term in placement.required or () for r in term]
    return [_refusal(REASON, nodes, rows, _asked(placement), keys)]


def _refusal(reason: str, nodes: NodeColumns, rows: Ints, need: str, keys: list[str]) -> Refusal:
    words: dict[str, int] = {}
    have = [words.setdefault(_labels(nodes, row, dict.fromkeys(keys)), len(words)) for row in rows.tolist()]
    return Refusal(NAME, reason, rows, np.ones(rows.size, np.bool_), need, np.array(have, np.int64), tuple(words))


def _labels(nodes: NodeColumns, row: int, keys: Iterable[str]) -> str:
    node = nodes.node(row)
    labels = {} if node is None else meta.labels(node)
    return ", ".join(f"{key}={labels[key]}" if key in labels else f"no {key}" for key in keys)


def _asked(placement: Placement) -> str:
    parts = [f"{key}={value}" for key, value in placement.node_selector]
    if placement.required is not None:
        parts.append(_terms_text(placement.required))
    return ", ".join(parts)


def _terms_text(terms: _Terms) -> str:
    return " or ".join(" and ".join(map(str_of, term)) for term in terms) or "a term that matches something"


def str_of(requirement: Requirement) -> str:
    """As a person would say it: "disk in (ssd)", "gpu exists"."""
    key, values = requirement.key, ", ".join(requirement.values)
    match requirement.operator:
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} not in ({values})"
        case "Exists":
            return f"{key} exists"
        case "DoesNotExist":
            return f"no {key}"
        case operator:
            return f"{key} {'>' if operator == 'Gt' else '<'} {values}"


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    return _preferred(nodes, pod.placement.preferred, rows)


def _preferred(nodes: NodeColumns, terms: tuple[PreferredTerm, ...], rows: Rows) -> Ints:
    total = np.zeros(nodes.live[rows].shape, np.int64)
    for term in terms:
        if term.requirements:
            total += term.weight * _all(nodes, term.requirements, rows)
    return total


def value_matches(requirement: Requirement) -> Callable[[str | None], bool]:
    """The predicate of one requirement over a label's value, None when the node has no such label."""
    values = requirement.values
    match requirement.operator:
        case "In":
            return lambda value: value is not None and value in values
        case "NotIn":
            return lambda value: value is None or value not in values
        case "Exists":
            return lambda value: value is not None
        case "DoesNotExist":
            return lambda value: value is None
        case "Gt" | "Lt" if values and (bound := _integer(values[0])) is not None:
            sign = 1 if requirement.operator == "Gt" else -1
            return lambda value: (number := _integer(value)) is not None and sign * number > sign * bound
        case _:
            return lambda value: False


def _any(nodes: NodeColumns, terms: _Terms, rows: Rows) -> Bools:
    result = np.zeros(nodes.live[rows].shape, np.bool_)
    for term in terms:
        result |= _all(nodes, term, rows)
    return result


def _all(nodes: NodeColumns, requirements: tuple[Requirement, ...], rows: Rows) -> Bools:
    result = nodes.live[rows]
    for requirement in requirements:
        if requirement.is_field:
            called = _are_called(nodes, requirement.values, rows)
            result = result & (called if requirement.operator == "In" else ~called)
        else:
            matches = value_matches(requirement)
            column = nodes.label_column(requirement.key)
            result = result & column.look_up(rows, matches, matches(None), np.bool_)
    return result


def _are_called(nodes: NodeColumns, names: Iterable[str], rows: Rows) -> Bools:
    wanted = [row for name in names if (row := nodes.row_of.get(name)) is not None]
    return np.isin(nodes.row_numbers[rows], wanted) & nodes.live[rows]


def _integer(value: str | None) -> int | None:
    """As Go's ParseInt reads it. None for all else: the API server takes any value of Gt and Lt (core/validation)."""
    if value is None or not _INTEGER.fullmatch(value):
        return None
    return number if -(1 << 63) <= (number := int(value)) < 1 << 63 else None


def plugin(added: Object) -> Plugin:
    """With `added`, a `core/v1.NodeAffinity` for every pod beside its own (NodeAffinityArgs)."""
    selector = added.get("requiredDuringSchedulingIgnoredDuringExecution")
    required = None if selector is None else node_selector_terms(selector)
    preferred = preferred_terms(added.get("preferredDuringSchedulingIgnoredDuringExecution"))

    def enforced_mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
        return mask(nodes, pod, rows) if required is None else mask(nodes, pod, rows) & _any(nodes, required, rows)

    def enforced_refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
        if required is None:
            return refuse(nodes, pod, rows)
        allowed = _any(nodes, required, rows)
        keys = [requirement.key for term in required for requirement in term]
        need = f"for every pod {_terms_text(required)}"
        found = [_refusal(ENFORCED, nodes, rows[~allowed], need, keys)] if not allowed.all() else []
        return [*found, *refuse(nodes, pod, rows[allowed])] if allowed.any() else found

    def enforced_vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
        return _preferred(nodes, pod.placement.preferred + preferred, rows)

    def applies(pod: Signature) -> bool:
        return bool(preferred or pod.placement.preferred)

    score = Score(enforced_vector, Scope.NODE, Normalise.SHARE, applies)
    return Plugin(NAME, Filter(Scope.NODE, enforced_mask, enforced_refuse), score)


NAMED = Plugin(NAME, Filter(Scope.NODE, named_mask, named_refuse))
PLUGIN = Plugin(
    NAME,
    Filter(Scope.NODE, mask, refuse),
    Score(vector, Scope.NODE, Normalise.SHARE, lambda pod: bool(pod.placement.preferred)),
)
