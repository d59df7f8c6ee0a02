"""`metav1.Condition` lists, with the texts of `apimachinery/validation`."""

from __future__ import annotations

import re
from typing import Any

from sampan_master.apiserver.validation.fields import Errors, duplicate, invalid, required, too_long, unsupported
from sampan_master.apiserver.validation.names import named, qualified_name
from sampan_master.apiserver.validation.numbers import non_negative

_STATUSES = ("False", "True", "Unknown")
_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_REASON_TEXT = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric"
    " characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or"
    " 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is"
    " '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"
)
_LONGEST_REASON, _LONGEST_MESSAGE = 1024, 32 * 1024


def validate_conditions(conditions: list[dict[str, Any]], path: str) -> Errors:
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        kind = condition.get("type", "")
        if kind in seen:
            yield duplicate(f"{path}[{index}].type", kind)
        seen.add(kind)
        yield from _condition(condition, f"{path}[{index}]")


def _condition(condition: dict[str, Any], path: str) -> Errors:
    kind, reason = condition.get("type", ""), condition.get("reason", "")
    yield from named(kind, qualified_name, f"{path}.type", "must be set")
    if not condition.get("status"):
        yield required(f"{path}.status", "must be set")
    elif condition["status"] not in _STATUSES:
        yield unsupported(f"{path}.status", condition["status"], _STATUSES)
    yield from non_negative(condition.get("observedGeneration"), f"{path}.observedGeneration")
    if not condition.get("lastTransitionTime"):
        yield required(f"{path}.lastTransitionTime", "must be set")
    if not reason:
        yield required(f"{path}.reason", "must be set")
    else:
        if not _REASON.fullmatch(reason):
            yield invalid(f"{path}.reason", reason, _REASON_TEXT)
        if len(reason) > _LONGEST_REASON:
            yield too_long(f"{path}.reason", _LONGEST_REASON)
    if len(condition.get("message", "")) > _LONGEST_MESSAGE:
        yield too_long(f"{path}.message", _LONGEST_MESSAGE)
