"""Addresses of a simulated node and its pods: each node has a range of its own, each pod one address of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from sampan_sim.config import Config
from sampan_sim.errors import ConfigError

_TAKEN_BY_NODE = 2
"""The network's own address and the node's bridge."""


def prefix_length(pods: int) -> int:
    """Of the smallest range, at most a /24, that has twice as many addresses as pods (as upstream counts: an address
    rests before it is used again)."""
    return min(24, 32 - (2 * max(pods, 1) + _TAKEN_BY_NODE).bit_length())


def free_ranges(config: Config, taken: Iterable[str]) -> Iterator[str]:
    """Ranges for nodes that overlap with none of `taken`. Raises ConfigError when there are no more."""
    length = min(prefix_length(group.pods) for group in config.nodes)
    if length < config.pod_cidr.prefixlen:
        raise ConfigError(f"podCIDR {config.pod_cidr} is smaller than the /{length} that the pods of one node need")
    given = [ipaddress.ip_network(text, strict=False) for text in taken]
    used = [one for one in given if isinstance(one, ipaddress.IPv4Network) and one.overlaps(config.pod_cidr)]
    equal = {network for network in used if network.prefixlen == length}
    others = [network for network in used if network.prefixlen != length]
    for network in config.pod_cidr.subnets(new_prefix=length):
        if network not in equal and not any(network.overlaps(other) for other in others):
            yield str(network)
    count = 2 ** (length - config.pod_cidr.prefixlen)
    raise ConfigError(f"podCIDR {config.pod_cidr} has room for {count} nodes with a /{length} each, and no more")


def free_addresses(config: Config, taken: Iterable[str]) -> Iterator[str]:
    """Addresses for nodes. Raises ConfigError when there are no more."""
    used = set(taken)
    for address in config.node_cidr.hosts():
        if (text := str(address)) not in used:
            yield text
    raise ConfigError(f"nodeCIDR {config.node_cidr} has no address left for another node")


class PodAddresses:
    """The addresses of one node's pods. The one that was given back first is used first again."""

    def __init__(self, pod_cidr: str) -> None:
        network = ipaddress.IPv4Network(pod_cidr)
        self._base = int(network.network_address)
        self._size = network.num_addresses - 1
        self._next = _TAKEN_BY_NODE
        self._taken: set[int] = set()

    def take(self) -> str:
        """ "" when all are taken."""
        for _ in range(self._size - _TAKEN_BY_NODE):
            place = self._next
            self._next = place + 1 if place + 1 < self._size else _TAKEN_BY_NODE
            if place not in self._taken:
                self._taken.add(place)
                return _dotted(self._base + place)
        return ""

    def keep(self, address: str) -> bool:
        """Takes the one a pod has already; whether it is of this range and nobody else's."""
        place = self._place(address)
        if not _TAKEN_BY_NODE <= place < self._size or place in self._taken:
            return False
        self._taken.add(place)
        return True

    def give_back(self, address: str) -> None:
        self._taken.discard(self._place(address))

    def _place(self, address: str) -> int:
        return int(ipaddress.ip_address(address)) - self._base


def _dotted(address: int) -> str:
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
