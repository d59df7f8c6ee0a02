"""From a pod's spec to the messages CRI wants: PodSandboxConfig and ContainerConfig."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cri_api.v1 import api_pb2 as cri

from sampan_agent import qos
from sampan_agent.cri import (
    ANNOTATION_HASH,
    ANNOTATION_MESSAGE_FILE,
    ANNOTATION_MESSAGE_PATH,
    ANNOTATION_RESOURCES,
    LABEL_CONTAINER_NAME,
    LABEL_POD_NAME,
    LABEL_POD_NAMESPACE,
    LABEL_POD_UID,
)
from sampan_agent.env import NodeFacts, expand
from sampan_agent.podspec import DEFAULT_GRACE_SECONDS, Container, Pod
from sampan_agent.security import container_security, sandbox_security

_PROTOCOLS = {"TCP": cri.TCP, "UDP": cri.UDP, "SCTP": cri.SCTP}


@dataclass(frozen=True, slots=True)
class Dns:
    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def log_directory(logs: Path, pod: Pod) -> Path:
    return logs / f"{pod.namespace}_{pod.name}_{pod.uid}"


def hostname(pod: Pod, node_name: str) -> str:
    if pod.host_network:
        return node_name
    return str(pod.spec.get("hostname") or pod.name)[:63].rstrip("-.")


def sandbox_config(
    pod: Pod,
    attempt: int,
    *,
    node_name: str,
    logs: Path,
    cgroup_parent: str,
    dns: Dns,
    seccomp_default: bool,
) -> Any:
    ports = [p for c in pod.containers for p in c.raw.get("ports") or []]
    sysctls = (pod.spec.get("securityContext") or {}).get("sysctls") or []
    return cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name=pod.name, uid=pod.uid, namespace=pod.namespace, attempt=attempt),
        hostname=hostname(pod, node_name),
        log_directory=str(log_directory(logs, pod)),
        dns_config=cri.DNSConfig(servers=dns.servers, searches=dns.searches, options=dns.options),
        port_mappings=[
            cri.PortMapping(
                protocol=_PROTOCOLS.get(p.get("protocol") or "TCP", cri.TCP),
                container_port=p.get("containerPort", 0),
                host_port=p.get("hostPort") or 0,
                host_ip=p.get("hostIP") or "",
            )
            for p in ports
        ],
        labels={**(pod.metadata.get("labels") or {}), **_identity(pod)},
        annotations=pod.metadata.get("annotations") or {},
        linux=cri.LinuxPodSandboxConfig(
            cgroup_parent=cgroup_parent,
            security_context=sandbox_security(pod, seccomp_default=seccomp_default),
            sysctls={s["name"]: str(s["value"]) for s in sysctls},
        ),
    )


def _identity(pod: Pod) -> dict[str, str]:
    return {LABEL_POD_NAME: pod.name, LABEL_POD_NAMESPACE: pod.namespace, LABEL_POD_UID: pod.uid}


@dataclass(frozen=True, slots=True)
class ContainerInputs:
    """What had to be fetched or made before a container's config can be written down."""

    attempt: int
    image: Any
    """CRI Image of the container's image."""
    env: dict[str, str]
    mounts: tuple[Any, ...]
    message_file: str
    node: NodeFacts
    seccomp_default: bool
    target_id: str = ""
    """The container whose process namespace it joins."""


def container_config(pod: Pod, container: Container, given: ContainerInputs) -> Any:
    """Raises ConfigError."""
    raw = container.raw
    signal = (raw.get("lifecycle") or {}).get("stopSignal") or "RUNTIME_DEFAULT"
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=container.name, attempt=given.attempt),
        image=cri.ImageSpec(image=given.image.id, user_specified_image=container.image),
        command=[expand(c, given.env) for c in raw.get("command") or []],
        args=[expand(a, given.env) for a in raw.get("args") or []],
        working_dir=raw.get("workingDir") or "",
        envs=[cri.KeyValue(key=k, value=v) for k, v in given.env.items()],
        mounts=given.mounts,
        labels={**_identity(pod), LABEL_CONTAINER_NAME: container.name},
        annotations=_annotations(pod, container, given),
        log_path=f"{container.name}/{given.attempt}.log",
        stdin=bool(raw.get("stdin")),
        stdin_once=bool(raw.get("stdinOnce")),
        tty=bool(raw.get("tty")),
        stop_signal=cri.Signal.Value(signal),
        linux=cri.LinuxContainerConfig(
            resources=container_resources(pod, container, given.node),
            security_context=container_security(
                pod, container, given.image, seccomp_default=given.seccomp_default, target_id=given.target_id
            ),
        ),
    )


def _annotations(pod: Pod, container: Container, given: ContainerInputs) -> dict[str, str]:
    grace = pod.spec.get("terminationGracePeriodSeconds")
    annotations = {
        ANNOTATION_HASH: container.digest,
        ANNOTATION_RESOURCES: container.size,
        ANNOTATION_MESSAGE_PATH: container.raw.get("terminationMessagePath") or "/dev/termination-log",
        ANNOTATION_MESSAGE_FILE: given.message_file,
        "io.kubernetes.container.restartCount": str(given.attempt),
        "io.kubernetes.container.terminationMessagePolicy": (container.raw.get("terminationMessagePolicy") or "File"),
        "io.kubernetes.pod.terminationGracePeriod": str(DEFAULT_GRACE_SECONDS if grace is None else grace),
    }
    if ports := container.raw.get("ports"):
        annotations["io.kubernetes.container.ports"] = json.dumps(ports)
    return annotations


def container_resources(pod: Pod, container: Container, node: NodeFacts) -> Any:
    limit = qos.limit(container.raw, "memory")
    return cri.LinuxContainerResources(
        cpu_shares=qos.shares(qos.request(container.raw, "cpu")),
        cpu_period=qos.CPU_PERIOD,
        cpu_quota=qos.quota(qos.limit(container.raw, "cpu"), node.cpu_milli),
        memory_limit_in_bytes=limit,
        oom_score_adj=qos.oom_score_adj(pod.spec, container.raw, node.memory),
    )
