"""Routes to the other nodes' pods: `<pod CIDR> via <node address>` in this network namespace, by rtnetlink alone.

Only routes of our own protocol number are ever changed, so nobody else's are touched. See rtnetlink(7).
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator, Mapping

RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_CREATE = 0x100, 0x400
RTA_DST, RTA_GATEWAY = 1, 5
RT_TABLE_MAIN, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 0, 1
PROTOCOL = 83
"""rtm_protocol of Sampan's routes; 0–15 belong to the kernel and well-known daemons."""

_HEADER = struct.Struct("=IHHII")
_RTMSG = struct.Struct("=BBBBBBBBI")


def apply(wanted: Mapping[str, str]) -> None:
    """Makes Sampan's routes exactly `wanted` (CIDR -> gateway). Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as link:
        link.bind((0, 0))
        current = dict(_dump(link))
        for cidr in current.keys() - wanted.keys():
            _change(link, RTM_DELROUTE, 0, cidr, current[cidr])
        for cidr, gateway in wanted.items():
            if current.get(cidr) != gateway:
                _change(link, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, cidr, gateway)


def current() -> dict[str, str]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as link:
        link.bind((0, 0))
        return dict(_dump(link))


def _change(link: socket.socket, type_: int, flags: int, cidr: str, gateway: str) -> None:
    network = ipaddress.ip_network(cidr)
    payload = _RTMSG.pack(
        socket.AF_INET, network.prefixlen, 0, 0, RT_TABLE_MAIN, PROTOCOL, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0
    )
    payload += _attribute(RTA_DST, network.network_address.packed)
    payload += _attribute(RTA_GATEWAY, ipaddress.ip_address(gateway).packed)
    link.send(_HEADER.pack(_HEADER.size + len(payload), type_, NLM_F_REQUEST | NLM_F_ACK | flags, 1, 0) + payload)
    for kind, body in _messages(link.recv(65536)):
        code = struct.unpack_from("=i", body)[0] if kind == NLMSG_ERROR else 0
        if code:
            raise OSError(-code, os.strerror(-code), f"route {cidr} via {gateway}")


def _attribute(type_: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), type_) + value.ljust((len(value) + 3) & ~3, b"\0")


def _dump(link: socket.socket) -> Iterator[tuple[str, str]]:
    payload = _RTMSG.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
    link.send(_HEADER.pack(_HEADER.size + len(payload), RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + payload)
    while True:
        for kind, body in _messages(link.recv(262144)):
            if kind == NLMSG_DONE:
                return
            if kind == RTM_NEWROUTE and (route := _route(body)):
                yield route


def _route(body: bytes) -> tuple[str, str] | None:
    _, prefix, _, _, _, protocol, _, _, _ = _RTMSG.unpack_from(body)
    if protocol != PROTOCOL:
        return None
    attributes = {}
    offset = _RTMSG.size
    while offset + 4 <= len(body):
        length, type_ = struct.unpack_from("=HH", body, offset)
        attributes[type_] = body[offset + 4 : offset + length]
        offset += (max(length, 4) + 3) & ~3
    destination, gateway = attributes.get(RTA_DST), attributes.get(RTA_GATEWAY)
    if not destination or not gateway:
        return None
    return f"{ipaddress.ip_address(destination)}/{prefix}", str(ipaddress.ip_address(gateway))


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
        yield kind, data[offset + _HEADER.size : offset + length]
        offset += (max(length, _HEADER.size) + 3) & ~3
