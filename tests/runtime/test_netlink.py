from __future__ import annotations

import errno
import json
import os
import socket
import struct
import subprocess

import pytest
from sampan_runtime import syscalls
from sampan_runtime.network import netlink


def ip(*arguments: str):
    return json.loads(subprocess.run(["ip", "-j", *arguments], check=True, capture_output=True).stdout)


def test_attributes_are_padded_to_words():
    assert netlink.attribute(3, b"lo\0") == struct.pack("HH", 7, 3) + b"lo\0\0"


def test_messages_are_cut_at_their_lengths():
    first = struct.pack("IHHII", 21, 2, 0, 7, 0) + b"hello" + b"\0\0\0"
    second = struct.pack("IHHII", 16, 3, 0, 8, 0)
    assert list(netlink.messages(first + second)) == [(2, 7, b"hello"), (3, 8, b"")]


@pytest.fixture
def netns():
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.unshare(syscalls.CLONE_NEWNET)
    try:
        with netlink.Netlink() as link:
            yield link
    finally:
        syscalls.setns(own, syscalls.CLONE_NEWNET)
        os.close(own)


@pytest.mark.root
def test_an_independent_reader_sees_what_was_made(netns):
    netns.run([netlink.new_bridge("b0", 1400), netlink.set_up(1)])
    bridge = socket.if_nametoindex("b0")
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    netns.run([netlink.new_veth("blank", "v1", here), netlink.new_address(bridge, "10.3.0.1/16")])
    netns.run([netlink.name_port(netns.index("blank"), "v0", 1400, netns.index("b0"))])
    os.close(here)
    netns.run([netlink.new_route("10.3.0.9", bridge, "192.168.0.0/24")])
    (veth,) = ip("-d", "link", "show", "v0")
    assert (veth["master"], veth["mtu"]) == ("b0", 1400)
    (address,) = [a for a in ip("addr", "show", "b0")[0]["addr_info"] if a["family"] == "inet"]
    assert (address["local"], address["prefixlen"], address["broadcast"]) == ("10.3.0.1", 16, "10.3.255.255")
    (route,) = ip("route", "show", "192.168.0.0/24")
    assert (route["gateway"], route["dev"]) == ("10.3.0.9", "b0")


@pytest.mark.root
def test_the_first_refused_request_names_itself(netns):
    with pytest.raises(netlink.NetlinkError) as caught:
        netns.run([netlink.set_up(1), netlink.set_up(99), netlink.set_up(98)])
    assert (caught.value.errno, caught.value.step) == (errno.ENODEV, "set interface 99 up")
