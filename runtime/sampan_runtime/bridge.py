"""The node's pod bridge, with the gateway's address, in the daemon's own network namespace."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Network
from pathlib import Path

from sampan_runtime.network import netlink

_LOOPBACK_INDEX = 1
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def ensure_bridge(name: str, cidr: IPv4Network) -> None:
    """Idempotent. Loopback is set up too: in a fresh namespace it is not, and the streaming server listens there."""
    with netlink.Netlink() as node:
        try:
            node.run([netlink.new_bridge(name)])
        except netlink.NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
        index = socket.if_nametoindex(name)
        gateway = f"{cidr.network_address + 1}/{cidr.prefixlen}"
        node.run([netlink.set_up(_LOOPBACK_INDEX), netlink.set_up(index), netlink.new_address(index, gateway)])
    if _FORWARD.read_text().strip() != "1":
        _FORWARD.write_text("1")


def ensure_loopback() -> None:
    with netlink.Netlink() as node:
        node.run([netlink.set_up(_LOOPBACK_INDEX)])
