"""NodeName: a pod that names its node fits only there."""

from __future__ import annotations

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Filter, Plugin, Refusal, Scope
from sampan_master.scheduler.signature import Signature

NAME = "NodeName"
REASON = "node(s) didn't match the requested node name"


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    wanted = pod.placement.node_name
    if not wanted:
        return nodes.live[rows]
    result: Bools = nodes.row_numbers[rows] == nodes.row_of.get(wanted, -1)
    return result


def refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
    names = tuple(nodes.names[row] for row in rows)
    hopeless = np.ones(rows.size, np.bool_)
    return [Refusal(NAME, REASON, rows, hopeless, f"node {pod.placement.node_name}", np.arange(rows.size), names)]


PLUGIN = Plugin(NAME, Filter(Scope.NODE, mask, refuse))
