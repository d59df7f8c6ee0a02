"""A container's view of the file system, as a plan: a list of small values that describe and execute themselves.

The plan runs in the container's own mount namespace, before the pivot, so the node's paths are still there as sources.
An image is hostile input: every target is resolved by the kernel inside the new root (openat2, RESOLVE_IN_ROOT) into
a descriptor, and mounts are attached to that descriptor, never to a path that a symlink could have changed meanwhile
(CVE-2021-30465). /proc, /sys and /dev may not be symlinks at all (CVE-2023-27561).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sampan_runtime import syscalls
from sampan_runtime.errors import StepFailed
from sampan_runtime.spec import ContainerSpec, Mount

NOSUID, NODEV, NOEXEC = (
    syscalls.MOUNT_ATTR_NOSUID,
    syscalls.MOUNT_ATTR_NODEV,
    syscalls.MOUNT_ATTR_NOEXEC,
)
RDONLY = syscalls.MOUNT_ATTR_RDONLY
IN_ROOT = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
OVERLAY_DATA_LIMIT = 4000
SYMLINKS_FOLLOWED = 40
PROPAGATION = {
    "private": syscalls.MS_PRIVATE,
    "rprivate": syscalls.MS_PRIVATE,
    "slave": syscalls.MS_SLAVE,
    "rslave": syscalls.MS_SLAVE,
    "shared": syscalls.MS_SHARED,
    "rshared": syscalls.MS_SHARED,
}
DEVICES = (
    *(("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9)),
    ("tty", 5, 0),
)
DEVICE_LINKS = (
    *(("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1")),
    *(("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx")),
)


@dataclass(slots=True)
class Root:
    """Where a plan is executed: the new root and what its steps share."""

    path: str
    fd: int = -1
    empty_tree: int = -1
    """A read-only empty tmpfs to hide directories behind."""
    devices: int = -1
    """/dev of the new root: ours from the moment it is mounted, so plain names in it are safe."""

    def open(self, path: str, flags: int = os.O_PATH, resolve: int = IN_ROOT) -> int:
        return syscalls.openat2(self.fd, path, flags, resolve)

    def directory(self, path: str, resolve: int = IN_ROOT) -> int:
        """Open `path`, making what is missing of it, also behind a symlink that leads nowhere yet."""
        return self._make(path, os.O_PATH | os.O_DIRECTORY, resolve, _mkdir)

    def file(self, path: str) -> int:
        return self._make(path, os.O_PATH, IN_ROOT, _create)

    def _make(self, path: str, flags: int, resolve: int, make: Callable[[str, int], None]) -> int:
        for _ in range(SYMLINKS_FOLLOWED):
            try:
                return self.open(path, flags, resolve)
            except FileNotFoundError:
                parent, _, name = path.rstrip("/").rpartition("/")
                above = self.directory(parent or "/", resolve)
                try:
                    make(name, above)
                except FileExistsError:
                    link = _readlink(name, above)
                    if link:
                        path = link if link.startswith("/") else f"{parent}/{link}"
                finally:
                    os.close(above)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _mkdir(name: str, directory: int) -> None:
    os.mkdir(name, 0o755, dir_fd=directory)


def _create(name: str, directory: int) -> None:
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=directory))


def _readlink(name: str, directory: int) -> str:
    """ "" when it is no symlink."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return ""
        raise


def _attach(tree: int, target: int) -> None:
    """Both descriptors are closed."""
    try:
        syscalls.move_mount(tree, target)
    finally:
        os.close(tree)
        os.close(target)


@dataclass(frozen=True, slots=True)
class Isolate:
    """Stop this mount namespace from telling the node's about mounts; listen to it (slave) where somebody asked to."""

    propagation: int = syscalls.MS_PRIVATE

    def describe(self) -> str:
        return "separate the mounts from the node's"

    def execute(self, root: Root) -> None:
        if self.propagation != syscalls.MS_SHARED:
            syscalls.mount("", "/", "", syscalls.MS_REC | self.propagation)
            return
        # Bidirectional propagation keeps the node's peer groups; only the mount that holds the root leaves them.
        path = root.path
        while True:
            try:
                syscalls.mount("", path, "", syscalls.MS_PRIVATE)
                return
            except OSError as error:
                if error.errno != errno.EINVAL or path == "/":
                    raise
            path = os.path.dirname(path)


@dataclass(frozen=True, slots=True)
class Overlay:
    lower: tuple[str, ...]
    upper: str
    work: str

    def describe(self) -> str:
        return f"mount {len(self.lower)} layers as the root"

    def execute(self, root: Root) -> None:
        if len(self.lower) == 1 and not self.upper:
            tree = syscalls.open_tree(syscalls.AT_FDCWD, self.lower[0], syscalls.OPEN_TREE_CLONE)
            syscalls.mount_setattr(tree, set=RDONLY)
            _attach(tree, os.open(root.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        else:
            self._mount(root)
        root.fd = os.open(root.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def _mount(self, root: Root) -> None:
        data = overlay_options(self.lower, self.upper, self.work)
        if len(data) <= OVERLAY_DATA_LIMIT:
            syscalls.mount("overlay", root.path, "overlay", 0, data)
            return
        # One page is all that mount(2) takes. Layers one by one are known from Linux 6.8 on.
        options = [("lowerdir+", path) for path in self.lower]
        if self.upper:
            options += [("upperdir", self.upper), ("workdir", self.work)]
        try:
            tree = syscalls.fsmount("overlay", options, 0)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._mount_relative(root)
        else:
            _attach(tree, os.open(root.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))

    def _mount_relative(self, root: Root) -> None:
        base = os.path.commonpath([*self.lower, self.upper or self.lower[0]])
        os.chdir(base)
        start = len(base) + 1
        data = overlay_options([path[start:] for path in self.lower], self.upper[start:], self.work[start:])
        syscalls.mount("overlay", root.path, "overlay", 0, data)


def overlay_options(lower: Sequence[str], upper: str, work: str) -> str:
    options = "lowerdir=" + ":".join(_escape(path, ":") for path in lower)
    if upper:
        options += f",upperdir={_escape(upper)},workdir={_escape(work)}"
    return options


def _escape(path: str, more: str = "") -> str:
    for character in "\\," + more:
        path = path.replace(character, "\\" + character)
    return path


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new instance of a kernel file system. `strict`: no component of the target may be a symlink."""

    fstype: str
    target: str
    flags: int
    data: str = ""
    strict: bool = False

    def describe(self) -> str:
        return f"mount {self.fstype} on {self.target}"

    def execute(self, root: Root) -> None:
        resolve = IN_ROOT | syscalls.RESOLVE_NO_SYMLINKS if self.strict else IN_ROOT
        target = root.directory(self.target, resolve)
        try:
            syscalls.mount(self.fstype, f"/proc/self/fd/{target}", self.fstype, self.flags, self.data)
        finally:
            os.close(target)


@dataclass(frozen=True, slots=True)
class Devices:
    """The nodes and links of a /dev that has just been mounted."""

    nodes: tuple[tuple[str, int, int], ...] = DEVICES
    links: tuple[tuple[str, str], ...] = DEVICE_LINKS

    def describe(self) -> str:
        return "make the devices"

    def execute(self, root: Root) -> None:
        root.devices = root.directory("/dev")
        for name, major, minor in self.nodes:
            os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(major, minor), dir_fd=root.devices)
        for name, target in self.links:
            os.symlink(target, name, dir_fd=root.devices)


@dataclass(frozen=True, slots=True)
class HostDevices:
    """Every device node of the node, for a privileged container."""

    source: str = "/dev"

    def describe(self) -> str:
        return "make the node's devices"

    def execute(self, root: Root) -> None:
        have = {name for name, _, _ in DEVICES} | {"console", "ptmx"}
        self._copy(self.source, root.devices, have)

    def _copy(self, source: str, target: int, have: set[str]) -> None:
        with os.scandir(source) as scanned:
            entries = list(scanned)
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                if entry.name not in have:
                    os.mknod(entry.name, status.st_mode, status.st_rdev, dir_fd=target)
            elif stat.S_ISDIR(status.st_mode) and entry.name not in ("pts", "shm", "mqueue", "hugepages"):
                os.mkdir(entry.name, 0o755, dir_fd=target)
                below = os.open(entry.name, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=target)
                try:
                    self._copy(entry.path, below, set())
                finally:
                    os.close(below)


@dataclass(frozen=True, slots=True)
class Bind:
    source: str
    target: str
    attributes: int = 0
    propagation: int = syscalls.MS_PRIVATE
    recursive: bool = True
    recursive_attributes: bool = False

    def describe(self) -> str:
        return f"bind {self.source} on {self.target}"

    def execute(self, root: Root) -> None:
        flags = syscalls.OPEN_TREE_CLONE | (syscalls.AT_RECURSIVE if self.recursive else 0)
        tree = syscalls.open_tree(syscalls.AT_FDCWD, self.source, flags)
        try:
            if self.propagation != syscalls.MS_SHARED:
                syscalls.mount_setattr(tree, propagation=self.propagation, recursive=self.recursive)
            if self.attributes:
                syscalls.mount_setattr(tree, set=self.attributes, recursive=self.recursive_attributes)
            is_directory = stat.S_ISDIR(os.fstat(tree).st_mode)
            target = root.directory(self.target) if is_directory else root.file(self.target)
        except OSError:
            os.close(tree)
            raise
        _attach(tree, target)


@dataclass(frozen=True, slots=True)
class BindTree:
    """A detached mount: a clone of the pod's /dev/shm. Used up by its execution."""

    tree: int
    target: str

    def describe(self) -> str:
        return f"mount the pod's {self.target}"

    def execute(self, root: Root) -> None:
        _attach(self.tree, root.directory(self.target))


@dataclass(frozen=True, slots=True)
class Mask:
    """Hide a file behind /dev/null, a directory behind an empty one. What is not there needs no mask."""

    path: str

    def describe(self) -> str:
        return f"mask {self.path}"

    def execute(self, root: Root) -> None:
        try:
            target = root.open(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        clone = syscalls.OPEN_TREE_CLONE | syscalls.AT_EMPTY_PATH
        if stat.S_ISDIR(os.fstat(target).st_mode):
            if root.empty_tree < 0:
                # Attached once and cloned from there: kernels before 6.15 do not clone a detached mount.
                syscalls.mount("tmpfs", f"/proc/self/fd/{target}", "tmpfs", syscalls.MS_RDONLY, "nr_inodes=1")
                root.empty_tree = root.open(self.path)
                os.close(target)
                return
            _attach(syscalls.open_tree(root.empty_tree, "", clone), target)
            return
        null = self._null(root)
        try:
            _attach(syscalls.open_tree(null, "", clone), target)
        finally:
            os.close(null)

    def _null(self, root: Root) -> int:
        """The node we made, proven by its number (CVE-2025-31133)."""
        fd = os.open("null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root.devices)
        status = os.fstat(fd)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
            raise OSError(errno.ENODEV, "/dev/null is not the null device")
        return fd


@dataclass(frozen=True, slots=True)
class ReadOnly:
    path: str

    def describe(self) -> str:
        return f"make {self.path} read-only"

    def execute(self, root: Root) -> None:
        try:
            target = root.open(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        clone = syscalls.OPEN_TREE_CLONE | syscalls.AT_EMPTY_PATH | syscalls.AT_RECURSIVE
        tree = syscalls.open_tree(target, "", clone)
        syscalls.mount_setattr(tree, set=RDONLY, recursive=True)
        _attach(tree, target)


@dataclass(frozen=True, slots=True)
class Seal:
    """Make a mount of ours, now furnished, read-only in place."""

    path: str

    def describe(self) -> str:
        return f"make the mount {self.path} read-only"

    def execute(self, root: Root) -> None:
        fd = root.open(self.path)
        try:
            syscalls.mount_setattr(fd, set=RDONLY)
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class WorkingDirectory:
    """Made when the image has none, as Docker does."""

    path: str

    def describe(self) -> str:
        return f"make the working directory {self.path}"

    def execute(self, root: Root) -> None:
        os.close(root.directory(self.path))


@dataclass(frozen=True, slots=True)
class Pivot:
    def describe(self) -> str:
        return "pivot into the root"

    def execute(self, root: Root) -> None:
        os.fchdir(root.fd)
        # new_root = put_old stacks the old root on top of the new one: pivot_root(2), NOTES.
        syscalls.pivot_root(".", ".")
        syscalls.umount2(".", syscalls.MNT_DETACH)
        os.chdir("/")


Step = (
    Isolate
    | Overlay
    | Fresh
    | Devices
    | HostDevices
    | Bind
    | BindTree
    | Mask
    | ReadOnly
    | Seal
    | WorkingDirectory
    | Pivot
)


@dataclass(frozen=True, slots=True)
class CgroupView:
    """What /sys/fs/cgroup shows: v1 directories by name, or a fresh cgroup2 in the container's cgroup namespace."""

    v1: dict[str, str] = field(default_factory=dict)


def plan(spec: ContainerSpec, view: CgroupView, shm: int) -> list[Step]:
    """In OCI's order. A mount of the spec on one of our own targets replaces ours. `shm` -1: the node's /dev/shm."""
    taken = {mount.target.rstrip("/") for mount in spec.mounts}
    security = spec.security
    steps: list[Step] = [Isolate(_root_propagation(spec.mounts)), Overlay(spec.lower, spec.upper, spec.work)]
    steps.extend(_own(spec, view, shm, taken))
    steps.extend(_asked(mount) for mount in spec.mounts)
    steps.append(WorkingDirectory(spec.cwd or "/"))
    if not security.privileged:
        steps.extend(Mask(path) for path in security.masked_paths)
        steps.extend(ReadOnly(path) for path in security.read_only_paths)
    if security.read_only_rootfs and spec.upper:
        steps.append(Seal("/"))
    steps.append(Pivot())
    return steps


def _root_propagation(mounts: Sequence[Mount]) -> int:
    asked = {PROPAGATION[mount.propagation] for mount in mounts}
    for propagation in (syscalls.MS_SHARED, syscalls.MS_SLAVE):
        if propagation in asked:
            return propagation
    return syscalls.MS_PRIVATE


def _own(spec: ContainerSpec, view: CgroupView, shm: int, taken: set[str]) -> Iterator[Step]:
    nosuid, nodev, noexec = syscalls.MS_NOSUID, syscalls.MS_NODEV, syscalls.MS_NOEXEC
    privileged = spec.security.privileged
    if "/proc" not in taken:
        yield Fresh("proc", "/proc", nosuid | nodev | noexec, strict=True)
    if "/dev" not in taken:
        yield Fresh("tmpfs", "/dev", nosuid | syscalls.MS_STRICTATIME, "mode=755,size=65536k", strict=True)
        yield Devices()
        if privileged:
            yield HostDevices()
        yield Fresh("devpts", "/dev/pts", nosuid | noexec, "newinstance,ptmxmode=0666,mode=0620,gid=5")
        yield Fresh("mqueue", "/dev/mqueue", nosuid | nodev | noexec)
        if "/dev/shm" not in taken:
            yield BindTree(shm, "/dev/shm") if shm >= 0 else Bind("/dev/shm", "/dev/shm", NOSUID | NODEV | NOEXEC)
    if "/sys" not in taken:
        read_only = 0 if privileged else syscalls.MS_RDONLY
        yield Fresh("sysfs", "/sys", nosuid | nodev | noexec | read_only, strict=True)
        if "/sys/fs/cgroup" not in taken:
            yield from _cgroup_mounts(view, privileged)


def _cgroup_mounts(view: CgroupView, writable: bool) -> Iterator[Step]:
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    if not view.v1:
        yield Fresh("cgroup2", "/sys/fs/cgroup", flags | (0 if writable else syscalls.MS_RDONLY))
        return
    yield Fresh("tmpfs", "/sys/fs/cgroup", flags, "mode=755")
    attributes = NOSUID | NODEV | NOEXEC | (0 if writable else RDONLY)
    for name, directory in view.v1.items():
        yield Bind(directory, f"/sys/fs/cgroup/{name}", attributes, recursive=False)
    if not writable:
        yield Seal("/sys/fs/cgroup")


def _asked(mount: Mount) -> Step:
    if not mount.source:
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | (syscalls.MS_RDONLY if mount.read_only else 0)
        return Fresh("tmpfs", mount.target, flags, mount.options)
    return Bind(
        mount.source,
        mount.target,
        RDONLY if mount.read_only or mount.recursive_read_only else 0,
        PROPAGATION[mount.propagation],
        recursive_attributes=mount.recursive_read_only,
    )


def execute(steps: Sequence[Step], root: Root) -> None:
    """Raises StepFailed."""
    for step in steps:
        try:
            step.execute(root)
        except OSError as error:
            raise StepFailed(step.describe(), error.errno or errno.EIO) from error
