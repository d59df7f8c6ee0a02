"""What a policy's functions are given: nodes as arrays, one entry a node, and the pod that looks for one.

Amounts are numbers as people say them: cpu in cores, memory and storage in bytes, all else counted. Arrays are copies
that cannot be written to.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from sampan_api.meta import Object

from sampan_master.scheduler.columns import ABSENT, Ints, NodeColumns
from sampan_master.scheduler.signature import Signature

Floats: TypeAlias = npt.NDArray[np.float64]
Texts: TypeAlias = npt.NDArray[np.object_]
A = TypeVar("A", bound=npt.NDArray[Any])


class Nodes:
    """Some nodes of the cluster, not always all: a filter is asked again only about nodes that changed."""

    def __init__(self, columns: NodeColumns, rows: Ints) -> None:
        self._columns, self._rows = columns, rows

    def __len__(self) -> int:
        return int(self._rows.size)

    @property
    def names(self) -> Texts:
        return _sealed(np.array([self._columns.names[row] for row in self._rows.tolist()], np.object_))

    def label(self, key: str) -> Texts:
        """The value of a label, "" where a node has none."""
        return _sealed(self._columns.label_column(key).look_up(self._rows, str, "", np.object_))

    def has_label(self, key: str) -> npt.NDArray[np.bool_]:
        return _sealed(self._columns.label_column(key).codes[self._rows] != ABSENT)

    def allocatable(self, resource: str) -> Floats:
        return self._amounts(self._columns.allocatable, resource)

    def requested(self, resource: str) -> Floats:
        """What the pods there ask for, those included that are on their way."""
        return self._amounts(self._columns.requested, resource)

    def free(self, resource: str) -> Floats:
        return _sealed(self.allocatable(resource) - self.requested(resource))

    @property
    def pods(self) -> Ints:
        return _sealed(self._columns.requested[0][self._rows])

    @property
    def unschedulable(self) -> npt.NDArray[np.bool_]:
        return _sealed(self._columns.unschedulable[self._rows])

    def has_taint(self, key: str) -> npt.NDArray[np.bool_]:
        taints = self._columns.taints
        return _sealed(taints.look_up(self._rows, lambda there: any(t.key == key for t in there), False, np.bool_))

    @property
    def objects(self) -> list[Object]:
        """The Node objects, for what there is no array of; slow for many nodes, and not to be changed."""
        return [self._columns.node(row) or {} for row in self._rows.tolist()]

    def _amounts(self, table: Ints, resource: str) -> Floats:
        index = self._columns.resource(resource)
        return _sealed(table[index][self._rows] / (1000 if resource == "cpu" else 1))


class Pod:
    """The pod, as far as equal pods are equal: the answers for one are used for all its replicas."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self.namespace = signature.relations.namespace
        self.labels = dict(signature.relations.labels)
        self.controller = signature.relations.controller
        """Kind and name of the object that manages it."""
        self.images = signature.load.images
        self.node_selector = dict(signature.placement.node_selector)

    def requests(self, resource: str) -> float:
        """0 when it asks for none."""
        return dict(self._signature.load.requests).get(resource, 0) / (1000 if resource == "cpu" else 1)


def _sealed(array: A) -> A:
    array.flags.writeable = False
    return array
