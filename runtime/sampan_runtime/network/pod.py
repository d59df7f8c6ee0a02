"""A pod's interface, from one netlink socket in the node's namespace and one in the pod's."""

from __future__ import annotations

import os
import socket

from sampan_runtime import syscalls
from sampan_runtime.network import netlink
from sampan_runtime.spec import Network

POD_INTERFACE = "eth0"
LOOPBACK_INDEX = 1


def enter_new_netns(network: Network) -> None:
    """Called in the node's network namespace; on return the caller is in the pod's, with its interface ready.

    When anything fails the caller has to end: with its namespace the kernel takes the veth pair.
    """
    with netlink.Netlink() as node:
        bridge = socket.if_nametoindex(network.bridge) if network.bridge else 0
        syscalls.unshare(syscalls.CLONE_NEWNET)
        pod_netns = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            node.run([netlink.new_veth(network.host_interface, POD_INTERFACE, pod_netns, network.mtu, bridge)])
        finally:
            os.close(pod_netns)
        with netlink.Netlink() as pod:
            index = socket.if_nametoindex(POD_INTERFACE)
            requests = [netlink.set_up(LOOPBACK_INDEX), netlink.set_up(index)]
            requests.append(netlink.new_address(index, network.address))
            if network.gateway:
                requests.append(netlink.new_route(network.gateway, index))
            pod.run(requests)


def enter_empty_netns() -> None:
    """Loopback alone."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    with netlink.Netlink() as pod:
        pod.run([netlink.set_up(LOOPBACK_INDEX)])
