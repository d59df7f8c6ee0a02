"""cgroups v1, hybrid and v2 behind one set of verbs: create, remove, kill, and what the kernel counted.

Changes are plans: lists of small values that describe themselves and can be read before they run. On a hybrid host a
cgroup is made in the v1 hierarchies for its limits and in the unified one for `cgroup.kill` and `cgroup.events`.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sampan_runtime.errors import StepFailed
from sampan_runtime.spec import Cgroup

USED_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices")
"""Of v1: what sets a limit we know or counts what CRI's statistics ask for."""
DELEGATED_CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")
"""Of v2: enabled on the way down to a cgroup."""
REMOVE_SECONDS = 2.0
DEFAULT_PERIOD = 100_000


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """Where they are mounted. `v1` is controller -> directory; `unified` is "" without cgroup v2."""

    v1: dict[str, str]
    unified: str

    @property
    def roots(self) -> tuple[str, ...]:
        return (*dict.fromkeys(self.v1.values()), *((self.unified,) if self.unified else ()))


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    path: str

    def describe(self) -> str:
        return f"make {self.path}"

    def execute(self) -> None:
        try:
            os.mkdir(self.path, 0o755)
        except FileExistsError:
            pass


@dataclass(frozen=True, slots=True)
class Write:
    path: str
    value: str
    optional: bool = False
    """The file may be missing: a kernel built without it, or a controller that is not there."""
    refusable: bool = False
    """The kernel may find the value invalid as things stand now."""

    def describe(self) -> str:
        return f"write {self.value} to {self.path}"

    def execute(self) -> None:
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if self.optional:
                return
            raise
        try:
            os.write(fd, self.value.encode())
        except OSError as error:
            if not (self.refusable and error.errno == errno.EINVAL):
                raise
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class InheritCpuset:
    """A new v1 cpuset has neither processors nor memory nodes and refuses tasks until it has both."""

    path: str

    def describe(self) -> str:
        return f"give {self.path} its parent's processors and memory nodes"

    def execute(self) -> None:
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not _read(f"{self.path}/{name}").strip():
                Write(f"{self.path}/{name}", _read(f"{os.path.dirname(self.path)}/{name}").strip()).execute()


@dataclass(frozen=True, slots=True)
class Delegate:
    """Enable below `path` what it was given itself, and only what is new: each write takes a global lock."""

    path: str

    def describe(self) -> str:
        return f"enable the controllers of {self.path} below it"

    def execute(self) -> None:
        available = _read(f"{self.path}/cgroup.controllers").split()
        enabled = _read(f"{self.path}/cgroup.subtree_control").split()
        missing = [f"+{name}" for name in DELEGATED_CONTROLLERS if name in available and name not in enabled]
        if missing:
            Write(f"{self.path}/cgroup.subtree_control", " ".join(missing)).execute()


Step = MakeDirectory | Write | InheritCpuset | Delegate


def detect(mountinfo: str = "/proc/self/mountinfo") -> Hierarchies:
    v1: dict[str, str] = {}
    unified = ""
    with open(mountinfo) as file:
        for line in file:
            fields = line.split()
            separator = fields.index("-")
            fstype, options = fields[separator + 1], fields[separator + 3].split(",")
            if fstype == "cgroup":
                for name in USED_CONTROLLERS:
                    if name in options:
                        v1.setdefault(name, fields[4])
            elif fstype == "cgroup2" and not unified:
                unified = fields[4]
    return Hierarchies(v1, unified)


def create_plan(hierarchies: Hierarchies, cgroup: Cgroup) -> list[Step]:
    """Directories on the whole way down, then the limits."""
    parts = [part for part in cgroup.path.split("/") if part]
    plan: list[Step] = []
    for root in hierarchies.roots:
        directory = root
        for part in parts:
            if root == hierarchies.unified and not hierarchies.v1:
                plan.append(Delegate(directory))
            directory = f"{directory}/{part}"
            plan.append(MakeDirectory(directory))
            if root == hierarchies.v1.get("cpuset"):
                plan.append(InheritCpuset(directory))
    plan.extend(_v1_limits(hierarchies, cgroup) if hierarchies.v1 else _v2_limits(hierarchies, cgroup))
    return plan


def _v1_limits(hierarchies: Hierarchies, cgroup: Cgroup) -> Iterator[Step]:
    def write(controller: str, file: str, value: object, **may: bool) -> Iterator[Step]:
        if controller in hierarchies.v1:
            path = directory(hierarchies.v1[controller], cgroup.path)
            yield Write(f"{path}/{file}", str(value), **may)

    if cgroup.memory_limit:
        # Memory with swap is never less than memory alone: raised before it, lowered after it.
        yield from write("memory", "memory.memsw.limit_in_bytes", cgroup.memory_limit, optional=True, refusable=True)
        yield from write("memory", "memory.limit_in_bytes", cgroup.memory_limit)
        yield from write("memory", "memory.memsw.limit_in_bytes", cgroup.memory_limit, optional=True)
    if cgroup.cpu_shares:
        yield from write("cpu", "cpu.shares", cgroup.cpu_shares)
    if cgroup.cpu_quota:
        yield from write("cpu", "cpu.cfs_period_us", cgroup.cpu_period or DEFAULT_PERIOD)
        yield from write("cpu", "cpu.cfs_quota_us", cgroup.cpu_quota)
    if cgroup.pids_limit > 0:
        yield from write("pids", "pids.max", cgroup.pids_limit)
    if cgroup.cpuset_cpus:
        yield from write("cpuset", "cpuset.cpus", cgroup.cpuset_cpus)


def _v2_limits(hierarchies: Hierarchies, cgroup: Cgroup) -> Iterator[Step]:
    path = directory(hierarchies.unified, cgroup.path)
    if cgroup.memory_limit:
        yield Write(f"{path}/memory.max", str(cgroup.memory_limit))
        yield Write(f"{path}/memory.swap.max", "0", optional=True)
        # As the kubelet does: a process killed for memory takes its container along.
        yield Write(f"{path}/memory.oom.group", "1", optional=True)
    if cgroup.cpu_shares:
        yield Write(f"{path}/cpu.weight", str(weight(cgroup.cpu_shares)))
    if cgroup.cpu_quota:
        quota = "max" if cgroup.cpu_quota < 0 else str(cgroup.cpu_quota)
        yield Write(f"{path}/cpu.max", f"{quota} {cgroup.cpu_period or DEFAULT_PERIOD}")
    if cgroup.pids_limit > 0:
        yield Write(f"{path}/pids.max", str(cgroup.pids_limit))
    if cgroup.cpuset_cpus:
        yield Write(f"{path}/cpuset.cpus", cgroup.cpuset_cpus)


def weight(shares: int) -> int:
    """cpu.shares 2..262144 onto cpu.weight 1..10000, KEP-2254."""
    return 1 + (max(2, min(shares, 262_144)) - 2) * 9_999 // 262_142


def directory(root: str, path: str) -> str:
    return f"{root}/{path.strip('/')}"


def run(plan: list[Step]) -> None:
    for step in plan:
        try:
            step.execute()
        except OSError as error:
            raise StepFailed(step.describe(), error.errno or errno.EIO) from error


def create(hierarchies: Hierarchies, cgroup: Cgroup) -> None:
    """Raises StepFailed. Idempotent. The common case is one mkdir per hierarchy, so the leaf is tried first."""
    leaves = [directory(root, cgroup.path) for root in hierarchies.roots]
    try:
        for leaf in leaves:
            MakeDirectory(leaf).execute()
    except FileNotFoundError:
        run(create_plan(hierarchies, cgroup))
        return
    except OSError as error:
        raise StepFailed(f"make {leaf}", error.errno or errno.EIO) from error
    plan: list[Step] = []
    if "cpuset" in hierarchies.v1:
        plan.append(InheritCpuset(directory(hierarchies.v1["cpuset"], cgroup.path)))
    if not hierarchies.v1:
        plan.append(Delegate(os.path.dirname(leaves[0])))
    plan.extend(_v1_limits(hierarchies, cgroup) if hierarchies.v1 else _v2_limits(hierarchies, cgroup))
    run(plan)


def remove(
    hierarchies: Hierarchies,
    path: str,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> bool:
    """The cgroup and those below it, in every hierarchy. False when something in it would not die in time."""
    deadline = now() + REMOVE_SECONDS
    gone = True
    for root in hierarchies.roots:
        for child in reversed(list(_tree(directory(root, path)))):
            while True:
                try:
                    os.rmdir(child)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    # A dead process leaves its cgroup a moment after its parent has reaped it.
                    if error.errno == errno.EBUSY and now() < deadline:
                        sleep(0.002)
                        continue
                    gone = False
                break
    return gone


def _tree(top: str) -> Iterator[str]:
    """`top` and the directories below, parents first; nothing when it is not there."""
    try:
        with os.scandir(top) as entries:
            children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    yield top
    for child in children:
        yield from _tree(child)


def members(hierarchies: Hierarchies, path: str) -> set[int]:
    """Processes in the cgroup and below, as this process's pid namespace numbers them."""
    pids: set[int] = set()
    for root in hierarchies.roots:
        for child in _tree(directory(root, path)):
            try:
                pids.update(int(line) for line in _read(f"{child}/cgroup.procs").split())
            except OSError:
                continue
    pids.discard(0)
    return pids


def kill(hierarchies: Hierarchies, path: str) -> None:
    """SIGKILL to everything in it. v1 has no such verb: signal until nobody new has been forked meanwhile."""
    if hierarchies.unified:
        Write(f"{directory(hierarchies.unified, path)}/cgroup.kill", "1", optional=True).execute()
    if not hierarchies.v1:
        return
    signalled: set[int] = set()
    for _ in range(100):
        fresh = members(hierarchies, path) - signalled
        if not fresh:
            return
        for pid in fresh:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        signalled |= fresh


def task_files(hierarchies: Hierarchies, path: str) -> list[str]:
    """Where a child writes 0 to enter by itself. `tasks` moves one thread and, unlike `cgroup.procs`, takes no lock."""
    roots = dict.fromkeys(hierarchies.v1.values())
    return [f"{directory(root, path)}/tasks" for root in roots]


def oom_kills(hierarchies: Hierarchies, path: str) -> int:
    """How many processes of the cgroup the kernel killed for want of memory; 0 when it is gone."""
    if "memory" in hierarchies.v1:
        file = f"{directory(hierarchies.v1['memory'], path)}/memory.oom_control"
    else:
        file = f"{directory(hierarchies.unified, path)}/memory.events"
    try:
        lines = _read(file).splitlines()
    except FileNotFoundError:
        return 0
    for line in lines:
        key, _, value = line.partition(" ")
        if key == "oom_kill":
            return int(value)
    return 0


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()
