"""The one place where the daemon's command line is read."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    state_dir: Path
    run_dir: Path
    listen: str
    """A unix socket: "unix:///path" or a bare path."""
    cgroup_root: str
    cluster: str
    node: str
    bridge: str = "sampan0"
    cluster_cidr: str = "10.244.0.0/16"
    address_cooldown_seconds: float = 30.0
    pull_timeout_seconds: float = 120.0

    @property
    def socket_path(self) -> Path:
        return Path(self.listen.removeprefix("unix://"))


def parse(argv: list[str] | None = None) -> Settings:
    parser = argparse.ArgumentParser(prog="sampan-runtime", description="A CRI v1 server.")
    parser.add_argument("--state-dir", type=Path, required=True, help="what outlives a reboot")
    parser.add_argument("--run-dir", type=Path, required=True, help="sockets only")
    parser.add_argument("--listen", required=True, metavar="unix:///PATH")
    parser.add_argument("--cgroup-root", required=True, metavar="/sampan/CLUSTER/NODE")
    parser.add_argument("--cluster", default="sampan")
    parser.add_argument("--node", required=True)
    parser.add_argument("--bridge", default="sampan0")
    parser.add_argument("--cluster-cidr", default="10.244.0.0/16", help="not masqueraded")
    arguments = parser.parse_args(argv)
    return Settings(
        state_dir=arguments.state_dir.absolute(),
        run_dir=arguments.run_dir.absolute(),
        listen=arguments.listen,
        cgroup_root="/" + arguments.cgroup_root.strip("/"),
        cluster=arguments.cluster,
        node=arguments.node,
        bridge=arguments.bridge,
        cluster_cidr=arguments.cluster_cidr,
    )
