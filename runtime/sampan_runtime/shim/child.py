"""From the fork to the exec: what a container's process does to itself.

Nothing may be imported from here on: after the pivot an import would read the image and run its code as the node's
root. So the import system is taken away, by the zygote once for all its children, and by the child's first act for
whatever brought it back. What fails is reported to the shim as "errno step" over a CLOEXEC socket whose end of file,
in turn, says that the exec has happened.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import select
import signal
import socket
import struct
import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from sampan_runtime import rootfs, security, syscalls
from sampan_runtime.errors import StepFailed

TIOCSPTLCK, TIOCGPTPEER = 0x40045431, 0x5441
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Program:
    args: tuple[bytes, ...]
    env: tuple[bytes, ...]
    path: str
    cwd: str
    tty: bool
    oom_score_adj: int


def program(args: Sequence[str], env: Sequence[str], cwd: str, tty: bool, oom_score_adj: int) -> Program:
    path = next((entry[5:] for entry in env if entry.startswith("PATH=")), DEFAULT_PATH)
    argv, envp = tuple(map(os.fsencode, args)), tuple(map(os.fsencode, env))
    return Program(argv, envp, path, cwd or "/", tty, oom_score_adj)


def forget_imports() -> None:
    sys.meta_path.clear()
    sys.path.clear()
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()
    gc.disable()


def run(status: socket.socket, body: Callable[[], None]) -> NoReturn:
    """The child's whole life: `body` returns only by exec; everything else is told to the shim."""
    try:
        forget_imports()
        body()
    except StepFailed as error:
        _tell(status, error.errno, error.step)
    except OSError as error:
        _tell(status, error.errno or errno.EIO, error.strerror or "prepare the process")
    except BaseException as error:
        # The last frame of a forked process: let nothing unwind into the shim's own stack.
        _tell(status, errno.EPROTO, f"{type(error).__name__}: {error}")
    finally:
        os._exit(127)


def _tell(status: socket.socket, number: int, step: str) -> None:
    try:
        status.send(f"E{number} {step}".encode("utf-8", "replace"))
    except OSError:
        pass


def enter_cgroup(task_files: Sequence[str]) -> None:
    for path in task_files:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, b"0")
            finally:
                os.close(fd)
        except OSError as error:
            raise StepFailed(f"enter the cgroup by {path}", error.errno or errno.EIO) from error


def init(
    status: socket.socket,
    prog: Program,
    stdio: tuple[int, int, int],
    task_files: Sequence[str],
    plan: Sequence[rootfs.Step],
    root: rootfs.Root,
    privileges: security.Privileges,
) -> None:
    """A container's first process: everything up to the exec, which waits for the shim's word."""
    enter_cgroup(task_files)
    # After entering: a cgroup namespace's root is where its maker was.
    syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    os.setsid()
    os.umask(0)
    rootfs.execute(plan, root)
    if prog.tty:
        stdio = _terminal(status, console=True)
    os.close(root.fd)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    status.send(b"R")
    if status.recv(1) != b"G":
        os._exit(127)
    _become(status, prog, stdio, privileges)


def enter(
    status: socket.socket,
    prog: Program,
    stdio: tuple[int, int, int],
    task_files: Sequence[str],
    namespaces: int,
    privileges: security.Privileges,
) -> None:
    """A further process of a running container; `namespaces` is its init's pidfd."""
    enter_cgroup(task_files)
    syscalls.setns(namespaces, syscalls.CLONE_NEWNS | syscalls.CLONE_NEWCGROUP)
    os.setsid()
    if prog.tty:
        stdio = _terminal(status, console=False)
    _become(status, prog, stdio, privileges)


def _terminal(status: socket.socket, console: bool) -> tuple[int, int, int]:
    """A pty of the container's own devpts: its master goes to the shim, its slave becomes the standard streams.

    The slave comes from the master by TIOCGPTPEER and is bound by descriptor (CVE-2025-52565).
    """
    try:
        master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC)
        if os.fstat(master).st_rdev != os.makedev(5, 2):
            raise OSError(errno.ENODEV, "no terminals in /dev/pts")
        fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
        slave = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        if console:
            os.close(os.open("/dev/console", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            syscalls.mount(f"/proc/self/fd/{slave}", "/dev/console", "", syscalls.MS_BIND)
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    except OSError as error:
        raise StepFailed("open a terminal", error.errno or errno.EIO) from error
    status.sendmsg([b"T"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", master))])
    os.close(master)
    return slave, slave, slave


def _become(
    status: socket.socket, prog: Program, stdio: tuple[int, int, int], privileges: security.Privileges
) -> NoReturn:
    try:
        os.chdir(prog.cwd)
    except OSError as error:
        raise StepFailed(f"change to {prog.cwd}", error.errno or errno.EIO) from error
    if not os.getcwd().startswith("/"):
        # A leaked descriptor of the node would make a way out (CVE-2024-21626).
        raise StepFailed(f"change to {prog.cwd}: outside of the container", errno.EPERM)
    _set_oom_score_adj(prog.oom_score_adj)
    if prog.tty:
        os.fchown(stdio[0], privileges.security.uid, -1)
    for number, fd in enumerate(stdio):
        os.dup2(fd, number)
    for name in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    syscalls.sigmask_empty()
    syscalls.close_range(3, 0xFFFFFFFF, syscalls.CLOSE_RANGE_CLOEXEC)
    try:
        security.apply(privileges)
    except OSError as error:
        raise StepFailed("give up privileges", error.errno or errno.EIO) from error
    # A change of credentials clears it, so it is set once more, last.
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if select.select([status], [], [], 0)[0]:
        os._exit(127)
    _exec(prog)


def _set_oom_score_adj(value: int) -> None:
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(fd, str(value).encode())
    except PermissionError:
        # Lowering it needs CAP_SYS_RESOURCE, which a node inside a sandbox does not have.
        pass
    finally:
        os.close(fd)


def _exec(prog: Program) -> NoReturn:
    name = os.fsdecode(prog.args[0])
    candidates = [name] if "/" in name else [f"{entry or '.'}/{name}" for entry in prog.path.split(":")]
    worst = errno.ENOENT
    for candidate in candidates:
        try:
            syscalls.execve(candidate, prog.args, prog.env)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                worst = error.errno or errno.EIO
    raise StepFailed(f'exec "{name}"', worst)
