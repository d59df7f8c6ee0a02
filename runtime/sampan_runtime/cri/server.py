"""gRPC in and out: one table says which function answers which call; one place turns errors into status codes.

The services are registered by hand, not through the generated servicer classes: the table is the documentation, and
a call that is not in it is answered UNIMPLEMENTED by gRPC itself.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from cri_api.v1 import api_pb2 as cri
from grpc import aio

from sampan_runtime.cri import (
    container_verbs,
    image_verbs,
    node_verbs,
    sandbox_verbs,
    stats_verbs,
    stream_verbs,
)
from sampan_runtime.cri.daemon import Daemon
from sampan_runtime.cri.errors import HANDLED, status_code

log = logging.getLogger(__name__)

Verb = Callable[[Daemon, Any], Awaitable[Any]]

_RUNTIME: dict[str, Verb] = {
    "Version": node_verbs.version,
    "Status": node_verbs.status,
    "UpdateRuntimeConfig": node_verbs.update_runtime_config,
    "RuntimeConfig": node_verbs.runtime_config,
    "RunPodSandbox": sandbox_verbs.run_pod_sandbox,
    "StopPodSandbox": sandbox_verbs.stop_pod_sandbox,
    "RemovePodSandbox": sandbox_verbs.remove_pod_sandbox,
    "PodSandboxStatus": sandbox_verbs.pod_sandbox_status,
    "ListPodSandbox": sandbox_verbs.list_pod_sandbox,
    "UpdatePodSandboxResources": sandbox_verbs.update_pod_sandbox_resources,
    "CreateContainer": container_verbs.create_container,
    "StartContainer": container_verbs.start_container,
    "StopContainer": container_verbs.stop_container,
    "RemoveContainer": container_verbs.remove_container,
    "ListContainers": container_verbs.list_containers,
    "ContainerStatus": container_verbs.container_status,
    "UpdateContainerResources": container_verbs.update_container_resources,
    "ReopenContainerLog": container_verbs.reopen_container_log,
    "ExecSync": stream_verbs.exec_sync,
    "Exec": stream_verbs.exec,
    "Attach": stream_verbs.attach,
    "PortForward": stream_verbs.port_forward,
    "ContainerStats": stats_verbs.container_stats,
    "ListContainerStats": stats_verbs.list_container_stats,
    "PodSandboxStats": stats_verbs.pod_sandbox_stats,
    "ListPodSandboxStats": stats_verbs.list_pod_sandbox_stats,
}
_IMAGES: dict[str, Verb] = {
    "ListImages": image_verbs.list_images,
    "ImageStatus": image_verbs.image_status,
    "PullImage": image_verbs.pull_image,
    "RemoveImage": image_verbs.remove_image,
    "ImageFsInfo": image_verbs.image_fs_info,
}
_OPTIONS = (("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 32 << 20))


def build(daemon: Daemon) -> aio.Server:
    server = aio.server(options=_OPTIONS)
    runtime = {name: _unary(daemon, name, verb) for name, verb in _RUNTIME.items()}
    runtime["GetContainerEvents"] = grpc.unary_stream_rpc_method_handler(
        _events(daemon),
        request_deserializer=cri.GetEventsRequest.FromString,
        response_serializer=cri.ContainerEventResponse.SerializeToString,
    )
    images = {name: _unary(daemon, name, verb) for name, verb in _IMAGES.items()}
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("runtime.v1.RuntimeService", runtime),
            grpc.method_handlers_generic_handler("runtime.v1.ImageService", images),
        )
    )
    return server


def listen(server: aio.Server, path: Path) -> None:
    """Only root may connect. What is left of an earlier daemon's socket is replaced: the state lock says it is dead."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
        path.unlink()
    before = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix://{path}")
    finally:
        os.umask(before)
    path.chmod(0o600)


def _unary(daemon: Daemon, name: str, verb: Verb) -> grpc.RpcMethodHandler:
    async def answer(request: Any, context: aio.ServicerContext) -> Any:
        try:
            return await verb(daemon, request)
        except HANDLED as error:
            log.info("%s: %s", name, error)
            await context.abort(status_code(error), str(error))

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=getattr(cri, f"{name}Request").FromString,
        response_serializer=getattr(cri, f"{name}Response").SerializeToString,
    )


def _events(daemon: Daemon) -> Callable[[Any, aio.ServicerContext], AsyncIterator[Any]]:
    async def follow(request: Any, context: aio.ServicerContext) -> AsyncIterator[Any]:
        async for event in daemon.events.follow():
            yield event

    return follow
