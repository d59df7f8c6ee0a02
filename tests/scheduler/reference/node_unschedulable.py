"""NodeUnschedulable: a cordoned node takes only pods that tolerate the cordon's taint."""

from reference.reason import Reason
from reference.taint_toleration import tolerates
from reference.world import spec

CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def filter(world, pod, node):
    if not spec(node).get("unschedulable") or tolerates(pod, CORDON):
        return []
    return [Reason("node(s) were unschedulable", eviction_may_help=False)]
