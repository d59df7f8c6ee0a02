"""From settings to names, addresses and processes. Pure: the same input gives the same plan, nothing is touched.

Interface names have at most 15 bytes, so they carry a hash of cluster and node; everything else carries the names.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sampan_cli.cluster.settings import SERVICE_CIDR, ClusterSettings
from sampan_cli.errors import ClusterError

NODE_LINK_PORT = 6444
JOIN_PORT = 6445


@dataclass(frozen=True)
class NodePlan:
    name: str
    ip: str
    netns: str
    veth: str
    """The machine's end of the node's link; the node's end is `eth0`."""


@dataclass(frozen=True)
class Plan:
    settings: ClusterSettings
    subnet: str
    gateway: str
    """The bridge's address: the master, as nodes see it."""
    bridge: str
    nft_table: str
    api_port: int
    etcd_client_port: int
    etcd_peer_port: int
    node_cpus: int
    node_memory: int
    nodes: tuple[NodePlan, ...]

    @property
    def cgroup(self) -> str:
        return f"/sampan/{self.settings.cluster}"

    @property
    def control_cgroup(self) -> str:
        """Where supervisor, guardian, etcd, master, agents and runtimes live (in one hierarchy)."""
        return f"{self.cgroup}/control"

    @property
    def comment(self) -> str:
        """Marks our rules in other people's firewall chains."""
        return f"sampan:{self.settings.cluster}"


@dataclass(frozen=True)
class Component:
    """One process that the supervisor keeps alive."""

    name: str
    argv: tuple[str, ...]
    module: str = ""
    """Forked and called as `module.main(argv)`; empty: `argv` is executed."""
    netns: str = ""
    log: str = ""
    after: tuple[str, ...] = ()
    """Started once these files exist."""


def _hash(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:8]


def choose_subnet(taken: Iterable[str], cluster_cidr: str) -> str:
    """The first 10.x.0.0/24 that overlaps nothing the machine routes or a cluster uses."""
    busy = [ipaddress.ip_network(t, strict=False) for t in (cluster_cidr, SERVICE_CIDR, *taken)]
    candidates = [f"10.{second}.0.0/24" for second in (*range(77, 240), *range(1, 77))]
    candidates += [f"172.{second}.77.0/24" for second in range(16, 32)]
    candidates += [f"192.168.{third}.0/24" for third in range(200, 255)]
    for candidate in candidates:
        network = ipaddress.ip_network(candidate)
        if not any(network.overlaps(other) for other in busy if other.version == 4):
            return candidate
    raise ClusterError("no free private /24 is left on this machine for the nodes' network")


def make_plan(settings: ClusterSettings, subnet: str, ports: tuple[int, int, int], machine: tuple[int, int]) -> Plan:
    """`ports` = API, etcd client, etcd peer; `machine` = CPUs and bytes of memory to divide among the nodes."""
    hosts = ipaddress.ip_network(subnet)
    cluster = settings.cluster
    nodes = tuple(
        NodePlan(
            name=f"node{i}",
            ip=str(hosts[10 + i]),
            netns=f"sampan-{cluster}-node{i}",
            veth=f"spv{_hash(cluster, f'node{i}')}",
        )
        for i in range(1, settings.nodes + 1)
    )
    api, client, peer = ports
    return Plan(
        settings=settings,
        subnet=subnet,
        gateway=str(hosts[1]),
        bridge=f"spb{_hash(cluster)}",
        nft_table="sampan_" + cluster.replace("-", "_"),
        api_port=api,
        etcd_client_port=client,
        etcd_peer_port=peer,
        node_cpus=settings.node_cpus or max(1, machine[0] // settings.nodes),
        node_memory=settings.node_memory or machine[1] // settings.nodes,
        nodes=nodes,
    )


def components(plan: Plan) -> tuple[Component, ...]:
    """Every process of the cluster, in the order in which they are started."""
    node_components = [c for node in plan.nodes for c in (_runtime(plan, node), _agent(plan, node))]
    node_components.sort(key=lambda c: c.name.startswith("agent"))
    return (_etcd(plan), _master(plan), *node_components)


def _etcd(plan: Plan) -> Component:
    state = plan.settings.state_dir
    client = f"http://127.0.0.1:{plan.etcd_client_port}"
    peer = f"http://127.0.0.1:{plan.etcd_peer_port}"
    argv = (
        *("etcd", "--name", "sampan", "--data-dir", str(state / "etcd"), "--logger", "zap"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"sampan={peer}"),
        *("--heartbeat-interval", "50", "--election-timeout", "250", "--quota-backend-bytes", str(4 << 30)),
        # As etcd has it from 3.6 on: what is not in a snapshot stays in memory, 100,000 writes of it in 3.4.
        *("--snapshot-count", "10000"),
    )
    return Component("etcd", argv, log=str(state / "log" / "etcd.log"))


def _master(plan: Plan) -> Component:
    settings = plan.settings
    argv = (
        *("--data-dir", str(settings.state_dir / "master"), "--cluster", settings.cluster),
        *("--etcd", f"http://127.0.0.1:{plan.etcd_client_port}"),
        *("--listen", f"127.0.0.1:{plan.api_port}", "--listen", f"{plan.gateway}:{plan.api_port}"),
        *("--node-listen", f"{plan.gateway}:{NODE_LINK_PORT}", "--join-listen", f"{plan.gateway}:{JOIN_PORT}"),
        *("--advertise", f"{plan.gateway}:{plan.api_port}", "--san", plan.gateway, "--san", "localhost"),
        *("--cluster-cidr", settings.cluster_cidr),
        *settings.master_options,
    )
    log = str(settings.state_dir / "log" / "master.log")
    return Component("master", argv, "sampan_master.__main__", log=log)


def _runtime(plan: Plan, node: NodePlan) -> Component:
    state, run = plan.settings.state_dir / node.name, plan.settings.run_dir / node.name
    argv = (
        *("--state-dir", str(state / "runtime"), "--run-dir", str(run)),
        *("--listen", f"unix://{run}/runtime.sock", "--cgroup-root", f"{plan.cgroup}/{node.name}"),
        *("--cluster", plan.settings.cluster, "--node", node.name),
    )
    log = str(state / "log" / "runtime.log")
    return Component(f"runtime-{node.name}", argv, "sampan_runtime.__main__", node.netns, log)


def _agent(plan: Plan, node: NodePlan) -> Component:
    state, run = plan.settings.state_dir / node.name, plan.settings.run_dir / node.name
    join = str(plan.settings.state_dir / "master" / "join.json")
    argv = (
        *("--node-name", node.name, "--join", join, "--data-dir", str(state / "agent"), "--run-dir", str(run)),
        *("--runtime-endpoint", f"unix://{run}/runtime.sock", "--node-ip", node.ip),
        *("--cgroup-root", f"{plan.cgroup}/{node.name}", "--machine-seed", f"{plan.settings.cluster}/{node.name}"),
        *("--cpu", str(plan.node_cpus), "--memory", str(plan.node_memory)),
    )
    log = str(state / "log" / "agent.log")
    return Component(
        f"agent-{node.name}", argv, "sampan_agent.__main__", node.netns, log, after=(join, f"{run}/runtime.sock")
    )


def to_json(plan: Plan) -> dict[str, Any]:
    return asdict(plan)


def from_json(data: dict[str, Any]) -> Plan:
    settings = dict(data["settings"])
    settings["master_options"] = tuple(settings["master_options"])
    nodes = tuple(NodePlan(**node) for node in data["nodes"])
    return Plan(**{**data, "settings": ClusterSettings(**settings), "nodes": nodes})


def directories(plan: Plan) -> tuple[Path, ...]:
    """Directories that must exist before the first process starts."""
    settings = plan.settings
    nodes = [d for n in plan.nodes for d in (settings.state_dir / n.name / "log", settings.run_dir / n.name)]
    return (settings.state_dir / "log", settings.state_dir / "master", settings.state_dir / "etcd", *nodes)
