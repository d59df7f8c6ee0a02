"""CreateContainer, StartContainer, StopContainer, RemoveContainer, ListContainers, ContainerStatus,
UpdateContainerResources, ReopenContainerLog.

The shim forks at create, so that what cannot be set up fails there; start is the exec alone. Stop and remove are
idempotent, and unknown ids have nothing left to stop.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import signal
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from cri_api.v1 import api_pb2 as cri
from google.protobuf.json_format import MessageToJson

from sampan_runtime import cgroups
from sampan_runtime.cri import container_plan, lifecycle, messages, sandbox_plan
from sampan_runtime.cri.daemon import Daemon
from sampan_runtime.cri.errors import (
    AlreadyExists,
    CriError,
    DeadlineExceeded,
    FailedPrecondition,
    NotFound,
    Unavailable,
)
from sampan_runtime.cri.records import Container, ContainerState, Sandbox, SandboxState
from sampan_runtime.errors import NoSuchContainer, RuntimeFailure, ShimGone, StepFailed
from sampan_runtime.images import reference
from sampan_runtime.images.store import StoredImage
from sampan_runtime.shim.client import Shim

_KILL_SECONDS = 10.0
_START_ERROR_CODE = 128


async def create_container(daemon: Daemon, request: cri.CreateContainerRequest) -> cri.CreateContainerResponse:
    config = request.config
    container_plan.validate(config)
    sandbox = daemon.records.sandbox(request.pod_sandbox_id)
    image = daemon.images.find(config.image.image)
    if image is None:
        raise NotFound(f'failed to resolve image "{config.image.image}": not found')
    for other in daemon.records.containers_of(sandbox.id):
        if _name(other.config) == _name(config):
            raise AlreadyExists(f'container name "{config.metadata.name}" is reserved for "{other.id}"')
    container = await asyncio.to_thread(_decide, daemon, sandbox, config, image)
    daemon.records.containers[container.id] = container
    async with container.lock, AsyncExitStack() as undo:
        undo.callback(daemon.records.forget_container, container.id)
        await _create(daemon, sandbox, container, image, undo)
        undo.pop_all()
    daemon.publish(messages.event(daemon.records, container, cri.CONTAINER_CREATED_EVENT))
    return cri.CreateContainerResponse(container_id=container.id)


def _name(config: cri.ContainerConfig) -> tuple[str, int]:
    return config.metadata.name, config.metadata.attempt


def _image_name(spec: cri.ImageSpec, image: StoredImage) -> str:
    """The agent names the image by its id and the user's words beside it."""
    name = spec.user_specified_image or spec.image
    return image.reference if image.id.endswith(name) else str(reference.parse(name))


def _decide(daemon: Daemon, sandbox: Sandbox, config: cri.ContainerConfig, image: StoredImage) -> Container:
    """Reads the image's passwd and group files, so not on the event loop."""
    id = secrets.token_hex(32)
    layers = daemon.images.layer_paths(image)
    user = container_plan.user_of(config, image.config, layers)
    name = sandbox_plan.hostname(sandbox.config, "localhost")
    log_path = ""
    if config.log_path and sandbox.config.log_directory:
        log_path = str(Path(sandbox.config.log_directory) / config.log_path)
    return Container(
        id=id,
        sandbox_id=sandbox.id,
        config=config,
        image_id=image.id,
        image_ref=(image.digests or (image.id,))[0],
        image_name=_image_name(config.image, image),
        log_path=log_path,
        cgroup=f"{sandbox.cgroup}/{id}",
        stop_signal=container_plan.stop_signal(config, image.config),
        user=(user.uid, user.gid, user.groups),
        created_at=time.time_ns(),
        layers=layers,
        env=container_plan.environment(config, image.config, name, user.home),
        cwd=config.working_dir or image.config.working_dir or "/",
    )


async def _create(
    daemon: Daemon, sandbox: Sandbox, container: Container, image: StoredImage, undo: AsyncExitStack
) -> None:
    shim = ready_shim(sandbox)
    folder = daemon.records.container_dir(container.id)
    files = daemon.records.sandbox_dir(sandbox.id)
    own = [(f"/etc/{name}", files / name) for name in ("hostname", "hosts", "resolv.conf")]
    spec = container_plan.plan(container, folder, image.config, own)
    for part in (folder, folder / "upper", folder / "work"):
        part.mkdir(mode=0o755 if part.name == "upper" else 0o700)
    if container.log_path:
        Path(container.log_path).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    saved = asyncio.ensure_future(daemon.records.save_container_config(container))
    try:
        container.pid = await shim.create_container(spec)
        undo.push_async_callback(_abandon, shim, container.id)
    finally:
        await saved
    if sandbox.stopping or sandbox.shim is None:
        raise FailedPrecondition(f'sandbox "{sandbox.id}" was stopped meanwhile')
    container.state = ContainerState.CREATED
    daemon.records.save_container_state(container)


async def _abandon(shim: Shim, id: str) -> None:
    with suppress(RuntimeFailure):
        await shim.remove_container(id)


def ready_shim(sandbox: Sandbox) -> Shim:
    if sandbox.state != SandboxState.READY or sandbox.stopping or sandbox.shim is None:
        raise FailedPrecondition(f'sandbox "{sandbox.id}" is not running')
    return sandbox.shim


async def start_container(daemon: Daemon, request: cri.StartContainerRequest) -> cri.StartContainerResponse:
    container = daemon.records.container(request.container_id)
    shim = ready_shim(daemon.records.sandbox(container.sandbox_id))
    async with container.lock:
        if container.state != ContainerState.CREATED:
            raise FailedPrecondition(f'container "{container.id}" is in {container.state.upper()} state')
        container.started_at = time.time_ns()
        try:
            container.pid = await shim.start_container(container.id)
        except StepFailed as error:
            message = _start_failure(container, error)
            lifecycle.finish(daemon, container, _START_ERROR_CODE, "StartError", message)
            raise CriError(message) from error
        if container.state == ContainerState.CREATED:
            container.state = ContainerState.RUNNING
            daemon.records.save_container_state(container)
        daemon.publish(messages.event(daemon.records, container, cri.CONTAINER_STARTED_EVENT))
    return cri.StartContainerResponse()


def _start_failure(container: Container, error: StepFailed) -> str:
    program = (*container.config.command, *container.config.args, error.step.removeprefix("exec ").strip())[0]
    if error.errno == errno.ENOENT:
        return f'failed to start container: exec: "{program}": executable file not found in $PATH'
    return f'failed to start container: exec: "{program}": {error}'


async def stop_container(daemon: Daemon, request: cri.StopContainerRequest) -> cri.StopContainerResponse:
    try:
        container = daemon.records.container(request.container_id)
    except NotFound:
        return cri.StopContainerResponse()
    await stop(daemon, container, request.timeout)
    return cri.StopContainerResponse()


async def stop(daemon: Daemon, container: Container, timeout: float) -> None:
    """Holds no lock while it waits: a second stop with a shorter time limit is not kept waiting by the first."""
    if container.state == ContainerState.EXITED:
        return
    sandbox = daemon.records.sandboxes.get(container.sandbox_id)
    shim = sandbox.shim if sandbox else None
    if shim is None:
        raise Unavailable(f'the shim of container "{container.id}" is gone')
    if container.state == ContainerState.RUNNING and timeout > 0:
        with suppress(NoSuchContainer):
            await shim.kill(container.id, container.stop_signal)
        if await _exited(container, timeout):
            return
    with suppress(NoSuchContainer):
        await shim.kill(container.id, signal.SIGKILL)
    if not await _exited(container, _KILL_SECONDS):
        raise DeadlineExceeded(f'container "{container.id}" did not end {_KILL_SECONDS:.0f} s after SIGKILL')


async def _exited(container: Container, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await container.exited.wait()
    except TimeoutError:
        return False
    return True


async def remove_container(daemon: Daemon, request: cri.RemoveContainerRequest) -> cri.RemoveContainerResponse:
    try:
        container = daemon.records.container(request.container_id)
    except NotFound:
        return cri.RemoveContainerResponse()
    await remove(daemon, container)
    return cri.RemoveContainerResponse()


async def remove(daemon: Daemon, container: Container) -> None:
    sandbox = daemon.records.sandboxes.get(container.sandbox_id)
    async with container.lock:
        if container.id not in daemon.records.containers:
            return
        if sandbox is not None and sandbox.shim is not None:
            with suppress(ShimGone):
                await sandbox.shim.remove_container(container.id)
        daemon.records.containers.pop(container.id)
        await asyncio.to_thread(daemon.records.forget_container, container.id)
    if container.state != ContainerState.EXITED:
        container.finish(137, "Error")
    daemon.publish(messages.event(daemon.records, container, cri.CONTAINER_DELETED_EVENT))


async def list_containers(daemon: Daemon, request: cri.ListContainersRequest) -> cri.ListContainersResponse:
    found = messages.list_containers(daemon.records, request.filter)
    return cri.ListContainersResponse(containers=map(messages.container_item, found))


async def container_status(daemon: Daemon, request: cri.ContainerStatusRequest) -> cri.ContainerStatusResponse:
    container = daemon.records.container(request.container_id)
    response = cri.ContainerStatusResponse(status=messages.container_status(container))
    if request.verbose:
        response.info["sandboxID"] = container.sandbox_id
        response.info["pid"] = str(container.pid)
        response.info["cgroup"] = container.cgroup
        response.info["config"] = MessageToJson(container.config, indent=None)
    return response


async def update_container_resources(
    daemon: Daemon, request: cri.UpdateContainerResourcesRequest
) -> cri.UpdateContainerResourcesResponse:
    """Fields that are 0 stay as they are. Annotations join the container's own, so that the caller finds again what it
    noted with a change."""
    container = daemon.records.container(request.container_id)
    async with container.lock:
        if container.state not in (ContainerState.CREATED, ContainerState.RUNNING):
            raise FailedPrecondition(f'container "{container.id}" is in {container.state.upper()} state')
        limits = container_plan.cgroup(container.cgroup, request.linux)
        await asyncio.to_thread(cgroups.create, daemon.hierarchies, limits)
        container.config.linux.resources.MergeFrom(request.linux)
        container.config.annotations.update(request.annotations)
        await daemon.records.save_container_config(container, new=False)
    return cri.UpdateContainerResourcesResponse()


async def reopen_container_log(
    daemon: Daemon, request: cri.ReopenContainerLogRequest
) -> cri.ReopenContainerLogResponse:
    container, shim = running(daemon, request.container_id)
    await shim.reopen_log(container.id)
    return cri.ReopenContainerLogResponse()


def running(daemon: Daemon, id: str) -> tuple[Container, Shim]:
    container = daemon.records.container(id)
    if container.state != ContainerState.RUNNING:
        raise FailedPrecondition(f'container "{container.id}" is in {container.state.upper()} state')
    return container, ready_shim(daemon.records.sandbox(container.sandbox_id))
