"""PodSandboxConfig → SandboxSpec and the pod's own small files. Pure: what is here needs no kernel."""

from __future__ import annotations

import re
from ipaddress import IPv4Network

from cri_api.v1 import api_pb2 as cri

from sampan_runtime.cri.errors import InvalidArgument, Unimplemented
from sampan_runtime.spec import Cgroup, Network, SandboxSpec

_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?")
_SYSCTL = re.compile(r"[a-z0-9_]+([./][A-Za-z0-9_*-]+)+")
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
_LOOPBACK_RESOLVERS = ("127.", "::1")


def validate(config: cri.PodSandboxConfig) -> None:
    metadata = config.metadata
    if not metadata.name or not metadata.uid or not metadata.namespace:
        raise InvalidArgument("sandbox config metadata must have name, uid and namespace")
    if config.hostname and not _HOSTNAME.fullmatch(config.hostname):
        raise InvalidArgument(f"invalid hostname {config.hostname!r}")
    if ".." in config.linux.cgroup_parent.split("/"):
        raise InvalidArgument(f"invalid cgroup parent {config.linux.cgroup_parent!r}")
    options = config.linux.security_context.namespace_options
    if options.userns_options.uids:
        raise Unimplemented("user namespaces are not supported")
    for name in config.linux.sysctls:
        _check_sysctl(name.replace("/", "."), options)


def _check_sysctl(name: str, options: cri.NamespaceOption) -> None:
    """Only what lives in a namespace of the pod's own; the rest would change the machine."""
    if not _SYSCTL.fullmatch(name):
        raise InvalidArgument(f"invalid sysctl {name!r}")
    if name.startswith("net."):
        if options.network == cri.NODE:
            raise InvalidArgument(f"sysctl {name!r} is not allowed with the node's network")
    elif name.startswith(_IPC_SYSCTLS):
        if options.ipc == cri.NODE:
            raise InvalidArgument(f"sysctl {name!r} is not allowed with the node's ipc namespace")
    elif name not in ("kernel.domainname", "kernel.hostname"):
        raise InvalidArgument(f"sysctl {name!r} is not separate for each pod")


def cgroup_path(config: cri.PodSandboxConfig, id: str, cgroup_root: str) -> str:
    """Below the parent that the agent names (it made it and set the pod's limits there)."""
    parent = config.linux.cgroup_parent.strip("/")
    return f"/{parent}/{id}" if parent else f"{cgroup_root}/{id}"


def host_interface(id: str) -> str:
    """At most 15 bytes, the kernel's limit."""
    return f"veth{id[:11]}"


def hostname(config: cri.PodSandboxConfig, node_hostname: str) -> str:
    if config.linux.security_context.namespace_options.network == cri.NODE:
        return config.hostname or node_hostname
    return config.hostname or config.metadata.name[:63].rstrip(".-") or "pod"


def plan(
    id: str,
    config: cri.PodSandboxConfig,
    directory: str,
    cgroup: str,
    network: Network | None,
    node_hostname: str,
) -> SandboxSpec:
    options = config.linux.security_context.namespace_options
    return SandboxSpec(
        id=id,
        directory=directory,
        hostname=hostname(config, node_hostname),
        cgroup=Cgroup(cgroup),
        network=network,
        share_pid=options.pid == cri.POD,
        host_ipc=options.ipc == cri.NODE,
        sysctls=dict(config.linux.sysctls),
    )


def network(id: str, address: str, cidr: IPv4Network, bridge: str) -> Network:
    return Network(
        bridge=bridge,
        host_interface=host_interface(id),
        address=f"{address}/{cidr.prefixlen}",
        gateway=str(cidr.network_address + 1),
    )


def resolv_conf(dns: cri.DNSConfig, node_file: str, upstream_file: str) -> str:
    """The pod's DNSConfig if there is one, else the node's file; a resolver on the node's loopback cannot be reached
    from a pod, so its upstream servers (systemd-resolved keeps them in a second file) take its place."""
    if dns.servers or dns.searches or dns.options:
        lines = [f"nameserver {server}" for server in dns.servers]
        if dns.searches:
            lines.append("search " + " ".join(dns.searches))
        if dns.options:
            lines.append("options " + " ".join(dns.options))
        return "".join(line + "\n" for line in lines)
    kept = _reachable(node_file)
    if not _has_server(kept):
        kept = _reachable(upstream_file) or kept
    return "".join(line + "\n" for line in kept)


def _reachable(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and line[0] not in "#;" and not _on_loopback(line)]


def _on_loopback(line: str) -> bool:
    words = line.split()
    return words[0] == "nameserver" and len(words) > 1 and words[1].startswith(_LOOPBACK_RESOLVERS)


def _has_server(lines: list[str]) -> bool:
    return any(line.startswith("nameserver") for line in lines)


def hosts(address: str, name: str) -> str:
    """Used only when the agent mounts none of its own."""
    own = f"{address}\t{name}\n" if address else ""
    return f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{own}"
