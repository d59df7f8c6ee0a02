"""The Node objects: which there are to be, and what each says of itself, worded as kubelets word it. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sampan_api.clock import rfc3339
from sampan_api.meta import Object

from sampan_sim.config import Config, NodeGroup
from sampan_sim.errors import ConfigError

SIMULATED_BY = "sampan.dev/simulated-by"
"""Label of every simulated node: the name prefix, which is the simulation's name."""

RUNTIME = "sampan-sim"
_LONGEST_NAME = 63
_VERSION = "v1.36.2+sampan0.1.0"
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


@dataclass(frozen=True, slots=True)
class NodePlan:
    name: str
    group: NodeGroup
    zone: str
    prefix: str


def plans(config: Config, prefix: str, total: int | None) -> list[NodePlan]:
    """`total` nodes shared out in proportion to the groups' counts; None: as many as the groups say. Raises
    ConfigError when a name would be too long."""
    return [
        _plan(group, number, prefix, alone=len(config.nodes) == 1)
        for group, count in zip(config.nodes, _shares([group.count for group in config.nodes], total), strict=True)
        for number in range(count)
    ]


def _plan(group: NodeGroup, number: int, prefix: str, *, alone: bool) -> NodePlan:
    name = f"{prefix}-{number}" if alone else f"{prefix}-{group.name}-{number}"
    if len(name) > _LONGEST_NAME:
        raise ConfigError(f'"{name}" is too long for the name of a node, which is a label of it (at most 63 letters)')
    return NodePlan(name, group, group.zones[number % len(group.zones)] if group.zones else "", prefix)


def _shares(counts: list[int], total: int | None) -> list[int]:
    """Largest remainders: the shares are whole and their sum is the total."""
    if total is None:
        return counts
    exact = [total * count / sum(counts) for count in counts]
    shares = [int(share) for share in exact]
    by_rest = sorted(range(len(counts)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_rest[: total - sum(shares)]:
        shares[i] += 1
    return shares


def node_object(plan: NodePlan, address: str, pod_cidr: str, now: float) -> Object:
    spec: dict[str, Any] = {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]}
    if plan.group.taints:
        spec["taints"] = [_taint(taint.key, taint.value, taint.effect) for taint in plan.group.taints]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": plan.name, "labels": labels(plan)},
        "spec": spec,
        "status": node_status(plan, address, now),
    }


def _taint(key: str, value: str, effect: str) -> dict[str, str]:
    return {"key": key, **({"value": value} if value else {}), "effect": effect}


def labels(plan: NodePlan) -> dict[str, str]:
    own = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": plan.name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": plan.group.name,
        SIMULATED_BY: plan.prefix,
    }
    if plan.zone:
        own["topology.kubernetes.io/zone"] = plan.zone
    if plan.group.region:
        own["topology.kubernetes.io/region"] = plan.group.region
    return {**own, **plan.group.labels}


def node_status(plan: NodePlan, address: str, now: float) -> dict[str, Any]:
    group = plan.group
    return {
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": plan.name}],
        "capacity": dict(group.capacity),
        "allocatable": {**group.capacity, **group.allocatable},
        "conditions": conditions(now, {}),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": _node_info(plan.name),
    }


def conditions(now: float, before: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """All is well at `now`; `before` are the conditions by type, whose transition times stay when they say the same."""
    return [_condition(*one, now, before.get(one[0])) for one in _CONDITIONS]


def _condition(
    type_: str, status: str, reason: str, message: str, now: float, before: dict[str, Any] | None
) -> dict[str, Any]:
    since = before.get("lastTransitionTime") if before and before.get("status") == status else None
    stamp = rfc3339(now)
    return {
        "type": type_,
        "status": status,
        "lastHeartbeatTime": stamp,
        "lastTransitionTime": since or stamp,
        "reason": reason,
        "message": message,
    }


def _node_info(name: str) -> dict[str, str]:
    return {
        "machineID": _identifier(name, "machine"),
        "systemUUID": str(uuid.UUID(_identifier(name, "system"))),
        "bootID": str(uuid.UUID(_identifier(name, "boot"))),
        "kernelVersion": "6.12.0-sim",
        "osImage": "Sampan simulated node",
        "containerRuntimeVersion": f"{RUNTIME}://0.1.0",
        "kubeletVersion": _VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }


def _identifier(name: str, kind: str) -> str:
    return sha256(f"{kind}/{name}".encode()).hexdigest()[:32]


def lease(node: Object, seconds: float, renewed: str) -> Object:
    name = node["metadata"]["name"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease", "ownerReferences": [owner]},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": int(seconds), "renewTime": renewed},
    }


def is_ready(node: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in _conditions_of(node))


def conditions_of(node: Object) -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in _conditions_of(node)}


def _conditions_of(node: Object) -> Iterator[dict[str, Any]]:
    yield from (node.get("status") or {}).get("conditions") or []


def address_of(node: Object) -> str:
    found = (node.get("status") or {}).get("addresses") or []
    return next((str(one["address"]) for one in found if one.get("type") == "InternalIP"), "")
