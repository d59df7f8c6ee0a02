"""What the node says of itself: addresses, capacity, conditions, versions and images."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import socket
import uuid
from pathlib import Path
from typing import Any

from sampan_agent.settings import Settings

VERSION = "v1.36.2+sampan0.1.0"
_IMAGES = 50
_LOW_MEMORY = 100 * 1024 * 1024
_LOW_DISK = 0.05
_LOW_PIDS = 0.05


def machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def capacity(settings: Settings) -> dict[str, str]:
    disk = shutil.disk_usage(settings.data_dir).total
    memory = settings.memory or machine_memory()
    return {
        "cpu": str(settings.cpu or len(os.sched_getaffinity(0))),
        "ephemeral-storage": f"{disk // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{memory // 1024}Ki",
        "pods": str(settings.pods),
    }


def labels(settings: Settings) -> dict[str, str]:
    arch = architecture()
    return {
        "beta.kubernetes.io/arch": arch,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": arch,
        "kubernetes.io/hostname": settings.node_name,
        "kubernetes.io/os": "linux",
        **settings.labels,
    }


def architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def node_status(
    settings: Settings, runtime: Any | None, conditions: dict[str, tuple[bool, str]], images: list[Any]
) -> dict[str, Any]:
    """`runtime` is the CRI VersionResponse, None when the runtime does not answer."""
    amounts = capacity(settings)
    return {
        "addresses": [
            {"type": "InternalIP", "address": settings.node_ip},
            {"type": "Hostname", "address": settings.node_name},
        ],
        "capacity": amounts,
        "allocatable": dict(amounts),
        "conditions": [*_pressures(settings), _ready(runtime, conditions)],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "images": [_image(i) for i in sorted(images, key=lambda i: -i.size)[:_IMAGES]],
        "nodeInfo": _node_info(settings, runtime),
    }


def _image(image: Any) -> dict[str, Any]:
    return {"names": [*image.repo_digests, *image.repo_tags], "sizeBytes": int(image.size)}


def _node_info(settings: Settings, runtime: Any | None) -> dict[str, str]:
    uname = os.uname()
    version = f"{runtime.runtime_name}://{runtime.runtime_version}" if runtime else ""
    return {
        "machineID": _identifier(settings, "machine", _read("/etc/machine-id")),
        "systemUUID": _identifier(settings, "system", _read("/sys/class/dmi/id/product_uuid")),
        "bootID": _identifier(settings, "boot", _read("/proc/sys/kernel/random/boot_id")),
        "kernelVersion": uname.release,
        "osImage": _os_image(),
        "containerRuntimeVersion": version,
        "kubeletVersion": VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": architecture(),
    }


def _identifier(settings: Settings, kind: str, real: str) -> str:
    seed = settings.machine_seed
    if not seed and real:
        return real
    text = f"{kind}/{seed or socket.gethostname()}/{real}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return digest if kind == "machine" else str(uuid.UUID(digest))


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _os_image() -> str:
    for line in _read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def _ready(runtime: Any | None, conditions: dict[str, tuple[bool, str]]) -> dict[str, Any]:
    if runtime is None:
        return _condition("Ready", "False", "KubeletNotReady", "container runtime is down")
    for type_ in ("RuntimeReady", "NetworkReady"):
        status, message = conditions.get(type_, (False, ""))
        if not status:
            what = "container runtime" if type_ == "RuntimeReady" else "container runtime network"
            text = f"{what} not ready: {type_}=false message:{message}"
            return _condition("Ready", "False", "KubeletNotReady", text)
    return _condition("Ready", "True", "KubeletReady", "kubelet is posting ready status")


def _pressures(settings: Settings) -> list[dict[str, Any]]:
    low_memory = _available_memory() < _LOW_MEMORY
    disk = shutil.disk_usage(settings.data_dir)
    low_disk = disk.free < disk.total * _LOW_DISK
    low_pids = _free_pids() < _LOW_PIDS
    return [
        _pressure("MemoryPressure", low_memory, "Memory", "memory"),
        _pressure("DiskPressure", low_disk, "Disk", "disk"),
        _pressure("PIDPressure", low_pids, "PID", "PID"),
    ]


def _pressure(type_: str, pressed: bool, name: str, words: str) -> dict[str, Any]:
    if pressed:
        return _condition(type_, "True", f"KubeletHasInsufficient{name}", f"kubelet has insufficient {words} available")
    adjective, reason = ("sufficient", f"KubeletHasSufficient{name}")
    if name == "Disk":
        return _condition(type_, "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure")
    return _condition(type_, "False", reason, f"kubelet has {adjective} {words} available")


def _condition(type_: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def _available_memory() -> int:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return machine_memory()


def _free_pids() -> float:
    """Share of the process ids still free."""
    limit = int(_read("/proc/sys/kernel/pid_max") or 1)
    used = _read("/proc/loadavg").split()
    running = int(used[3].partition("/")[2]) if len(used) > 3 else 0
    return 1 - running / limit
