"""Opening paths inside a volume without being led out of it: the only place that walks what a container can write.

openat2 with RESOLVE_BENEATH (Linux 5.6) refuses every escape in the kernel: nothing can change between check and use.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sampan_agent.errors import UnsafePath

SYS_openat2 = 437
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(directory: int, path: str, flags: int) -> int:
    """openat2(2) that never leaves `directory`, not even through symlinks. Raises UnsafePath, OSError."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    result = _libc.syscall(SYS_openat2, directory, os.fsencode(path or "."), ctypes.byref(how), ctypes.sizeof(how))
    if result >= 0:
        return int(result)
    error = ctypes.get_errno()
    if error == errno.EXDEV:
        raise UnsafePath(f"{path!r} leads out of its volume")
    raise OSError(error, os.strerror(error), path)


@contextmanager
def opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_beneath(volume: str, sub_path: str, mode: int) -> None:
    """Makes the directories of `sub_path` that are not there yet. Raises UnsafePath, OSError."""
    with opened(volume) as root:
        current = os.dup(root)
        try:
            for part in (p for p in sub_path.split("/") if p not in ("", ".")):
                if part == "..":
                    raise UnsafePath(f"{sub_path!r} contains '..'")
                try:
                    following = open_beneath(current, part, os.O_PATH)
                except FileNotFoundError:
                    os.mkdir(part, mode, dir_fd=current)
                    following = open_beneath(current, part, os.O_PATH | os.O_NOFOLLOW)
                os.close(current)
                current = following
        finally:
            os.close(current)
