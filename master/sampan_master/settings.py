"""Everything the master can be told, and where it comes from: the command line."""

from __future__ import annotations

import argparse
import functools
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sampan_api.components import COMPONENTS, chosen
from sampan_api.election import CLIENT_GO, Terms

from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.node_cidrs import why_not
from sampan_master.election_flags import add_election_flags, terms_of
from sampan_master.storage.etcd_link import target_of


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def unspecified(self) -> bool:
        """Whether it means "all addresses of this machine", so nobody can dial it by that name."""
        return self.host in ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Settings:
    """`etcd` "" keeps everything in memory. `advertise` is where other machines reach the API."""

    data_dir: Path
    etcd: str
    listen: tuple[Address, ...]
    node_listen: Address
    join_listen: Address
    advertise: Address
    sans: tuple[str, ...] = ()
    cluster: str = "sampan"
    cluster_cidr: str = "10.244.0.0/16"
    node_cidr_mask_size: int = 24
    service_cidr: str = "10.96.0.0/12"
    node_ports: range = range(30000, 32768)
    node_heartbeat_seconds: int = 10
    node_monitor_grace_seconds: float = 50.0
    node_monitor_period_seconds: float = 5.0
    default_toleration_seconds: int = 300
    event_ttl_seconds: int = 3600
    scheduler_config: Path | None = None
    token_auth_file: Path | None = None
    components: frozenset[str] = frozenset(COMPONENTS)
    election: Terms = CLIENT_GO
    verbose: bool = False


def parse(argv: list[str] | None = None) -> Settings:
    """Ends the process with a message when the command line is wrong, as argparse does."""
    parser = _parser()
    given = parser.parse_args(argv)
    if bool(given.etcd) == given.in_memory:
        parser.error("one of --etcd URL and --in-memory is needed")
    if ipaddress.ip_network(given.cluster_cidr).overlaps(ipaddress.ip_network(given.service_cidr)):
        parser.error(f"--cluster-cidr {given.cluster_cidr} and --service-cidr {given.service_cidr} overlap")
    if wrong := why_not(str(given.cluster_cidr), given.node_cidr_mask_size):
        parser.error(wrong)
    try:
        ControllersConfig(given.node_monitor_period_seconds, given.node_monitor_grace_seconds)
    except ValueError as error:
        parser.error(str(error))
    listen = tuple(given.listen or [Address("127.0.0.1", 6443)])
    advertise = given.advertise or next((a for a in listen if not a.unspecified), Address("127.0.0.1", listen[0].port))
    return Settings(
        data_dir=given.data_dir,
        etcd=given.etcd or "",
        listen=listen,
        node_listen=given.node_listen,
        join_listen=given.join_listen,
        advertise=advertise if advertise.port else advertise._replace(port=listen[0].port),
        sans=tuple(given.san),
        cluster=given.cluster,
        cluster_cidr=given.cluster_cidr,
        node_cidr_mask_size=given.node_cidr_mask_size,
        service_cidr=given.service_cidr,
        node_ports=given.node_ports,
        node_heartbeat_seconds=given.node_heartbeat_seconds,
        node_monitor_grace_seconds=given.node_monitor_grace_seconds,
        node_monitor_period_seconds=given.node_monitor_period_seconds,
        default_toleration_seconds=given.default_toleration_seconds,
        event_ttl_seconds=given.event_ttl_seconds,
        scheduler_config=given.scheduler_config,
        token_auth_file=given.token_auth_file,
        components=given.components,
        election=terms_of(parser, given),
        verbose=given.verbose,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sampan-master", description="API server, scheduler, controllers, node link.")
    parser.add_argument("--data-dir", type=Path, required=True, help="certificates, admin.kubeconfig and join.json")
    parser.add_argument("--etcd", type=_etcd, default=None, metavar="URL", help="http://HOST:PORT, several with commas")
    parser.add_argument("--in-memory", action="store_true", help="keep all objects in memory instead of etcd")
    add = functools.partial(parser.add_argument, type=_address, metavar="IP:PORT")
    add("--listen", action="append", help="HTTPS API (repeatable; 127.0.0.1:6443)")
    add("--node-listen", default=Address("127.0.0.1", 6444), help="node link for agents")
    add("--join-listen", default=Address("127.0.0.1", 6445), help="where new nodes join")
    parser.add_argument("--advertise", type=_advertised, metavar="IP[:PORT]", help="where others reach the API")
    parser.add_argument("--san", action="append", default=[], metavar="NAME", help="further name in the certificate")
    parser.add_argument("--cluster", default="sampan", metavar="NAME")
    parser.add_argument("--cluster-cidr", type=_network, default="10.244.0.0/16", metavar="CIDR")
    mask = "size of each node's part of it (24)"
    parser.add_argument("--node-cidr-mask-size", type=int, default=24, metavar="BITS", help=mask)
    parser.add_argument("--service-cidr", type=_service_network, default="10.96.0.0/12", metavar="CIDR")
    parser.add_argument("--node-ports", type=_port_range, default=range(30000, 32768), metavar="FIRST-LAST")
    parser.add_argument("--node-heartbeat-seconds", type=int, default=10, metavar="S")
    parser.add_argument("--node-monitor-grace-seconds", type=float, default=50.0, metavar="S")
    parser.add_argument("--node-monitor-period-seconds", type=float, default=5.0, metavar="S")
    parser.add_argument("--default-toleration-seconds", type=int, default=300, metavar="S")
    parser.add_argument("--event-ttl-seconds", type=int, default=3600, metavar="S")
    parser.add_argument("--scheduler-config", type=Path, metavar="FILE", help="a KubeSchedulerConfiguration")
    tokens = "static bearer tokens: CSV lines of token,user,uid,groups"
    parser.add_argument("--token-auth-file", type=Path, metavar="FILE", help=tokens)
    parts = f"which parts run here (of {', '.join(COMPONENTS)}): * for all, NAME, -NAME; none for the API alone"
    parser.add_argument("--components", type=_components, default=frozenset(COMPONENTS), metavar="LIST", help=parts)
    add_election_flags(parser)
    parser.add_argument("--verbose", action="store_true")
    return parser


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not IP:PORT")
    return Address(_ip(host), int(port))


def _advertised(text: str) -> Address:
    """A host, IPv6 in brackets or bare, perhaps with a port; port 0 stands for that of the first --listen."""
    bare = text.count(":") > 1 and not text.startswith("[")
    if bare or text.endswith("]") or ":" not in text:
        return Address(text.strip("[]"), 0)
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not IP[:PORT]")
    return Address(host.strip("[]"), int(port))


def _ip(host: str) -> str:
    host = host.strip("[]")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{host!r} is not an IP address") from error


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _service_network(text: str) -> str:
    """Services have IPv4 addresses; fewer than 16 would not do, more than a /8 holds nobody needs."""
    network = ipaddress.ip_network(_network(text))
    if network.version != 4 or not 8 <= network.prefixlen <= 28:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IPv4 network between /8 and /28")
    return str(network)


def _port_range(text: str) -> range:
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST-LAST")
    return range(int(first), int(last) + 1)


def _components(text: str) -> frozenset[str]:
    try:
        return chosen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _etcd(text: str) -> str:
    try:
        target_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
