"""NodeUnschedulable: a cordoned node takes only pods that tolerate its cordon."""

from __future__ import annotations

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Filter, Plugin, Refusal, Scope
from sampan_master.scheduler.signature import Signature, Taint

NAME = "NodeUnschedulable"
REASON = "node(s) were unschedulable"
_CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    if any(toleration.tolerates(_CORDON) for toleration in pod.placement.tolerations):
        return nodes.live[rows]
    return ~nodes.unschedulable[rows]


def refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
    have, hopeless = np.zeros(rows.size, np.int64), np.ones(rows.size, np.bool_)
    return [Refusal(NAME, REASON, rows, hopeless, "a node that is not cordoned", have, ("cordoned",))]


PLUGIN = Plugin(NAME, Filter(Scope.NODE, mask, refuse))
