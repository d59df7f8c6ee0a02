"""Taking off the node what no pod of the master's accounts for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sampan_agent import volumes
from sampan_agent.cgroups import pod_cgroup

if TYPE_CHECKING:
    from sampan_agent.worker import Node

_QOS = ("Guaranteed", "Burstable", "BestEffort")
_GRACE_SECONDS = 1


async def remove_stray(node: Node, uid: str) -> None:
    """Idempotent. Raises AgentError, OSError."""
    observed = await node.cri.observe(uid)
    await asyncio.gather(*(node.cri.stop_container(c.id, _GRACE_SECONDS) for c in observed.running()))
    for sandbox in observed.sandboxes:
        await node.cri.stop_sandbox(sandbox.id)
    for container in observed.containers:
        await node.cri.remove_container(container.id)
    for sandbox in observed.sandboxes:
        await node.cri.remove_sandbox(sandbox.id)
    volumes.remove(node.settings.pods_dir / uid)
    for qos in _QOS:
        node.cgroups.remove(pod_cgroup(node.settings.cgroup_root, qos, uid))
