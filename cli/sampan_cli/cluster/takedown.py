"""`sampan down`: leaves the machine as it was before `up`, from whatever state a crash has left.

Order: record says `down` (so nobody restarts anything) → guardian, supervisor → agents → runtimes → master → etcd →
what is left in the cgroups → mounts → namespaces and links → rules → settings of the machine → directories → the
record itself. Each step does nothing where nothing is left, so an interrupted `down` is simply run again.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from sampan_cli.cluster import cgroups, identity, machine, netns, record
from sampan_cli.cluster.bringup import IP_FORWARD, NETNS_DIRECTORY, V2_CONTROLLERS
from sampan_cli.cluster.plan import Plan
from sampan_cli.cluster.record import GUARDIAN, SUPERVISOR, Phase
from sampan_cli.cluster.settings import RUN_ROOT, STATE_ROOT

STOP_SECONDS = 5.0

Say = Callable[[str], None]


def take_down(cluster: str, say: Say, keep_data: bool = False) -> bool:
    """Whether there was anything to take down."""
    with record.locked(cluster):
        loaded = record.load(cluster)
        if loaded is None:
            return False
        plan = loaded[0]
        record.save(plan, Phase.DOWN)
        say("stopping supervisor, agents, runtimes, master and etcd")
        _stop_processes(plan)
        say("removing containers, cgroups, mounts, namespaces, links and rules")
        with record.locked("machine"):
            cgroups.take_down(plan.cgroup)
            _unmount_below(plan.settings.state_dir, plan.settings.run_dir)
            _clear_machine(plan)
        say("keeping the data" if keep_data else "removing the data")
        _remove_directories(plan, keep_data)
    return True


def _stop_processes(plan: Plan) -> None:
    cluster = plan.settings.cluster
    for name in (GUARDIAN, SUPERVISOR):
        _stop(cluster, [name], signal.SIGKILL)
    names = [part.name for part in record.load_components(cluster)]
    for prefix in ("agent", "runtime", "master", "etcd", ""):
        _stop(cluster, [name for name in names if name.startswith(prefix)], signal.SIGTERM)


def _stop(cluster: str, names: list[str], number: int) -> None:
    """Signal them all, wait for all, then kill those that have not followed."""
    fds = []
    for name in names:
        recorded = identity.read(record.process_path(cluster, name))
        fd = recorded.open() if recorded else None
        if fd is not None:
            fds.append(fd)
    deadline = time.monotonic() + STOP_SECONDS
    for fd in fds:
        _send(fd, number)
    for fd in fds:
        if not _ended(fd, deadline - time.monotonic()):
            _send(fd, signal.SIGKILL)
            _ended(fd, STOP_SECONDS)
        os.close(fd)


def _send(fd: int, number: int) -> None:
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        pass


def _ended(fd: int, seconds: float) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(max(0, int(seconds * 1000))))


def mounts_below(mountinfo: str, *tops: Path) -> list[str]:
    """Mount points under those directories, the last mounted first."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return [p for p in reversed(points) if any(Path(p).is_relative_to(top) for top in tops)]


def _unmount_below(*tops: Path) -> None:
    for point in mounts_below(Path("/proc/self/mountinfo").read_text(), *tops):
        netns.umount(point)


def _clear_machine(plan: Plan) -> None:
    from sampan_cli.cluster import firewall, network

    cluster = plan.settings.cluster
    network.take_down(plan)
    firewall.take_down(plan)
    unneeded = machine.give_back(cluster)
    if IP_FORWARD in unneeded:
        Path("/proc/sys/net/ipv4/ip_forward").write_text(unneeded[IP_FORWARD])
    if V2_CONTROLLERS in unneeded:
        cgroups.disable_at_root(unneeded[V2_CONTROLLERS].split())
    if NETNS_DIRECTORY in unneeded:
        netns.unshare_root(unneeded[NETNS_DIRECTORY])
    machine.forget(cluster)


def _remove_directories(plan: Plan, keep_data: bool) -> None:
    state, run = plan.settings.state_dir, plan.settings.run_dir
    left = mounts_below(Path("/proc/self/mountinfo").read_text(), state, run)
    if left:
        raise OSError(f"still mounted, so not removing what is below: {', '.join(left)}")
    shutil.rmtree(run, ignore_errors=True)
    if keep_data:
        shutil.rmtree(state / "processes", ignore_errors=True)
        record.save(plan, Phase.UP)
        return
    # The record goes last: an interrupted removal is found again by the next `down`.
    for path in state.iterdir():
        if path.name != "cluster.json":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(state)
    for root in (STATE_ROOT, RUN_ROOT):
        _rmdir_if_empty(root)


def _rmdir_if_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        pass
