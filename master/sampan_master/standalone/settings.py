"""The flags that the scheduler and the controllers have in common."""

from __future__ import annotations

import argparse
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from sampan_api.election import Terms

from sampan_master.election_flags import add_election_flags, terms_of


@dataclass(frozen=True, slots=True)
class StandaloneSettings:
    """`kubeconfig` None means the service account of the pod it runs in. `port` 0 serves nothing."""

    name: str
    kubeconfig: Path | None
    context: str
    server: str
    bind_address: str
    port: int
    certificate: Path | None
    key: Path | None
    client_ca: Path | None
    leader_elect: bool
    lease: str
    terms: Terms
    verbose: bool


def parser(program: str, description: str, *, lease: str, port: int) -> argparse.ArgumentParser:
    """`lease` is the name of its Lease, `port` that of its counterpart in Kubernetes."""
    made = argparse.ArgumentParser(prog=program, description=description, allow_abbrev=False)
    group = made.add_argument_group("which API server")
    group.add_argument("--kubeconfig", type=Path, metavar="FILE", help="else the service account of its pod")
    group.add_argument("--context", default="", help="context of the kubeconfig")
    group.add_argument("--master", default="", metavar="URL", help="the server, instead of the kubeconfig's")
    group = made.add_argument_group("health and metrics")
    group.add_argument("--bind-address", type=_address, default="127.0.0.1", metavar="IP")
    group.add_argument("--port", "--secure-port", type=_port, default=port, help=f"0 for none ({port})")
    group.add_argument("--tls-cert-file", type=Path, metavar="FILE", help="serves HTTPS")
    group.add_argument("--tls-private-key-file", type=Path, metavar="FILE")
    group.add_argument("--client-ca-file", type=Path, metavar="FILE", help="clients must show a certificate of it")
    group = made.add_argument_group("leader election")
    group.add_argument("--leader-elect", type=_bool, nargs="?", const=True, default=True, metavar="true|false")
    group.add_argument("--leader-elect-resource-name", default=lease, metavar="NAME", help=f"of the Lease ({lease})")
    add_election_flags(group)
    made.add_argument("--verbose", action="store_true")
    return made


def common(name: str, parser: argparse.ArgumentParser, given: argparse.Namespace) -> StandaloneSettings:
    """Ends the process with a message when the flags do not fit together."""
    if bool(given.tls_cert_file) != bool(given.tls_private_key_file):
        parser.error("--tls-cert-file and --tls-private-key-file go together")
    if given.client_ca_file and not given.tls_cert_file:
        parser.error("--client-ca-file needs --tls-cert-file and --tls-private-key-file")
    if given.port and not given.client_ca_file and not ipaddress.ip_address(given.bind_address).is_loopback:
        parser.error(
            f"--bind-address {given.bind_address}: what is served there is for nobody unknown; give --client-ca-file,"
            " --tls-cert-file and --tls-private-key-file, or --port 0"
        )
    return StandaloneSettings(
        name=name,
        kubeconfig=given.kubeconfig,
        context=given.context,
        server=given.master.rstrip("/"),
        bind_address=given.bind_address,
        port=given.port,
        certificate=given.tls_cert_file,
        key=given.tls_private_key_file,
        client_ca=given.client_ca_file,
        leader_elect=given.leader_elect,
        lease=given.leader_elect_resource_name,
        terms=terms_of(parser, given),
        verbose=given.verbose,
    )


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address") from error


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _bool(text: str) -> bool:
    if text.lower() in ("true", "t", "1"):
        return True
    if text.lower() in ("false", "f", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
