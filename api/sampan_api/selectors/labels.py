"""Label selectors: their requirements, matching, and `metav1.LabelSelector` read into one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sampan_api import names
from sampan_api.selectors.limits import SelectorError, quote


class Operator(StrEnum):
    EQUALS = "="
    DOUBLE_EQUALS = "=="
    NOT_EQUALS = "!="
    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    DOES_NOT_EXIST = "!"
    GREATER = "gt"
    LESS = "lt"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.EQUALS | Operator.DOUBLE_EQUALS | Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_EQUALS | Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case Operator.GREATER:
                return value is not None and _is_integer(value) and int(value) > int(self.values[0])
            case Operator.LESS:
                return value is not None and _is_integer(value) and int(value) < int(self.values[0])

    def __str__(self) -> str:
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.IN | Operator.NOT_IN:
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case Operator.GREATER:
                return f"{self.key}>{self.values[0]}"
            case Operator.LESS:
                return f"{self.key}<{self.values[0]}"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none at all matches everything, unless `nothing` is set."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        if self.nothing:
            return False
        return all(requirement.matches(labels or {}) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        """True when it matches everything."""
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


def from_label_selector(obj: Mapping[str, Any] | None) -> LabelSelector:
    """The selector of a `metav1.LabelSelector`: null matches nothing, `{}` everything. Raises SelectorError."""
    if obj is None:
        return LabelSelector(nothing=True)
    match_labels: Mapping[str, str] = obj.get("matchLabels") or {}
    requirements = [requirement(key, Operator.EQUALS, [value]) for key, value in match_labels.items()]
    for expression in obj.get("matchExpressions") or []:
        operator = _EXPRESSION_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f"{quote(expression.get('operator', ''))} is not a valid label selector operator")
        requirements.append(requirement(expression.get("key", ""), operator, expression.get("values") or []))
    return LabelSelector(tuple(sorted(requirements, key=lambda r: r.key)))


def from_labels(labels: Mapping[str, str] | None) -> LabelSelector:
    """The selector that asks for exactly these labels, as in `spec.selector` of simple maps."""
    items = sorted((labels or {}).items())
    return LabelSelector(tuple(Requirement(key, Operator.EQUALS, (value,)) for key, value in items))


_EXPRESSION_OPERATORS = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.EXISTS,
    "DoesNotExist": Operator.DOES_NOT_EXIST,
}


def _is_integer(text: str) -> bool:
    digits = text[1:] if text[:1] in "+-" else text
    return digits.isascii() and digits.isdigit() and len(digits) < 20 and -(2**63) <= int(text) < 2**63


def invalid(path: str, value: object, detail: str) -> SelectorError:
    shown = quote(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return SelectorError(f"{path}: Invalid value: {shown}: {detail}")


def requirement(key: str, operator: Operator, values: Iterable[str]) -> Requirement:
    """A checked requirement, or the error Kubernetes gives."""
    if problems := names.qualified_name(key):
        raise invalid("key", key, "; ".join(problems))
    listed = list(values)
    match operator:
        case Operator.IN | Operator.NOT_IN if not listed:
            raise invalid("values", [], "for 'in', 'notin' operators, values set can't be empty")
        case Operator.EXISTS | Operator.DOES_NOT_EXIST if listed:
            raise invalid("values", listed, "values set must be empty for exists and does not exist")
        case Operator.GREATER | Operator.LESS:
            for index, value in enumerate(listed):
                if not _is_integer(value):
                    detail = "for 'Gt', 'Lt' operators, the value must be an integer"
                    raise invalid(f"values[{index}]", value, detail)
    for index, value in enumerate(listed):
        if problems := names.label_value(value):
            raise invalid(f"values[{index}][{key}]", value, "; ".join(problems))
    return Requirement(key, operator, tuple(sorted(set(listed))))
