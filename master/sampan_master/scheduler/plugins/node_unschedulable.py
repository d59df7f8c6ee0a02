"""NodeUnschedulable: a cordoned node takes only pods that tolerate its cordon."""

from __future__ import annotations

from sampan_master.scheduler.columns import Bools, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Filter, always_hopeless, one_reason
from sampan_master.scheduler.signature import Signature, Taint

_CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    if any(toleration.tolerates(_CORDON) for toleration in pod.placement.tolerations):
        return nodes.live[rows]
    return ~nodes.unschedulable[rows]


FILTER = Filter("NodeUnschedulable", True, mask, one_reason("node(s) were unschedulable"), always_hopeless)
