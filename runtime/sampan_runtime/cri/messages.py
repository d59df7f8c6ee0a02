"""Records → CRI messages, and the filters of the list calls."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cri_api.v1 import api_pb2 as cri

from sampan_runtime.cri.records import Container, ContainerState, Records, Sandbox, SandboxState
from sampan_runtime.images.store import StoredImage

_CONTAINER_STATES = {
    ContainerState.CREATING: cri.CONTAINER_UNKNOWN,
    ContainerState.CREATED: cri.CONTAINER_CREATED,
    ContainerState.RUNNING: cri.CONTAINER_RUNNING,
    ContainerState.EXITED: cri.CONTAINER_EXITED,
}


def sandbox_state(sandbox: Sandbox) -> cri.PodSandboxState.ValueType:
    ready = sandbox.state == SandboxState.READY and not sandbox.stopping
    return cri.SANDBOX_READY if ready else cri.SANDBOX_NOTREADY


def sandbox_item(sandbox: Sandbox) -> cri.PodSandbox:
    return cri.PodSandbox(
        id=sandbox.id,
        metadata=sandbox.config.metadata,
        state=sandbox_state(sandbox),
        created_at=sandbox.created_at,
        labels=sandbox.config.labels,
        annotations=sandbox.config.annotations,
        runtime_handler=sandbox.runtime_handler,
    )


def sandbox_status(sandbox: Sandbox) -> cri.PodSandboxStatus:
    options = sandbox.config.linux.security_context.namespace_options
    return cri.PodSandboxStatus(
        id=sandbox.id,
        metadata=sandbox.config.metadata,
        state=sandbox_state(sandbox),
        created_at=sandbox.created_at,
        network=cri.PodSandboxNetworkStatus(ip=sandbox.address),
        linux=cri.LinuxPodSandboxStatus(namespaces=cri.Namespace(options=options)),
        labels=sandbox.config.labels,
        annotations=sandbox.config.annotations,
        runtime_handler=sandbox.runtime_handler,
    )


def container_item(container: Container) -> cri.Container:
    return cri.Container(
        id=container.id,
        pod_sandbox_id=container.sandbox_id,
        metadata=container.config.metadata,
        image=cri.ImageSpec(image=container.image_name, annotations=container.config.image.annotations),
        image_ref=container.image_ref,
        image_id=container.image_id,
        state=_CONTAINER_STATES[container.state],
        created_at=container.created_at,
        labels=container.config.labels,
        annotations=container.config.annotations,
    )


def container_status(container: Container) -> cri.ContainerStatus:
    uid, gid, groups = container.user
    return cri.ContainerStatus(
        id=container.id,
        metadata=container.config.metadata,
        state=_CONTAINER_STATES[container.state],
        created_at=container.created_at,
        started_at=container.started_at,
        finished_at=container.finished_at,
        exit_code=container.exit_code,
        image=cri.ImageSpec(image=container.image_name, annotations=container.config.image.annotations),
        image_ref=container.image_ref,
        image_id=container.image_id,
        reason=container.reason,
        message=container.message,
        labels=container.config.labels,
        annotations=container.config.annotations,
        mounts=container.config.mounts,
        log_path=container.log_path,
        resources=cri.ContainerResources(linux=container.config.linux.resources),
        user=cri.ContainerUser(
            linux=cri.LinuxContainerUser(uid=uid, gid=gid, supplemental_groups=sorted({gid, *groups}))
        ),
    )


def image_item(image: StoredImage) -> cri.Image:
    user = image.config.user.partition(":")[0]
    numeric = user.isdecimal()
    return cri.Image(
        id=image.id,
        repo_tags=image.tags,
        repo_digests=image.digests,
        size=image.size,
        uid=cri.Int64Value(value=int(user)) if numeric else None,
        username="" if numeric else user,
        spec=cri.ImageSpec(image=image.id),
        pinned=image.built_in,
    )


def event(records: Records, container: Container, kind: cri.ContainerEventType.ValueType) -> cri.ContainerEventResponse:
    sandbox = records.sandboxes.get(container.sandbox_id)
    return cri.ContainerEventResponse(
        container_id=container.id,
        container_event_type=kind,
        created_at=time.time_ns(),
        pod_sandbox_status=sandbox_status(sandbox) if sandbox else None,
        containers_statuses=[container_status(each) for each in records.containers_of(container.sandbox_id)],
    )


def sandbox_event(
    records: Records, sandbox: Sandbox, kind: cri.ContainerEventType.ValueType
) -> cri.ContainerEventResponse:
    """Pod sandboxes appear in the stream of events under their own id, as if they were containers."""
    return cri.ContainerEventResponse(
        container_id=sandbox.id,
        container_event_type=kind,
        created_at=time.time_ns(),
        pod_sandbox_status=sandbox_status(sandbox),
        containers_statuses=[container_status(each) for each in records.containers_of(sandbox.id)],
    )


def _selected(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())


def list_sandboxes(records: Records, wanted: cri.PodSandboxFilter) -> list[Sandbox]:
    return [
        sandbox
        for sandbox in records.sandboxes.values()
        if sandbox.state != SandboxState.CREATING
        and sandbox.id.startswith(wanted.id)
        and (not wanted.HasField("state") or sandbox_state(sandbox) == wanted.state.state)
        and _selected(sandbox.config.labels, wanted.label_selector)
    ]


def list_containers(records: Records, wanted: cri.ContainerFilter) -> list[Container]:
    return [
        container
        for container in records.containers.values()
        if container.state != ContainerState.CREATING
        and container.id.startswith(wanted.id)
        and container.sandbox_id.startswith(wanted.pod_sandbox_id)
        and (not wanted.HasField("state") or _CONTAINER_STATES[container.state] == wanted.state.state)
        and _selected(container.config.labels, wanted.label_selector)
    ]
