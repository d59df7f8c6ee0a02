"""RunPodSandbox, StopPodSandbox, RemovePodSandbox, PodSandboxStatus, ListPodSandbox, UpdatePodSandboxResources.

A sandbox is made in two phases. Until its state file says "ready" it is not there: a crash before that leaves a
record that recovery destroys, and a shim that ends with the daemon's connection. Stop and remove are idempotent.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from cri_api.v1 import api_pb2 as cri
from google.protobuf.json_format import MessageToJson

from sampan_runtime.cri import container_verbs, lifecycle, messages, sandbox_plan
from sampan_runtime.cri.daemon import Daemon
from sampan_runtime.cri.errors import AlreadyExists, NotFound, Unavailable
from sampan_runtime.cri.records import Container, ContainerState, Sandbox, SandboxState
from sampan_runtime.errors import RuntimeFailure
from sampan_runtime.nat import HostPort
from sampan_runtime.shim.client import Shim
from sampan_runtime.spec import Network
from sampan_runtime.statefiles import boot_id

_KILL_SECONDS = 10.0
_PROTOCOLS = {cri.TCP: "tcp", cri.UDP: "udp", cri.SCTP: "sctp"}
_RESOLV_CONF = Path("/etc/resolv.conf")
_UPSTREAM_RESOLV_CONF = Path("/run/systemd/resolve/resolv.conf")


async def run_pod_sandbox(daemon: Daemon, request: cri.RunPodSandboxRequest) -> cri.RunPodSandboxResponse:
    sandbox_plan.validate(request.config)
    id = secrets.token_hex(32)
    sandbox = Sandbox(
        id=id,
        config=request.config,
        runtime_handler=request.runtime_handler,
        cgroup=sandbox_plan.cgroup_path(request.config, id, daemon.settings.cgroup_root),
        address="",
        boot_id=boot_id(),
        created_at=time.time_ns(),
    )
    for other in daemon.records.sandboxes.values():
        if other.key == sandbox.key:
            name = "_".join(map(str, sandbox.key))
            raise AlreadyExists(f'pod sandbox name "{name}" is reserved for "{other.id}"')
    daemon.records.sandboxes[id] = sandbox
    async with sandbox.lock, AsyncExitStack() as undo:
        undo.callback(daemon.records.forget_sandbox, id)
        await _create(daemon, sandbox, undo)
        undo.pop_all()
    daemon.publish(messages.sandbox_event(daemon.records, sandbox, cri.CONTAINER_CREATED_EVENT))
    daemon.publish(messages.sandbox_event(daemon.records, sandbox, cri.CONTAINER_STARTED_EVENT))
    return cri.RunPodSandboxResponse(pod_sandbox_id=id)


async def _create(daemon: Daemon, sandbox: Sandbox, undo: AsyncExitStack) -> None:
    network = _network(daemon, sandbox, undo)
    directory = daemon.make_shim_dir(sandbox.id)
    undo.callback(daemon.remove_shim_dir, sandbox.id)
    _write_files(daemon.records.sandbox_dir(sandbox.id), sandbox)
    spec = sandbox_plan.plan(sandbox.id, sandbox.config, str(directory), sandbox.cgroup, network, socket.gethostname())
    # The sync to disk and the fork do not wait for each other.
    saved = asyncio.ensure_future(daemon.records.save_new_sandbox(sandbox))
    try:
        shim = await daemon.create_shim(spec)
        undo.push_async_callback(_abandon, shim)
    finally:
        await saved
    await daemon.set_host_ports(sandbox.id, host_ports(sandbox))
    sandbox.state = SandboxState.READY
    daemon.records.save_sandbox_state(sandbox)
    await shim.commit()
    lifecycle.follow(daemon, sandbox, shim)


async def _abandon(shim: Shim) -> None:
    with suppress(RuntimeFailure):
        await shim.stop()


def _network(daemon: Daemon, sandbox: Sandbox, undo: AsyncExitStack) -> Network | None:
    if sandbox.host_network:
        return None
    pool = daemon.pool
    if pool is None:
        raise Unavailable(f"network is not ready: {daemon.network_error}")
    sandbox.address = str(pool.allocate(sandbox.id))
    undo.callback(pool.release, sandbox.address, sandbox.id)
    return sandbox_plan.network(sandbox.id, sandbox.address, pool.cidr, daemon.settings.bridge)


def _write_files(folder: Path, sandbox: Sandbox) -> None:
    folder.mkdir(mode=0o711)
    name = sandbox_plan.hostname(sandbox.config, socket.gethostname())
    (folder / "hostname").write_text(f"{name}\n")
    (folder / "hosts").write_text(sandbox_plan.hosts(sandbox.address, name))
    text = sandbox_plan.resolv_conf(sandbox.config.dns_config, _read(_RESOLV_CONF), _read(_UPSTREAM_RESOLV_CONF))
    (folder / "resolv.conf").write_text(text)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def host_ports(sandbox: Sandbox) -> list[HostPort]:
    if not sandbox.address:
        return []
    return [
        HostPort(_PROTOCOLS[port.protocol], port.host_port, sandbox.address, port.container_port, port.host_ip)
        for port in sandbox.config.port_mappings
        if port.host_port
    ]


async def stop_pod_sandbox(daemon: Daemon, request: cri.StopPodSandboxRequest) -> cri.StopPodSandboxResponse:
    try:
        sandbox = daemon.records.sandbox(request.pod_sandbox_id)
    except NotFound:
        return cri.StopPodSandboxResponse()
    async with sandbox.lock:
        await stop(daemon, sandbox)
    return cri.StopPodSandboxResponse()


async def stop(daemon: Daemon, sandbox: Sandbox) -> None:
    """With the sandbox's lock held. The containers' own ends are awaited first, so that their exit codes are true."""
    if sandbox.state != SandboxState.READY:
        return
    sandbox.stopping = True
    shim = sandbox.shim
    if shim is not None:
        running = [c for c in daemon.records.containers_of(sandbox.id) if c.state != ContainerState.EXITED]
        await asyncio.gather(*(_kill(shim, container) for container in running))
        with suppress(RuntimeFailure):
            await shim.stop()
    await daemon.set_host_ports(sandbox.id, [])
    await lifecycle.write_off(daemon, sandbox)


async def _kill(shim: Shim, container: Container) -> None:
    with suppress(RuntimeFailure, TimeoutError):
        await shim.kill(container.id, signal.SIGKILL)
        async with asyncio.timeout(_KILL_SECONDS):
            await container.exited.wait()


async def remove_pod_sandbox(daemon: Daemon, request: cri.RemovePodSandboxRequest) -> cri.RemovePodSandboxResponse:
    try:
        sandbox = daemon.records.sandbox(request.pod_sandbox_id)
    except NotFound:
        return cri.RemovePodSandboxResponse()
    async with sandbox.lock:
        await remove(daemon, sandbox)
    return cri.RemovePodSandboxResponse()


async def remove(daemon: Daemon, sandbox: Sandbox) -> None:
    """With the sandbox's lock held."""
    if sandbox.id not in daemon.records.sandboxes:
        return
    await stop(daemon, sandbox)
    for container in daemon.records.containers_of(sandbox.id):
        await container_verbs.remove(daemon, container)
    if sandbox.address and daemon.pool is not None:
        daemon.pool.release(sandbox.address, sandbox.id)
    daemon.remove_shim_dir(sandbox.id)
    daemon.records.forget_sandbox(sandbox.id)
    daemon.publish(messages.sandbox_event(daemon.records, sandbox, cri.CONTAINER_DELETED_EVENT))


async def pod_sandbox_status(daemon: Daemon, request: cri.PodSandboxStatusRequest) -> cri.PodSandboxStatusResponse:
    sandbox = daemon.records.sandbox(request.pod_sandbox_id)
    response = cri.PodSandboxStatusResponse(status=messages.sandbox_status(sandbox), timestamp=time.time_ns())
    for container in daemon.records.containers_of(sandbox.id):
        response.containers_statuses.append(messages.container_status(container))
    if request.verbose:
        response.info["config"] = MessageToJson(sandbox.config, indent=None)
        response.info["pid"] = str(sandbox.shim.pid if sandbox.shim else 0)
        response.info["cgroup"] = sandbox.cgroup
        response.info["netns"] = sandbox.shim.netns_path if sandbox.shim else ""
    return response


async def list_pod_sandbox(daemon: Daemon, request: cri.ListPodSandboxRequest) -> cri.ListPodSandboxResponse:
    found = messages.list_sandboxes(daemon.records, request.filter)
    return cri.ListPodSandboxResponse(items=map(messages.sandbox_item, found))


async def update_pod_sandbox_resources(
    daemon: Daemon, request: cri.UpdatePodSandboxResourcesRequest
) -> cri.UpdatePodSandboxResourcesResponse:
    """Only told to the runtime for its information: the pod's limits are the agent's, on its cgroup."""
    daemon.records.sandbox(request.pod_sandbox_id)
    return cri.UpdatePodSandboxResourcesResponse()
