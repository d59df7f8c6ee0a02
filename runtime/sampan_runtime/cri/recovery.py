"""At the start: every record is held against what is really there.

record not finished ("creating", or unreadable)  → destroyed: cgroup killed, address freed, files removed
record of an earlier boot                        → sandbox NOTREADY, its containers exited 255 "Unknown"
shim answers                                     → adopted, exits that happened meanwhile learned
shim does not answer                             → cgroup killed, containers exited 255 "ContainerStatusUnknown"
"""

from __future__ import annotations

import asyncio
import logging
import shutil

from sampan_runtime.cri import lifecycle, sandbox_verbs
from sampan_runtime.cri.daemon import Daemon
from sampan_runtime.cri.records import Container, ContainerState, Sandbox, SandboxState
from sampan_runtime.errors import RuntimeFailure
from sampan_runtime.shim.client import ContainerState as ShimContainer
from sampan_runtime.shim.client import Shim, attach
from sampan_runtime.statefiles import boot_id

log = logging.getLogger(__name__)


async def recover(daemon: Daemon) -> None:
    broken = daemon.records.load()
    for id, cgroup in broken.items():
        log.warning("sandbox %s was never finished: removing what there is of it", id)
        await _destroy(daemon, id, cgroup)
    boot = boot_id()
    for sandbox in list(daemon.records.sandboxes.values()):
        if sandbox.state == SandboxState.CREATING:
            await _destroy(daemon, sandbox.id, sandbox.cgroup)
        elif sandbox.state == SandboxState.READY:
            await (_adopt(daemon, sandbox) if sandbox.boot_id == boot else _rebooted(daemon, sandbox))
    for container in list(daemon.records.containers.values()):
        if container.state == ContainerState.CREATING or container.sandbox_id not in daemon.records.sandboxes:
            daemon.records.forget_container(container.id)
    _sweep_run_directory(daemon)


async def _destroy(daemon: Daemon, id: str, cgroup: str) -> None:
    """A shim that was not committed has ended with the connection of the daemon before us; another one is ended."""
    try:
        shim = await attach(daemon.shim_dir(id))
        await shim.stop()
    except (RuntimeFailure, OSError) as error:
        log.info("sandbox %s has no shim: %s", id, error)
    await asyncio.to_thread(daemon.kill_cgroup, cgroup or f"{daemon.settings.cgroup_root}/{id}")
    daemon.remove_shim_dir(id)
    daemon.records.forget_sandbox(id)


async def _adopt(daemon: Daemon, sandbox: Sandbox) -> None:
    try:
        shim = await attach(daemon.shim_dir(sandbox.id))
        found = {state.id: state for state in await shim.list()}
    except (RuntimeFailure, OSError) as error:
        log.warning("shim of sandbox %s: %s", sandbox.id, error)
        await lifecycle.write_off(daemon, sandbox)
        return
    # Before following: an exit that was an event meanwhile is also in the list.
    for container in daemon.records.containers_of(sandbox.id):
        _align(daemon, container, found.pop(container.id, None))
    for stray in found:
        await _drop(shim, stray)
    daemon.host_ports[sandbox.id] = sandbox_verbs.host_ports(sandbox)
    lifecycle.follow(daemon, sandbox, shim)


async def _drop(shim: Shim, id: str) -> None:
    """A container whose creation the daemon before us did not live to record."""
    try:
        await shim.remove_container(id)
    except RuntimeFailure as error:
        log.warning("container %s without a record: %s", id, error)


def _align(daemon: Daemon, container: Container, actual: ShimContainer | None) -> None:
    if container.state in (ContainerState.EXITED, ContainerState.CREATING):
        return
    if actual is None:
        lifecycle.finish(daemon, container, 255, "ContainerStatusUnknown", "The shim does not know the container")
    elif actual.exit is not None:
        container.started_at = actual.started_at or container.started_at
        lifecycle.apply_exit(daemon, container, actual.exit)
    else:
        container.state = ContainerState(actual.state)
        container.pid = actual.pid
        container.started_at = actual.started_at
        daemon.records.save_container_state(container)


async def _rebooted(daemon: Daemon, sandbox: Sandbox) -> None:
    sandbox.state = SandboxState.NOT_READY
    daemon.records.save_sandbox_state(sandbox)
    for container in daemon.records.containers_of(sandbox.id):
        if container.state != ContainerState.EXITED:
            lifecycle.finish(daemon, container, 255, "Unknown", "The machine was started again")


def _sweep_run_directory(daemon: Daemon) -> None:
    known = {daemon.shim_dir(id) for id in daemon.records.sandboxes}
    pods = daemon.run_dir / "pods"
    for folder in pods.iterdir() if pods.is_dir() else ():
        if folder not in known:
            shutil.rmtree(folder, ignore_errors=True)
