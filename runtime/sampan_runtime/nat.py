"""Address translation for pods, as one nftables table that is replaced as a whole.

What a pod sends out of the cluster leaves with the node's address; what it sends to other pods keeps its own. Host
ports are translated to the pod's. The table carries cluster and node in its name: two clusters live side by side.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

log = logging.getLogger(__name__)

Command = dict[str, Any]


class NatError(Exception):
    """nft refused the rules, or is not installed."""


@dataclass(frozen=True, slots=True)
class HostPort:
    protocol: str
    """"tcp", "udp" or "sctp"."""
    host_port: int
    address: str
    port: int
    host_ip: str = ""


def table_name(cluster: str, node: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", f"sampan_{cluster}_{node}")


def ruleset(
    table: str, pod_cidr: IPv4Network, cluster_cidr: IPv4Network, host_ports: Iterable[HostPort] = ()
) -> list[Command]:
    """An `add` before the `delete` makes replacing work whether or not the table exists (nft(8), "delete")."""
    family = {"family": "ip", "table": table}
    commands: list[Command] = [
        {"add": {"table": {"family": "ip", "name": table}}},
        {"delete": {"table": {"family": "ip", "name": table}}},
        {"add": {"table": {"family": "ip", "name": table}}},
        _chain(family, "postrouting", "postrouting", 100),
        _chain(family, "prerouting", "prerouting", -100),
        _chain(family, "output", "output", -100),
        _masquerade(family, pod_cidr, cluster_cidr),
    ]
    for port in host_ports:
        commands += [_forwarding(family, chain, port) for chain in ("prerouting", "output")]
    return commands


def _chain(family: Command, name: str, hook: str, priority: int) -> Command:
    return {"add": {"chain": {**family, "name": name, "type": "nat", "hook": hook, "prio": priority}}}


def _masquerade(family: Command, pod_cidr: IPv4Network, cluster_cidr: IPv4Network) -> Command:
    expressions = [
        _match("==", _field("ip", "saddr"), _prefix(pod_cidr)),
        _match("!=", _field("ip", "daddr"), _prefix(cluster_cidr)),
        {"masquerade": None},
    ]
    return {"add": {"rule": {**family, "chain": "postrouting", "expr": expressions}}}


def _forwarding(family: Command, chain: str, port: HostPort) -> Command:
    local: Command = {"fib": {"flags": ["daddr"], "result": "type"}}
    target = _match("==", _field("ip", "daddr"), port.host_ip) if port.host_ip else _match("==", local, "local")
    expressions = [
        target,
        _match("==", _field(port.protocol, "dport"), port.host_port),
        {"dnat": {"addr": port.address, "port": port.port}},
    ]
    return {"add": {"rule": {**family, "chain": chain, "expr": expressions}}}


def _match(operator: str, left: Command, right: Any) -> Command:
    return {"match": {"op": operator, "left": left, "right": right}}


def _field(protocol: str, field: str) -> Command:
    return {"payload": {"protocol": protocol, "field": field}}


def _prefix(network: IPv4Network) -> Command:
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def apply(commands: list[Command]) -> None:
    """All or nothing: nft hands the kernel one transaction. Blocks."""
    text = json.dumps({"nftables": commands})
    log.debug("nft -j -f - %s", text)
    try:
        done = subprocess.run(["nft", "-j", "-f", "-"], input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NatError("nft is not installed (Debian package nftables)") from error
    if done.returncode:
        raise NatError(f"nft: {done.stderr.strip()[:500]}")
