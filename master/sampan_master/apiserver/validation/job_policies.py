"""When a Job has failed or succeeded: the two policies in its spec, and lists of indexes such as `1,3-5`."""

from __future__ import annotations

import re
from typing import Any

from sampan_master.apiserver.validation.fields import (
    Errors,
    duplicate,
    go_quote,
    invalid,
    invalid_as_a_whole,
    required,
    too_long,
    too_many,
    unsupported,
)
from sampan_master.apiserver.validation.names import complain, qualified_name
from sampan_master.apiserver.validation.numbers import non_negative

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_MOST_RULES, _MOST_CONDITIONS, _MOST_CODES = 20, 20, 255
_LONGEST_INDEXES = 64 * 1024


def _valid_values(values: tuple[str, ...]) -> str:
    return f"valid values: [{' '.join(map(go_quote, values))}]"


def validate_failure_policy(spec: dict[str, Any], path: str) -> Errors:
    rules = spec["podFailurePolicy"].get("rules") or []
    if len(rules) > _MOST_RULES:
        yield too_many(f"{path}.rules", len(rules), _MOST_RULES)
    pod = spec["template"]["spec"]
    names = {c.get("name") for field in ("containers", "initContainers") for c in pod.get(field) or []}
    for index, rule in enumerate(rules):
        yield from _rule(spec, rule, f"{path}.rules[{index}]", names)


def _rule(spec: dict[str, Any], rule: dict[str, Any], path: str, containers: set[Any]) -> Errors:
    action = rule.get("action", "")
    if not action:
        yield required(f"{path}.action", _valid_values(_ACTIONS))
    elif action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            yield invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set")
    elif action not in _ACTIONS:
        yield unsupported(f"{path}.action", action, _ACTIONS)
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        yield from _exit_codes(codes, f"{path}.onExitCodes", containers)
    if conditions:
        yield from _conditions(conditions, f"{path}.onPodConditions")
    if codes is not None and conditions:
        yield invalid_as_a_whole(path, "specifying both OnExitCodes and OnPodConditions is not supported")
    if codes is None and not conditions:
        yield invalid_as_a_whole(path, "specifying one of OnExitCodes and OnPodConditions is required")


def _exit_codes(codes: dict[str, Any], path: str, containers: set[Any]) -> Errors:
    operator, container = codes.get("operator", ""), codes.get("containerName")
    if not operator:
        yield required(f"{path}.operator", _valid_values(_OPERATORS))
    elif operator not in _OPERATORS:
        yield unsupported(f"{path}.operator", operator, _OPERATORS)
    if container is not None and container not in containers:
        said = "must be one of the container or initContainer names in the pod template"
        yield invalid(f"{path}.containerName", container, said)
    values = codes.get("values") or []
    if not values:
        yield invalid(f"{path}.values", codes.get("values"), "at least one value is required")
    elif len(values) > _MOST_CODES:
        yield too_many(f"{path}.values", len(values), _MOST_CODES)
    seen: set[int] = set()
    for index, value in enumerate(values):
        at = f"{path}.values[{index}]"
        if operator == "In" and value == 0:
            yield invalid(at, value, "must not be 0 for the In operator")
        if value in seen:
            yield duplicate(at, value)
        seen.add(value)
    if values != sorted(values):
        yield invalid(f"{path}.values", values, "must be ordered")


def _conditions(conditions: list[dict[str, Any]], path: str) -> Errors:
    if len(conditions) > _MOST_CONDITIONS:
        yield too_many(path, len(conditions), _MOST_CONDITIONS)
    for index, pattern in enumerate(conditions):
        at = f"{path}[{index}]"
        kind, status = pattern.get("type", ""), pattern.get("status", "")
        yield from complain(f"{at}.type", kind, qualified_name(kind))
        if not status:
            yield required(f"{at}.status", _valid_values(_STATUSES))
        elif status not in _STATUSES:
            yield unsupported(f"{at}.status", status, _STATUSES)


def validate_success_policy(spec: dict[str, Any], path: str) -> Errors:
    rules = spec["successPolicy"].get("rules") or []
    if not rules:
        yield required(f"{path}.rules", "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > _MOST_RULES:
        yield too_many(f"{path}.rules", len(rules), _MOST_RULES)
    for index, rule in enumerate(rules):
        yield from _success(rule, spec.get("completions") or 0, f"{path}.rules[{index}]")


def _success(rule: dict[str, Any], completions: int, path: str) -> Errors:
    indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    if indexes is None and count is None:
        yield required(path, "at least one of succeededCount or succeededIndexes must be specified")
    total = 0
    if indexes is not None:
        at = f"{path}.succeededIndexes"
        if len(indexes.encode()) > _LONGEST_INDEXES:
            yield too_long(at, _LONGEST_INDEXES)
        try:
            total = count_indexes(indexes, completions)
        except IndexesError as error:
            yield invalid(at, indexes, f"error parsing succeededIndexes: {error}")
    if count is None:
        return
    at = f"{path}.succeededCount"
    yield from non_negative(count, at)
    if count > completions:
        said = f"must be less than or equal to {completions} (the number of specified completions)"
        yield invalid(at, count, said)
    if indexes is not None and count > total:
        said = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        yield invalid(at, count, said)


class IndexesError(ValueError):
    """Not a list of indexes; the message is Kubernetes'."""


def count_indexes(text: str, completions: int) -> int:
    """How many indexes below `completions` the list names. Raises IndexesError."""
    last, total = None, 0
    for interval in text.split(",") if text else ():
        first, end = parse_interval(interval, completions)
        if last is not None and last >= first:
            raise IndexesError(f"non-increasing order, previous: {last}, current: {first}")
        total += end - first + 1
        last = end
    return total


def parse_interval(text: str, completions: int) -> tuple[int, int]:
    """`3-5` or `3` as first and last index. Raises IndexesError."""
    limits = text.split("-")
    if len(limits) > 2:
        raise IndexesError(
            f"the fragment {go_quote(text)} violates the requirement that an index interval can have at most two parts"
            " separated by '-'"
        )
    numbers = []
    for limit in limits:
        if not re.fullmatch(r"\+?[0-9]{1,18}", limit):
            raise IndexesError(f"cannot convert string to integer for index: {go_quote(limit)}")
        if int(limit) >= completions:
            raise IndexesError(f"too large index: {go_quote(limit)}")
        numbers.append(int(limit))
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise IndexesError(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
    return numbers[0], numbers[-1]
