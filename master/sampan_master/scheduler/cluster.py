"""What the scheduler believes: nodes, the pods on them, and the placements it has chosen but not yet seen confirmed.

An assumed pod uses its node from the moment it is chosen; the informer's news of the bound pod confirms it, `forget`
takes it back. Each pod is counted once, by uid. A pod that preempted others is nominated for its node: it uses nothing
yet, but pods of lower priority must leave it its room.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sized
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sampan_api import meta
from sampan_api.clock import parse_time
from sampan_api.meta import Object

from sampan_master.scheduler.changelog import ChangeLog
from sampan_master.scheduler.columns import PODS, Ints, NodeColumns
from sampan_master.scheduler.requests import as_held
from sampan_master.scheduler.signature import Relations, Signature, signature
from sampan_master.scheduler.workloads import Workloads

T = TypeVar("T")
_ENDED = ("Succeeded", "Failed")
_SPARE_KINDS = 64
_NOT_STARTED = 1 << 40
"""Later than all that have."""


def has_ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED


def node_of(pod: Object) -> str:
    return pod["spec"].get("nodeName") or ""


def priority_of(pod: Object) -> int:
    return int(pod["spec"].get("priority") or 0)


@dataclass(slots=True, eq=False)
class Placed:
    """A pod on a row. `pod` is the newest object known of it, `started` in whole seconds since 1970."""

    uid: str
    row: int
    node: str
    signature: Signature
    priority: int
    pod: Object
    assumed: bool
    started: int


class Nominated(NamedTuple):
    """A pod that waits for room on `node`, made by preemption or promised by someone else."""

    uid: str
    node: str
    signature: Signature
    priority: int


class Move(NamedTuple):
    """A pod came to a row (+1) or left it (-1)."""

    row: int
    pod: Relations
    sign: int


class Cluster:
    """`waiting` has an entry for each kind of pod that waits for a node."""

    def __init__(self, waiting: Sized = ()) -> None:
        self._waiting = waiting
        self.nodes = NodeColumns()
        self.moves: ChangeLog[Move] = ChangeLog(lambda: self.nodes.capacity)
        self.starts: ChangeLog[int] = ChangeLog(lambda: self.nodes.capacity)
        """Rows where a pod was heard to have started, which matters to nobody but preemption."""
        self.groups: dict[Relations, dict[int, int]] = {}
        """How many pods of each group are on which row."""
        self.signatures: Counter[Signature] = Counter()
        self.affine: Counter[Relations] = Counter()
        """The groups that have pod affinity of any kind, and their sizes."""
        self.priorities: Counter[int] = Counter()
        self.namespaces: dict[str, dict[str, str]] = {}
        """The labels of each namespace."""
        self.namespace_position = 0
        """Rises with each change of a namespace's labels."""
        self.workloads = Workloads()
        self.nominated: dict[str, Nominated] = {}
        self.nominated_with_ports = 0
        self.nominated_repelling = 0
        """How many nominated pods have required anti-affinity, which may keep others away from their nodes."""
        self._promises: defaultdict[str, dict[str, Nominated]] = defaultdict(dict)
        self._placed: dict[str, Placed] = {}
        self._on_row: defaultdict[int, dict[str, Placed]] = defaultdict(dict)

    def sizes(self) -> dict[str, int]:
        """By kube-scheduler's names for Prometheus."""
        assumed = sum(placed.assumed for placed in self._placed.values())
        return {"nodes": len(self.nodes.row_of), "pods": len(self._placed), "assumed_pods": assumed}

    def kinds_kept(self, for_each: int = 1) -> int:
        """Of how many kinds something may be kept: of those that are there, placed or waiting, and a few more. What is
        kept must follow from what there is, not from all there ever was: labels and images may be ever new."""
        return for_each * (_SPARE_KINDS + len(self.signatures) + self.kinds_waiting)

    @property
    def kinds_waiting(self) -> int:
        return len(self._waiting)

    def is_placed(self, uid: str) -> bool:
        return uid in self._placed

    def placed(self, uid: str) -> Placed | None:
        return self._placed.get(uid)

    def pods_on(self, row: int) -> list[Placed]:
        return list(self._on_row[row].values()) if row in self._on_row else []

    def put_namespace(self, name: str, labels: dict[str, str] | None) -> bool:
        """`labels` None: it is gone. Says whether that is news."""
        if self.namespaces.get(name) == labels:
            return False
        if labels is None:
            del self.namespaces[name]
        else:
            self.namespaces[name] = labels
        self.namespace_position += 1
        return True

    def nominate(self, pod: Object, pod_signature: Signature, node: str) -> None:
        uid = meta.uid(pod)
        nominated = Nominated(uid, node, pod_signature, priority_of(pod))
        if self.nominated.get(uid) == nominated:
            return
        self.withdraw(uid)
        self.nominated[uid] = self._promises[node][uid] = nominated
        self.nodes.promise(node, pod_signature.load, nominated.priority, 1)
        self.nominated_with_ports += bool(pod_signature.load.ports)
        self.nominated_repelling += bool(pod_signature.relations.anti_affinity)

    def withdraw(self, uid: str) -> bool:
        """The pod is nominated no more; says whether it was."""
        before = self.nominated.pop(uid, None)
        if before is None:
            return False
        del self._promises[before.node][uid]
        if not self._promises[before.node]:
            del self._promises[before.node]
        self.nodes.promise(before.node, before.signature.load, before.priority, -1)
        self.nominated_with_ports -= bool(before.signature.load.ports)
        self.nominated_repelling -= bool(before.signature.relations.anti_affinity)
        return True

    def promises(self, row: int, priority: int, uid: str = "") -> list[Nominated]:
        """Who waits for room on this row and must be left it by a pod of `priority`, itself (`uid`) not counted."""
        waiting = self._promises.get(self.nodes.names[row])
        return [] if waiting is None else [n for n in waiting.values() if n.priority >= priority and n.uid != uid]

    def promised_rows(self) -> set[int]:
        """Those whose node somebody waits for."""
        return {self.nodes.row_of[node] for node in self._promises}

    def promised_among(self, rows: Ints, priority: int) -> Ints:
        """Those of `rows` where room is promised to pods of at least this priority."""
        amounts = self.nodes.promised_from(priority)
        return rows[:0] if amounts is None else rows[amounts[PODS, rows] > 0]

    def assume(self, pod: Object, pod_signature: Signature, row: int) -> str:
        node = self.nodes.names[row]
        self.withdraw(meta.uid(pod))
        self._add(pod, pod_signature, node, assumed=True)
        return node

    def forget(self, uid: str) -> None:
        """Takes an assumption back; a pod that is known to be bound stays."""
        placed = self._placed.get(uid)
        if placed is not None and placed.assumed:
            self.remove(uid)

    def saw_bound(self, pod: Object) -> bool:
        """News of a pod on a node: counts it there, once, as it is now. Says whether anything changed by it."""
        placed = self._placed.get(meta.uid(pod))
        if placed is None:
            self._add(pod, signature(as_held(pod)), node_of(pod), assumed=False)
            return True
        placed.assumed = False
        before, placed.pod = placed.pod, pod
        if _start_time(before) != _start_time(pod):
            placed.started = _started(pod)
            self.starts.append(placed.row)
        if placed.node == node_of(pod) and _same_terms(before, pod):
            return False
        pod_signature = signature(as_held(pod))
        if placed.node == node_of(pod) and placed.signature is pod_signature:
            return False
        self._remove(placed)
        self._add(pod, pod_signature, node_of(pod), assumed=False)
        return True

    def remove(self, uid: str) -> bool:
        """The pod uses its node no longer; says whether it did."""
        placed = self._placed.get(uid)
        if placed is None:
            return False
        self._remove(placed)
        return True

    def _add(self, pod: Object, pod_signature: Signature, node: str, *, assumed: bool) -> None:
        uid, priority, group = meta.uid(pod), priority_of(pod), pod_signature.relations
        row = self.nodes.add_pod(node, pod_signature.load)
        self._placed[uid] = placed = Placed(uid, row, node, pod_signature, priority, pod, assumed, _started(pod))
        self._on_row[row][uid] = placed
        self.priorities[priority] += 1
        self.signatures[pod_signature] += 1
        rows = self.groups.get(group)
        if rows is None:
            rows = self.groups[group] = {}
        rows[row] = rows.get(row, 0) + 1
        if group.has_affinity:
            self.affine[group] += 1
        self.moves.append(Move(row, group, 1))

    def _remove(self, placed: Placed) -> None:
        row, group = placed.row, placed.signature.relations
        del self._placed[placed.uid]
        del self._on_row[row][placed.uid]
        if not self._on_row[row]:
            del self._on_row[row]
        _decrease(self.priorities, placed.priority)
        _decrease(self.signatures, placed.signature)
        rows = self.groups[group]
        rows[row] -= 1
        if not rows[row]:
            del rows[row]
            if not rows:
                del self.groups[group]
        if group.has_affinity:
            _decrease(self.affine, group)
        self.moves.append(Move(row, group, -1))
        self.nodes.remove_pod(row, placed.signature.load)


def _start_time(pod: Object) -> str | None:
    stamp: str | None = (pod.get("status") or {}).get("startTime")
    return stamp


def _started(pod: Object) -> int:
    stamp = _start_time(pod)
    return int(parse_time(stamp)) if stamp else _NOT_STARTED


def _same_terms(before: Object, after: Object) -> bool:
    """Whether two states of a pod ask for the same by fields that can be compared without reading them all."""
    old, new = before["metadata"], after["metadata"]
    return bool(
        old.get("generation") == new.get("generation")
        and old.get("labels") == new.get("labels")
        and meta.is_deleting(before) == meta.is_deleting(after)
        and as_held(before) is before
        and as_held(after) is after
    )


def _decrease(counter: Counter[T], key: T) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
