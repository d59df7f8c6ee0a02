"""Containers of a pod spec: image, ports, environment, mounts, probes, resources, security context."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_master.apiserver.validation.environment import validate_env, validate_env_from
from sampan_master.apiserver.validation.fields import (
    Errors,
    duplicate,
    forbidden,
    invalid,
    not_found,
    one_of,
    required,
    unsupported,
)
from sampan_master.apiserver.validation.names import complain, dns_label, port_name
from sampan_master.apiserver.validation.numbers import port_number, user_id
from sampan_master.apiserver.validation.probes import PROBES, validate_lifecycle, validate_probe
from sampan_master.apiserver.validation.resources import validate_requirements

Container = dict[str, Any]
PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_SECCOMP_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")


def validate_containers(spec: dict[str, Any], path: str, volumes: set[str]) -> Errors:
    """Regular, then init containers, in the order in which the real server reports them."""
    containers = spec.get("containers") or []
    if not containers:
        yield required(f"{path}.containers")
    seen: set[str] = set()
    for index, container in enumerate(containers):
        at = f"{path}.containers[{index}]"
        yield from named_once(container, at, seen)
        yield from validate_container(container, at, volumes, bool(spec.get("hostNetwork")))
        yield from _probes(container, at)
        yield from one_of(container.get("restartPolicy"), _RESTART_POLICIES, f"{at}.restartPolicy")
    yield from _host_port_conflicts(containers, f"{path}.containers")
    for index, container in enumerate(spec.get("initContainers") or []):
        yield from _init_container(container, f"{path}.initContainers[{index}]", spec, volumes, seen)


def _init_container(container: Container, at: str, spec: dict[str, Any], volumes: set[str], seen: set[str]) -> Errors:
    yield from named_once(container, at, seen)
    yield from validate_container(container, at, volumes, bool(spec.get("hostNetwork")))
    policy = container.get("restartPolicy")
    yield from one_of(policy, _RESTART_POLICIES, f"{at}.restartPolicy")
    if policy == "Always":
        yield from _probes(container, at)
        return
    for field in ("lifecycle", *PROBES):
        if container.get(field) is not None:
            yield forbidden(f"{at}.{field}", "may not be set for init containers without restartPolicy=Always")


def named_once(item: dict[str, Any], at: str, seen: set[str]) -> Errors:
    """Containers and volumes have names, each another one: those `seen` so far, which grow by this one."""
    name = item.get("name", "")
    if not name:
        yield required(f"{at}.name")
        return
    yield from complain(f"{at}.name", name, dns_label(name))
    if name in seen:
        yield duplicate(f"{at}.name", name)
    seen.add(name)


def validate_container(container: Container, at: str, volumes: set[str], host_network: bool) -> Errors:
    image = container.get("image", "")
    if not image:
        yield required(f"{at}.image")
    elif image != image.strip():
        yield invalid(f"{at}.image", image, "must not have leading or trailing whitespace")
    policy = container.get("terminationMessagePolicy")
    if policy not in (None, "File", "FallbackToLogsOnError"):
        yield unsupported(f"{at}.terminationMessagePolicy", policy, ("FallbackToLogsOnError", "File"))
    yield from _ports(container.get("ports") or [], f"{at}.ports", host_network)
    yield from validate_env(container.get("env") or [], f"{at}.env")
    yield from validate_env_from(container.get("envFrom") or [], f"{at}.envFrom")
    yield from _mounts(container.get("volumeMounts") or [], f"{at}.volumeMounts", volumes)
    yield from one_of(container.get("imagePullPolicy", ""), _PULL_POLICIES, f"{at}.imagePullPolicy")
    yield from validate_requirements(container.get("resources") or {}, f"{at}.resources")
    yield from _security(container.get("securityContext") or {}, f"{at}.securityContext")


def _probes(container: Container, at: str) -> Errors:
    for name in PROBES:
        if container.get(name) is not None:
            yield from validate_probe(container[name], f"{at}.{name}", once=name != "readinessProbe")
    if container.get("lifecycle") is not None:
        yield from validate_lifecycle(container["lifecycle"], f"{at}.lifecycle")


def _ports(ports: list[dict[str, Any]], path: str, host_network: bool) -> Errors:
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        name = port.get("name", "")
        if name:
            complaints = port_name(name)
            yield from complain(f"{at}.name", name, complaints)
            if name in names:
                yield duplicate(f"{at}.name", name)
            names.add(name)
        number = port.get("containerPort", 0)
        if not number:
            yield required(f"{at}.containerPort")
        else:
            yield from port_number(number, f"{at}.containerPort")
        host_port = port.get("hostPort", 0)
        if host_port:
            yield from port_number(host_port, f"{at}.hostPort")
            if host_network and host_port != number:
                yield invalid(f"{at}.hostPort", host_port, "must match `containerPort` when `hostNetwork` is true")
        yield from one_of(port.get("protocol", ""), PROTOCOLS, f"{at}.protocol")


def _host_port_conflicts(containers: Iterable[Container], path: str) -> Errors:
    seen: set[str] = set()
    for index, container in enumerate(containers):
        for place, port in enumerate(container.get("ports") or []):
            if not port.get("hostPort"):
                continue
            taken = f"{port.get('protocol')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if taken in seen:
                yield duplicate(f"{path}[{index}].ports[{place}].hostPort", taken)
            seen.add(taken)


def _mounts(mounts: list[dict[str, Any]], path: str, volumes: set[str]) -> Errors:
    points: set[str] = set()
    for index, mount in enumerate(mounts):
        at = f"{path}[{index}]"
        name, point = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield required(f"{at}.name")
        elif name not in volumes:
            yield not_found(f"{at}.name", name)
        if not point:
            yield required(f"{at}.mountPath")
        elif point in points:
            yield invalid(f"{at}.mountPath", point, "must be unique")
        points.add(point)
        sub_path, expression = mount.get("subPath", ""), mount.get("subPathExpr", "")
        if sub_path and expression:
            yield invalid(f"{at}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive")
        for field, value in (("subPath", sub_path), ("subPathExpr", expression)):
            yield from relative_path(value, f"{at}.{field}")


def relative_path(value: str, path: str) -> Errors:
    """Empty, or a path that stays below where it is put."""
    if value.startswith("/"):
        yield invalid(path, value, "must be a relative path")
    if ".." in value.split("/"):
        yield invalid(path, value, "must not contain '..'")


_SECURITY_FIELDS = (
    ("Capabilities", "capabilities"),
    ("Privileged", "privileged"),
    ("SELinuxOptions", "seLinuxOptions"),
    ("WindowsOptions", "windowsOptions"),
    ("RunAsUser", "runAsUser"),
    ("RunAsGroup", "runAsGroup"),
    ("RunAsNonRoot", "runAsNonRoot"),
    ("ReadOnlyRootFilesystem", "readOnlyRootFilesystem"),
    ("AllowPrivilegeEscalation", "allowPrivilegeEscalation"),
    ("ProcMount", "procMount"),
    ("SeccompProfile", "seccompProfile"),
    ("AppArmorProfile", "appArmorProfile"),
)


def _security(context: dict[str, Any], path: str) -> Errors:
    yield from user_id(context.get("runAsUser"), f"{path}.runAsUser")
    yield from user_id(context.get("runAsGroup"), f"{path}.runAsGroup")
    yield from validate_seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        shown = {go_name: context.get(name) for go_name, name in _SECURITY_FIELDS}
        if context.get("privileged"):
            yield invalid(path, shown, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or []):
            yield invalid(
                path, shown, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            )


def validate_seccomp(profile: dict[str, Any] | None, path: str) -> Errors:
    if profile is None:
        return
    kind = profile.get("type", "")
    if not kind:
        yield required(f"{path}.type", "type is required when seccompProfile is set")
    elif kind not in _SECCOMP_TYPES:
        yield unsupported(f"{path}.type", kind, _SECCOMP_TYPES)
    elif kind == "Localhost" and not profile.get("localhostProfile"):
        yield required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost ")
    elif kind != "Localhost" and profile.get("localhostProfile") is not None:
        yield invalid(
            f"{path}.localhostProfile", profile["localhostProfile"], "can only be set when seccomp type is Localhost"
        )
