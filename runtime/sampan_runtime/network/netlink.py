"""Links, addresses and routes over rtnetlink: requests are built as bytes and sent in one batch per namespace.

A batch is one send; the kernel works through it in order and acknowledges each request. The first refused request
raises OSError; the kernel has by then also tried the later ones, so callers take the whole namespace down.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import Self

NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE, NLM_F_REPLACE = 0x1, 0x4, 0x200, 0x400, 0x100
NLMSG_ERROR = 2
RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_GETLINK = 16, 20, 24, 18
IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 3, 4, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 3, 0, 1
NLA_F_NESTED = 0x8000
IFF_UP = 1


def attribute(kind: int, payload: bytes) -> bytes:
    length = 4 + len(payload)
    return struct.pack("HH", length, kind) + payload + b"\0" * (-length % 4)


def _name(text: str) -> bytes:
    return attribute(IFLA_IFNAME, text.encode() + b"\0")


def _link(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


class Request:
    """One message without its header; `describe` goes into errors."""

    __slots__ = ("describe", "flags", "kind", "payload")

    def __init__(self, kind: int, flags: int, payload: bytes, describe: str) -> None:
        self.kind, self.flags, self.payload, self.describe = kind, flags, payload, describe


def new_veth(name: str, peer: str, peer_netns: int) -> Request:
    """`name` here and `peer` directly in the namespace open as `peer_netns`, both down."""
    other = _link() + _name(peer) + attribute(IFLA_NET_NS_FD, struct.pack("i", peer_netns))
    data = attribute(IFLA_INFO_DATA | NLA_F_NESTED, attribute(VETH_INFO_PEER | NLA_F_NESTED, other))
    info = attribute(IFLA_INFO_KIND, b"veth\0") + data
    payload = _link() + _name(name) + attribute(IFLA_LINKINFO | NLA_F_NESTED, info)
    return Request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload, f"make the veth pair {name}, {peer}")


def name_port(index: int, name: str, mtu: int, master: int) -> Request:
    """Give an interface that is still down its name, make it a port of bridge `master` (0: of none), and set it up."""
    payload = _link(index, IFF_UP, IFF_UP) + _name(name) + attribute(IFLA_MTU, struct.pack("I", mtu))
    if master:
        payload += attribute(IFLA_MASTER, struct.pack("I", master))
    return Request(RTM_NEWLINK, 0, payload, f"name the interface {name}")


def new_bridge(name: str, mtu: int = 1500) -> Request:
    info = attribute(IFLA_INFO_KIND, b"bridge\0")
    payload = _link(flags=IFF_UP, change=IFF_UP) + _name(name) + attribute(IFLA_MTU, struct.pack("I", mtu))
    payload += attribute(IFLA_LINKINFO | NLA_F_NESTED, info)
    return Request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload, f"make the bridge {name}")


def set_up(index: int, mtu: int = 0) -> Request:
    payload = _link(index, IFF_UP, IFF_UP)
    if mtu:
        payload += attribute(IFLA_MTU, struct.pack("I", mtu))
    return Request(RTM_NEWLINK, 0, payload, f"set interface {index} up")


def new_address(index: int, cidr: str) -> Request:
    address, _, prefix = cidr.partition("/")
    packed, family, length = _packed(address), _family(address), int(prefix)
    payload = struct.pack("BBBBi", family, length, 0, 0, index)
    payload += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
    if family == socket.AF_INET and length < 31:
        (number,) = struct.unpack("!I", packed)
        broadcast = number | (1 << 32 - length) - 1
        payload += attribute(IFA_BROADCAST, struct.pack("!I", broadcast))
    return Request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, payload, f"add the address {cidr}")


def new_route(gateway: str, index: int, destination: str = "") -> Request:
    """To `destination` ("10.0.0.0/8"), or the default route."""
    address, _, prefix = destination.partition("/")
    payload = struct.pack(
        *("BBBBBBBBI", _family(gateway), int(prefix or 0), 0, 0),
        *(RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0),
    )
    if destination:
        payload += attribute(RTA_DST, _packed(address))
    payload += attribute(RTA_GATEWAY, _packed(gateway)) + attribute(RTA_OIF, struct.pack("I", index))
    describe = f"route {destination or 'default'} via {gateway}"
    return Request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, payload, describe)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _packed(address: str) -> bytes:
    return socket.inet_pton(_family(address), address)


class NetlinkError(OSError):
    """A refused request; `step` says which."""

    def __init__(self, number: int, step: str) -> None:
        super().__init__(number, os.strerror(number))
        self.step = step


class Netlink:
    """A socket in the network namespace in which it was opened, wherever its user has gone since."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def run(self, requests: Sequence[Request]) -> list[bytes]:
        """All of them in one send; what the kernel answered beside its acknowledgements. Raises NetlinkError for the
        first that was refused."""
        first = self._sequence + 1
        batch = bytearray()
        for request in requests:
            self._sequence += 1
            flags = request.flags | NLM_F_REQUEST | NLM_F_ACK
            batch += struct.pack("IHHII", 16 + len(request.payload), request.kind, flags, self._sequence, 0)
            batch += request.payload
        self._socket.send(batch)
        refused: dict[int, int] = {}
        answers: list[bytes] = []
        missing = len(requests)
        while missing:
            for kind, sequence, payload in messages(self._socket.recv(65536)):
                if not first <= sequence <= self._sequence:
                    continue
                if kind != NLMSG_ERROR:
                    answers.append(payload)
                    continue
                missing -= 1
                (code,) = struct.unpack_from("i", payload)
                if code:
                    refused[sequence] = -code
        if refused:
            number = min(refused)
            raise NetlinkError(refused[number], requests[number - first].describe)
        return answers

    def index(self, name: str) -> int:
        """if_nametoindex, in this socket's namespace. Raises NetlinkError."""
        request = Request(RTM_GETLINK, 0, _link() + _name(name), f"find the interface {name}")
        for payload in self.run([request]):
            (index,) = struct.unpack_from("i", payload, 4)
            return int(index)
        raise NetlinkError(errno.ENODEV, request.describe)


def messages(data: bytes) -> Iterable[tuple[int, int, bytes]]:
    """(type, sequence number, payload) of each message of a datagram."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind, _, sequence, _ = struct.unpack_from("IHHII", data, offset)
        if length < 16:
            return
        yield kind, sequence, data[offset + 16 : offset + length]
        offset += length + (-length % 4)
