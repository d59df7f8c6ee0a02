from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControllersConfig:
    """Defaults are those of kube-controller-manager. `root_ca_pem` "" publishes no kube-root-ca.crt, `cluster_cidr` ""
    gives nodes no ranges of pod addresses. Raises ValueError for what nobody can work with."""

    node_monitor_period_seconds: float = 5.0
    node_monitor_grace_seconds: float = 50.0
    node_startup_grace_seconds: float = 60.0
    node_eviction_rate: float = 0.1
    secondary_node_eviction_rate: float = 0.01
    unhealthy_zone_threshold: float = 0.55
    large_cluster_nodes: int = 50
    pod_gc_period_seconds: float = 20.0
    pod_gc_quarantine_seconds: float = 40.0
    terminated_pod_threshold: int = 12_500
    root_ca_pem: str = ""
    cluster_cidr: str = ""
    node_cidr_mask: int = 24
    workers: int = 5

    def __post_init__(self) -> None:
        # Written so that "not a number" is refused as well.
        for name in ("node_monitor_period_seconds", "pod_gc_period_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{_words(name)} must be more than 0")
        for name in (
            "node_monitor_grace_seconds",
            "node_startup_grace_seconds",
            "pod_gc_quarantine_seconds",
            "node_eviction_rate",
            "secondary_node_eviction_rate",
        ):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{_words(name)} must not be less than 0")
        if not 0 <= self.unhealthy_zone_threshold <= 1:
            raise ValueError(f"{_words('unhealthy_zone_threshold')} must lie between 0 and 1")


def _words(name: str) -> str:
    return f"the {name.removesuffix('_seconds').replace('_', ' ')}"
