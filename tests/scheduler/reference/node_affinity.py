"""NodeAffinity: nodeSelector and required terms refuse, preferred terms score; `addedAffinity` is the profile's own."""

from reference.reason import Reason
from reference.selectors import node_selector_term
from reference.world import labels, normalise_by_greatest, spec

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
CONFLICT = Reason("pod affinity terms conflict", eviction_may_help=False)
NOT_NAMED = Reason("node(s) didn't satisfy plugin(s) [NodeAffinity]", eviction_may_help=False)


def affinity(pod):
    return (spec(pod).get("affinity") or {}).get("nodeAffinity") or {}


def named_nodes(pod):
    """The only nodes the pod's terms name by metadata.name, or None when some term leaves the name open.

    Other nodes are not looked at by any plug-in; an empty set is a conflict."""
    terms = (affinity(pod).get(REQUIRED) or {}).get("nodeSelectorTerms") or []
    if not terms:
        return None
    named = set()
    for term in terms:
        sets = [
            set(r["values"])
            for r in term.get("matchFields") or []
            if r["key"] == "metadata.name" and r["operator"] == "In"
        ]
        if not sets:
            return None
        named |= set.intersection(*sets)
    return named


def selects(pod, node):
    """Whether nodeSelector and the required terms (any of them) select the node."""
    if any(labels(node).get(key) != value for key, value in (spec(pod).get("nodeSelector") or {}).items()):
        return False
    return _any_term(affinity(pod).get(REQUIRED), node)


def _any_term(node_selector, node):
    return node_selector is None or any(node_selector_term(t, node) for t in node_selector["nodeSelectorTerms"])


def filter(world, pod, node):
    if not _any_term(world["config"]["addedAffinity"].get(REQUIRED), node):
        return [Reason("node(s) didn't match scheduler-enforced node affinity", eviction_may_help=False)]
    if not selects(pod, node):
        return [Reason("node(s) didn't match Pod's node affinity/selector", eviction_may_help=False)]
    return []


def score(world, pod, node, feasible):
    terms = [*(world["config"]["addedAffinity"].get(PREFERRED) or []), *(affinity(pod).get(PREFERRED) or [])]
    return sum(t["weight"] for t in terms if node_selector_term(t["preference"], node))


def normalise(world, pod, feasible, raw):
    return normalise_by_greatest(raw)
