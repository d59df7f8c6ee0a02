"""NodeAffinity: nodeSelector and required node affinity refuse; preferred terms add their weight."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sampan_master.scheduler.columns import ABSENT, Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Filter, Normalise, Score, always_hopeless, one_reason
from sampan_master.scheduler.signature import Requirement, Signature


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    placement = pod.placement
    result = nodes.live[rows]
    for key, value in placement.node_selector:
        column = nodes.label_column(key)
        result = result & (column.codes[rows] == column.values.get(value, ABSENT - 1))
    if placement.required is not None:
        any_term = np.zeros(result.shape, np.bool_)
        for term in placement.required:
            any_term |= _all(nodes, term, rows)
        result = result & any_term
    return result


def vector(nodes: NodeColumns, pod: Signature, rows: Rows) -> Ints:
    total = np.zeros(nodes.live[rows].shape, np.int64)
    for term in pod.placement.preferred:
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
        case "Gt":
            return lambda value: (number := _integer(value)) is not None and number > int(values[0])
        case "Lt":
            return lambda value: (number := _integer(value)) is not None and number < int(values[0])
        case _:
            return lambda value: False


def _all(nodes: NodeColumns, requirements: tuple[Requirement, ...], rows: Rows) -> Bools:
    result = nodes.live[rows]
    for requirement in requirements:
        matches = value_matches(requirement)
        if requirement.is_field:
            result = result & _names_match(nodes, matches, rows)
        else:
            column = nodes.label_column(requirement.key)
            # The verdict of ABSENT comes last in the table, where index -1 finds it.
            table = [*map(matches, column.values), matches(None)]
            result = result & np.array(table, np.bool_)[column.codes[rows]]
    return result


def _names_match(nodes: NodeColumns, matches: Callable[[str | None], bool], rows: Rows) -> Bools:
    names = nodes.names
    return np.array([matches(names[row]) for row in nodes.row_numbers[rows]], np.bool_)


def _integer(value: str | None) -> int | None:
    try:
        return None if value is None else int(value)
    except ValueError:
        return None


FILTER = Filter(
    "NodeAffinity", True, mask, one_reason("node(s) didn't match Pod's node affinity/selector"), always_hopeless
)
SCORE = Score("NodeAffinity", vector, Normalise.SHARE, lambda pod: bool(pod.placement.preferred))
