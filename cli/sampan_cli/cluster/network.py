"""The machine's side of the cluster network: one bridge, and per node a namespace with a veth pair.

    machine:  <bridge> 10.77.0.1/24 ── spv… ═══ eth0 10.77.0.11/24 :node1
                                    └─ spv… ═══ eth0 10.77.0.12/24 :node2

Each step asks what is there first, so set-up after a crash goes on where it stopped. pyroute2 is imported here and
nowhere else in a process that lives long.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from sampan_cli.cluster import netns
from sampan_cli.cluster.plan import NodePlan, Plan

DEFAULT_MTU = 1500


@contextmanager
def _route_socket() -> Iterator[Any]:
    with IPRoute() as ipr:
        yield ipr


def taken_subnets() -> list[str]:
    """Every IPv4 network the machine has an address in or a route to, but the default route."""
    with _route_socket() as ipr:
        routes = [
            f"{route.get('dst')}/{route['dst_len']}"
            for route in ipr.get_routes(family=2)
            if route.get("dst") and route["dst_len"] > 0
        ]
        addresses = [f"{a.get('IFA_ADDRESS')}/{a['prefixlen']}" for a in ipr.get_addr(family=2)]
    return sorted({str(ipaddress.ip_network(n, strict=False)) for n in (*routes, *addresses)})


def _index(ipr: Any, name: str) -> int | None:
    found = ipr.link_lookup(ifname=name)
    return int(found[0]) if found else None


def _uplink_mtu(ipr: Any) -> int:
    """What a node may send without fragmentation on the way out: the MTU of the default route's interface."""
    mtus = [
        ipr.get_links(route.get("oif"))[0].get("mtu") or DEFAULT_MTU
        for route in ipr.get_default_routes(family=2)
        if route.get("oif")
    ]
    return min([DEFAULT_MTU, *mtus])


def set_up(plan: Plan) -> None:
    prefix = ipaddress.ip_network(plan.subnet).prefixlen
    with _route_socket() as ipr:
        mtu = _uplink_mtu(ipr)
        bridge = _index(ipr, plan.bridge)
        if bridge is None:
            ipr.link("add", ifname=plan.bridge, kind="bridge", mtu=mtu)
            bridge = _index(ipr, plan.bridge)
        _address(ipr, bridge, plan.gateway, prefix)
        ipr.link("set", index=bridge, state="up")
        for node in plan.nodes:
            netns.create(node.netns)
            _connect(ipr, bridge, node, mtu)
    for node in plan.nodes:
        with netns.entered(node.netns):
            _configure_node(plan, node, prefix)


def _address(ipr: Any, index: int | None, address: str, prefix: int) -> None:
    present = [a.get("IFA_ADDRESS") for a in ipr.get_addr(index=index, family=2)]
    if address not in present:
        ipr.addr("add", index=index, address=address, prefixlen=prefix)


def _connect(ipr: Any, bridge: int | None, node: NodePlan, mtu: int) -> None:
    if _index(ipr, node.veth) is None:
        with open(netns.NETNS_ROOT / node.netns) as namespace:
            peer = {"ifname": "eth0", "net_ns_fd": namespace.fileno(), "mtu": mtu}
            ipr.link("add", ifname=node.veth, kind="veth", mtu=mtu, peer=peer)
    ipr.link("set", index=_index(ipr, node.veth), master=bridge, state="up")


def _configure_node(plan: Plan, node: NodePlan, prefix: int) -> None:
    """Called inside the node's namespace."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    with _route_socket() as ipr:
        ipr.link("set", index=1, state="up")
        eth0 = _index(ipr, "eth0")
        _address(ipr, eth0, node.ip, prefix)
        ipr.link("set", index=eth0, state="up")
        if not list(ipr.get_default_routes(family=2)):
            ipr.route("add", dst="default", gateway=plan.gateway)


def take_down(plan: Plan) -> None:
    """Names first: a namespace lives on while a process is in it, its links are deleted by name in any case."""
    for node in plan.nodes:
        netns.remove(node.netns)
    with _route_socket() as ipr:
        for name in (*(node.veth for node in plan.nodes), plan.bridge):
            index = _index(ipr, name)
            if index is not None:
                _delete_link(ipr, index)


def _delete_link(ipr: Any, index: int) -> None:
    try:
        ipr.link("del", index=index)
    except NetlinkError as error:
        if error.code != 19:  # ENODEV: the kernel took it with its namespace meanwhile
            raise
