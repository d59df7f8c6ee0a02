"""The runtime behind CRI v1: the only door to it. gRPC errors become `CriError`s here, messages become values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc as cri_grpc

from sampan_agent.errors import CriError, CriNotFound, RuntimeDown
from sampan_agent.observed import Observed, ObservedContainer, ObservedSandbox, State
from sampan_agent.unary import reply_to

LABEL_POD_NAME = "io.kubernetes.pod.name"
LABEL_POD_NAMESPACE = "io.kubernetes.pod.namespace"
LABEL_POD_UID = "io.kubernetes.pod.uid"
LABEL_CONTAINER_NAME = "io.kubernetes.container.name"
ANNOTATION_HASH = "io.kubernetes.container.hash"
ANNOTATION_MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
ANNOTATION_RESOURCES = "sampan.dev/resources"
ANNOTATION_MESSAGE_FILE = "sampan.dev/termination-message-file"

_SHORT = 30.0
_START = 240.0
_PULL = 900.0
_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 2_000),  # also how long one attempt may take
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.enable_http_proxy", 0),
]
_STARTS = (cri.CONTAINER_CREATED_EVENT, cri.CONTAINER_STARTED_EVENT)
_STATES = {
    cri.CONTAINER_CREATED: State.CREATED,
    cri.CONTAINER_RUNNING: State.RUNNING,
    cri.CONTAINER_EXITED: State.EXITED,
}


class Cri:
    def __init__(self, endpoint: str) -> None:
        self._channel = grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
        self._runtime = cri_grpc.RuntimeServiceStub(self._channel)
        self._images = cri_grpc.ImageServiceStub(self._channel)
        self._finished: dict[str, ObservedContainer] = {}
        self._ips: dict[str, tuple[str, ...]] = {}

    async def close(self) -> None:
        await self._channel.close()

    async def version(self) -> Any:
        return await _call(self._runtime.Version, cri.VersionRequest(version="v1"))

    async def conditions(self) -> dict[str, tuple[bool, str]]:
        """RuntimeReady and NetworkReady: (status, message)."""
        reply = await _call(self._runtime.Status, cri.StatusRequest())
        return {c.type: (c.status, c.message or c.reason) for c in reply.status.conditions}

    async def set_pod_cidr(self, cidr: str) -> None:
        config = cri.RuntimeConfig(network_config=cri.NetworkConfig(pod_cidr=cidr))
        await _call(self._runtime.UpdateRuntimeConfig, cri.UpdateRuntimeConfigRequest(runtime_config=config))

    async def run_sandbox(self, config: Any) -> str:
        reply = await _call(self._runtime.RunPodSandbox, cri.RunPodSandboxRequest(config=config), _START)
        return str(reply.pod_sandbox_id)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        request = cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        await _gone_is_done(_call(self._runtime.StopPodSandbox, request, _START))

    async def remove_sandbox(self, sandbox_id: str) -> None:
        request = cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        await _gone_is_done(_call(self._runtime.RemovePodSandbox, request, _START))
        self._ips.pop(sandbox_id, None)

    async def create_container(self, sandbox_id: str, config: Any, sandbox_config: Any) -> str:
        request = cri.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox_config)
        reply = await _call(self._runtime.CreateContainer, request, _START)
        return str(reply.container_id)

    async def start_container(self, container_id: str) -> None:
        request = cri.StartContainerRequest(container_id=container_id)
        await _call(self._runtime.StartContainer, request, _START)

    async def stop_container(self, container_id: str, timeout: int) -> None:
        request = cri.StopContainerRequest(container_id=container_id, timeout=timeout)
        await _gone_is_done(_call(self._runtime.StopContainer, request, timeout + _START))

    async def remove_container(self, container_id: str) -> None:
        request = cri.RemoveContainerRequest(container_id=container_id)
        await _gone_is_done(_call(self._runtime.RemoveContainer, request, _START))
        self._finished.pop(container_id, None)

    async def update_resources(self, container_id: str, resources: Any, annotations: dict[str, str]) -> None:
        request = cri.UpdateContainerResourcesRequest(
            container_id=container_id, linux=resources, annotations=annotations
        )
        await _call(self._runtime.UpdateContainerResources, request)

    async def reopen_log(self, container_id: str) -> None:
        await _call(self._runtime.ReopenContainerLog, cri.ReopenContainerLogRequest(container_id=container_id))

    async def exec_sync(self, container_id: str, command: list[str], timeout: float) -> tuple[int, bytes]:
        """Exit code and output. Raises CriError with code DEADLINE_EXCEEDED when the command took too long."""
        request = cri.ExecSyncRequest(container_id=container_id, cmd=command, timeout=max(1, int(timeout)))
        reply = await _call(self._runtime.ExecSync, request, timeout + 5)
        return int(reply.exit_code), bytes(reply.stdout) + bytes(reply.stderr)

    async def exec_url(self, request: Any) -> str:
        return str((await _call(self._runtime.Exec, request)).url)

    async def attach_url(self, request: Any) -> str:
        return str((await _call(self._runtime.Attach, request)).url)

    async def port_forward_url(self, request: Any) -> str:
        return str((await _call(self._runtime.PortForward, request)).url)

    async def image(self, reference: str) -> Any | None:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=reference))
        reply = await _call(self._images.ImageStatus, request)
        return reply.image if reply.HasField("image") and reply.image.id else None

    async def images(self) -> list[Any]:
        return list((await _call(self._images.ListImages, cri.ListImagesRequest())).images)

    async def pull(self, reference: str, auth: Any | None, sandbox_config: Any) -> str:
        request = cri.PullImageRequest(
            image=cri.ImageSpec(image=reference, user_specified_image=reference),
            auth=auth,
            sandbox_config=sandbox_config,
        )
        try:
            return str((await _call(self._images.PullImage, request, _PULL)).image_ref)
        except RuntimeDown as e:
            # UNAVAILABLE also says that the registry is; if it is the runtime, the next call tells.
            raise CriError(e.message, e.code) from e

    async def events(self) -> AsyncIterator[str]:
        """Uids of pods in which something ended, until the stream does; starts are our own doing. Raises CriError."""
        try:
            async for event in self._runtime.GetContainerEvents(cri.GetEventsRequest(), wait_for_ready=True):
                if event.container_event_type not in _STARTS:
                    yield event.pod_sandbox_status.metadata.uid
        except grpc.aio.AioRpcError as e:
            raise _translated(e) from e

    async def pod_uids(self) -> set[str]:
        """Uids of all pods that have a sandbox."""
        reply = await _call(self._runtime.ListPodSandbox, cri.ListPodSandboxRequest())
        return {item.metadata.uid for item in reply.items}

    async def fingerprints(self) -> dict[str, frozenset[tuple[str, int]]]:
        """By pod uid: ids and states of its sandboxes and containers, for noticing what no event told."""
        sandboxes, containers = await asyncio.gather(
            _call(self._runtime.ListPodSandbox, cri.ListPodSandboxRequest()),
            _call(self._runtime.ListContainers, cri.ListContainersRequest()),
        )
        found: dict[str, set[tuple[str, int]]] = {}
        for item in (*sandboxes.items, *containers.containers):
            found.setdefault(item.labels.get(LABEL_POD_UID, ""), set()).add((item.id, item.state))
        return {uid: frozenset(entries) for uid, entries in found.items()}

    async def observe(self, uid: str) -> Observed:
        labels = {LABEL_POD_UID: uid}
        sandbox_list, container_list = await asyncio.gather(
            _call(
                self._runtime.ListPodSandbox,
                cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(label_selector=labels)),
            ),
            _call(
                self._runtime.ListContainers,
                cri.ListContainersRequest(filter=cri.ContainerFilter(label_selector=labels)),
            ),
        )
        items = sorted(sandbox_list.items, key=lambda s: (s.metadata.attempt, s.created_at), reverse=True)
        sandboxes = await asyncio.gather(*(self._sandbox(s, newest=i == 0) for i, s in enumerate(items)))
        containers = await asyncio.gather(*(self._container(c) for c in container_list.containers))
        found = [c for c in containers if c is not None]
        found.sort(key=lambda c: (c.attempt, c.created_at), reverse=True)
        return Observed(tuple(sandboxes), tuple(found))

    async def new_sandbox(self, sandbox_id: str) -> ObservedSandbox:
        """One sandbox just made, at the price of one call."""
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        status = (await _call(self._runtime.PodSandboxStatus, request)).status
        ips = self._ips[sandbox_id] = _ips(status.network)
        ready = status.state == cri.SANDBOX_READY
        return ObservedSandbox(sandbox_id, status.metadata.attempt, ready, status.created_at / 1e9, ips)

    async def new_container(self, container_id: str, sandbox_id: str) -> ObservedContainer:
        """One container just started, at the price of one call."""
        request = cri.ContainerStatusRequest(container_id=container_id)
        status = (await _call(self._runtime.ContainerStatus, request)).status
        return _container(cri.Container(id=container_id, pod_sandbox_id=sandbox_id), status)

    async def _sandbox(self, item: Any, *, newest: bool) -> ObservedSandbox:
        ips = self._ips.get(item.id, ())
        if newest and not ips:
            request = cri.PodSandboxStatusRequest(pod_sandbox_id=item.id)
            try:
                network = (await _call(self._runtime.PodSandboxStatus, request)).status.network
            except CriNotFound:
                network = cri.PodSandboxNetworkStatus()
            ips = _ips(network)
            if ips:
                self._ips[item.id] = ips
        ready = item.state == cri.SANDBOX_READY
        return ObservedSandbox(item.id, item.metadata.attempt, ready, item.created_at / 1e9, ips)

    async def _container(self, item: Any) -> ObservedContainer | None:
        if (known := self._finished.get(item.id)) is not None:
            return known
        try:
            request = cri.ContainerStatusRequest(container_id=item.id)
            status = (await _call(self._runtime.ContainerStatus, request)).status
        except CriNotFound:
            return None
        container = _container(item, status)
        if container.state is State.EXITED:
            self._finished[item.id] = container
        return container


def _ips(network: Any) -> tuple[str, ...]:
    return tuple(ip for ip in (network.ip, *(a.ip for a in network.additional_ips)) if ip)


def _container(item: Any, status: Any) -> ObservedContainer:
    return ObservedContainer(
        id=item.id,
        sandbox_id=item.pod_sandbox_id,
        name=status.metadata.name,
        attempt=status.metadata.attempt,
        state=_STATES.get(status.state, State.UNKNOWN),
        created_at=status.created_at / 1e9,
        started_at=status.started_at / 1e9,
        finished_at=status.finished_at / 1e9,
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        image=status.image.user_specified_image or status.image.image or item.image.image,
        image_id=status.image_ref or status.image_id,
        digest=status.annotations.get(ANNOTATION_HASH, ""),
        resources=status.annotations.get(ANNOTATION_RESOURCES, ""),
        log_path=status.log_path,
        message_path=status.annotations.get(ANNOTATION_MESSAGE_FILE, ""),
    )


async def _call(method: Any, request: Any, timeout: float = _SHORT) -> Any:
    try:
        return await reply_to(method(request, timeout=timeout))
    except grpc.aio.AioRpcError as e:
        raise _translated(e) from e
    except grpc.aio.UsageError as e:
        raise RuntimeDown(str(e), "UNAVAILABLE") from e


async def _gone_is_done(call: Any) -> None:
    try:
        await call
    except CriNotFound:
        pass


def _translated(error: Any) -> CriError:
    code, message = error.code(), error.details() or ""
    if code is grpc.StatusCode.NOT_FOUND:
        return CriNotFound(message, code.name)
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return RuntimeDown(message, code.name)
    return CriError(message, code.name)
