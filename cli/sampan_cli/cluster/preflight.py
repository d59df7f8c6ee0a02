"""What a machine must have before a cluster can start on it, each missing thing named with what brings it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sampan_cli.cluster.cgroups import hierarchies
from sampan_cli.errors import ClusterError


@dataclass(frozen=True)
class Missing:
    what: str
    package: str = ""
    """The Debian package that brings it; empty: `what` says what to do."""


PROGRAMS = {
    "etcd": "etcd-server",
    "busybox": "busybox-static",
    "nft": "nftables",
}
FILE_SYSTEMS = ("overlay", "proc", "tmpfs")
NAMESPACES = ("net", "mnt", "pid", "ipc", "uts")


def missing(
    which: Callable[[str], str | None] = shutil.which, proc: Path = Path("/proc"), uid: int | None = None
) -> list[Missing]:
    found = []
    if (os.geteuid() if uid is None else uid) != 0:
        found.append(Missing("root (namespaces, cgroups and mounts need it): run it with sudo"))
    for program, package in PROGRAMS.items():
        if which(program) is None:
            found.append(Missing(f'the program "{program}"', package))
    known = (proc / "filesystems").read_text().split()
    for name in FILE_SYSTEMS:
        if name not in known and not _module_exists(name, proc):
            found.append(Missing(f'the kernel\'s "{name}" file system'))
    for name in NAMESPACES:
        if not (proc / "self" / "ns" / name).exists():
            found.append(Missing(f"{name} namespaces in the kernel"))
    controllers = {c for h in hierarchies() for c in h.controllers}
    for name in ("cpu", "memory", "pids"):
        if name not in controllers:
            hint = " (boot with cgroup_enable=memory)" if name == "memory" else ""
            found.append(Missing(f'the cgroup controller "{name}"{hint}'))
    return found


def _module_exists(name: str, proc: Path) -> bool:
    """Whether the kernel can load it when it is first mounted."""
    release = (proc / "sys/kernel/osrelease").read_text().strip()
    modules = Path("/lib/modules") / release / "modules.dep"
    return modules.exists() and f"/{name}.ko" in modules.read_text()


def check() -> None:
    """Raises with the whole list, so that one look is enough."""
    found = missing()
    if not found:
        return
    lines = [f"  {item.what}" + (f": Debian package {item.package}" if item.package else "") for item in found]
    packages = sorted({item.package for item in found if item.package})
    if packages:
        lines.append(f"Install with: apt-get install --no-install-recommends {' '.join(packages)}")
    raise ClusterError("this machine lacks\n" + "\n".join(lines))
