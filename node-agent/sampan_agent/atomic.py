"""Files that change all at once: a volume's content lives in one directory behind the symlink `..data`.

A reader of the volume sees the old files or the new ones, never a mixture: the new content is written beside the old,
then `..data` is renamed over. What the user sees at the top (`key -> ..data/key`) never changes its target.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sampan_agent.errors import VolumeError

_DATA = "..data"


class File(NamedTuple):
    """`owner` None: whoever writes it."""

    content: bytes
    mode: int
    owner: int | None = None


def write_file(path: Path, content: bytes, mode: int = 0o600, *, durable: bool = False) -> None:
    """One file, replaced as a whole; `durable` also survives a power cut."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)


def write_payload(directory: Path, payload: Mapping[str, File], group: int | None = None) -> bool:
    """Makes the volume's content `payload` (relative path -> file); False when it is that already."""
    for path in payload:
        _check(path)
    link = directory / _DATA
    if link.is_symlink() and _same(directory / os.readlink(link), payload):
        return False
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=directory))
    os.chmod(fresh, 0o755)
    for path, file in payload.items():
        _write(fresh / path, file, group)
    old = os.readlink(link) if link.is_symlink() else ""
    temporary = directory / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(fresh.name)
    os.replace(temporary, link)
    _link_names(directory, payload)
    if old:
        shutil.rmtree(directory / old, ignore_errors=True)
    return True


def has_payload(directory: Path) -> bool:
    """Whether the volume was written before."""
    return (directory / _DATA).is_symlink()


def _check(path: str) -> None:
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise VolumeError(f"{path!r} is not a path inside a volume")


def _write(path: Path, file: File, group: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.content)
    mode = file.mode
    if group is not None or file.owner is not None:
        os.chown(path, -1 if file.owner is None else file.owner, -1 if group is None else group)
    if group is not None:
        mode |= (mode & 0o400) >> 3
    os.chmod(path, mode)


def _same(directory: Path, payload: Mapping[str, File]) -> bool:
    found = {str(p.relative_to(directory)): p for p in directory.rglob("*") if p.is_file()}
    return found.keys() == payload.keys() and all(
        found[path].read_bytes() == file.content for path, file in payload.items()
    )


def _link_names(directory: Path, payload: Mapping[str, File]) -> None:
    names = {path.split("/")[0] for path in payload}
    for name in names:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"{_DATA}/{name}")
    for entry in directory.iterdir():
        if entry.is_symlink() and entry.name not in names and entry.name != _DATA:
            entry.unlink()
