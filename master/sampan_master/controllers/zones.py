"""How fast nodes may be emptied: the sicker a zone, the likelier the fault lies in the network and not in its nodes.

normal   evict `node_eviction_rate` nodes a second
partial  ≥ 55 % and more than two nodes down: a large zone slows to the secondary rate, a small one stops
full     no node is ready: the zone evicts at its normal rate, unless all zones are full, then nobody is evicted
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import Enum

from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.node_health import ready_status


class ZoneState(Enum):
    NORMAL = "Normal"
    PARTIAL = "PartialDisruption"
    FULL = "FullDisruption"


def zone_of(node: Object) -> str:
    labels = meta.labels(node)
    return f"{labels.get('topology.kubernetes.io/region', '')}:{labels.get('topology.kubernetes.io/zone', '')}"


def states(nodes: Iterable[Object], config: ControllersConfig) -> dict[str, tuple[ZoneState, int]]:
    """State and size of each zone."""
    zones: defaultdict[str, list[bool]] = defaultdict(list)
    for node in nodes:
        zones[zone_of(node)].append(ready_status(node) == "True")
    return {zone: (_state(ready, config), len(ready)) for zone, ready in zones.items()}


def _state(ready: list[bool], config: ControllersConfig) -> ZoneState:
    down = ready.count(False)
    if down == len(ready):
        return ZoneState.FULL
    if down > 2 and down / len(ready) >= config.unhealthy_zone_threshold:
        return ZoneState.PARTIAL
    return ZoneState.NORMAL


def eviction_rate(state: ZoneState, size: int, config: ControllersConfig) -> float:
    """Nodes per second that may get a NoExecute taint."""
    if state is not ZoneState.PARTIAL:
        return config.node_eviction_rate
    return config.secondary_node_eviction_rate if size > config.large_cluster_nodes else 0.0


class EvictionBudget:
    """One zone's tokens: one at most, refilled at the zone's rate."""

    def __init__(self) -> None:
        self._tokens = 1.0
        self._at: float | None = None

    def take(self, rate: float, now: float) -> bool:
        if rate <= 0:
            self._at = now
            return False
        self._tokens = min(1.0, self._tokens + rate * (now - (self._at if self._at is not None else now)))
        self._at = now
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True
