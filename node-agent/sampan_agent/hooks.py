"""Lifecycle hooks: exec in the container, an HTTP GET to the pod, or a sleep."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sampan_agent.errors import CriError
from sampan_agent.http import get_status
from sampan_agent.podspec import Container, Pod
from sampan_agent.ports import port_number

if TYPE_CHECKING:
    from sampan_agent.worker import Node


async def run_hook(
    node: Node, pod: Pod, container: Container, container_id: str, hook: dict[str, Any], timeout: float
) -> str:
    """What went wrong, or ""."""
    try:
        async with asyncio.timeout(timeout):
            return await _run(node, pod, container, container_id, hook, timeout)
    except TimeoutError:
        return f"timed out after {timeout:.0f}s"


async def _run(
    node: Node, pod: Pod, container: Container, container_id: str, hook: dict[str, Any], timeout: float
) -> str:
    if action := hook.get("exec"):
        try:
            code, output = await node.cri.exec_sync(container_id, action.get("command") or [], timeout)
        except CriError as e:
            return e.message
        return f"exit code {code}: {output[:1024].decode(errors='replace')}" if code else ""
    if action := hook.get("httpGet"):
        observed = await node.cri.observe(pod.uid)
        ips = observed.sandbox.ips if observed.sandbox else ()
        host = action.get("host") or (node.facts.ip if pod.host_network else (ips[0] if ips else ""))
        code, text = await get_status(action, host, port_number(container, action["port"]), timeout)
        return "" if 200 <= code < 400 else text
    if action := hook.get("sleep"):
        await node.clock.sleep(float(action.get("seconds", 0)))
        return ""
    return "the hook has no action this node knows"
