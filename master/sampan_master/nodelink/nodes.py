"""A node's own objects: its Node, and the Lease that says it is alive.

Every write is a compare-and-swap on what was read; a lost race reads again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan_api.client import LEASES, NODES, Client
from sampan_api.clock import Clock, rfc3339, rfc3339_micro
from sampan_api.errors import AlreadyExists, ApiError, Conflict, NotFound, ServiceUnavailable
from sampan_api.meta import Object, labels, with_path

from sampan_master.nodelink.settings import NodeLinkSettings
from sampan_master.nodelink.statuses import merge_node_status

LEASE_NAMESPACE = "kube-node-lease"
_ATTEMPTS = 10


class NodeRegistry:
    """Creates and updates Node and Lease objects."""

    def __init__(self, client: Client, clock: Clock, settings: NodeLinkSettings) -> None:
        self._client = client
        self._clock = clock
        self._settings = settings

    async def register(self, name: str, reported: Object, taints: list[dict[str, Any]]) -> Object:
        """The Node object, made or brought up to date from what the agent says of itself."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._register_once(name, reported, taints)
            except (Conflict, AlreadyExists):
                continue
        raise ServiceUnavailable(f'node "{name}" could not be registered: too many conflicting writes')

    async def _register_once(self, name: str, reported: Object, taints: list[dict[str, Any]]) -> Object:
        try:
            node = await self._client.get(NODES, name)
        except NotFound:
            node = await self._client.create(NODES, self._new_node(name, reported, taints))
        else:
            wanted = with_path(node, ("metadata", "labels"), {**labels(node), **labels(reported)})
            if wanted != node:
                node = await self._client.update(NODES, wanted)
        return await self._write_status(node, reported.get("status") or {})

    def _new_node(self, name: str, reported: Object, taints: list[dict[str, Any]]) -> Object:
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels(reported)},
            "spec": {"taints": taints} if taints else {},
            "status": merge_node_status({}, self._stamped(reported.get("status") or {})),
        }

    async def update_status(self, name: str, status: dict[str, Any]) -> None:
        await self._retry(name, lambda: self._update_status_once(name, status))

    async def _update_status_once(self, name: str, status: dict[str, Any]) -> None:
        await self._write_status(await self._client.get(NODES, name), status)

    async def _write_status(self, node: Object, status: dict[str, Any]) -> Object:
        merged = merge_node_status(node.get("status") or {}, self._stamped(status))
        if merged == node.get("status"):
            return node
        return await self._client.update(NODES, {**node, "status": merged}, "status")

    def _stamped(self, status: dict[str, Any]) -> dict[str, Any]:
        """Conditions with the master's time, so that a node with a wrong clock cannot confuse the monitor."""
        now = rfc3339(self._clock.now())
        conditions = [
            {**c, "lastHeartbeatTime": now, "lastTransitionTime": now} for c in status.get("conditions") or []
        ]
        return {**status, "conditions": conditions}

    async def renew_lease(self, node: Object) -> None:
        name = node["metadata"]["name"]
        await self._retry(name, lambda: self._renew_once(node))

    async def _renew_once(self, node: Object) -> None:
        name, now = node["metadata"]["name"], rfc3339_micro(self._clock.now())
        try:
            lease = await self._client.get(LEASES, name, LEASE_NAMESPACE)
        except NotFound:
            await self._client.create(LEASES, self._new_lease(node, now), LEASE_NAMESPACE)
            return
        spec = {**(lease.get("spec") or {}), **self._lease_spec(name, now)}
        await self._client.update(LEASES, {**lease, "spec": spec})

    def _lease_spec(self, name: str, now: str) -> dict[str, Any]:
        return {
            "holderIdentity": name,
            "leaseDurationSeconds": max(1, int(self._settings.session_grace_seconds)),
            "renewTime": now,
        }

    def _new_lease(self, node: Object, now: str) -> Object:
        name = node["metadata"]["name"]
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]},
            "spec": self._lease_spec(name, now),
        }

    async def _retry(self, name: str, attempt: Callable[[], Any]) -> None:
        failure: ApiError = ServiceUnavailable(f'node "{name}"')
        for _ in range(_ATTEMPTS):
            try:
                await attempt()
            except (Conflict, AlreadyExists) as e:
                failure = e
            else:
                return
        raise failure


def pod_cidr(node: Object) -> str:
    return str((node.get("spec") or {}).get("podCIDR") or "")


def internal_address(node: Object) -> str:
    for address in (node.get("status") or {}).get("addresses") or []:
        if address.get("type") == "InternalIP":
            return str(address.get("address", ""))
    return ""
