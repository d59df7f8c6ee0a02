"""NodeName: a pod that names its node fits only there."""

from __future__ import annotations

from sampan_master.scheduler.columns import Bools, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Filter, always_hopeless, one_reason
from sampan_master.scheduler.signature import Signature


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    wanted = pod.placement.node_name
    if not wanted:
        return nodes.live[rows]
    result: Bools = nodes.row_numbers[rows] == nodes.row_of.get(wanted, -1)
    return result


FILTER = Filter("NodeName", True, mask, one_reason("node(s) didn't match the requested node name"), always_hopeless)
