"""Cluster addresses and node ports: chosen when a service needs them, and never held by two services (by
`registry/allocation.py`).

Free ones are chosen at random, from the upper part of the range first: the lower part is left to those who choose by
themselves. A dry run shows an address and ports that nobody can have.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Iterator

from sampan_api.errors import InternalError
from sampan_api.meta import Object

from sampan_master.apiserver.defaults.services import (
    HEADLESS,
    LOAD_BALANCER,
    Spec,
    has_cluster_ip,
    has_health_check,
    has_node_ports,
    is_headless,
)
from sampan_master.apiserver.resources.resource_type import Allocation, Allocator, ServiceNetwork
from sampan_master.apiserver.validation.fields import Errors, FieldError, invalid

DRY_RUN_PORT = 32769
_TRIES = 16
_TAKEN_IP, _FOREIGN_IP = "provided IP is already allocated", "the provided network does not match the current range"
_TAKEN_PORT = "provided port is already allocated"
_FULL = "range is full"


def _allocate(obj: Object, old: Object | None, context: Allocation) -> Errors:
    """Writes addresses and ports into the spec. Yields what was asked for and cannot be had; raises InternalError when
    nothing is left."""
    spec, before = obj["spec"], old["spec"] if old is not None else {}
    yield from _cluster_ip(spec, before, context)
    ports = _Ports(spec, before, context)
    if has_node_ports(spec):
        yield from _node_ports(spec, ports)
    if has_health_check(spec):
        _health_check(spec, ports)


def _cluster_ip(spec: Spec, before: Spec, context: Allocation) -> Errors:
    if not has_cluster_ip(spec) or is_headless(spec):
        return
    address = spec.get("clusterIP", "")
    if address and address == before.get("clusterIP"):
        return
    if not address:
        address = _free_ip(context)
    elif not context.dry_run and (wrong := _wrong_ip(address, context)):
        yield invalid("spec.clusterIPs", spec["clusterIPs"], f"failed to allocate IP {address}: {wrong}")
    spec["clusterIP"], spec["clusterIPs"] = address, [address]


def _wrong_ip(address: str, context: Allocation) -> str:
    network = ipaddress.ip_network(context.network.cidr)
    if ipaddress.ip_address(address) not in network:
        return _FOREIGN_IP
    return _TAKEN_IP if address in context.taken else ""


def _free_ip(context: Allocation) -> str:
    network = ipaddress.ip_network(context.network.cidr)
    if context.dry_run:
        return str(network.network_address)
    # The first address names the network, the last one everybody in it.
    places = range(1, network.num_addresses - 1)
    reserved = min(max(16, network.num_addresses // 16), 256)
    chosen = _choose(places, reserved, lambda place: str(network[place]) in context.taken)
    if chosen is None:
        raise InternalError(f"Internal error occurred: failed to allocate a serviceIP: {_FULL}")
    return str(network[chosen])


def _choose(numbers: range, reserved: int, is_taken: Callable[[int], bool]) -> int | None:
    """One that is free, at random; the first `reserved` ones only when all others are taken."""
    for part in (numbers[reserved:], numbers[:reserved]):
        for _ in range(_TRIES if part else 0):
            chosen = random.choice(part)
            if not is_taken(chosen):
                return chosen
        free = next((number for number in part if not is_taken(number)), None)
        if free is not None:
            return free
    return None


class _Ports:
    """The node ports of one service: those it had, those it takes now, those it cannot have."""

    def __init__(self, spec: Spec, before: Spec, context: Allocation) -> None:
        self._network: ServiceNetwork = context.network
        self._dry_run = context.dry_run
        self._had = set(_ports_of(before))
        self._taken = context.taken
        self._said = set(_ports_of(spec))

    def complaint(self, port: int) -> str:
        """Why the service cannot have this port."""
        if self._dry_run or port in self._had:
            return ""
        if port not in self._network.node_ports:
            valid = f"{self._network.node_ports.start}-{self._network.node_ports.stop - 1}"
            return f"provided port is not in the valid range. The range of valid ports is {valid}"
        return _TAKEN_PORT if _as_held(port) in self._taken else ""

    def _is_taken(self, port: int) -> bool:
        return port in self._said or _as_held(port) in self._taken

    def choose(self, what: str) -> int:
        """Raises InternalError."""
        if self._dry_run:
            chosen: int | None = max([DRY_RUN_PORT - 1, *self._said]) + 1
        else:
            numbers = self._network.node_ports
            chosen = _choose(numbers, min(max(16, len(numbers) // 32), 128), self._is_taken)
        if chosen is None:
            raise InternalError(f"Internal error occurred: failed to allocate {what}: {_FULL}")
        self._said.add(chosen)
        return chosen


def _as_held(port: int) -> str:
    return f"port {port}"


def _holds(obj: Object) -> Iterator[str]:
    """Addresses as they are written: there is only one way to write an IPv4 address."""
    spec = obj["spec"]
    yield from (address for address in spec.get("clusterIPs") or [] if address != HEADLESS)
    yield from map(_as_held, _ports_of(spec))


def _ports_of(spec: Spec) -> Iterator[int]:
    yield from (port["nodePort"] for port in spec.get("ports") or [] if port.get("nodePort"))
    if spec.get("healthCheckNodePort"):
        yield spec["healthCheckNodePort"]


def _node_ports(spec: Spec, ports: _Ports) -> Iterator[FieldError]:
    chosen: dict[int, int] = {}
    for index, port in enumerate(spec.get("ports") or []):
        said = port.get("nodePort", 0)
        if said:
            wrong = ports.complaint(said)
            if wrong:
                yield invalid(f"spec.ports[{index}].nodePort", said, wrong)
            chosen.setdefault(port["port"], said)
    if spec.get("type") == LOAD_BALANCER and spec.get("allocateLoadBalancerNodePorts") is False:
        return
    for port in spec.get("ports") or []:
        if not port.get("nodePort"):
            # One port over two protocols, as DNS has it, is one port of the nodes as well.
            if port["port"] not in chosen:
                chosen[port["port"]] = ports.choose("a nodePort")
            port["nodePort"] = chosen[port["port"]]


def _health_check(spec: Spec, ports: _Ports) -> None:
    said = spec.get("healthCheckNodePort", 0)
    if not said:
        spec["healthCheckNodePort"] = ports.choose("a HealthCheck NodePort 0")
        return
    wrong = ports.complaint(said)
    if wrong:
        why = f"failed to allocate requested HealthCheck NodePort {said}: {wrong}"
        raise InternalError(f"Internal error occurred: {why}")


ADDRESSES = Allocator(_holds, _allocate)
