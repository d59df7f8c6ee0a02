"""Ranges of pod addresses, the decisions: the cluster's network in equal parts, each node's own.

    network 10.244.0.0/16, mask 24   →   256 ranges, 10.244.0.0/24 …

The next range is looked for behind the last one given, so one that was given back rests as long as it can: pods of the
node that had it may live on for a while. A node that comes back under its name gets the range it had, if it is free.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Iterable

from sampan_api.meta import Object

_REMEMBERED = 1000


def why_not(network: str, mask: int) -> str:
    """Why a cluster's network cannot be given out in such parts; "" when it can."""
    try:
        prefix = ipaddress.IPv4Network(network).prefixlen
    except ValueError as error:
        return f"--cluster-cidr: {error}"
    most = min(prefix + 16, 30)
    if prefix <= mask <= most:
        return ""
    return (
        f"--node-cidr-mask-size {mask} must lie between the {prefix} bits of --cluster-cidr and {most}:"
        " each node gets one such part of the cluster's network"
    )


class CidrPool:
    def __init__(self, network: str, mask: int) -> None:
        self._network = ipaddress.IPv4Network(network)
        self._shift = self._network.max_prefixlen - mask
        self._mask = mask
        self._size = 1 << (mask - self._network.prefixlen)
        self._next = 0
        self._of: dict[str, tuple[str, ...]] = {}
        self._used: Counter[int] = Counter()
        self._had: OrderedDict[str, str] = OrderedDict()

    def of(self, node: str) -> tuple[str, ...]:
        return self._of.get(node, ())

    def occupy(self, node: str, cidrs: Iterable[str]) -> None:
        """The node has these ranges, and only these; those outside the cluster's network concern nobody."""
        self._take_back(node)
        self._of[node] = tuple(cidrs)
        for cidr in self._of[node]:
            self._used.update(self._parts(cidr))

    def release(self, node: str) -> None:
        had = self._take_back(node)
        if had:
            self._had[node] = had[0]
            self._had.move_to_end(node)
            if len(self._had) > _REMEMBERED:
                self._had.popitem(last=False)

    def allot(self, node: str) -> str | None:
        """A free range, the node's from now on; None when there is none."""
        index = self._part_it_had(node)
        if index is None:
            if len(self._used) == self._size:
                return None
            index = next(i % self._size for i in range(self._next, self._next + self._size) if self._is_free(i))
            self._next = (index + 1) % self._size
        cidr = f"{self._network.network_address + (index << self._shift)}/{self._mask}"
        self.occupy(node, [cidr])
        return cidr

    def _is_free(self, index: int) -> bool:
        return not self._used[index % self._size]

    def _part_it_had(self, node: str) -> int | None:
        parts = self._parts(self._had.pop(node, ""))
        return parts[0] if len(parts) == 1 and self._is_free(parts[0]) else None

    def _take_back(self, node: str) -> tuple[str, ...]:
        had = self._of.pop(node, ())
        for part in (part for cidr in had for part in self._parts(cidr)):
            self._used[part] -= 1
            if not self._used[part]:
                del self._used[part]
        return had

    def _parts(self, cidr: str) -> range:
        """Which parts of the network the range lies in."""
        try:
            given = ipaddress.IPv4Network(cidr, strict=False)
        except ValueError:
            return range(0)
        if not given.overlaps(self._network):
            return range(0)
        base = int(self._network.network_address)
        first = max(int(given.network_address), base) - base
        last = min(int(given.broadcast_address), int(self._network.broadcast_address)) - base
        return range(first >> self._shift, (last >> self._shift) + 1)


def cidrs_of(node: Object) -> list[str]:
    spec = node.get("spec") or {}
    return spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
