"""What the user asked of `sampan up`; kept in the cluster's record, so that a second `up` starts the same cluster."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from sampan_cli import kubeconfig
from sampan_cli.errors import UsageError

STATE_ROOT = Path(kubeconfig.STATE_ROOT)
RUN_ROOT = Path("/run/sampan")
CLUSTER_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/12"
"""Where the master gives services their addresses from, unless it is told otherwise."""
MAX_NODES = 200
NODE_MASK = 24
"""Size of the part of the pods' addresses that the master gives to a node."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")


@dataclass(frozen=True)
class ClusterSettings:
    cluster: str = "sampan"
    nodes: int = 3
    port: int = 6443
    cluster_cidr: str = CLUSTER_CIDR
    node_cpus: int = 0
    """Whole CPUs per node; 0 = the machine's divided by the number of nodes, at least one."""
    node_memory: int = 0
    """Bytes per node; 0 = the machine's memory divided by the number of nodes."""
    master_options: tuple[str, ...] = ()
    """Passed to the master as they are: `--node-monitor-grace-seconds 8`, …"""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.cluster):
            raise UsageError(
                f'invalid cluster name "{self.cluster}": lower case letters, digits and "-", at most 30 characters'
            )
        if not 1 <= self.nodes <= MAX_NODES:
            raise UsageError(f"--nodes must be between 1 and {MAX_NODES}, not {self.nodes}")
        if not 1 <= self.port <= 65535:
            raise UsageError(f"--port must be between 1 and 65535, not {self.port}")
        _check_cidr(self.cluster_cidr)

    @property
    def state_dir(self) -> Path:
        return STATE_ROOT / self.cluster

    @property
    def run_dir(self) -> Path:
        return RUN_ROOT / self.cluster


def _check_cidr(text: str) -> None:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise UsageError(f"--cluster-cidr: {error}: write an IPv4 network such as {CLUSTER_CIDR}") from error
    if network.prefixlen > NODE_MASK:
        raise UsageError(f"--cluster-cidr {text} is too small: each node gets a /{NODE_MASK} of it")
    if network.overlaps(ipaddress.IPv4Network(SERVICE_CIDR)):
        raise UsageError(f"--cluster-cidr {text} overlaps {SERVICE_CIDR}, where services have their addresses")


def kubeconfig_of(cluster: str) -> Path:
    return Path(kubeconfig.local(cluster))
