"""Which resolver a pod gets: its dnsPolicy and dnsConfig against the cluster's and the node's."""

from __future__ import annotations

from pathlib import Path

from sampan_agent.cri_config import Dns
from sampan_agent.podspec import Pod

_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def pod_dns(pod: Pod, cluster_dns: tuple[str, ...], cluster_domain: str) -> Dns:
    policy = pod.spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and (not cluster_dns or pod.host_network):
        policy = "Default"
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and cluster_dns:
        searches = (f"{pod.namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
        base = Dns(cluster_dns, searches, ("ndots:5",))
    else:
        base = Dns() if policy == "None" else node_dns()
    extra = pod.spec.get("dnsConfig") or {}
    options = [f"{o['name']}:{o['value']}" if o.get("value") else o["name"] for o in extra.get("options") or []]
    return Dns(
        _joined(base.servers, extra.get("nameservers")),
        _joined(base.searches, extra.get("searches")),
        _joined(base.options, options),
    )


def _joined(first: tuple[str, ...], more: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *(more or [])]))


def node_dns() -> Dns:
    """The node's resolver, or systemd-resolved's upstreams: a stub on loopback cannot be reached from a pod."""
    found = Dns()
    for path in _FILES:
        try:
            found = parse_resolv_conf(path.read_text())
        except OSError:
            continue
        if not all(server.startswith("127.") or server == "::1" for server in found.servers):
            return Dns(tuple(s for s in found.servers if not s.startswith("127.")), found.searches, found.options)
    return Dns((), found.searches, found.options)


def parse_resolv_conf(text: str) -> Dns:
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        match line.split("#")[0].split():
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", *domains]:
                searches = tuple(domains)
            case ["options", *given]:
                options.extend(given)
    return Dns(tuple(servers), searches, tuple(options))
