"""The system calls that Python 3.11 does not offer: one short wrapper each, all failing through `oserror`.

Constants keep the kernel's names. Everything here is safe between fork and exec: no imports, no locks, no threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Iterable, Sequence
from typing import NoReturn

CLONE_PIDFD = 0x00001000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_INTO_CGROUP = 0x200000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_STRICTATIME = 0x1000000
MNT_DETACH = 0x2

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
OPEN_TREE_CLONE = 0x1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40
FSOPEN_CLOEXEC = 0x1
FSMOUNT_CLOEXEC = 0x1
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6
MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_IN_ROOT = 0x10

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION_3 = 0x20080522
SECCOMP_SET_MODE_FILTER = 1
CLOSE_RANGE_CLOEXEC = 0x4
BPF_PROG_LOAD, BPF_PROG_ATTACH = 5, 8
BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI = 15, 6, 2

_MACHINE_CALLS = {"x86_64": (155, 317, 126, 321), "aarch64": (41, 277, 91, 280)}
_PIVOT_ROOT, _SECCOMP, _CAPSET, _BPF = _MACHINE_CALLS[os.uname().machine]
# Numbers from 424 on are the same on every architecture.
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 428, 429, 430, 431, 432
_CLONE3, _CLOSE_RANGE, _OPENAT2, _MOUNT_SETATTR = 435, 436, 437, 442

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
# With the GIL held over the call: the child of a raw clone3 returns as the very thread that called.
_syscall_held = ctypes.PyDLL(None, use_errno=True).syscall
_syscall_held.restype = ctypes.c_long
_mount = _libc.mount
_mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_long = ctypes.c_long


def oserror(syscall: str, path: str = "") -> NoReturn:
    errno = ctypes.get_errno()
    raise OSError(errno, f"{syscall}: {os.strerror(errno)}", path or None)


def unshare(flags: int) -> None:
    if _libc.unshare(ctypes.c_int(flags)) < 0:
        oserror("unshare")


def setns(fd: int, flags: int) -> None:
    """`fd` is a namespace file, or a pidfd with the set of namespaces in `flags`."""
    if _libc.setns(ctypes.c_int(fd), ctypes.c_int(flags)) < 0:
        oserror("setns")


def mount(source: str, target: str, fstype: str, flags: int, data: str = "") -> None:
    if _mount(source.encode(), target.encode(), fstype.encode(), flags, data.encode()) < 0:
        oserror("mount", target)


def umount2(target: str, flags: int) -> None:
    if _libc.umount2(target.encode(), ctypes.c_int(flags)) < 0:
        oserror("umount2", target)


def pivot_root(new_root: str, put_old: str) -> None:
    if _syscall(_long(_PIVOT_ROOT), new_root.encode(), put_old.encode()) < 0:
        oserror("pivot_root", new_root)


def prctl(option: int, arg2: int = 0, arg3: int = 0) -> int:
    result: int = _libc.prctl(ctypes.c_int(option), _long(arg2), _long(arg3), _long(0), _long(0))
    if result < 0:
        oserror("prctl")
    return result


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Bit n of each mask is capability n."""
    low = (1 << 32) - 1
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    masks = (effective, permitted, inheritable)
    data = struct.pack("6I", *(mask & low for mask in masks), *(mask >> 32 for mask in masks))
    if _syscall(_long(_CAPSET), header, data) < 0:
        oserror("capset")


def seccomp_set_mode_filter(program: bytes) -> None:
    """`program` is an array of struct sock_filter."""
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    if _syscall(_long(_SECCOMP), _long(SECCOMP_SET_MODE_FILTER), _long(0), fprog) < 0:
        oserror("seccomp")


def close_range(first: int, last: int, flags: int) -> None:
    if _syscall(_long(_CLOSE_RANGE), ctypes.c_uint(first), ctypes.c_uint(last), ctypes.c_uint(flags)) < 0:
        oserror("close_range")


def openat2(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    fd: int = _syscall(_long(_OPENAT2), _long(directory), path.encode(), how, _long(len(how)))
    if fd < 0:
        oserror("openat2", path)
    return fd


def open_tree(directory: int, path: str, flags: int) -> int:
    fd: int = _syscall(_long(_OPEN_TREE), _long(directory), path.encode(), _long(flags | OPEN_TREE_CLOEXEC))
    if fd < 0:
        oserror("open_tree", path)
    return fd


def move_mount(tree: int, target: int) -> None:
    """Attach the detached mount `tree` on the directory or file open as `target`."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    if _syscall(_long(_MOVE_MOUNT), _long(tree), b"", _long(target), b"", _long(flags)) < 0:
        oserror("move_mount")


def mount_setattr(tree: int, *, set: int = 0, propagation: int = 0, recursive: bool = False) -> None:
    attributes = struct.pack("QQQQ", set, 0, propagation, 0)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    result = _syscall(_long(_MOUNT_SETATTR), _long(tree), b"", _long(flags), attributes, _long(len(attributes)))
    if result < 0:
        oserror("mount_setattr")


def fsmount(fstype: str, options: Iterable[tuple[str, str]], attributes: int) -> int:
    """A new, detached mount of a new instance of the file system."""
    context: int = _syscall(_long(_FSOPEN), fstype.encode(), _long(FSOPEN_CLOEXEC))
    if context < 0:
        oserror("fsopen", fstype)
    try:
        for key, value in options:
            _fsconfig(context, FSCONFIG_SET_STRING, key, value)
        _fsconfig(context, FSCONFIG_CMD_CREATE, None, None)
        fd: int = _syscall(_long(_FSMOUNT), _long(context), _long(FSMOUNT_CLOEXEC), _long(attributes))
        if fd < 0:
            oserror("fsmount", fstype)
        return fd
    finally:
        os.close(context)


def _fsconfig(context: int, command: int, key: str | None, value: str | None) -> None:
    arguments = [None if text is None else text.encode() for text in (key, value)]
    if _syscall(_long(_FSCONFIG), _long(context), _long(command), *arguments, _long(0)) < 0:
        oserror("fsconfig", key or "create")


def bpf_load_cgroup_device(program: bytes) -> int:
    """`program` is an array of struct bpf_insn."""
    instructions = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(b"Apache-2.0")
    pointers = (ctypes.addressof(instructions), ctypes.addressof(licence))
    attributes = struct.pack("IIQQIIQII", BPF_PROG_TYPE_CGROUP_DEVICE, len(program) // 8, *pointers, 0, 0, 0, 0, 0)
    fd: int = _syscall(_long(_BPF), _long(BPF_PROG_LOAD), attributes, _long(len(attributes)))
    if fd < 0:
        oserror("bpf")
    return fd


def bpf_attach_cgroup_device(program: int, cgroup: int) -> None:
    attributes = struct.pack("IIII", cgroup, program, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI)
    if _syscall(_long(_BPF), _long(BPF_PROG_ATTACH), attributes, _long(len(attributes))) < 0:
        oserror("bpf")


def sethostname(name: str) -> None:
    data = name.encode()
    if _libc.sethostname(data, ctypes.c_size_t(len(data))) < 0:
        oserror("sethostname")


def sigmask_empty() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def fork_into(flags: int, cgroup: int = -1) -> tuple[int, int]:
    """fork with new namespaces, straight into the cgroup v2 directory open as `cgroup`: (pid, pidfd), (0, -1) in the
    child. Only for single-threaded callers: glibc's own fork handlers do not run."""
    pidfd = ctypes.c_int(-1)
    arguments = struct.pack(
        "11Q",
        flags | CLONE_PIDFD | (CLONE_INTO_CGROUP if cgroup >= 0 else 0),
        ctypes.addressof(pidfd),
        0,
        0,
        signal.SIGCHLD,
        0,
        0,
        0,
        0,
        0,
        max(cgroup, 0),
    )
    ctypes.pythonapi.PyOS_BeforeFork()
    pid: int = _syscall_held(_long(_CLONE3), arguments, _long(len(arguments)))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    errno = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        ctypes.set_errno(errno)
        oserror("clone3")
    return pid, pidfd.value


def execve(path: str, args: Sequence[bytes], env: Sequence[bytes]) -> NoReturn:
    """With the environment as given: os.execve would drop duplicates and refuse entries without '='."""
    argv = (ctypes.c_char_p * (len(args) + 1))(*args, None)
    envp = (ctypes.c_char_p * (len(env) + 1))(*env, None)
    _libc.execve(path.encode(), argv, envp)
    oserror("execve", path)
