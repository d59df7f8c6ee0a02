"""ContainerStats, ListContainerStats, PodSandboxStats, ListPodSandboxStats: what the cgroups have counted."""

from __future__ import annotations

import asyncio
import time

from cri_api.v1 import api_pb2 as cri

from sampan_runtime.cri.counters import Usage, network, usage
from sampan_runtime.cri.daemon import Daemon
from sampan_runtime.cri.records import Container, ContainerState, Sandbox, SandboxState
from sampan_runtime.images.store import disk_usage


async def container_stats(daemon: Daemon, request: cri.ContainerStatsRequest) -> cri.ContainerStatsResponse:
    container = daemon.records.container(request.container_id)
    return cri.ContainerStatsResponse(stats=await asyncio.to_thread(_container, daemon, container))


async def list_container_stats(
    daemon: Daemon, request: cri.ListContainerStatsRequest
) -> cri.ListContainerStatsResponse:
    wanted = request.filter
    found = [
        container
        for container in daemon.records.containers.values()
        if container.state == ContainerState.RUNNING
        and container.id.startswith(wanted.id)
        and container.sandbox_id.startswith(wanted.pod_sandbox_id)
        and all(container.config.labels.get(key) == value for key, value in wanted.label_selector.items())
    ]
    stats = await asyncio.to_thread(lambda: [_container(daemon, container) for container in found])
    return cri.ListContainerStatsResponse(stats=stats)


async def pod_sandbox_stats(daemon: Daemon, request: cri.PodSandboxStatsRequest) -> cri.PodSandboxStatsResponse:
    sandbox = daemon.records.sandbox(request.pod_sandbox_id)
    return cri.PodSandboxStatsResponse(stats=await asyncio.to_thread(_sandbox, daemon, sandbox))


async def list_pod_sandbox_stats(
    daemon: Daemon, request: cri.ListPodSandboxStatsRequest
) -> cri.ListPodSandboxStatsResponse:
    wanted = request.filter
    found = [
        sandbox
        for sandbox in daemon.records.sandboxes.values()
        if sandbox.state == SandboxState.READY
        and sandbox.id.startswith(wanted.id)
        and all(sandbox.config.labels.get(key) == value for key, value in wanted.label_selector.items())
    ]
    stats = await asyncio.to_thread(lambda: [_sandbox(daemon, sandbox) for sandbox in found])
    return cri.ListPodSandboxStatsResponse(stats=stats)


def _container(daemon: Daemon, container: Container) -> cri.ContainerStats:
    stats = cri.ContainerStats(
        attributes=cri.ContainerAttributes(
            id=container.id,
            metadata=container.config.metadata,
            labels=container.config.labels,
            annotations=container.config.annotations,
        ),
        writable_layer=_writable(daemon, container),
    )
    if container.state == ContainerState.RUNNING:
        used = usage(daemon.hierarchies, container.cgroup)
        stats.cpu.CopyFrom(_cpu(used))
        stats.memory.CopyFrom(_memory(used))
    return stats


def _sandbox(daemon: Daemon, sandbox: Sandbox) -> cri.PodSandboxStats:
    used = usage(daemon.hierarchies, sandbox.cgroup)
    running = [c for c in daemon.records.containers_of(sandbox.id) if c.state == ContainerState.RUNNING]
    now = time.time_ns()
    linux = cri.LinuxPodSandboxStats(
        cpu=_cpu(used),
        memory=_memory(used),
        process=cri.ProcessUsage(timestamp=now, process_count=_number(used.processes)),
        containers=[_container(daemon, container) for container in running],
    )
    if sandbox.shim is not None and not sandbox.host_network:
        received, sent, receive_errors, send_errors = network(sandbox.shim.pid)
        interface = cri.NetworkInterfaceUsage(
            name="eth0",
            rx_bytes=_number(received),
            tx_bytes=_number(sent),
            rx_errors=_number(receive_errors),
            tx_errors=_number(send_errors),
        )
        linux.network.CopyFrom(cri.NetworkUsage(timestamp=now, default_interface=interface))
    return cri.PodSandboxStats(
        attributes=cri.PodSandboxAttributes(
            id=sandbox.id,
            metadata=sandbox.config.metadata,
            labels=sandbox.config.labels,
            annotations=sandbox.config.annotations,
        ),
        linux=linux,
    )


def _cpu(used: Usage) -> cri.CpuUsage:
    return cri.CpuUsage(timestamp=time.time_ns(), usage_core_nano_seconds=_number(used.cpu_nanoseconds))


def _memory(used: Usage) -> cri.MemoryUsage:
    memory = cri.MemoryUsage(
        timestamp=time.time_ns(),
        working_set_bytes=_number(used.working_set),
        usage_bytes=_number(used.memory),
        rss_bytes=_number(used.rss),
        page_faults=_number(used.page_faults),
        major_page_faults=_number(used.major_page_faults),
    )
    if used.memory_limit:
        memory.available_bytes.value = max(0, used.memory_limit - used.working_set)
    return memory


def _writable(daemon: Daemon, container: Container) -> cri.FilesystemUsage:
    folder = daemon.records.container_dir(container.id) / "upper"
    used, inodes = disk_usage(folder)
    return cri.FilesystemUsage(
        timestamp=time.time_ns(),
        fs_id=cri.FilesystemIdentifier(mountpoint=str(daemon.settings.state_dir)),
        used_bytes=_number(used),
        inodes_used=_number(inodes),
    )


def _number(value: int) -> cri.UInt64Value:
    return cri.UInt64Value(value=value)
