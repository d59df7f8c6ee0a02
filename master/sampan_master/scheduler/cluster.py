"""What the scheduler believes: nodes, the pods on them, and the placements it has chosen but not yet seen confirmed.

An assumed pod uses its node from the moment it is chosen; the informer's news of the bound pod confirms it, `forget`
takes it back. Each pod is counted once, by uid.
"""

from __future__ import annotations

from dataclasses import dataclass

from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.scheduler.columns import NodeColumns
from sampan_master.scheduler.signature import Signature, signature

_ENDED = ("Succeeded", "Failed")


def has_ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED


def node_of(pod: Object) -> str:
    return pod["spec"].get("nodeName") or ""


@dataclass(slots=True)
class _Placed:
    node: str
    signature: Signature
    generation: int
    assumed: bool


class Cluster:
    def __init__(self) -> None:
        self.nodes = NodeColumns()
        self._placed: dict[str, _Placed] = {}

    def is_placed(self, uid: str) -> bool:
        return uid in self._placed

    def assume(self, pod: Object, pod_signature: Signature, row: int) -> str:
        node = self.nodes.names[row]
        self.nodes.add_pod(node, pod_signature)
        generation = pod["metadata"].get("generation", 0)
        self._placed[meta.uid(pod)] = _Placed(node, pod_signature, generation, assumed=True)
        return node

    def forget(self, uid: str) -> None:
        """Takes an assumption back; a pod that is known to be bound stays."""
        placed = self._placed.get(uid)
        if placed is not None and placed.assumed:
            self.remove(uid)

    def saw_bound(self, pod: Object) -> None:
        """News of a pod on a node: counts it there, once, with what it asks for now."""
        uid, node, generation = meta.uid(pod), node_of(pod), pod["metadata"].get("generation", 0)
        placed = self._placed.get(uid)
        if placed is not None:
            placed.assumed = False
            if placed.node == node and placed.generation == generation:
                return
            self.nodes.remove_pod(placed.node, placed.signature)
        pod_signature = signature(pod)
        self.nodes.add_pod(node, pod_signature)
        self._placed[uid] = _Placed(node, pod_signature, generation, assumed=False)

    def remove(self, uid: str) -> bool:
        """The pod uses its node no longer; says whether it did."""
        placed = self._placed.pop(uid, None)
        if placed is None:
            return False
        self.nodes.remove_pod(placed.node, placed.signature)
        return True
