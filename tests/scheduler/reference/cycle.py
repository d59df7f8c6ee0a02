"""One scheduling cycle: which nodes can take the pod, why the others cannot, and what each feasible node scores."""

from reference import (
    balanced_allocation,
    image_locality,
    inter_pod_affinity,
    node_affinity,
    node_name,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    pod_topology_spread,
    taint_toleration,
)
from reference.world import name, placed_on, priority, uid, with_pods

FILTERS = (
    node_unschedulable,
    node_name,
    taint_toleration,
    node_affinity,
    node_ports,
    node_resources_fit,
    pod_topology_spread,
    inter_pod_affinity,
)
SCORES = {
    "TaintToleration": taint_toleration,
    "NodeAffinity": node_affinity,
    "NodeResourcesFit": node_resources_fit,
    "PodTopologySpread": pod_topology_spread,
    "InterPodAffinity": inter_pod_affinity,
    "NodeResourcesBalancedAllocation": balanced_allocation,
    "ImageLocality": image_locality,
}


def run_filters(world, pod, node):
    """The reasons of the first plug-in that refuses; later ones are not asked."""
    for plugin in FILTERS:
        found = plugin.filter(world, pod, node)
        if found:
            return found
    return []


def run_filters_with_nominated(world, pod, node):
    """Pods nominated to the node with no lower priority are taken to be there; the pod must fit with them, and also
    without them, for they may not come."""
    coming = [
        other
        for other in world["nominated"].get(name(node)) or []
        if priority(other) >= priority(pod) and uid(other) != uid(pod)
    ]
    if coming:
        found = run_filters(with_pods(world, name(node), [*placed_on(world, name(node)), *coming]), pod, node)
        if found:
            return found
    return run_filters(world, pod, node)


def restricted(pod):
    """A reason that holds before any node is looked at, or None."""
    return node_affinity.CONFLICT if node_affinity.named_nodes(pod) == set() else None


def reasons(world, pod):
    """Node name -> reasons against it, [] for a feasible node."""
    conflict, named = restricted(pod), node_affinity.named_nodes(pod)
    found = {}
    for node_name_, node in world["nodes"].items():
        if conflict:
            found[node_name_] = [conflict]
        elif named is not None and node_name_ not in named:
            found[node_name_] = [node_affinity.NOT_NAMED]
        else:
            found[node_name_] = run_filters_with_nominated(world, pod, node)
    return found


def feasible(world, pod):
    return [world["nodes"][node] for node, against in reasons(world, pod).items() if not against]


def score_table(world, pod, nodes):
    """Plug-in -> node name -> score of 0 to 100, before weights."""
    return {plugin: _scores(module, world, pod, nodes) for plugin, module in SCORES.items()}


def _scores(module, world, pod, nodes):
    if module is pod_topology_spread:
        return module.scores(world, pod, nodes) or {name(node): 0 for node in nodes}
    raw = {name(node): module.score(world, pod, node, nodes) for node in nodes}
    return module.normalise(world, pod, nodes, raw) if raw and hasattr(module, "normalise") else raw


def totals(world, pod, nodes=None):
    """Node name -> weighted sum, over the feasible nodes."""
    nodes = feasible(world, pod) if nodes is None else nodes
    table, weights = score_table(world, pod, nodes), world["config"]["weights"]
    return {name(n): sum(weights.get(p, 0) * table[p][name(n)] for p in table) for n in nodes}
