"""InterPodAffinity: pods attract and repel each other within the domains of a topology key.

Refuses by the pod's own required terms and by the required anti-affinity of pods that are there. Scores by preferred
terms in both directions and by the required affinity of pods that are there."""

from reference.reason import Reason
from reference.selectors import matches, requirements
from reference.world import labels, namespace, placed_everywhere, spec

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

AFFINITY = Reason("node(s) didn't match pod affinity rules", eviction_may_help=False)
ANTI_AFFINITY = Reason("node(s) didn't match pod anti-affinity rules")
EXISTING = Reason("node(s) didn't satisfy existing pods anti-affinity rules")


def terms(pod, kind, strength):
    return ((spec(pod).get("affinity") or {}).get(kind) or {}).get(strength) or []


def selects(world, term, owner, other):
    """Whether the term of `owner` selects `other`: by namespace, then by labels. Of (mis)matchLabelKeys the API server
    has made requirements of the selector when the pod was made."""
    names, selector = term.get("namespaces") or [], term.get("namespaceSelector")
    if not names and selector is None:
        names = [namespace(owner)]
    its_labels = world["namespaces"].get(namespace(other)) or {}
    if namespace(other) not in names and not matches(requirements(selector), its_labels):
        return False
    return matches(requirements(term.get("labelSelector")), labels(other))


def _same_domain(term, node, other_node):
    key = term["topologyKey"]
    return key in labels(node) and labels(node)[key] == labels(other_node).get(key)


def _selected_by_all(world, wanted, pod, other):
    return bool(wanted) and all(selects(world, term, pod, other) for term in wanted)


def _affinity_holds(world, pod, node):
    """Each term needs, in the node's domain, a pod that all terms select. Where no such pod is in any domain of the
    cluster, the pod may be the first of its group, if it selects itself; the node needs the keys in any case."""
    wanted = terms(pod, "podAffinity", REQUIRED)
    if any(term["topologyKey"] not in labels(node) for term in wanted):
        return False
    friends = [n for n, other in placed_everywhere(world) if _selected_by_all(world, wanted, pod, other)]
    if all(any(_same_domain(term, node, where) for where in friends) for term in wanted):
        return True
    nowhere = not any(term["topologyKey"] in labels(where) for term in wanted for where in friends)
    return nowhere and _selected_by_all(world, wanted, pod, pod)


def filter(world, pod, node):
    if not _affinity_holds(world, pod, node):
        return [AFFINITY]
    own = terms(pod, "podAntiAffinity", REQUIRED)
    for where, other in placed_everywhere(world):
        if any(selects(world, term, pod, other) and _same_domain(term, node, where) for term in own):
            return [ANTI_AFFINITY]
    for where, other in placed_everywhere(world):
        theirs = terms(other, "podAntiAffinity", REQUIRED)
        if any(selects(world, term, other, pod) and _same_domain(term, node, where) for term in theirs):
            return [EXISTING]
    return []


def score(world, pod, node, feasible):
    own = _weighted(pod)
    total = 0
    for where, other in placed_everywhere(world):
        theirs = _weighted(other)
        if world["config"]["ignorePreferredTermsOfExistingPods"] and not own:
            break
        theirs += [(world["config"]["hardPodAffinityWeight"], term) for term in terms(other, "podAffinity", REQUIRED)]
        mine = [(w, term) for w, term in own if selects(world, term, pod, other)]
        mine += [(w, term) for w, term in theirs if selects(world, term, other, pod)]
        total += sum(weight for weight, term in mine if _same_domain(term, node, where))
    return total


def _weighted(pod):
    """Preferred terms with their weights, those of anti-affinity negative."""
    towards = [(t["weight"], t["podAffinityTerm"]) for t in terms(pod, "podAffinity", PREFERRED)]
    away = [(-t["weight"], t["podAffinityTerm"]) for t in terms(pod, "podAntiAffinity", PREFERRED)]
    return towards + away


def normalise(world, pod, feasible, raw):
    """The lowest becomes 0, the highest 100; all equal is 0 for all."""
    lowest, highest = min(raw.values()), max(raw.values())
    if lowest == highest:
        return dict.fromkeys(raw, 0)
    return {key: int(100.0 * ((value - lowest) / (highest - lowest))) for key, value in raw.items()}
