"""The two kinds that are so many pods of one template. They differ in what is named here and in nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sampan_api.client import REPLICASETS, REPLICATIONCONTROLLERS, Resource
from sampan_api.meta import Object
from sampan_api.selectors import LabelSelector, from_label_selector, from_labels


@dataclass(frozen=True, slots=True)
class ReplicaKind:
    """`component`: who its events come from. `counts_terminating`: its status has `terminatingReplicas`. `selector`
    raises SelectorError."""

    resource: Resource
    component: str
    counts_terminating: bool
    selector: Callable[[Object], LabelSelector]


def _label_selector(replica_set: Object) -> LabelSelector:
    return from_label_selector(replica_set["spec"]["selector"])


def _label_map(controller: Object) -> LabelSelector:
    return from_labels(controller["spec"]["selector"])


REPLICA_SET = ReplicaKind(REPLICASETS, "replicaset-controller", True, _label_selector)
REPLICATION_CONTROLLER = ReplicaKind(REPLICATIONCONTROLLERS, "replication-controller", False, _label_map)
