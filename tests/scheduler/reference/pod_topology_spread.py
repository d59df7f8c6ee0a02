"""PodTopologySpread: pods that match a selector are to lie evenly over the domains of a topology key.

Hard constraints (DoNotSchedule) refuse a node whose domain would then have more than maxSkew matching pods above the
emptiest domain. Soft ones (ScheduleAnyway) score. A pod without constraints of its own gets the profile's default ones
with the selector of the services and controllers it belongs to."""

import math

from reference import node_affinity
from reference.reason import Reason
from reference.selectors import matches, requirements
from reference.taint_toleration import HARD, untolerated
from reference.world import (
    SYSTEM_DEFAULT_CONSTRAINTS,
    go_round,
    is_terminating,
    labels,
    name,
    namespace,
    placed_on,
    spec,
)

HOSTNAME = "kubernetes.io/hostname"
NOT_MATCHED = "node(s) didn't match pod topology spread constraints"


def constraints(world, pod, action):
    """[(constraint, requirements of its selector)] of the pod, or of the defaults where it has none at all."""
    own = spec(pod).get("topologySpreadConstraints") or []
    if own:
        return [(c, _selector(c, pod)) for c in own if c["whenUnsatisfiable"] == action]
    config = world["config"]
    system = config["defaultingType"] == "System"
    defaults = SYSTEM_DEFAULT_CONSTRAINTS if system else config["defaultConstraints"]
    wanted = default_selector(world, pod)
    return [(c, wanted) for c in defaults if wanted and c["whenUnsatisfiable"] == action]


def _selector(constraint, pod):
    wanted = requirements(constraint.get("labelSelector"))
    if wanted is None:
        return None
    keys = [key for key in constraint.get("matchLabelKeys") or [] if key in labels(pod)]
    return wanted + [{"key": key, "operator": "In", "values": [labels(pod)[key]]} for key in keys]


def default_selector(world, pod):
    """The selectors of all services that select the pod and of its controller, together."""
    wanted = []
    for service in world["services"]:
        selector = spec(service).get("selector")
        own = requirements({"matchLabels": selector}) if selector is not None else None
        if namespace(service) == namespace(pod) and matches(own, labels(pod)):
            wanted += own
    owner = next((o for o in pod["metadata"].get("ownerReferences") or [] if o.get("controller")), None)
    kinds = {
        "ReplicationController": "replicationcontrollers",
        "ReplicaSet": "replicasets",
        "StatefulSet": "statefulsets",
    }
    for controller in world[kinds[owner["kind"]]] if owner and owner["kind"] in kinds else []:
        if name(controller) == owner["name"] and namespace(controller) == namespace(pod):
            selector = spec(controller).get("selector")
            if owner["kind"] == "ReplicationController":
                selector = {"matchLabels": selector or {}}
            wanted += requirements(selector) or []
    return wanted


def count(pods, pod, wanted):
    """Pods of the same namespace that match and are not on their way out. An empty selector counts none."""
    if not wanted:
        return 0
    return sum(
        namespace(other) == namespace(pod) and not is_terminating(other) and matches(wanted, labels(other))
        for other in pods
    )


def _has_all_keys(node, chosen):
    return all(c["topologyKey"] in labels(node) for c, _ in chosen)


def _included(constraint, pod, node):
    """Whether a node takes part: by default its affinity must match, its taints are not asked about."""
    if (constraint.get("nodeAffinityPolicy") or "Honor") == "Honor" and not node_affinity.selects(pod, node):
        return False
    return (constraint.get("nodeTaintsPolicy") or "Ignore") == "Ignore" or not untolerated(pod, node, HARD)


def domains(world, pod, constraint, wanted, chosen):
    """Matching pods per domain, over the nodes that have every key and take part."""
    found = {}
    for node in world["nodes"].values():
        if _has_all_keys(node, chosen) and _included(constraint, pod, node):
            domain = labels(node)[constraint["topologyKey"]]
            found[domain] = found.get(domain, 0) + count(placed_on(world, name(node)), pod, wanted)
    return found


def filter(world, pod, node):
    chosen = constraints(world, pod, "DoNotSchedule")
    for constraint, wanted in chosen:
        if constraint["topologyKey"] not in labels(node):
            return [Reason(NOT_MATCHED + " (missing required label)", eviction_may_help=False)]
        found = domains(world, pod, constraint, wanted, chosen)
        too_few = len(found) < (constraint.get("minDomains") or 1)
        least = 0 if too_few else min(found.values())
        there = found.get(labels(node)[constraint["topologyKey"]], 0)
        if there + matches(wanted, labels(pod)) - least > constraint["maxSkew"]:
            return [Reason(NOT_MATCHED)]
    return []


def scores(world, pod, feasible):
    """Normalised scores per node name, {} when there is nothing to score by."""
    chosen = constraints(world, pod, "ScheduleAnyway")
    if not chosen:
        return {}
    by_system = world["config"]["defaultingType"] == "System" and not spec(pod).get("topologySpreadConstraints")
    needs_keys = not by_system
    scored = [node for node in feasible if not needs_keys or _has_all_keys(node, chosen)]
    counts = [_soft_domains(world, pod, c, wanted, chosen, scored, needs_keys) for c, wanted in chosen]
    raw = {name(node): _raw(world, pod, node, chosen, counts, len(scored)) for node in scored}
    most, least = max(raw.values(), default=0), min(raw.values(), default=0)
    normal = {key: 100 if most == 0 else 100 * (most + least - value) // most for key, value in raw.items()}
    return {name(node): normal.get(name(node), 0) for node in feasible}


def _soft_domains(world, pod, constraint, wanted, chosen, scored, needs_keys):
    """Matching pods per domain that a feasible node is in; pods on all nodes that take part are counted."""
    key = constraint["topologyKey"]
    found = dict.fromkeys((labels(node).get(key, "") for node in scored), 0)
    for node in world["nodes"].values():
        domain = labels(node).get(key, "")
        if domain in found and (not needs_keys or _has_all_keys(node, chosen)) and _included(constraint, pod, node):
            found[domain] += count(placed_on(world, name(node)), pod, wanted)
    return found


def _raw(world, pod, node, chosen, counts, hosts):
    """The fewer matching pods the better; small topologies weigh less, by the logarithm of their number of domains."""
    total = 0.0
    for (constraint, wanted), found in zip(chosen, counts, strict=True):
        key = constraint["topologyKey"]
        if key not in labels(node):
            continue
        if key == HOSTNAME:
            there, size = count(placed_on(world, name(node)), pod, wanted), hosts
        else:
            there, size = found[labels(node)[key]], len(found)
        total += there * math.log(size + 2) + (constraint["maxSkew"] - 1)
    return go_round(total)
