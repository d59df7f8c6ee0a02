"""The agent's settings, from its command line and nowhere else."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    node_name: str
    join: Path
    data_dir: Path
    run_dir: Path
    runtime_endpoint: str
    node_ip: str
    cgroup_root: str
    labels: dict[str, str]
    taints: tuple[dict[str, str], ...]
    cpu: int = 0
    """Cores offered; 0 means all of the machine's."""
    memory: int = 0
    """Bytes offered; 0 means all of the machine's."""
    pods: int = 110
    machine_seed: str = ""
    """When set, machine, system and boot ids derive from it: several nodes on one machine stay distinguishable."""
    pod_pids_limit: int = 1024
    seccomp_default: bool = True
    log_max_bytes: int = 10 * 1024 * 1024
    log_files: int = 5
    volume_refresh_seconds: float = 60.0
    relist_seconds: float = 10.0

    @property
    def pods_dir(self) -> Path:
        return self.data_dir / "pods"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"


def parse(argv: list[str] | None = None) -> Settings:
    args = _parser().parse_args(argv)
    return Settings(
        node_name=args.node_name,
        join=args.join,
        data_dir=args.data_dir,
        run_dir=args.run_dir,
        runtime_endpoint=args.runtime_endpoint,
        node_ip=args.node_ip,
        cgroup_root=args.cgroup_root,
        labels=dict(_label(text) for text in args.label),
        taints=tuple(_taint(text) for text in args.taint),
        cpu=args.cpu,
        memory=args.memory,
        pods=args.pods,
        machine_seed=args.machine_seed,
        pod_pids_limit=args.pod_pids_limit,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sampan-agent", description="Runs the pods bound to this node.")
    parser.add_argument("--node-name", required=True)
    parser.add_argument("--join", type=Path, required=True, help="join.json of the master; may appear later")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--runtime-endpoint", required=True, help="unix:///path of a CRI v1 runtime")
    parser.add_argument("--node-ip", required=True)
    parser.add_argument("--cgroup-root", default="/sampan")
    parser.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--taint", action="append", default=[], metavar="KEY[=VALUE]:EFFECT")
    parser.add_argument("--cpu", type=int, default=0, help="cores offered (default: all)")
    parser.add_argument("--memory", type=int, default=0, help="bytes offered (default: all)")
    parser.add_argument("--pods", type=int, default=110)
    parser.add_argument("--machine-seed", default="")
    parser.add_argument("--pod-pids-limit", type=int, default=1024, help="processes per pod; 0 means no limit")
    return parser


def _label(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _taint(text: str) -> dict[str, str]:
    head, _, effect = text.rpartition(":")
    key, _, value = head.partition("=")
    taint = {"key": key, "effect": effect}
    return {**taint, "value": value} if value else taint
