"""NodeName: a pod that names its node fits only there."""

from reference.reason import Reason
from reference.world import name, spec


def filter(world, pod, node):
    wanted = spec(pod).get("nodeName")
    if wanted and wanted != name(node):
        return [Reason("node(s) didn't match the requested node name", eviction_may_help=False)]
    return []
