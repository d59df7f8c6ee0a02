"""How fast nodes may be emptied: the sicker a zone, the likelier the fault lies in the network and not in its nodes.

normal   evict `node_eviction_rate` nodes a second
partial  ≥ 55 % and more than two nodes down: a large zone slows to the secondary rate, a small one stops
full     no node is ready: the zone evicts at its normal rate, unless all zones are full, then nobody is evicted

A node labelled node.kubernetes.io/exclude-disruption is not counted (machines that are meant to come and go).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.node_health import ready_status

_NOT_COUNTED = "node.kubernetes.io/exclude-disruption"


class ZoneState(Enum):
    NORMAL = "Normal"
    PARTIAL = "PartialDisruption"
    FULL = "FullDisruption"


def zone_of(node: Object) -> str:
    labels = meta.labels(node)
    return f"{labels.get('topology.kubernetes.io/region', '')}:{labels.get('topology.kubernetes.io/zone', '')}"


@dataclass(frozen=True, slots=True)
class Zones:
    """State and size of each zone."""

    by_name: dict[str, tuple[ZoneState, int]]

    @property
    def all_down(self) -> bool:
        """It is likelier that the master is cut off than that all nodes have failed."""
        return bool(self.by_name) and all(state is ZoneState.FULL for state, _ in self.by_name.values())

    def eviction_rate(self, zone: str, config: ControllersConfig) -> float:
        """Nodes per second that may get a NoExecute taint."""
        if self.all_down:
            return 0.0
        state, size = self.by_name.get(zone, (ZoneState.NORMAL, 0))
        if state is not ZoneState.PARTIAL:
            return config.node_eviction_rate
        return config.secondary_node_eviction_rate if size > config.large_cluster_nodes else 0.0


def assess(nodes: Iterable[Object], config: ControllersConfig) -> Zones:
    zones: defaultdict[str, list[bool]] = defaultdict(list)
    for node in nodes:
        if _NOT_COUNTED not in meta.labels(node):
            zones[zone_of(node)].append(ready_status(node) == "True")
    return Zones({zone: (_state(ready, config), len(ready)) for zone, ready in zones.items()})


def _state(ready: list[bool], config: ControllersConfig) -> ZoneState:
    down = ready.count(False)
    if down == len(ready):
        return ZoneState.FULL
    if down > 2 and down / len(ready) >= config.unhealthy_zone_threshold:
        return ZoneState.PARTIAL
    return ZoneState.NORMAL


class EvictionBudget:
    """One zone's tokens: one at most, refilled at the zone's rate. It begins full."""

    def __init__(self) -> None:
        self._tokens = 1.0
        self._at: float | None = None

    def wait(self, rate: float, now: float) -> float:
        """Seconds until a node may be evicted."""
        self._tokens = min(1.0, self._tokens + rate * (now - (self._at if self._at is not None else now)))
        self._at = now
        if self._tokens >= 1.0 - 1e-9:
            return 0.0
        return (1.0 - self._tokens) / rate if rate > 0 else math.inf

    def spend(self) -> None:
        self._tokens = max(0.0, self._tokens - 1.0)
