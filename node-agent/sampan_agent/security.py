"""Policy: what a pod's security contexts mean to the runtime. The agent decides, the runtime obeys (NODE.md).

Unset seccomp means RuntimeDefault when the node's setting says so; no_new_privs only for allowPrivilegeEscalation
false; the base capabilities are the runtime's default set, which CRI's add and drop start from.
"""

from __future__ import annotations

from typing import Any

from cri_api.v1 import api_pb2 as cri

from sampan_agent.errors import ConfigError
from sampan_agent.podspec import Container, Pod

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def effective(pod: Pod, container: Container) -> dict[str, Any]:
    """The container's security context, filled from the pod's where it says nothing."""
    inherited = ("runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "seLinuxOptions", "appArmorProfile")
    context = dict(container.raw.get("securityContext") or {})
    for field in inherited:
        value = (pod.spec.get("securityContext") or {}).get(field)
        if context.get(field) is None and value is not None:
            context[field] = value
    return context


def namespaces(pod: Pod, target_id: str = "") -> Any:
    """The CRI NamespaceOption shared by the sandbox and its containers. A container that would have its own process
    namespace joins that of `target_id` instead."""
    spec = pod.spec
    pid = cri.POD if spec.get("shareProcessNamespace") else cri.CONTAINER
    if spec.get("hostPID"):
        pid = cri.NODE
    joins = bool(target_id) and pid == cri.CONTAINER
    return cri.NamespaceOption(
        network=cri.NODE if pod.host_network else cri.POD,
        pid=cri.TARGET if joins else pid,
        ipc=cri.NODE if spec.get("hostIPC") else cri.POD,
        target_id=target_id if joins else "",
    )


def sandbox_security(pod: Pod, *, seccomp_default: bool) -> Any:
    context = pod.spec.get("securityContext") or {}
    result = cri.LinuxSandboxSecurityContext(
        namespace_options=namespaces(pod),
        privileged=any((c.raw.get("securityContext") or {}).get("privileged") for c in pod.containers),
        seccomp=_seccomp({}, privileged=False, default=seccomp_default),
        supplemental_groups=_groups(context),
    )
    if (user := context.get("runAsUser")) is not None:
        result.run_as_user.value = user
    if (group := context.get("runAsGroup")) is not None:
        result.run_as_group.value = group
    return result


def container_security(
    pod: Pod, container: Container, image: Any | None, *, seccomp_default: bool, target_id: str = ""
) -> Any:
    """Raises ConfigError when runAsNonRoot cannot be held."""
    context = effective(pod, container)
    privileged = bool(context.get("privileged"))
    _verify_non_root(pod, container, context, image)
    capabilities = context.get("capabilities") or {}
    result = cri.LinuxContainerSecurityContext(
        privileged=privileged,
        namespace_options=namespaces(pod, target_id),
        capabilities=cri.Capability(
            add_capabilities=[_capability(c) for c in capabilities.get("add") or []],
            drop_capabilities=[_capability(c) for c in capabilities.get("drop") or []],
        ),
        readonly_rootfs=bool(context.get("readOnlyRootFilesystem")),
        no_new_privs=context.get("allowPrivilegeEscalation") is False,
        supplemental_groups=_groups(pod.spec.get("securityContext") or {}),
        seccomp=_seccomp(context, privileged=privileged, default=seccomp_default),
    )
    if not privileged and context.get("procMount") != "Unmasked":
        result.masked_paths.extend(MASKED_PATHS)
        result.readonly_paths.extend(READ_ONLY_PATHS)
    _set_user(result, context, image)
    return result


def _set_user(result: Any, context: dict[str, Any], image: Any | None) -> None:
    if (user := context.get("runAsUser")) is not None:
        result.run_as_user.value = user
    elif image is not None and image.HasField("uid"):
        result.run_as_user.value = image.uid.value
    elif image is not None and image.username:
        result.run_as_username = image.username
    if (group := context.get("runAsGroup")) is not None:
        result.run_as_group.value = group
        if not result.HasField("run_as_user") and not result.run_as_username:
            result.run_as_user.value = 0


def _verify_non_root(pod: Pod, container: Container, context: dict[str, Any], image: Any | None) -> None:
    if not context.get("runAsNonRoot"):
        return
    where = f'(pod: "{pod.full_name}", container: {container.name})'
    if (user := context.get("runAsUser")) is not None:
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    if image is not None and image.username:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {where}"
        )
    if image is None or not image.HasField("uid") or image.uid.value == 0:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")


def _groups(pod_context: dict[str, Any]) -> list[int]:
    groups = list(pod_context.get("supplementalGroups") or [])
    if (fs_group := pod_context.get("fsGroup")) is not None and fs_group not in groups:
        groups.append(fs_group)
    return groups


def _capability(name: str) -> str:
    return name.upper().removeprefix("CAP_")


def _seccomp(context: dict[str, Any], *, privileged: bool, default: bool) -> Any:
    profile = context.get("seccompProfile") or {}
    kinds = cri.SecurityProfile
    match profile.get("type"):
        case "RuntimeDefault":
            return cri.SecurityProfile(profile_type=kinds.RuntimeDefault)
        case "Unconfined":
            return cri.SecurityProfile(profile_type=kinds.Unconfined)
        case "Localhost":
            path = f"/var/lib/kubelet/seccomp/{profile.get('localhostProfile', '')}"
            return cri.SecurityProfile(profile_type=kinds.Localhost, localhost_ref=path)
    chosen = kinds.Unconfined if privileged or not default else kinds.RuntimeDefault
    return cri.SecurityProfile(profile_type=chosen)
