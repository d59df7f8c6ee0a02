"""The nodes as columns: row i of every array is one node.

A change costs its row and is written to a log, so that whoever keeps results per row (the engine) recomputes only the
rows named since it last looked. A row exists as long as its Node does or pods are bound to its name; `live` says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.scheduler.changelog import ChangeLog
from sampan_master.scheduler.codes import ABSENT, Codes, Ints, Rows
from sampan_master.scheduler.images import NodeImages
from sampan_master.scheduler.requests import amounts
from sampan_master.scheduler.signature import HostPort, Load, Taint, taints

__all__ = ["ABSENT", "CPU", "MEMORY", "PODS", "Bools", "Ints", "LabelColumn", "NodeColumns", "Rows", "at", "only_row"]

Bools: TypeAlias = npt.NDArray[np.bool_]
LabelColumn: TypeAlias = Codes[str]
"""The values of one label key."""

PODS, CPU, MEMORY = 0, 1, 2
_UNKNOWN = 4
"""The row of all resources that nobody has and nobody uses: zeros."""
_FIRST_RESOURCES = ("pods", "cpu", "memory", "ephemeral-storage", "")


def at(table: Ints, rows: Rows) -> Ints:
    """`table[:, rows]`, several times faster when `rows` is an array."""
    if isinstance(rows, slice):
        return table[:, rows]
    return table.take(rows, axis=1)


def only_row(rows: Rows) -> int | None:
    """The row when it is just one. That is asked for after every placement, and counting it out by hand takes a few
    microseconds where numpy takes many."""
    return rows.start if isinstance(rows, slice) and rows.stop - rows.start == 1 else None


class NodeColumns:
    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self.resources: dict[str, int] = {name: i for i, name in enumerate(_FIRST_RESOURCES)}
        self.live: Bools = np.zeros(capacity, np.bool_)
        self.unschedulable: Bools = np.zeros(capacity, np.bool_)
        self.taints: Codes[tuple[Taint, ...]] = Codes(capacity)
        self.allocatable: Ints = np.zeros((len(self.resources), capacity), np.int64)
        self.requested: Ints = np.zeros((len(self.resources), capacity), np.int64)
        self.scoring_requested: Ints = np.zeros((2, capacity), np.int64)
        self.row_numbers: Ints = np.arange(capacity, dtype=np.int64)
        self.names: list[str] = []
        self.row_of: dict[str, int] = {}
        self.ports: dict[HostPort, Ints] = {}
        """How many pods of each row use a port; those that somebody uses."""
        self.images = NodeImages()
        self.promised: dict[int, Ints] = {}
        """priority -> [resource, row]: room promised to pods of that priority that are not there yet."""
        self.node_changes: ChangeLog[int] = ChangeLog(lambda: self._capacity)
        self.changes: ChangeLog[int] = ChangeLog(lambda: self._capacity)
        self._objects: list[Object | None] = []
        self._label_keys: Counter[str] = Counter()
        """How many nodes have a label of this key."""
        self._label_columns: dict[str, LabelColumn] = {}
        self._no_label: LabelColumn = Codes(capacity)
        self._free: list[int] = []
        self.live_count = 0

    @property
    def size(self) -> int:
        """Number of rows in use; arrays are longer."""
        return len(self.names)

    @property
    def capacity(self) -> int:
        return self._capacity

    def node(self, row: int) -> Object | None:
        return self._objects[row]

    def put_node(self, node: Object) -> bool:
        """Takes a new or changed Node; says whether anything changed by which pods could fit that did not."""
        name = meta.name(node)
        row = self._row(name)
        self.images.put(row, node)
        before = self._objects[row]
        self._objects[row] = node
        if before is not None and _scheduling_view(before) == _scheduling_view(node):
            return False
        self.live_count += not self.live[row]
        self.live[row] = True
        self.unschedulable[row] = bool((node.get("spec") or {}).get("unschedulable"))
        self.taints.put(row, taints(node))
        self._put_allocatable(row, amounts((node.get("status") or {}).get("allocatable")))
        self._put_labels(row, {} if before is None else meta.labels(before), meta.labels(node))
        self._changed(row)
        return True

    def remove_node(self, name: str) -> None:
        row = self.row_of.get(name)
        if row is None or not self.live[row]:
            return
        node = self._objects[row]
        self.live[row] = False
        self.live_count -= 1
        self._objects[row] = None
        self.allocatable[:, row] = 0
        self.taints.put(row, None)
        self._put_labels(row, meta.labels(node) if node is not None else {}, {})
        self.images.remove(row)
        self._changed(row)
        self._release(row)

    def add_pod(self, node_name: str, load: Load) -> int:
        """The row that now carries it; made for a node that is not known (yet)."""
        row = self._row(node_name)
        self.use(row, load, 1)
        return row

    def remove_pod(self, row: int, load: Load) -> None:
        self.use(row, load, -1)
        self._release(row)

    def promise(self, node_name: str, load: Load, priority: int, sign: int) -> None:
        """Room on a node is promised (+1) to a pod of this priority, or the promise is taken back (-1)."""
        row = self._row(node_name)
        level = self.promised.get(priority)
        if level is None:
            level = self.promised[priority] = np.zeros_like(self.requested)
        for name, amount in load.requests:
            index = self._resource(name)  # first: a new resource makes new arrays
            level = self.promised[priority]
            level[index, row] += sign * amount
        level[PODS, row] += sign
        if sign < 0 and not level[PODS].any():
            del self.promised[priority]
        self.changes.append(row)
        self._release(row)

    def promised_from(self, priority: int) -> Ints | None:
        """[resource, row]: what is promised to pods of at least this priority; None when nothing is."""
        levels = [amounts for level, amounts in self.promised.items() if level >= priority]
        return None if not levels else levels[0] if len(levels) == 1 else np.sum(levels, axis=0)

    def label_column(self, key: str) -> LabelColumn:
        """The column of a label key, made when a pod first asks about it; of keys that no node has there is one for
        all. Good until a Node changes."""
        column = self._label_columns.get(key)
        if column is None:
            if key not in self._label_keys:
                return self._no_label
            column = self._label_columns[key] = Codes(self._capacity)
            for row, node in enumerate(self._objects):
                if node is not None:
                    column.put(row, meta.labels(node).get(key))
        return column

    def resource(self, name: str) -> int:
        """Where to read what there is of a resource, and what is used."""
        return self.resources.get(name, _UNKNOWN)

    def extract(self, rows: Ints) -> NodeColumns:
        """A copy of these rows alone, to be changed freely: row i of it is row `rows[i]` of this."""
        return _Extract(self, rows)

    def use(self, row: int, load: Load, sign: int) -> None:
        self.requested[PODS, row] += sign
        for name, amount in load.requests:
            resource = self._resource(name)  # first: a new resource makes a new array
            self.requested[resource, row] += sign * amount
        self.scoring_requested[0, row] += sign * load.scoring_requests[0]
        self.scoring_requested[1, row] += sign * load.scoring_requests[1]
        for port in load.ports:
            column = self.port(port)
            column[row] += sign
            if not column[row] and not column.any():
                del self.ports[port]
        self.changes.append(row)

    def port(self, port: HostPort) -> Ints:
        """How many pods of each row use this port; made when a pod first does."""
        column = self.ports.get(port)
        if column is None:
            column = self.ports[port] = np.zeros(self._capacity, np.int64)
        return column

    def _put_allocatable(self, row: int, values: Mapping[str, int]) -> None:
        self.allocatable[:, row] = 0
        for name, value in values.items():
            if value:
                resource = self._resource(name)  # first: a new resource makes a new array
                self.allocatable[resource, row] = value

    def _put_labels(self, row: int, before: Mapping[str, str], labels: Mapping[str, str]) -> None:
        self._label_keys.update(labels.keys() - before.keys())
        for key in before.keys() - labels.keys():
            self._label_keys[key] -= 1
            if not self._label_keys[key]:
                del self._label_keys[key]
                self._label_columns.pop(key, None)
        for key, column in self._label_columns.items():
            column.put(row, labels.get(key))

    def _resource(self, name: str) -> int:
        """Where to write about a resource: a row that nobody uses any more, or a new one."""
        index = self.resources.get(name)
        if index is not None:
            return index
        unused = next((known for known, i in self.resources.items() if i > _UNKNOWN and self._is_unused(i)), None)
        if unused is not None:
            index = self.resources[name] = self.resources.pop(unused)
            return index
        index = self.resources[name] = len(self.resources)
        empty = np.zeros((1, self._capacity), np.int64)
        self.allocatable = np.vstack((self.allocatable, empty))
        self.requested = np.vstack((self.requested, empty))
        self.promised = {level: np.vstack((amounts, empty)) for level, amounts in self.promised.items()}
        return index

    def _is_unused(self, resource: int) -> bool:
        tables = (self.allocatable, self.requested, *self.promised.values())
        return not any(table[resource].any() for table in tables)

    def _changed(self, row: int) -> None:
        self.node_changes.append(row)
        self.changes.append(row)

    def _row(self, name: str) -> int:
        row = self.row_of.get(name)
        if row is not None:
            return row
        if self._free:
            row = self._free.pop()
            self.names[row] = name
        else:
            row = len(self.names)
            if row == self._capacity:
                self._grow()
            self.names.append(name)
            self._objects.append(None)
        self.row_of[name] = row
        return row

    def _release(self, row: int) -> None:
        if self.live[row] or self.requested[PODS, row] or any(level[PODS, row] for level in self.promised.values()):
            return
        del self.row_of[self.names[row]]
        self.names[row] = ""
        self._free.append(row)

    def _grow(self) -> None:
        more = self._capacity
        self._capacity *= 2
        self.row_numbers = np.arange(self._capacity, dtype=np.int64)
        self.live = np.concatenate((self.live, np.zeros(more, np.bool_)))
        self.unschedulable = np.concatenate((self.unschedulable, np.zeros(more, np.bool_)))
        self.allocatable = np.pad(self.allocatable, ((0, 0), (0, more)))
        self.requested = np.pad(self.requested, ((0, 0), (0, more)))
        self.scoring_requested = np.pad(self.scoring_requested, ((0, 0), (0, more)))
        self.promised = {level: np.pad(amounts, ((0, 0), (0, more))) for level, amounts in self.promised.items()}
        self.taints.grow(more)
        for column in (self._no_label, *self._label_columns.values()):
            column.grow(more)
        self.ports = {port: np.pad(used, (0, more)) for port, used in self.ports.items()}


class _Extract(NodeColumns):
    """Rows copied out of `whole`. Names, objects, labels and ports are looked up there when somebody asks: most do
    not."""

    def __init__(self, whole: NodeColumns, rows: Ints) -> None:
        self._whole, self._rows, self._capacity = whole, rows, int(rows.size)
        self.resources, self.taints = dict(whole.resources), whole.taints.extract(rows)
        self.live, self.unschedulable = whole.live[rows], whole.unschedulable[rows]
        self.allocatable, self.requested = at(whole.allocatable, rows), at(whole.requested, rows)
        self.scoring_requested = at(whole.scoring_requested, rows)
        self.row_numbers = np.arange(self._capacity, dtype=np.int64)
        self.images, self.promised = NodeImages(), {}
        self.node_changes, self.changes = ChangeLog(), ChangeLog()
        self._label_columns = {}
        self.live_count = self._capacity

    def __getattr__(self, name: str) -> Any:
        """`names`, `row_of` and `ports`, made when first asked for."""
        if name == "names":
            self.names = [self._whole.names[row] for row in self._rows.tolist()]
            return self.names
        if name == "row_of":
            self.row_of = {called: i for i, called in enumerate(self.names)}
            return self.row_of
        if name == "ports":
            self.ports = {port: used[self._rows] for port, used in self._whole.ports.items()}
            return self.ports
        raise AttributeError(name)

    @property
    def size(self) -> int:
        return self._capacity

    def node(self, row: int) -> Object | None:
        return self._whole.node(int(self._rows[row]))

    def label_column(self, key: str) -> LabelColumn:
        column = self._label_columns.get(key)
        if column is None:
            column = self._label_columns[key] = self._whole.label_column(key).extract(self._rows)
        return column


def _scheduling_view(node: Object) -> tuple[object, ...]:
    spec = node.get("spec") or {}
    allocatable = (node.get("status") or {}).get("allocatable")
    return meta.labels(node), bool(spec.get("unschedulable")), taints(node), allocatable
