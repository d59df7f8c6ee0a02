"""A pod's interface, from one netlink socket in the node's namespace and one in the pod's.

It is made in two steps: a veth pair in a new namespace, which needs to know nothing of the pod and may be done ahead,
and then its name, bridge, address and route.
"""

from __future__ import annotations

import os
import socket

from sampan_runtime import syscalls
from sampan_runtime.network import netlink
from sampan_runtime.network.netlink import Netlink
from sampan_runtime.spec import Network

POD_INTERFACE = "eth0"
LOOPBACK_INDEX = 1


class PodLink:
    """Made in the node's network namespace, and leaves its maker in a new one with a veth pair into it, still down.

    When anything fails the maker has to end: with its namespace the kernel takes the pair.
    """

    def __init__(self) -> None:
        self._node = Netlink()
        syscalls.unshare(syscalls.CLONE_NEWNET)
        pod_netns = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        name = f"blank{os.getpid()}"
        try:
            self._node.run([netlink.new_veth(name, POD_INTERFACE, pod_netns)])
        finally:
            os.close(pod_netns)
        self._outer = self._node.index(name)
        self._inner = socket.if_nametoindex(POD_INTERFACE)
        with Netlink() as pod:
            pod.run([netlink.set_up(LOOPBACK_INDEX)])

    def configure(self, network: Network) -> None:
        """Raises NetlinkError."""
        with self._node:
            master = self._node.index(network.bridge) if network.bridge else 0
            self._node.run([netlink.name_port(self._outer, network.host_interface, network.mtu, master)])
        requests = [
            netlink.set_up(self._inner, network.mtu),
            netlink.new_address(self._inner, network.address),
        ]
        if network.gateway:
            requests.append(netlink.new_route(network.gateway, self._inner))
        with Netlink() as pod:
            pod.run(requests)
