"""The cluster's cgroups: `/sampan/<cluster>/<node>` in every hierarchy, with the node's share of the machine.

Hosts have version 2 alone, version 1 alone, or both (hybrid: controllers in v1, plus an empty v2 tree). Set-up makes
the same path in each. One more, `/sampan/<cluster>/control`, holds the cluster's own processes, in one hierarchy:
whatever else is lost, `down` finds them there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sampan_cli.cluster.plan import Plan
from sampan_cli.errors import ClusterError

WANTED = ("cpu", "memory", "pids")
CPU_PERIOD_US = 100_000


@dataclass(frozen=True)
class Hierarchy:
    root: Path
    version: int
    controllers: frozenset[str]

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")


def hierarchies(mountinfo: str | None = None) -> list[Hierarchy]:
    """From /proc/self/mountinfo, proc_pid_mountinfo(5): mount point, type, and for v1 the controllers as options."""
    found = []
    for line in (mountinfo or Path("/proc/self/mountinfo").read_text()).splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root = Path(before.split()[4].replace("\\040", " "))
        if kind == "cgroup2":
            available = root / "cgroup.controllers"
            names = available.read_text().split() if available.exists() else []
            found.append(Hierarchy(root, 2, frozenset(names)))
        elif kind == "cgroup":
            found.append(Hierarchy(root, 1, frozenset(options.split(",")) - {"rw", "xattr", "clone_children"}))
    return found


def control_hierarchy(all_of_them: list[Hierarchy]) -> Hierarchy:
    """Where the cluster's own processes are kept together: v2 if there is one (it can kill a tree at once)."""
    ordered = sorted(all_of_them, key=lambda h: (h.version != 2, "pids" not in h.controllers))
    if not ordered:
        raise ClusterError("no cgroup file system is mounted (expected under /sys/fs/cgroup)")
    return ordered[0]


def set_up(plan: Plan) -> None:
    for hierarchy in hierarchies():
        ancestors = [hierarchy.root, hierarchy.at("/sampan"), hierarchy.at(plan.cgroup)]
        for above, path in pairwise(ancestors):
            _make(hierarchy, above, path)
        for node in plan.nodes:
            path = hierarchy.at(f"{plan.cgroup}/{node.name}")
            _make(hierarchy, ancestors[-1], path)
            _limit(hierarchy, path, plan)


def _make(hierarchy: Hierarchy, parent: Path, path: Path) -> None:
    if hierarchy.version == 2:
        enable(parent, hierarchy.controllers)
    path.mkdir(exist_ok=True)
    if "cpuset" in hierarchy.controllers and hierarchy.version == 1:
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not (path / name).read_text().strip():
                (path / name).write_text((parent / name).read_text())
        (path / "cgroup.clone_children").write_text("1")


def enable(parent: Path, available: frozenset[str]) -> None:
    switch = parent / "cgroup.subtree_control"
    missing = [c for c in WANTED if c in available and c not in switch.read_text().split()]
    if missing:
        switch.write_text(" ".join(f"+{name}" for name in missing))


def missing_at_root() -> list[str]:
    """What `set_up` will switch on at the root of a v2 hierarchy."""
    return [
        name
        for h in hierarchies()
        if h.version == 2
        for name in WANTED
        if name in h.controllers and name not in (h.root / "cgroup.subtree_control").read_text().split()
    ]


def disable_at_root(names: list[str]) -> None:
    """Puts the root back as it was; another user of the same controller (EBUSY) keeps it on."""
    for hierarchy in hierarchies():
        if hierarchy.version == 2:
            for name in names:
                with contextlib.suppress(OSError):
                    (hierarchy.root / "cgroup.subtree_control").write_text(f"-{name}")


def _limit(hierarchy: Hierarchy, path: Path, plan: Plan) -> None:
    quota = plan.node_cpus * CPU_PERIOD_US
    if hierarchy.version == 2:
        settings = {"memory.max": f"{plan.node_memory}", "cpu.max": f"{quota} {CPU_PERIOD_US}"}
    else:
        settings = {
            "memory.limit_in_bytes": f"{plan.node_memory}",
            "cpu.cfs_period_us": f"{CPU_PERIOD_US}",
            "cpu.cfs_quota_us": f"{quota}",
        }
    for name, value in settings.items():
        file = path / name
        if file.exists():
            file.write_text(value)


def enter_control(path: str) -> None:
    directory = control_hierarchy(hierarchies()).at(path)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cgroup.procs").write_text("0")


def members(path: str) -> set[int]:
    """Every process in that subtree of any hierarchy."""
    return {pid for h in hierarchies() for directory in _tree(h.at(path)) for pid in _procs(directory)}


def _tree(top: Path) -> Iterator[Path]:
    """Deepest first, so that the order also serves for removal."""
    for directory, _, _ in os.walk(top, topdown=False):
        yield Path(directory)


def _procs(directory: Path) -> list[int]:
    try:
        return [int(line) for line in (directory / "cgroup.procs").read_text().split()]
    except (FileNotFoundError, OSError):
        return []


def take_down(path: str, timeout: float = 10.0) -> None:
    """Kills what is left in the subtree, then removes it from every hierarchy, and `/sampan` when it is empty."""
    deadline = time.monotonic() + timeout
    while left := members(path) - {os.getpid()}:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"processes {sorted(left)} in cgroup {path} do not die")
        time.sleep(0.005)
    for hierarchy in hierarchies():
        for directory in _tree(hierarchy.at(path)):
            _rmdir(directory, deadline)
        with contextlib.suppress(OSError):
            hierarchy.at("/sampan").rmdir()


def _rmdir(directory: Path, deadline: float) -> None:
    """A cgroup stays busy for a moment after its last process has died."""
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
