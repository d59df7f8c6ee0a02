"""Room on the nodes, as the API server keeps it: a binding that would overcommit its node is refused.

A scheduler works from what it has seen; two of them at once, or one that was suspended between a look at its lease and
a write, may give the same room away twice. Here all bindings pass one door, so here they are counted:

    used = requests of the pods bound to the node (from the cache, told of every change)
         + requests of the bindings on their way to the store (`reserved`, until the cache shows them)

Only a Binding is refused: who writes spec.nodeName into a new pod says where it shall be, and the node judges it.
Masters that share an etcd count apart; between them the scheduler's Lease stands.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sampan_api import meta
from sampan_api.client import EventType
from sampan_api.meta import Object

from sampan_master.scheduler.cluster import has_ended, node_of
from sampan_master.scheduler.requests import Amounts, amounts, as_held, pod_requests
from sampan_master.storage import Cache
from sampan_master.storage.change import Change
from sampan_master.storage.keys import object_key

PODS, NODES = "pods", "nodes"


@dataclass(frozen=True, slots=True)
class _Use:
    node: str
    requests: tuple[tuple[str, int], ...]


class NodeRoom:
    """A reservation ends with `release`, or when the cache shows what became of the pod."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._bound: dict[str, _Use] = {}
        self._resized: set[str] = set()
        """Those of `_bound` whose status weighs: they hold more than their spec asks for."""
        self._reserved: dict[str, _Use] = {}
        self._used: dict[str, Counter[str]] = {}
        cache.observe(PODS, self._on_pod)

    def reserve(self, pod: Object, node: str) -> str:
        """Takes the room for a binding that is about to be written; why it cannot, or "". Idempotent for a pod."""
        uid = meta.uid(pod)
        self.release(uid)
        use = _use(as_held(pod), node)
        allocatable = self._allocatable(node)
        if allocatable is not None:
            used = self._used.get(node, Counter())
            for name, wanted in use.requests:
                free = allocatable.get(name, 0) - used[name]
                if wanted > free:
                    return f"node {node} has no room for it: {name}: requested {wanted}, free {max(free, 0)}"
        self._reserved[uid] = use
        self._count(use, 1)
        return ""

    def release(self, uid: str) -> None:
        """The binding was not written."""
        use = self._reserved.pop(uid, None)
        if use is not None:
            self._count(use, -1)

    def _on_pod(self, change: Change | None) -> None:
        if change is None:
            self._bound.clear()
            self._resized.clear()
            self._reserved.clear()
            self._used.clear()
            return
        pod, uid = change.obj, meta.uid(change.obj)
        if self._is_told_already(change, pod, uid):
            return
        gone = change.type is EventType.DELETED or has_ended(pod)
        held = as_held(pod)
        after = None if gone or not node_of(pod) else _use(held, node_of(pod))
        if gone or after is not None:
            self.release(uid)
        if after is not None and held is not pod:
            self._resized.add(uid)
        else:
            self._resized.discard(uid)
        before = self._bound.get(uid)
        if before == after:
            return
        if before is not None:
            self._count(before, -1)
            del self._bound[uid]
        if after is not None:
            self._bound[uid] = after
            self._count(after, 1)

    def _is_told_already(self, change: Change, pod: Object, uid: str) -> bool:
        """Most changes are of a bound pod's status, which shares the spec with what stood there before; only during a
        resize does the status weigh."""
        return (
            change.type is EventType.MODIFIED
            and change.previous is not None
            and change.previous.obj["spec"] is pod["spec"]
            and uid in self._bound
            and uid not in self._resized
            and not has_ended(pod)
            and as_held(pod) is pod
        )

    def _allocatable(self, node: str) -> Amounts | None:
        entry = self._cache.get(object_key(NODES, "", node))
        return None if entry is None else amounts((entry.obj.get("status") or {}).get("allocatable"))

    def _count(self, use: _Use, sign: int) -> None:
        used = self._used.setdefault(use.node, Counter())
        for name, amount in use.requests:
            used[name] += sign * amount
        if not used["pods"]:
            del self._used[use.node]


def _use(held: Object, node: str) -> _Use:
    """Of a pod as it weighs there."""
    return _Use(node, (("pods", 1), *pod_requests(held).items()))
