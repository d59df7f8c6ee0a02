"""ContainerConfig + image → ContainerSpec. Pure, but for the look at the host paths that are to be mounted.

Policy is the agent's (NODE.md): an unset seccomp profile is unconfined here, and so on. What CRI leaves to the
runtime is Docker's: 14 capabilities, masked and read-only paths of /proc and /sys when none are given.
"""

from __future__ import annotations

import os
import posixpath
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cri_api.v1 import api_pb2 as cri

from sampan_runtime.cri.errors import InvalidArgument, NotFound, Unimplemented
from sampan_runtime.cri.records import Container
from sampan_runtime.images.config import ImageConfig
from sampan_runtime.images.errors import BadImage
from sampan_runtime.images.users import User, check_id, resolve_user
from sampan_runtime.security import CAPABILITIES, DOCKER_CAPABILITIES, MASKED_PATHS, READ_ONLY_PATHS
from sampan_runtime.spec import Cgroup, ContainerSpec, Mount, Security

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PROPAGATION = {
    cri.PROPAGATION_PRIVATE: "private",
    cri.PROPAGATION_HOST_TO_CONTAINER: "rslave",
    cri.PROPAGATION_BIDIRECTIONAL: "rshared",
}
_MIB = 1 << 20
_MIN_MEMORY = 6 * _MIB
"""With less the setup itself would be killed; runc's users meet the same floor."""


def validate(config: cri.ContainerConfig) -> None:
    if not config.metadata.name:
        raise InvalidArgument("container config metadata must have a name")
    if not config.image.image:
        raise InvalidArgument("container config must name an image")
    if config.log_path.startswith("/") or ".." in config.log_path.split("/"):
        raise InvalidArgument(f"invalid log path {config.log_path!r}")
    if config.stdin_once and not config.stdin:
        raise InvalidArgument("stdin_once needs stdin")
    if config.devices or config.CDI_devices:
        raise Unimplemented("devices are not supported; a privileged container has the node's")
    for mount in config.mounts:
        if not mount.container_path:
            raise InvalidArgument("mount without a container path")
        if mount.image.image:
            raise Unimplemented("image volumes are not supported")


def command(config: cri.ContainerConfig, image: ImageConfig) -> tuple[str, ...]:
    """Kubernetes' rule: a command replaces entrypoint and cmd; args alone replace only cmd."""
    own = (*config.command, *config.args)
    words = own if config.command else (*image.entrypoint, *(config.args or image.cmd))
    if not words:
        raise InvalidArgument("no command specified: neither the container nor its image has one")
    return words


def environment(config: cri.ContainerConfig, image: ImageConfig, hostname: str, home: str) -> tuple[str, ...]:
    values: dict[str, str] = {"HOSTNAME": hostname, "HOME": home}
    if config.tty:
        values["TERM"] = "xterm"
    for text in (DEFAULT_PATH, *image.env):
        key, _, value = text.partition("=")
        values[key] = value
    for pair in config.envs:
        values[pair.key] = pair.value
    if any("\0" in key or "=" in key or "\0" in value for key, value in values.items()):
        raise InvalidArgument("invalid environment variable")
    return tuple(f"{key}={value}" for key, value in values.items())


def user_of(config: cri.ContainerConfig, image: ImageConfig, layers: tuple[str, ...]) -> User:
    """Strict policy keeps the image's /etc/group out of it (KEP-3619)."""
    context = config.linux.security_context
    if context.HasField("run_as_group") and not (context.HasField("run_as_user") or context.run_as_username):
        raise InvalidArgument("run_as_group needs run_as_user or run_as_username")
    if context.run_as_username:
        name = context.run_as_username
    elif context.HasField("run_as_user"):
        name = str(_checked(context.run_as_user.value, "user id"))
    else:
        name = image.user
    group = str(_checked(context.run_as_group.value, "group id")) if context.HasField("run_as_group") else ""
    found = resolve_user(layers, name, group)
    extra = {_checked(gid, "supplemental group") for gid in context.supplemental_groups}
    implied = () if context.supplemental_groups_policy == cri.Strict else found.groups
    return User(found.uid, found.gid, tuple(sorted({*implied, *extra})), found.home)


def _checked(number: int, what: str) -> int:
    try:
        return check_id(number, what)
    except BadImage as error:
        raise InvalidArgument(str(error)) from error


def capabilities(context: cri.LinuxContainerSecurityContext) -> tuple[str, ...]:
    if context.privileged:
        return CAPABILITIES
    add = {_capability(name) for name in context.capabilities.add_capabilities}
    drop = {_capability(name) for name in context.capabilities.drop_capabilities}
    if "ALL" in add:
        kept = set(CAPABILITIES) - drop
    elif "ALL" in drop:
        kept = add
    else:
        kept = {*DOCKER_CAPABILITIES, *add} - drop
    return tuple(name for name in CAPABILITIES if name in kept)


def _capability(name: str) -> str:
    plain = name.upper().removeprefix("CAP_")
    if plain != "ALL" and plain not in CAPABILITIES:
        raise InvalidArgument(f"unknown capability {name!r}")
    return plain


def seccomp(context: cri.LinuxContainerSecurityContext) -> str:
    """`seccomp_profile_path` is the older field; both may be unset, which means unconfined."""
    if context.privileged:
        return "unconfined"
    kinds = cri.SecurityProfile.ProfileType
    if context.HasField("seccomp"):
        if context.seccomp.profile_type == kinds.Value("RuntimeDefault"):
            return "default"
        if context.seccomp.profile_type == kinds.Value("Unconfined"):
            return "unconfined"
        return _local_profile(context.seccomp.localhost_ref)
    path = context.seccomp_profile_path
    if path in ("runtime/default", "docker/default"):
        return "default"
    if path in ("", "unconfined"):
        return "unconfined"
    return _local_profile(path.removeprefix("localhost/"))


def _local_profile(path: str) -> str:
    if not path.startswith("/") or not Path(path).is_file():
        raise InvalidArgument(f"seccomp profile {path!r} does not exist")
    return path


def security(context: cri.LinuxContainerSecurityContext, user: User) -> Security:
    privileged = context.privileged
    return Security(
        privileged=privileged,
        capabilities=capabilities(context),
        no_new_privileges=context.no_new_privs and not privileged,
        seccomp=seccomp(context),
        read_only_rootfs=context.readonly_rootfs,
        masked_paths=() if privileged else tuple(context.masked_paths) or MASKED_PATHS,
        read_only_paths=() if privileged else tuple(context.readonly_paths) or READ_ONLY_PATHS,
        uid=user.uid,
        gid=user.gid,
        supplemental_gids=user.groups,
    )


def mounts(config: cri.ContainerConfig, own_files: Iterable[tuple[str, Path]]) -> tuple[Mount, ...]:
    """The caller's mounts, parents before children, and the pod's own files where the caller has none."""
    planned = {posixpath.normpath(mount.container_path): _bind(mount) for mount in config.mounts}
    read_only = config.linux.security_context.readonly_rootfs
    for target, source in own_files:
        if target not in planned:
            planned[target] = Mount(target, str(source), read_only=read_only)
    return tuple(planned[target] for target in sorted(planned, key=lambda path: (path.count("/"), path)))


def _bind(mount: cri.Mount) -> Mount:
    target = posixpath.normpath("/" + mount.container_path.lstrip("/"))
    if target == "/":
        raise InvalidArgument("mount over the container's root")
    if not mount.host_path:
        raise InvalidArgument(f"mount for {target} without a host path")
    try:
        source = os.path.realpath(mount.host_path, strict=True)
    except OSError as error:
        raise NotFound(f"failed to stat {mount.host_path!r}: {error.strerror}") from error
    if mount.recursive_read_only and not mount.readonly:
        raise InvalidArgument("recursive_read_only needs readonly")
    return Mount(
        target=target,
        source=source,
        read_only=mount.readonly,
        propagation=_PROPAGATION[mount.propagation],
        recursive_read_only=mount.recursive_read_only,
    )


def cgroup(path: str, resources: cri.LinuxContainerResources) -> Cgroup:
    if 0 < resources.memory_limit_in_bytes < _MIN_MEMORY:
        limit = resources.memory_limit_in_bytes
        raise InvalidArgument(f"memory limit {limit} is below the minimum of {_MIN_MEMORY // _MIB} MiB")
    return Cgroup(
        path=path,
        cpu_shares=resources.cpu_shares,
        cpu_quota=max(0, resources.cpu_quota),
        cpu_period=resources.cpu_period,
        cpuset_cpus=resources.cpuset_cpus,
        memory_limit=max(0, resources.memory_limit_in_bytes),
        pids_limit=_pids_limit(resources.unified),
    )


def _pids_limit(unified: Any) -> int:
    """CRI has no field for it; a kubelet that limits one container writes the unified key."""
    text = unified.get("pids.max", "")
    return int(text) if text.isdecimal() else 0


def pid_namespace(options: cri.NamespaceOption) -> str:
    if options.pid == cri.TARGET:
        if not options.target_id:
            raise InvalidArgument("pid namespace TARGET needs a target_id")
        target: str = options.target_id
        return target
    return {cri.POD: "pod", cri.CONTAINER: "container", cri.NODE: "node"}[options.pid]


def stop_signal(config: cri.ContainerConfig, image: ImageConfig) -> int:
    """The container's own, else the image's ("SIGQUIT", "QUIT", "3", "SIGRTMIN+3"), else SIGTERM."""
    if config.stop_signal != cri.RUNTIME_DEFAULT:
        name = str(cri.Signal.Name(config.stop_signal))
        return parse_signal(name.replace("PLUS", "+").replace("MINUS", "-")) or signal.SIGTERM
    return parse_signal(image.stop_signal) or signal.SIGTERM


def parse_signal(text: str) -> int:
    """0 when it names no signal."""
    if text.isdecimal():
        return int(text) if 0 < int(text) <= signal.SIGRTMAX else 0
    name = "SIG" + text.upper().removeprefix("SIG")
    for sign, factor in (("+", 1), ("-", -1)):
        base, found, offset = name.partition(sign)
        if found and base in ("SIGRTMIN", "SIGRTMAX") and offset.isdecimal():
            return int(signal.Signals[base]) + factor * int(offset)
    return int(signal.Signals[name]) if name in signal.Signals.__members__ else 0


def plan(
    container: Container, directory: Path, image: ImageConfig, own_files: Iterable[tuple[str, Path]]
) -> ContainerSpec:
    config = container.config
    uid, gid, groups = container.user
    return ContainerSpec(
        id=container.id,
        directory=str(directory),
        lower=container.layers,
        upper=str(directory / "upper"),
        work=str(directory / "work"),
        args=command(config, image),
        env=container.env,
        cwd=container.cwd,
        cgroup=cgroup(container.cgroup, config.linux.resources),
        security=security(config.linux.security_context, User(uid, gid, groups)),
        mounts=mounts(config, own_files),
        log_path=container.log_path,
        stdin=config.stdin,
        stdin_once=config.stdin_once,
        tty=config.tty,
        oom_score_adj=config.linux.resources.oom_score_adj,
        pid_namespace=pid_namespace(config.linux.security_context.namespace_options),
    )
