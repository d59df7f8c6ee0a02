"""Containers and further processes as the shim knows them, and the forks that make them."""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan_runtime import cgroups, rootfs, security, syscalls
from sampan_runtime.errors import StepFailed, WrongState
from sampan_runtime.shim import child
from sampan_runtime.shim.shm import SharedMemory
from sampan_runtime.shim.stdio import Lines, LogFile, Sink
from sampan_runtime.spec import Cgroup, ContainerSpec, ExecSpec, Mount, Security

NEW = syscalls.CLONE_NEWNS


@dataclass(slots=True)
class Process:
    """A forked child up to its exec: `status` tells errors, the terminal, and by its end that the exec has happened."""

    pid: int
    pidfd: int
    status: socket.socket
    master: int = -1


@dataclass(slots=True)
class Container:
    spec: ContainerSpec
    process: Process
    privileges: security.Privileges
    task_files: list[str]
    created_at: int
    state: str = "creating"
    started_at: int = 0
    stdin: int = -1
    """Our end of the container's standard input: a pipe, or the terminal's master."""
    outputs: dict[int, Lines] = field(default_factory=dict)
    log: LogFile | None = None
    sinks: dict[bytes, list[Sink]] = field(default_factory=lambda: {b"stdout": [], b"stderr": []})
    sources: list[int] = field(default_factory=list)
    """Standard inputs of attached clients."""
    stdin_pending: bytes = b""
    exit: dict[str, Any] | None = None
    reaped: tuple[int, int] | None = None
    """(exit code, signal) between the end of the process and the end of its output."""
    finished_at: int = 0

    def describe(self) -> dict[str, Any]:
        alive = self.exit is None
        return {
            "id": self.spec.id,
            "state": "exited" if not alive else "running" if self.started_at else "created",
            "pid": self.process.pid if alive else 0,
            "created_at": self.created_at,
            "started_at": self.started_at,
            "exit": self.exit,
        }


def container_spec(data: Mapping[str, Any]) -> ContainerSpec:
    known = {name: value for name, value in data.items() if name in ContainerSpec.__slots__}
    known["cgroup"] = Cgroup(**data["cgroup"])
    security_fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data["security"].items()}
    known["security"] = Security(**security_fields)
    known["mounts"] = tuple(Mount(**entry) for entry in data["mounts"])
    for name in ("lower", "args", "env"):
        known[name] = tuple(data[name])
    return ContainerSpec(**known)


def exec_spec(data: Mapping[str, Any]) -> ExecSpec:
    return ExecSpec(tuple(data["args"]), tuple(data["env"]), data["cwd"], data["tty"])


def fork(flags: int, pid_namespace: int, own_pid_namespace: int, cgroup: str) -> tuple[int, int]:
    """fork_into, its child in the pid namespace open as `pid_namespace` (-1: this process's own, or a new one)."""
    cgroup_fd = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if cgroup else -1
    try:
        if pid_namespace >= 0:
            syscalls.setns(pid_namespace, syscalls.CLONE_NEWPID)
        try:
            result = syscalls.fork_into(flags, cgroup_fd)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP) or cgroup_fd < 0:
                raise
            result = _fork_then_move(flags, cgroup)
        if pid_namespace >= 0 and result[0]:
            # Otherwise the next fork would land there too.
            syscalls.setns(own_pid_namespace, syscalls.CLONE_NEWPID)
        return result
    except OSError as error:
        if pid_namespace >= 0:
            syscalls.setns(own_pid_namespace, syscalls.CLONE_NEWPID)
        raise StepFailed("fork", error.errno or errno.EIO) from error
    finally:
        if cgroup_fd >= 0:
            os.close(cgroup_fd)


def _fork_then_move(flags: int, cgroup: str) -> tuple[int, int]:
    """Kernels before 5.7, and cgroups that CLONE_INTO_CGROUP refuses: slow, because of cgroup.procs' lock."""
    pid, pidfd = syscalls.fork_into(flags)
    if pid == 0:
        cgroups.Write(f"{cgroup}/cgroup.procs", "0").execute()
    return pid, pidfd


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every container of the pod gets from its shim."""

    hierarchies: cgroups.Hierarchies
    own_pid_namespace: int
    shm: SharedMemory | None
    """None: the node's."""
    null: int


def spawn(
    around: Surroundings, spec: ContainerSpec, pid_namespace: int, stdio: tuple[int, int, int]
) -> tuple[Process, security.Privileges, list[str]]:
    """Fork a container's init. It reports "R" on its status socket when its file systems are there."""
    hierarchies = around.hierarchies
    privileges = security.prepare(spec.security)
    task_files = cgroups.task_files(hierarchies, spec.cgroup.path)
    tree = around.shm.tree() if around.shm is not None else -1
    steps = rootfs.plan(spec, _view(hierarchies, spec.cgroup.path), tree)
    root = rootfs.Root(f"{spec.directory}/rootfs")
    os.makedirs(root.path, 0o700, exist_ok=True)
    program = child.program(spec.args, spec.env, spec.cwd, spec.tty, spec.oom_score_adj)
    flags = NEW | (syscalls.CLONE_NEWPID if spec.pid_namespace == "container" else 0)
    try:
        process = _fork(
            around,
            flags,
            pid_namespace,
            spec.cgroup.path,
            lambda status: child.init(status, program, stdio, task_files, steps, root, privileges),
        )
    finally:
        if tree >= 0:
            os.close(tree)
    return process, privileges, task_files


def spawn_exec(around: Surroundings, container: Container, spec: ExecSpec, stdio: tuple[int, int, int]) -> Process:
    init = container.process
    program = child.program(spec.args, spec.env, spec.cwd, spec.tty, container.spec.oom_score_adj)
    return _fork(
        around,
        0,
        init.pidfd,
        container.spec.cgroup.path,
        lambda status: child.enter(status, program, stdio, container.task_files, init.pidfd, container.privileges),
    )


def _fork(
    around: Surroundings,
    flags: int,
    pid_namespace: int,
    cgroup: str,
    body: Callable[[socket.socket], None],
) -> Process:
    unified = around.hierarchies.unified
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        directory = cgroups.directory(unified, cgroup) if unified else ""
        pid, pidfd = fork(flags, pid_namespace, around.own_pid_namespace, directory)
        if pid == 0:
            ours.close()
            child.run(theirs, lambda: body(theirs))
    return Process(pid, pidfd, ours)


def _view(hierarchies: cgroups.Hierarchies, path: str) -> rootfs.CgroupView:
    return rootfs.CgroupView({name: cgroups.directory(root, path) for name, root in hierarchies.v1.items()})


def send_signal(container: Container, number: int) -> None:
    if container.exit is not None or container.reaped is not None:
        return
    try:
        signal.pidfd_send_signal(container.process.pidfd, number)
    except ProcessLookupError:
        pass


def require(container: Container, state: str) -> None:
    actual = container.describe()["state"]
    if actual != state:
        raise WrongState(f"container {container.spec.id} is {actual}, not {state}")


def now() -> int:
    return time.time_ns()
