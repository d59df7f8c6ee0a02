"""What the scheduler sees, as plain dicts of API objects.

nodes        name -> Node
placed       node name -> the Pods that use that node (bound or assumed, not ended)
nominated    node name -> the pending Pods that preempted there and wait for the room
namespaces   name -> labels
services, replicationcontrollers, replicasets, statefulsets, budgets     lists of objects
config       arguments of plug-ins, see `new_world`
"""

from typing import Any, TypeAlias

World: TypeAlias = dict[str, Any]

SYSTEM_DEFAULT_CONSTRAINTS = (
    {"maxSkew": 3, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"},
    {"maxSkew": 5, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"},
)
CPU_AND_MEMORY = ({"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1})


def new_world(**config):
    """An empty world with the default profile's arguments; `config` replaces some of them."""
    return {
        "nodes": {},
        "placed": {},
        "nominated": {},
        "namespaces": {},
        "services": [],
        "replicationcontrollers": [],
        "replicasets": [],
        "statefulsets": [],
        "budgets": [],
        "config": {
            "scoringStrategy": {"type": "LeastAllocated", "resources": CPU_AND_MEMORY},
            "balancedResources": CPU_AND_MEMORY,
            "ignoredResources": (),
            "ignoredResourceGroups": (),
            "addedAffinity": {},
            "hardPodAffinityWeight": 1,
            "ignorePreferredTermsOfExistingPods": False,
            "defaultingType": "System",
            "defaultConstraints": (),
            "weights": dict(DEFAULT_WEIGHTS),
        }
        | config,
    }


DEFAULT_WEIGHTS = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodeResourcesFit": 1,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}


def name(thing):
    return thing["metadata"]["name"]


def namespace(thing):
    return thing["metadata"]["namespace"]


def uid(thing):
    return thing["metadata"]["uid"]


def labels(thing):
    return thing["metadata"].get("labels") or {}


def spec(thing):
    return thing.get("spec") or {}


def status(thing):
    return thing.get("status") or {}


def priority(pod):
    return spec(pod).get("priority") or 0


def is_terminating(pod):
    return pod["metadata"].get("deletionTimestamp") is not None


def placed_on(world, node_name):
    return world["placed"].get(node_name) or []


def placed_everywhere(world):
    """(node, pod) for every pod on a node that exists."""
    for node_name, node in world["nodes"].items():
        for pod in placed_on(world, node_name):
            yield node, pod


def with_pods(world, node_name, pods):
    """The same world, but exactly these pods on that node."""
    return world | {"placed": world["placed"] | {node_name: list(pods)}}


def go_quotient(dividend, divisor):
    """Integer division as Go does it: towards zero."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def go_round(number):
    """Halves away from zero; `number` is not negative."""
    whole = int(number)
    return whole + (number - whole >= 0.5)


def normalise_by_greatest(raw, reverse=False):
    """Each score as a share of the greatest; reversed: 100 less that."""
    greatest = max(raw.values(), default=0)
    shares = {key: value * 100 // greatest if greatest else 0 for key, value in raw.items()}
    return {key: 100 - share if reverse else share for key, share in shares.items()}
