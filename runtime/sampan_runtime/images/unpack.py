"""One layer's tar becomes one overlay directory.

`tarfile` only parses here; its extraction and filters are not used, since their checks have been by-passed more than
once. Each member's parent is opened by the kernel inside the layer's root (see `rooted`), and the last component is
always created anew, never followed. Whiteouts (OCI image spec, layer.md) become overlay's own: a character device
0/0, or the opaque attribute on a directory.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from sampan_runtime.images.errors import BadImage
from sampan_runtime.images.rooted import directory, open_in_root

_OPAQUE = ".wh..wh..opq"
_WHITEOUT = ".wh."
_CHUNK = 1 << 20
_DEPTH = 200
"""Far more than images have, and within what recursion here can follow."""


@dataclass(frozen=True, slots=True)
class Limits:
    members: int = 1_000_000
    bytes: int = 32 << 30


class _HashingReader:
    """Counts what the tar parser reads, so that the layer's diff id is known when it has been unpacked."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    def drain(self) -> str:
        while self.read(_CHUNK):
            pass
        return f"sha256:{self._hash.hexdigest()}"


def unpack_layer(source: IO[bytes], target: Path, limits: Limits | None = None) -> str:
    """Unpacks an uncompressed tar stream into the empty directory `target`; returns the diff id."""
    reader = _HashingReader(source)
    try:
        with directory(target) as root, tarfile.open(None, "r|", cast(IO[bytes], reader)) as archive:
            _Extraction(archive, root, limits or Limits()).run()
        return reader.drain()
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BadImage(f"damaged layer: {error}") from error


class _Extraction:
    def __init__(self, archive: tarfile.TarFile, root: int, limits: Limits) -> None:
        self._archive = archive
        self._root = root
        self._limits = limits
        self._bytes = 0
        self._directories: list[tuple[str, tarfile.TarInfo]] = []

    def run(self) -> None:
        for count, member in enumerate(self._archive):
            self._bytes += member.size
            if count >= self._limits.members or self._bytes > self._limits.bytes:
                raise BadImage("layer exceeds the limits for unpacking")
            self._extract(member)
            # tarfile keeps every header it has seen; a large layer would fill the memory.
            cast(Any, self._archive).members = []
        for path, member in reversed(self._directories):
            self._finish_directory(path, member)

    def _extract(self, member: tarfile.TarInfo) -> None:
        path = _clean(member.name)
        if not path:
            if member.isdir():
                self._directories.append(("", member))
            return
        parent, _, name = path.rpartition("/")
        with self._parent(parent) as folder:
            if name.startswith(_WHITEOUT):
                self._whiteout(folder, name)
            elif member.isdir():
                _make_directory(folder, name)
                self._directories.append((path, member))
            else:
                self._replace(folder, name)
                self._create(member, folder, name)

    @contextmanager
    def _parent(self, path: str) -> Iterator[int]:
        descriptor = self._open_directory(path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open_directory(self, path: str) -> int:
        try:
            return open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            parent, _, name = path.rpartition("/")
            with self._parent(parent) as folder:
                try:
                    os.mkdir(name, 0o755, dir_fd=folder)
                except FileExistsError:
                    raise BadImage(f"layer member below {path!r}, a link that leads nowhere") from None
            return open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise BadImage(f"layer member below {path!r}: {error.strerror}") from error

    @staticmethod
    def _whiteout(folder: int, name: str) -> None:
        if name == _OPAQUE:
            os.setxattr(folder, "trusted.overlay.opaque", b"y")
            return
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in ("", ".", "..") or hidden.startswith(_WHITEOUT):
            raise BadImage(f"invalid whiteout {name!r}")
        _Extraction._replace(folder, hidden)
        os.mknod(hidden, stat.S_IFCHR | 0o600, 0, dir_fd=folder)

    @staticmethod
    def _replace(folder: int, name: str) -> None:
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            _remove_tree(folder, name)

    def _create(self, member: tarfile.TarInfo, folder: int, name: str) -> None:
        if member.isreg():
            self._write_file(member, folder, name)
        elif member.issym():
            os.symlink(member.linkname, name, dir_fd=folder)
        elif member.islnk():
            self._link(member, folder, name)
            return
        elif member.ischr() or member.isblk():
            kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
            device = os.makedev(member.devmajor, member.devminor)
            os.mknod(name, kind | 0o600, device, dir_fd=folder)
        elif member.isfifo():
            os.mkfifo(name, 0o600, dir_fd=folder)
        else:
            raise BadImage(f"unknown kind of member: {member.name!r}")
        _set_attributes(member, folder, name)

    def _write_file(self, member: tarfile.TarInfo, folder: int, name: str) -> None:
        content = self._archive.extractfile(member)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=folder)
        with open(descriptor, "wb") as file:
            while content is not None and (data := content.read(_CHUNK)):
                file.write(data)
            file.flush()
            _set_xattrs(member, descriptor)

    def _link(self, member: tarfile.TarInfo, folder: int, name: str) -> None:
        source_parent, _, source_name = _clean(member.linkname).rpartition("/")
        if not source_name:
            raise BadImage(f"hard link {member.name!r} to the root")
        with self._parent(source_parent) as source:
            try:
                os.link(source_name, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                raise BadImage(f"hard link {member.name!r} to {member.linkname!r}: {error}") from error

    def _finish_directory(self, path: str, member: tarfile.TarInfo) -> None:
        """Last, because a directory's mode may forbid and its time is changed by what is put into it."""
        try:
            descriptor = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # a later member put something else in its place
            return
        try:
            os.fchown(descriptor, _id(member.uid), _id(member.gid))
            os.fchmod(descriptor, member.mode & 0o7777)
            _set_xattrs(member, descriptor)
            os.utime(descriptor, ns=_times(member))
        finally:
            os.close(descriptor)


def _clean(name: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise BadImage(f"layer member leads out of the layer: {name!r}")
    if len(parts) > _DEPTH:
        raise BadImage(f"layer member is more than {_DEPTH} directories deep")
    return "/".join(parts)


def _make_directory(folder: int, name: str) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
            os.mkdir(name, 0o755, dir_fd=folder)


def _remove_tree(folder: int, name: str) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        for entry in os.listdir(descriptor):
            _Extraction._replace(descriptor, entry)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=folder)


def _set_attributes(member: tarfile.TarInfo, folder: int, name: str) -> None:
    os.chown(name, _id(member.uid), _id(member.gid), dir_fd=folder, follow_symlinks=False)
    if not member.issym():
        # After chown, which clears the set-id bits. No symbolic link can stand here: it was just created anew.
        os.chmod(name, member.mode & 0o7777, dir_fd=folder)
    os.utime(name, ns=_times(member), dir_fd=folder, follow_symlinks=False)


def _set_xattrs(member: tarfile.TarInfo, descriptor: int) -> None:
    for key, value in member.pax_headers.items():
        name = key.removeprefix("SCHILY.xattr.")
        if name != key and (name == "security.capability" or name.startswith("user.")):
            os.setxattr(descriptor, name, value.encode("utf-8", "surrogateescape"))


def _times(member: tarfile.TarInfo) -> tuple[int, int]:
    moment = max(0, int(member.mtime)) * 1_000_000_000
    return moment, moment


def _id(number: int) -> int:
    if not 0 <= number < 1 << 31:
        raise BadImage(f"owner {number} out of range")
    return number
