"""A master's own directory: one process at a time has it, and with it the identity under which it is a candidate.

The identity outlives the process: a master that was killed finds its own name in the Leases when it comes again and
takes them back at once, instead of waiting for itself. That is safe because the directory is locked (flock(2): the
kernel lets go when the process ends, however it ends). The machine's name is part of it, so that a copied directory
does not copy the identity.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sampan_master.pki import write_private


class DirectoryInUse(Exception):
    """Another master has it."""


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Nobody else has the directory inside the block. Raises DirectoryInUse."""
    directory.mkdir(parents=True, exist_ok=True)
    file = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
            raise DirectoryInUse(f"{directory} is another master's (pid {owner}); give --data-dir another") from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def identity(directory: Path) -> str:
    path = directory / "identity"
    try:
        own = path.read_text().strip()
    except FileNotFoundError:
        own = ""
    if not own:
        own = secrets.token_hex(8)
        write_private(path, own.encode() + b"\n")
    return f"{socket.gethostname()}_{own}"
