"""The cgroups the agent makes: `<root>/kubepods[/<qos>]/pod<uid>`, under v1, hybrid and v2 alike.

Limits are written where the controller is; a controller the machine does not have is reported
once, by `missing()`, never ignored in silence.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)
CONTROLLERS = ("cpu", "memory", "pids")
MOUNT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Limits:
    """0: not limited (for `cpu_shares`: left as it is)."""

    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 100_000
    memory: int = 0
    pids: int = 0


class Cgroups:
    def __init__(self, mount: Path = MOUNT) -> None:
        self._v2 = (mount / "cgroup.controllers").exists()
        if self._v2:
            self._roots = dict.fromkeys((mount / "cgroup.controllers").read_text().split(), mount)
            self._all = [mount]
        else:
            self._roots = {c: mount / c for c in CONTROLLERS if (mount / c).is_dir()}
            self._all = list(dict.fromkeys([*self._roots.values(), *_v1_others(mount)]))

    def missing(self) -> list[str]:
        return [c for c in CONTROLLERS if c not in self._roots]

    def make(self, path: str, limits: Limits) -> None:
        """Makes the cgroup in every hierarchy, with its parents, and sets its limits. Raises OSError."""
        relative = path.strip("/")
        if self._v2:
            self._delegate(relative)
            directories = {c: self._all[0] / relative for c in CONTROLLERS if c in self._roots}
        else:
            for root in self._roots.values():
                (root / relative).mkdir(parents=True, exist_ok=True)
            directories = {c: root / relative for c, root in self._roots.items()}
        for controller, file, value in self._writes(limits):
            if controller in directories:
                (directories[controller] / file).write_text(value)

    def _delegate(self, relative: str) -> None:
        """v2: a child has only the controllers that every ancestor passes on."""
        directory = self._all[0]
        wanted = " ".join(f"+{c}" for c in CONTROLLERS if c in self._roots)
        for part in Path(relative).parts:
            (directory / "cgroup.subtree_control").write_text(wanted)
            directory = directory / part
            directory.mkdir(exist_ok=True)

    def _writes(self, limits: Limits) -> Iterator[tuple[str, str, str]]:
        if self._v2:
            if limits.cpu_shares:
                weight = 1 + (max(2, min(limits.cpu_shares, 262_144)) - 2) * 9999 // 262_142
                yield "cpu", "cpu.weight", str(weight)
            if limits.cpu_quota:
                yield "cpu", "cpu.max", f"{limits.cpu_quota} {limits.cpu_period}"
            if limits.memory:
                yield "memory", "memory.max", str(limits.memory)
        else:
            if limits.cpu_shares:
                yield "cpu", "cpu.shares", str(limits.cpu_shares)
            if limits.cpu_quota:
                yield "cpu", "cpu.cfs_period_us", str(limits.cpu_period)
                yield "cpu", "cpu.cfs_quota_us", str(limits.cpu_quota)
            if limits.memory:
                yield "memory", "memory.limit_in_bytes", str(limits.memory)
        if limits.pids:
            yield "pids", "pids.max", str(limits.pids)

    def remove(self, path: str) -> bool:
        """Removes the cgroup and what is below it, in every hierarchy; False while something still lives there."""
        gone = True
        for root in self._all:
            directory = root / path.strip("/")
            for current, _, _ in os.walk(directory, topdown=False):
                try:
                    os.rmdir(current)
                except OSError as e:
                    if e.errno != errno.ENOENT:
                        gone = False
        return gone


def _v1_others(mount: Path) -> Iterator[Path]:
    """Hierarchies without a limit of ours, in which the runtime may have placed the pod all the same."""
    for entry in sorted(mount.iterdir()):
        if entry.is_dir() and not entry.is_symlink() and (entry / "cgroup.procs").exists():
            yield entry


def pod_cgroup(root: str, qos: str, uid: str) -> str:
    middle = "" if qos == "Guaranteed" else f"/{qos.lower()}"
    return f"{root.rstrip('/')}/kubepods{middle}/pod{uid}"
