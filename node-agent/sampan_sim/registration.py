"""Making the nodes known, and taking them away again.

What is asked for is what is there afterwards: a node of ours that was left by an earlier run is taken over as it stands
(its addresses and pods stay), one that is not asked for any more is removed. A node of the same name that is not ours
is left alone, and nothing is begun.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sampan_api import meta
from sampan_api.client import LEASES, NODES, PODS, Client, DeleteOptions, PatchType, Selection
from sampan_api.clock import Clock, rfc3339_micro
from sampan_api.errors import AlreadyExists, Conflict, NotFound
from sampan_api.meta import Object

from sampan_sim.addresses import PodAddresses, free_addresses, free_ranges
from sampan_sim.config import Config
from sampan_sim.errors import NameTaken
from sampan_sim.nodes import (
    SIMULATED_BY,
    NodePlan,
    address_of,
    conditions,
    conditions_of,
    labels,
    lease,
    node_object,
    node_status,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

LEASE_NAMESPACE = "kube-node-lease"
AT_ONCE = 16
_ATTEMPTS = 10


@dataclass(slots=True)
class SimNode:
    """`object` is the newest that is known."""

    plan: NodePlan
    object: Object
    addresses: PodAddresses

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def host_ip(self) -> str:
        return address_of(self.object)


async def register(client: Client, clock: Clock, config: Config, plans: list[NodePlan], prefix: str) -> list[SimNode]:
    """All nodes of `plans` known, Ready and with a Lease. Raises NameTaken, ConfigError, ApiError."""
    there = {meta.name(node): node for node in (await client.list(NODES)).items}
    wanted = {plan.name: plan for plan in plans}
    for name in wanted.keys() & there.keys():
        if meta.labels(there[name]).get(SIMULATED_BY) != prefix:
            raise NameTaken(f'node "{name}" is there already and not of this simulation: choose another --prefix')
    old = [node for name, node in there.items() if _is_ours(node, prefix) and name not in wanted]
    if old:
        log.info("%d nodes that are not asked for any more are removed", len(old))
        await remove(client, [meta.name(node) for node in old])
    ranges = free_ranges(config, [cidr for node in there.values() if (cidr := _pod_cidr(node))])
    addresses = free_addresses(config, [address_of(node) for node in there.values()])
    objects = {
        plan.name: there.get(plan.name) or node_object(plan, next(addresses), next(ranges), clock.now())
        for plan in plans
    }

    async def make_known(plan: NodePlan) -> SimNode:
        node = objects[plan.name]
        if not meta.uid(node):
            node = await client.create(NODES, node)
        else:
            node = await _take_over(client, clock, plan, node, _pod_cidr(node) or next(ranges))
        renewed = rfc3339_micro(clock.now())
        with suppress(AlreadyExists):
            await client.create(LEASES, lease(node, config.lease.duration, renewed), LEASE_NAMESPACE)
        return SimNode(plan, node, PodAddresses(_pod_cidr(node)))

    return await each(plans, make_known)


async def _take_over(client: Client, clock: Clock, plan: NodePlan, node: Object, pod_cidr: str) -> Object:
    """Brought up to what the file says now; what others wrote on it stays."""
    for _ in range(_ATTEMPTS):
        taints = list((node.get("spec") or {}).get("taints") or [])
        for taint in plan.group.taints:
            if not any(one["key"] == taint.key and one["effect"] == taint.effect for one in taints):
                taints.append(taint.model_dump(exclude_defaults=True))
        spec = {"podCIDR": pod_cidr, **(node.get("spec") or {}), **({"taints": taints} if taints else {})}
        metadata = {**node["metadata"], "labels": {**meta.labels(node), **labels(plan)}}
        try:
            node = await client.update(NODES, {**node, "metadata": metadata, "spec": spec})
            break
        except Conflict:
            node = await client.get(NODES, plan.name)
    status = node_status(plan, address_of(node), clock.now())
    status["conditions"] = conditions(clock.now(), conditions_of(node))
    return await client.patch(NODES, plan.name, {"status": status}, type=PatchType.STRATEGIC, subresource="status")


def _is_ours(node: Object, prefix: str) -> bool:
    return meta.labels(node).get(SIMULATED_BY) == prefix


def _pod_cidr(node: Object) -> str:
    return str((node.get("spec") or {}).get("podCIDR") or "")


async def remove(client: Client, names: Iterable[str]) -> None:
    """The nodes first, so that nothing new comes to them; then their pods, at once; then their Leases."""
    gone = set(names)
    at_once = DeleteOptions(grace_seconds=0)
    await each(gone, lambda name: _without(client.delete(NODES, name)))
    pods = await client.list(PODS, Selection(field_selector="spec.nodeName!="))
    left = [meta.key(pod) for pod in pods.items if pod["spec"]["nodeName"] in gone]
    await each(left, lambda pod: _without(client.delete(PODS, pod.name, pod.namespace, at_once)))
    await each(gone, lambda name: _without(client.delete(LEASES, name, LEASE_NAMESPACE)))


async def _without(deletion: Awaitable[Any]) -> None:
    with suppress(NotFound):
        await deletion


async def each(items: Iterable[Any], act: Callable[[Any], Awaitable[T]]) -> list[T]:
    """The results in order, a few at a time. The first error ends all and is raised as it is."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(item: Any) -> T:
        async with limit:
            return await act(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
