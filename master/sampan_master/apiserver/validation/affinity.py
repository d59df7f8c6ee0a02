"""Affinity, topology spread and label selectors."""

from __future__ import annotations

from typing import Any

from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, one_of, required
from sampan_master.apiserver.validation.names import complain, label_map, label_value, named, qualified_name
from sampan_master.apiserver.validation.numbers import between

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_SELECTOR_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def validate_affinity(affinity: dict[str, Any], path: str) -> Errors:
    if affinity.get("nodeAffinity") is not None:
        yield from _node_affinity(affinity["nodeAffinity"], f"{path}.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        if affinity.get(kind) is None:
            continue
        at = f"{path}.{kind}"
        for index, term in enumerate(affinity[kind].get(_REQUIRED) or []):
            yield from _pod_term(term, f"{at}.{_REQUIRED}[{index}]")
        for index, weighted in enumerate(affinity[kind].get(_PREFERRED) or []):
            place = f"{at}.{_PREFERRED}[{index}]"
            yield from _weight(weighted, place)
            yield from _pod_term(weighted.get("podAffinityTerm") or {}, f"{place}.podAffinityTerm")


def _weight(weighted: dict[str, Any], path: str) -> Errors:
    if not 1 <= weighted.get("weight", 0) <= 100:
        yield invalid(f"{path}.weight", weighted.get("weight", 0), "must be in the range 1-100")


def _node_affinity(affinity: dict[str, Any], path: str) -> Errors:
    needed = affinity.get(_REQUIRED)
    if needed is not None:
        yield from validate_node_selector(needed, f"{path}.{_REQUIRED}")
    for index, weighted in enumerate(affinity.get(_PREFERRED) or []):
        place = f"{path}.{_PREFERRED}[{index}]"
        yield from _weight(weighted, place)
        yield from _node_term(weighted.get("preference") or {}, f"{place}.preference")


def validate_node_selector(selector: dict[str, Any], path: str) -> Errors:
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        yield required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(terms):
        yield from _node_term(term, f"{path}.nodeSelectorTerms[{index}]")


def _node_term(term: dict[str, Any], path: str) -> Errors:
    for index, expression in enumerate(term.get("matchExpressions") or []):
        yield from _node_requirement(expression, f"{path}.matchExpressions[{index}]")
    for index, field in enumerate(term.get("matchFields") or []):
        at = f"{path}.matchFields[{index}]"
        if field.get("key") != "metadata.name":
            yield invalid(f"{at}.key", field.get("key", ""), "not a valid field selector key")
        if len(field.get("values") or []) != 1:
            yield required(
                f"{at}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            )


def _node_requirement(expression: dict[str, Any], path: str) -> Errors:
    operator, values = expression.get("operator", ""), expression.get("values") or []
    if operator in ("In", "NotIn") and not values:
        yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    elif operator not in (*_SELECTOR_OPERATORS, "Gt", "Lt"):
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    yield from complain(f"{path}.key", expression.get("key", ""), qualified_name(expression.get("key", "")))


def _pod_term(term: dict[str, Any], path: str) -> Errors:
    if term.get("labelSelector") is not None:
        yield from validate_label_selector(term["labelSelector"], f"{path}.labelSelector")
    if term.get("namespaceSelector") is not None:
        yield from validate_label_selector(term["namespaceSelector"], f"{path}.namespaceSelector")
    yield from _label_keys(term, path)
    key = term.get("topologyKey", "")
    if not key:
        yield required(f"{path}.topologyKey", "can not be empty")
    yield from complain(f"{path}.topologyKey", key, qualified_name(key))


def _label_keys(term: dict[str, Any], path: str) -> Errors:
    """`matchLabelKeys` and `mismatchLabelKeys` of an affinity term or a spread constraint.

    When a pod is made its own value of each key joins the selector, so a key of the user's selector is there twice:
    only that is refused, and only of keys to match. The path of that error is as Kubernetes has it.
    """
    match, mismatch = term.get("matchLabelKeys") or [], term.get("mismatchLabelKeys") or []
    selector = term.get("labelSelector")
    for field, keys in (("matchLabelKeys", match), ("mismatchLabelKeys", mismatch)):
        if keys and selector is None:
            yield forbidden(f"{path}.{field}", "must not be specified when labelSelector is not set")
            continue
        for index, key in enumerate(keys):
            yield from complain(f"{path}.{field}[{index}]", key, qualified_name(key))
    if match and selector is not None:
        places = {key: index for index, key in enumerate(match)}
        seen = set(selector.get("matchLabels") or {})
        for expression in selector.get("matchExpressions") or []:
            key = expression.get("key", "")
            if key in places and key in seen:
                yield invalid(f"{path}[{places[key]}]", key, "exists in both matchLabelKeys and labelSelector")
            seen.add(key)
    for index, key in enumerate(match):
        if key in mismatch:
            said = "exists in both matchLabelKeys and mismatchLabelKeys"
            yield invalid(f"{path}.matchLabelKeys[{index}]", key, said)


def validate_label_selector(selector: dict[str, Any], path: str) -> Errors:
    yield from label_map(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or []):
        at = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or []
        if operator in ("In", "NotIn") and not values:
            yield required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist") and values:
            yield forbidden(f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        elif operator not in _SELECTOR_OPERATORS:
            yield invalid(f"{at}.operator", operator, "not a valid selector operator")
        key = expression.get("key", "")
        yield from complain(f"{at}.key", key, qualified_name(key))
        for place, value in enumerate(values):
            yield from complain(f"{at}.values[{place}]", value, label_value(value))


def validate_spread(constraints: list[dict[str, Any]], path: str) -> Errors:
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        if constraint.get("maxSkew", 0) <= 0:
            yield invalid(f"{at}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero")
        key = constraint.get("topologyKey", "")
        yield from named(key, qualified_name, f"{at}.topologyKey", "can not be empty")
        when = constraint.get("whenUnsatisfiable", "")
        yield from one_of(when, ("DoNotSchedule", "ScheduleAnyway"), f"{at}.whenUnsatisfiable")
        if constraint.get("minDomains") is not None:
            yield from between(constraint["minDomains"], 1, 2147483647, f"{at}.minDomains")
        yield from _label_keys(constraint, at)
        if constraint.get("labelSelector") is not None:
            yield from validate_label_selector(constraint["labelSelector"], f"{at}.labelSelector")
