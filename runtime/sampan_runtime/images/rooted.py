"""Opening paths inside a tree that a stranger wrote.

The kernel resolves each path with the tree's top as its root (openat2(2), RESOLVE_IN_ROOT): "..", absolute symbolic
links and links exchanged meanwhile cannot lead out, and /proc's magic links are not followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sampan_runtime import syscalls


def open_in_root(root: int, path: str, flags: int, mode: int = 0) -> int:
    resolve = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
    return syscalls.openat2(root, path or ".", flags | os.O_CLOEXEC, resolve, mode)


@contextmanager
def opened(root: int, path: str, flags: int, mode: int = 0) -> Iterator[int]:
    descriptor = open_in_root(root, path, flags, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def directory(path: str | os.PathLike[str]) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
