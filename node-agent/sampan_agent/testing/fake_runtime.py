"""A CRI v1 runtime without containers: it keeps the books of a runtime, and a test decides when a process ends.

`FakeRuntime` is the gRPC server at the agent's real seam. Sandboxes and containers survive the agent, as they should.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc as cri_grpc


class FakeRuntime(cri_grpc.RuntimeServiceServicer, cri_grpc.ImageServiceServicer):  # type: ignore[misc]  # untyped base
    """Images in `images` are there; those in `registry` can be pulled. `ignores_term`: names of containers that only
    SIGKILL ends. `commands`: exit codes of ExecSync by first word (default 0). `stream_url`: where Exec sends.
    `update_refusal`: why UpdateContainerResources fails."""

    def __init__(self, socket: Path) -> None:
        self.endpoint = f"unix://{socket}"
        self.images = {"busybox:1.35", "docker.io/library/busybox:1.35"}
        self.registry: set[str] = set()
        self.ignores_term: set[str] = set()
        self.commands: dict[str, int] = {}
        self.sandboxes: dict[str, Any] = {}
        self.containers: dict[str, Any] = {}
        self.configs: dict[str, Any] = {}
        self.calls: list[str] = []
        self.stops: list[tuple[str, int]] = []
        self.pod_cidr = ""
        self.stream_url = ""
        self.update_refusal = ""
        self._ids = itertools.count(1)
        self._addresses = itertools.count(2)
        self._listeners: set[asyncio.Queue[Any]] = set()
        self._ended: dict[str, asyncio.Event] = {}
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        cri_grpc.add_RuntimeServiceServicer_to_server(self, self._server)
        cri_grpc.add_ImageServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.endpoint)
        await self._server.start()

    async def stop(self) -> None:
        if self._server:
            await self._server.stop(None)
            self._server = None

    def running(self, name: str) -> Any | None:
        """The running container of that name."""
        found = (c for c in self.containers.values() if c.metadata.name == name)
        return next((c for c in found if c.state == cri.CONTAINER_RUNNING), None)

    def exit(self, name: str, code: int = 0, reason: str = "") -> None:
        """The process of the running container of that name ends."""
        container = self.running(name)
        assert container is not None, f"{name} is not running"
        self._end(container, code, reason)

    def _end(self, container: Any, code: int, reason: str = "") -> None:
        container.state = cri.CONTAINER_EXITED
        container.exit_code = code
        container.finished_at = time.time_ns()
        container.reason = reason or ("Completed" if code == 0 else "Error")
        self._ended[container.id].set()
        self._tell(container, cri.CONTAINER_STOPPED_EVENT)

    def kill_sandbox(self, uid: str) -> None:
        """The pod's sandbox dies, and everything in it."""
        for sandbox in self.sandboxes.values():
            if sandbox.metadata.uid == uid:
                sandbox.state = cri.SANDBOX_NOTREADY
        for container in self.containers.values():
            if container.labels["io.kubernetes.pod.uid"] == uid and container.state == cri.CONTAINER_RUNNING:
                self._end(container, 255, "Unknown")

    def _tell(self, container: Any, kind: Any) -> None:
        sandbox = self.sandboxes.get(self.configs[container.id]["sandbox"])
        event = cri.ContainerEventResponse(
            container_id=container.id,
            container_event_type=kind,
            created_at=time.time_ns(),
            pod_sandbox_status=sandbox,
            containers_statuses=[container],
        )
        for queue in self._listeners:
            queue.put_nowait(event)

    async def Version(self, request: Any, context: Any) -> Any:
        return cri.VersionResponse(
            version="0.1.0", runtime_name="fake", runtime_version="1.0", runtime_api_version="v1"
        )

    async def Status(self, request: Any, context: Any) -> Any:
        network = cri.RuntimeCondition(type="NetworkReady", status=bool(self.pod_cidr), reason="NoPodCidr")
        ready = cri.RuntimeCondition(type="RuntimeReady", status=True)
        return cri.StatusResponse(status=cri.RuntimeStatus(conditions=[ready, network]))

    async def UpdateRuntimeConfig(self, request: Any, context: Any) -> Any:
        self.pod_cidr = request.runtime_config.network_config.pod_cidr
        return cri.UpdateRuntimeConfigResponse()

    async def RunPodSandbox(self, request: Any, context: Any) -> Any:
        self.calls.append(f"RunPodSandbox {request.config.metadata.name}")
        sandbox_id = f"sandbox{next(self._ids)}"
        self.sandboxes[sandbox_id] = cri.PodSandboxStatus(
            id=sandbox_id,
            metadata=request.config.metadata,
            state=cri.SANDBOX_READY,
            created_at=time.time_ns(),
            network=cri.PodSandboxNetworkStatus(ip=f"10.244.0.{next(self._addresses)}"),
            labels=request.config.labels,
            annotations=request.config.annotations,
        )
        self.configs[sandbox_id] = {"config": request.config}
        return cri.RunPodSandboxResponse(pod_sandbox_id=sandbox_id)

    async def StopPodSandbox(self, request: Any, context: Any) -> Any:
        sandbox = self.sandboxes.get(request.pod_sandbox_id)
        if sandbox is not None:
            sandbox.state = cri.SANDBOX_NOTREADY
            for container in self.containers.values():
                inside = self.configs[container.id]["sandbox"] == request.pod_sandbox_id
                if inside and container.state == cri.CONTAINER_RUNNING:
                    self._end(container, 137)
        return cri.StopPodSandboxResponse()

    async def RemovePodSandbox(self, request: Any, context: Any) -> Any:
        self.sandboxes.pop(request.pod_sandbox_id, None)
        return cri.RemovePodSandboxResponse()

    async def PodSandboxStatus(self, request: Any, context: Any) -> Any:
        sandbox = self.sandboxes.get(request.pod_sandbox_id)
        if sandbox is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such sandbox")
        return cri.PodSandboxStatusResponse(status=sandbox)

    async def ListPodSandbox(self, request: Any, context: Any) -> Any:
        wanted = dict(request.filter.label_selector)
        items = [
            cri.PodSandbox(id=s.id, metadata=s.metadata, state=s.state, created_at=s.created_at, labels=s.labels)
            for s in self.sandboxes.values()
            if wanted.items() <= dict(s.labels).items()
        ]
        return cri.ListPodSandboxResponse(items=items)

    async def CreateContainer(self, request: Any, context: Any) -> Any:
        container_id = f"container{next(self._ids)}"
        config = request.config
        self.calls.append(f"CreateContainer {config.metadata.name}")
        log_path = f"{request.sandbox_config.log_directory}/{config.log_path}"
        self.containers[container_id] = cri.ContainerStatus(
            id=container_id,
            metadata=config.metadata,
            state=cri.CONTAINER_CREATED,
            created_at=time.time_ns(),
            image=config.image,
            image_ref=f"sha256:{config.image.user_specified_image}",
            labels=config.labels,
            annotations=config.annotations,
            mounts=config.mounts,
            log_path=log_path,
        )
        self.configs[container_id] = {"config": config, "sandbox": request.pod_sandbox_id}
        self._ended[container_id] = asyncio.Event()
        return cri.CreateContainerResponse(container_id=container_id)

    async def StartContainer(self, request: Any, context: Any) -> Any:
        container = self.containers[request.container_id]
        self.calls.append(f"StartContainer {container.metadata.name}")
        container.state = cri.CONTAINER_RUNNING
        container.started_at = time.time_ns()
        _touch(container.log_path)
        self._tell(container, cri.CONTAINER_STARTED_EVENT)
        return cri.StartContainerResponse()

    async def StopContainer(self, request: Any, context: Any) -> Any:
        container = self.containers.get(request.container_id)
        if container is None or container.state != cri.CONTAINER_RUNNING:
            return cri.StopContainerResponse()
        name = container.metadata.name
        self.calls.append(f"StopContainer {name}")
        self.stops.append((name, request.timeout))
        if name not in self.ignores_term:
            self._end(container, 143)
            return cri.StopContainerResponse()
        try:
            async with asyncio.timeout(request.timeout or 0.001):
                await self._ended[container.id].wait()
        except TimeoutError:
            self._end(container, 137)
        return cri.StopContainerResponse()

    async def RemoveContainer(self, request: Any, context: Any) -> Any:
        self.containers.pop(request.container_id, None)
        return cri.RemoveContainerResponse()

    async def ListContainers(self, request: Any, context: Any) -> Any:
        wanted = dict(request.filter.label_selector)
        containers = [
            cri.Container(
                id=c.id,
                pod_sandbox_id=self.configs[c.id]["sandbox"],
                metadata=c.metadata,
                image=c.image,
                image_ref=c.image_ref,
                state=c.state,
                created_at=c.created_at,
                labels=c.labels,
                annotations=c.annotations,
            )
            for c in self.containers.values()
            if wanted.items() <= dict(c.labels).items()
        ]
        return cri.ListContainersResponse(containers=containers)

    async def ContainerStatus(self, request: Any, context: Any) -> Any:
        container = self.containers.get(request.container_id)
        if container is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such container")
        return cri.ContainerStatusResponse(status=container)

    async def UpdateContainerResources(self, request: Any, context: Any) -> Any:
        container = self.containers[request.container_id]
        if self.update_refusal:
            await context.abort(grpc.StatusCode.INTERNAL, self.update_refusal)
        self.calls.append(f"UpdateContainerResources {container.metadata.name}")
        container.resources.linux.MergeFrom(request.linux)
        container.annotations.update(request.annotations)
        return cri.UpdateContainerResourcesResponse()

    async def ReopenContainerLog(self, request: Any, context: Any) -> Any:
        _touch(self.containers[request.container_id].log_path)
        return cri.ReopenContainerLogResponse()

    async def ExecSync(self, request: Any, context: Any) -> Any:
        self.calls.append(f"ExecSync {' '.join(request.cmd)}")
        return cri.ExecSyncResponse(exit_code=self.commands.get(request.cmd[0], 0), stdout=b"out\n")

    async def Exec(self, request: Any, context: Any) -> Any:
        self.calls.append(f"Exec {' '.join(request.cmd)}")
        return cri.ExecResponse(url=self.stream_url)

    async def GetContainerEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def ImageStatus(self, request: Any, context: Any) -> Any:
        name = request.image.image
        if name not in self.images:
            return cri.ImageStatusResponse()
        image = cri.Image(id=f"sha256:{name}", repo_tags=[name], size=1000, uid=cri.Int64Value(value=0))
        return cri.ImageStatusResponse(image=image)

    async def ListImages(self, request: Any, context: Any) -> Any:
        images = [cri.Image(id=f"sha256:{n}", repo_tags=[n], size=1000) for n in sorted(self.images)]
        return cri.ListImagesResponse(images=images)

    async def PullImage(self, request: Any, context: Any) -> Any:
        name = request.image.image
        self.calls.append(f"PullImage {name}")
        if name not in self.registry:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"{name}: not found")
        self.images.add(name)
        return cri.PullImageResponse(image_ref=f"sha256:{name}")


def _touch(path: str) -> None:
    Path(path).touch()
