"""How fast nodes may be emptied: the sicker a zone, the likelier the fault lies in the network and not in its nodes.

normal   evict `node_eviction_rate` nodes a second
partial  ≥ 55 % and more than two nodes down: a large zone slows to the secondary rate, a small one stops
full     no node is ready: the zone evicts at its normal rate, unless all zones are full, then nobody is evicted

A node labelled node.kubernetes.io/exclude-disruption is not counted (machines that are meant to come and go).

After a restart, or any time in which we were blind, a node that says Ready may have been silent for long: until it has
been heard of it may be down as well, and nobody is evicted because of what it said before.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
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


@dataclass(slots=True)
class Census:
    """How many nodes of a zone are ready, are not, and say they are but have not been heard of yet."""

    ready: int = 0
    down: int = 0
    unheard: int = 0

    @property
    def size(self) -> int:
        return self.ready + self.down + self.unheard

    def state(self, config: ControllersConfig, *, trusting: bool) -> ZoneState:
        """`trusting` takes those that have not been heard of at their word."""
        down = self.down if trusting else self.down + self.unheard
        if down == self.size:
            return ZoneState.FULL
        if down > 2 and down / self.size >= config.unhealthy_zone_threshold:
            return ZoneState.PARTIAL
        return ZoneState.NORMAL


@dataclass(frozen=True, slots=True)
class Zones:
    by_name: dict[str, Census]
    config: ControllersConfig

    @property
    def all_down(self) -> bool:
        """It is likelier that the master is cut off than that all nodes have failed."""
        states = [census.state(self.config, trusting=True) for census in self.by_name.values()]
        return bool(states) and all(state is ZoneState.FULL for state in states)

    def eviction_rate(self, zone: str) -> float:
        """Nodes per second that may get a NoExecute taint."""
        census = self.by_name.get(zone, Census())
        if self.all_down or (census.unheard and not census.ready):
            return 0.0
        if census.size and census.state(self.config, trusting=False) is ZoneState.PARTIAL:
            large = census.size > self.config.large_cluster_nodes
            return self.config.secondary_node_eviction_rate if large else 0.0
        return self.config.node_eviction_rate


def assess(nodes: Iterable[Object], heard: Callable[[Object], bool], config: ControllersConfig) -> Zones:
    zones: defaultdict[str, Census] = defaultdict(Census)
    for node in nodes:
        if _NOT_COUNTED in meta.labels(node):
            continue
        census = zones[zone_of(node)]
        if ready_status(node) != "True":
            census.down += 1
        elif heard(node):
            census.ready += 1
        else:
            census.unheard += 1
    return Zones(dict(zones), config)


def changes(before: Zones | None, after: Zones) -> Iterator[str]:
    """What somebody should hear of who looks after the cluster."""
    for zone, census in after.by_name.items():
        state = census.state(after.config, trusting=True)
        known = before.by_name.get(zone) if before is not None else None
        was = known.state(after.config, trusting=True) if known is not None else ZoneState.NORMAL
        if state is not was:
            yield f"zone {zone!r} is now {state.value}: {census.down} of {census.size} nodes are not ready"
    if after.all_down and (before is None or not before.all_down):
        yield "no node is ready: it is likelier that the master is cut off, so no node is emptied"


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
        self._tokens = 0.0
