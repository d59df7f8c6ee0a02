"""The mounts of one container: its volumes, the pod's hosts file and its termination message."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cri_api.v1 import api_pb2 as cri

from sampan_agent.atomic import write_file
from sampan_agent.env import expand
from sampan_agent.errors import ConfigError, VolumeError
from sampan_agent.payload import KINDS
from sampan_agent.podspec import Container, Pod
from sampan_agent.volumes import pin_sub_path

_PROPAGATION = {
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}


def container_mounts(
    pod: Pod, container: Container, volumes: Mapping[str, str], env: Mapping[str, str], directory: Path
) -> list[Any]:
    """`volumes` as `volumes.prepare` gave it. Raises ConfigError."""
    payload = {v["name"] for v in pod.spec.get("volumes") or [] if any(v.get(k) is not None for k in KINDS)}
    mounts = []
    for index, wanted in enumerate(container.raw.get("volumeMounts") or []):
        name = wanted["name"]
        if name not in volumes:
            raise ConfigError(f"cannot find volume {name!r} to mount into container {container.name!r}")
        read_only = bool(wanted.get("readOnly")) or name in payload
        sub_path = wanted.get("subPath") or expand(wanted.get("subPathExpr") or "", env)
        host_path = volumes[name]
        if sub_path:
            pinned = directory / "subpaths" / container.name / str(index)
            try:
                host_path = pin_sub_path(host_path, sub_path, pinned, read_only=read_only)
            except (OSError, VolumeError) as e:
                raise ConfigError(
                    f'failed to prepare subPath for volumeMount "{name}" of container "{container.name}": {e}'
                ) from e
        mounts.append(
            cri.Mount(
                container_path=os.path.join("/", wanted["mountPath"]),
                host_path=host_path,
                readonly=read_only,
                propagation=_PROPAGATION.get(wanted.get("mountPropagation") or "", cri.PROPAGATION_PRIVATE),
                recursive_read_only=read_only and wanted.get("recursiveReadOnly") == "Enabled",
            )
        )
    return mounts


def hosts_mount(container: Container, hosts: Path) -> list[Any]:
    """Nothing when the container mounts a file of its own there."""
    if any(m["mountPath"] == "/etc/hosts" for m in container.raw.get("volumeMounts") or []):
        return []
    return [cri.Mount(container_path="/etc/hosts", host_path=str(hosts))]


def write_hosts(pod: Pod, hosts: Path, hostname: str, ips: tuple[str, ...]) -> None:
    if pod.host_network:
        with open("/etc/hosts", encoding="utf-8", errors="replace") as own:
            text = own.read()
    else:
        text = _managed_hosts(pod, hostname, ips)
    aliases = pod.spec.get("hostAliases") or []
    if aliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join(f"{a['ip']}\t{chr(9).join(a.get('hostnames') or [])}\n" for a in aliases)
    hosts.parent.mkdir(parents=True, exist_ok=True)
    write_file(hosts, text.encode(), 0o644)
    os.chmod(hosts, 0o644)


def _managed_hosts(pod: Pod, hostname: str, ips: tuple[str, ...]) -> str:
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
        *(f"{ip}\t{hostname}" for ip in ips),
    ]
    return "\n".join(lines) + "\n"


def message_mount(container: Container, file: Path) -> Any:
    """The file behind the container's termination message path, made empty."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")
    os.chmod(file, 0o666)
    path = container.raw.get("terminationMessagePath") or "/dev/termination-log"
    return cri.Mount(container_path=path, host_path=str(file))
