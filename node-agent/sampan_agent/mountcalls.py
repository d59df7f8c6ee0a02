"""mount(2) and umount2(2), for memory-backed volumes and pinned sub-paths; nothing else is mounted by the agent."""

from __future__ import annotations

import ctypes
import os

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, type_: str, flags: int, data: str = "") -> None:
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), type_.encode(), ctypes.c_ulong(flags), data.encode() or None
    )
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), target)


def unmount(target: str) -> None:
    """Detaches everything mounted at `target`; nothing there is fine."""
    while _libc.umount2(os.fsencode(target), MNT_DETACH | UMOUNT_NOFOLLOW) == 0:
        pass


def mounted_below(directory: str) -> list[str]:
    """Mount points at or below `directory`, deepest first."""
    prefix = directory.rstrip("/")
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        points = [_unescape(line.split()[4]) for line in table]
    return sorted((p for p in points if p == prefix or p.startswith(prefix + "/")), reverse=True)


def _unescape(field: str) -> str:
    return field.encode().decode("unicode_escape").encode("latin-1").decode(errors="surrogateescape")
