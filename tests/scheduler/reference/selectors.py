"""Label selectors and node selectors."""

import re

_INTEGER = re.compile(r"[+-]?[0-9]+\Z")


def matches_requirement(requirement, value):
    """`value` is None where there is no such label."""
    operator, values = requirement["operator"], requirement.get("values") or []
    match operator:
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            left, right = _integer(value), _integer(values[0])
            if left is None or right is None:
                return False
            return left > right if operator == "Gt" else left < right
    raise ValueError(f"unknown operator {operator!r}")


def _integer(text):
    """As a signed 64-bit decimal number, None when it is none."""
    if text is None or not _INTEGER.match(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def requirements(selector):
    """A LabelSelector as a list of requirements, [] for one that selects everything, None for none at all."""
    if selector is None:
        return None
    pairs = [{"key": k, "operator": "In", "values": [v]} for k, v in (selector.get("matchLabels") or {}).items()]
    return pairs + list(selector.get("matchExpressions") or [])


def matches(wanted, labels):
    """No selector selects nothing; an empty one selects everything."""
    return wanted is not None and all(matches_requirement(r, labels.get(r["key"])) for r in wanted)


def node_selector_term(term, node):
    """An empty term selects no node."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    labels = node["metadata"].get("labels") or {}
    return all(matches_requirement(r, labels.get(r["key"])) for r in expressions) and all(
        r["key"] == "metadata.name" and matches_requirement(r, node["metadata"]["name"]) for r in fields
    )
