"""JSON files that are either the old one or the new one, never half of one.

What must survive a power cut (`durable`) is synced with its directory; what can be learned again from the kernel or
a shim is not, since a sync costs more than starting a container.
"""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)


def write_json(path: Path, data: Any, *, durable: bool = False) -> None:
    scratch = path.with_name(f".{path.name}.tmp")
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump(data, file, separators=(",", ":"))
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.rename(scratch, path)
    if durable:
        sync_directory(path.parent)


def write_new_json(path: Path, data: Any) -> None:
    """For a record that did not exist: one sync after the rename brings content and name to the disk together. A
    power cut before it leaves an unreadable record, which means that the call was never answered."""
    scratch = path.with_name(f".{path.name}.tmp")
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump(data, file, separators=(",", ":"))
        file.flush()
        os.rename(scratch, path)
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_filesystem(path: Path) -> None:
    """Everything written to the file system that holds `path`: cheaper than a sync of each of thousands of files."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "syncfs", str(path))
    finally:
        os.close(descriptor)


def read_json(path: Path) -> Any | None:
    """None where there is no readable record: a missing and a damaged file are answered in the same way."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
