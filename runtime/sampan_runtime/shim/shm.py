"""A pod's /dev/shm: one tmpfs for all its containers, kept by descriptors alone, so that a crash leaves no mount.

The tmpfs is a detached mount. Linux 6.15 and later clone such a mount directly; earlier ones clone only what is
attached in the caller's mount namespace, so there it is attached in a namespace of its own that no process lives in,
and the shim steps into it to take a clone.
"""

from __future__ import annotations

import errno
import os

from sampan_runtime import syscalls
from sampan_runtime.errors import StepFailed

SIZE = "65536k"
ATTRIBUTES = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV | syscalls.MOUNT_ATTR_NOEXEC
CLONE = syscalls.OPEN_TREE_CLONE | syscalls.AT_EMPTY_PATH


def clones_detached() -> bool:
    """Asked once, by the zygote."""
    tmpfs = syscalls.fsmount("tmpfs", (), 0)
    try:
        os.close(syscalls.open_tree(tmpfs, "", CLONE))
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    finally:
        os.close(tmpfs)
    return True


class SharedMemory:
    def __init__(self, direct: bool) -> None:
        """Raises OSError or StepFailed."""
        self._tmpfs = syscalls.fsmount("tmpfs", (("mode", "1777"), ("size", SIZE)), ATTRIBUTES)
        self._own = self._holder = -1
        if not direct:
            self._own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            self._holder = _attach_apart(self._tmpfs)

    def close(self) -> None:
        for fd in (self._tmpfs, self._own, self._holder):
            if fd >= 0:
                os.close(fd)

    def tree(self) -> int:
        """A detached clone, to be attached once; the caller closes it."""
        if self._holder < 0:
            return syscalls.open_tree(self._tmpfs, "", CLONE)
        syscalls.setns(self._holder, syscalls.CLONE_NEWNS)
        try:
            return syscalls.open_tree(self._tmpfs, "", CLONE)
        finally:
            syscalls.setns(self._own, syscalls.CLONE_NEWNS)


def _attach_apart(tmpfs: int) -> int:
    """A descriptor of a new mount namespace with nothing but the tmpfs in it."""
    ready_read, ready_write = os.pipe2(os.O_CLOEXEC)
    end_read, end_write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.unshare(syscalls.CLONE_NEWNS)
            syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
            syscalls.move_mount(tmpfs, os.open("/dev/shm", os.O_PATH | os.O_CLOEXEC))
            # Nothing of the node's may stay busy for the sake of this namespace: the tmpfs becomes all of it.
            os.fchdir(tmpfs)
            syscalls.pivot_root(".", ".")
            syscalls.umount2(".", syscalls.MNT_DETACH)
            os.write(ready_write, b"R")
            os.close(end_write)
            os.read(end_read, 1)
        finally:
            os._exit(0)
    os.close(ready_write)
    os.close(end_read)
    try:
        if not os.read(ready_read, 1):
            raise StepFailed("keep the pod's /dev/shm", errno.EIO)
        return os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready_read)
        os.close(end_write)
        os.waitpid(pid, 0)
