"""Named network namespaces, as `ip netns` knows them: a bind mount of a namespace under /run/netns.

Single-threaded callers only: setns(2) and unshare(2) change the calling thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

NETNS_ROOT = Path("/run/netns")
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SHARED = 1 << 20
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str, path: str = "") -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}", path)


def setns(fd: int) -> None:
    _check(_libc.setns(fd, CLONE_NEWNET), "setns")


def umount(path: str) -> bool:
    """Whether something was mounted there."""
    if _libc.umount2(os.fsencode(path), MNT_DETACH) == 0:
        return True
    if ctypes.get_errno() in (errno.EINVAL, errno.ENOENT):
        return False
    _check(-1, "umount2", path)
    return False


@contextlib.contextmanager
def entered(name: str) -> Iterator[None]:
    """The calling thread is in that namespace; afterwards it is back in its own."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(name)
        yield
    finally:
        setns(home)
        os.close(home)


def enter(name: str) -> None:
    fd = os.open(NETNS_ROOT / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd)
    finally:
        os.close(fd)


def exists(name: str) -> bool:
    """A name whose bind mount is missing (a crash between the two steps) does not count."""
    path = NETNS_ROOT / name
    return path.exists() and path.stat().st_dev == os.stat("/proc/self/ns/net").st_dev


def create(name: str) -> None:
    if exists(name):
        return
    share_root()
    path = NETNS_ROOT / name
    path.touch(mode=0o444)
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(CLONE_NEWNET), "unshare")
        try:
            source = f"/proc/self/task/{_libc.gettid()}/ns/net".encode()
            _check(_libc.mount(source, os.fsencode(path), b"none", MS_BIND, None), "mount", str(path))
        finally:
            setns(home)
    finally:
        os.close(home)


def share_root() -> None:
    """/run/netns as a shared mount of itself, exactly as `ip netns add` makes it. If we did not, the next `ip netns
    add` would, on top of our mounts, and nobody could unmount them any more."""
    NETNS_ROOT.mkdir(mode=0o755, exist_ok=True)
    root = os.fsencode(NETNS_ROOT)
    if not is_mounted(NETNS_ROOT):
        _check(_libc.mount(root, root, b"none", MS_BIND | MS_REC, None), "mount", str(NETNS_ROOT))
    _check(_libc.mount(b"", root, b"none", MS_SHARED | MS_REC, None), "mount", str(NETNS_ROOT))


def is_mounted(path: Path) -> bool:
    return any(line.split()[4] == str(path) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def unshare_root(before: str) -> None:
    """Undoes `share_root` when nobody has a namespace there any more. `before`: `root_state()` of then."""
    if not NETNS_ROOT.exists() or any(NETNS_ROOT.iterdir()) or before == "mounted":
        return
    while umount(str(NETNS_ROOT)):
        pass
    if before == "absent":
        NETNS_ROOT.rmdir()


def root_state() -> str:
    if not NETNS_ROOT.exists():
        return "absent"
    return "mounted" if is_mounted(NETNS_ROOT) else "directory"


def remove(name: str) -> None:
    path = NETNS_ROOT / name
    while umount(str(path)):
        pass
    path.unlink(missing_ok=True)
