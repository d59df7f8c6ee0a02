"""What shims report of themselves: their containers' exits, and their own end.

One task per living shim reads its events. When the connection ends although nobody stopped the sandbox, the shim is
dead: its pod's cgroup is killed before anything else, so that no process outlives the record of it.
"""

from __future__ import annotations

import asyncio
import logging

from cri_api.v1 import api_pb2 as cri

from sampan_runtime.cri import messages
from sampan_runtime.cri.daemon import Daemon
from sampan_runtime.cri.records import Container, ContainerState, Sandbox, SandboxState
from sampan_runtime.shim.client import Shim, read_exits
from sampan_runtime.spec import ContainerExit

log = logging.getLogger(__name__)


def follow(daemon: Daemon, sandbox: Sandbox, shim: Shim) -> None:
    sandbox.shim = shim
    daemon.spawn(_follow(daemon, sandbox, shim), name=f"shim-{sandbox.id[:12]}")


async def _follow(daemon: Daemon, sandbox: Sandbox, shim: Shim) -> None:
    async for end in shim.events:
        container = daemon.records.containers.get(end.id)
        if container is not None:
            # The start that this exit belongs to is told first.
            async with container.lock:
                apply_exit(daemon, container, end)
    sandbox.shim = None
    if not sandbox.stopping:
        log.warning("shim of sandbox %s is gone", sandbox.id)
        async with sandbox.lock:
            await write_off(daemon, sandbox)


def apply_exit(daemon: Daemon, container: Container, end: ContainerExit) -> None:
    if container.state == ContainerState.EXITED:
        return
    code = 128 + end.signal if end.signal else end.exit_code
    ended = "Error" if code else "Completed"
    reason = "OOMKilled" if end.oom_killed else ended
    finish(daemon, container, code, reason, finished_at=end.finished_at)


def finish(
    daemon: Daemon, container: Container, code: int, reason: str, message: str = "", finished_at: int = 0
) -> None:
    container.finish(code, reason, message, finished_at)
    daemon.records.save_container_state(container)
    daemon.publish(messages.event(daemon.records, container, cri.CONTAINER_STOPPED_EVENT))


async def write_off(daemon: Daemon, sandbox: Sandbox) -> None:
    """After a shim's death or a reboot: nothing of the sandbox runs, and what cannot be known is said so."""
    await asyncio.to_thread(daemon.kill_cgroup, sandbox.cgroup)
    known = read_exits(daemon.shim_dir(sandbox.id))
    sandbox.state = SandboxState.NOT_READY
    daemon.records.save_sandbox_state(sandbox)
    for container in daemon.records.containers_of(sandbox.id):
        if container.state == ContainerState.EXITED:
            continue
        if container.id in known:
            apply_exit(daemon, container, known[container.id])
        else:
            text = "The container could not be located when the pod's shim had died"
            finish(daemon, container, 255, "ContainerStatusUnknown", text)
    daemon.publish(messages.sandbox_event(daemon.records, sandbox, cri.CONTAINER_STOPPED_EVENT))
