"""Who restarts the supervisor? A second process that does nothing else, and that the supervisor restarts in turn.

Killing either leaves the other to start it again; only killing both at once ends supervision (nothing else ends: all
components go on), until the next `sampan up`. The guardian is executed with a bare interpreter (`-I -S`) and imports
next to nothing, so it is small and hardly ever has a reason to die.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time

MAX_PAUSE = 5.0


def _start_time(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def _read(path: str) -> dict[str, object] | None:
    try:
        with open(path) as file:
            data: dict[str, object] = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    return data


def _supervisor(state: str) -> int | None:
    """A pidfd of the supervisor on record, if it is alive."""
    recorded = _read(f"{state}/processes/supervisor.json")
    if recorded is None or recorded["boot"] != _boot_id():
        return None
    pid = int(str(recorded["pid"]))
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if _start_time(pid) == recorded["start"]:
        return fd
    os.close(fd)
    return None


def _wanted(state: str) -> bool:
    record = _read(f"{state}/cluster.json")
    return record is not None and record["phase"] == "up"


def _write_own_identity(state: str) -> None:
    pid = os.getpid()
    mine = {"pid": pid, "start": _start_time(pid), "boot": _boot_id(), "generation": 1}
    temporary = f"{state}/processes/.guardian.{pid}"
    with open(temporary, "w") as file:
        json.dump(mine, file)
    os.replace(temporary, f"{state}/processes/guardian.json")


def watch(state: str, command: list[str]) -> None:
    """Until the record is gone or says `down`."""
    pause = 0.0
    while _wanted(state):
        fd = _supervisor(state)
        if fd is not None:
            began = time.monotonic()
            _wait(fd, state)
            os.close(fd)
            pause = 0.0 if time.monotonic() - began > 10 else min(MAX_PAUSE, max(0.1, pause * 2))
            continue
        time.sleep(pause)
        child = os.posix_spawn(command[0], command, dict(os.environ), setsid=True)
        _wait_until_recorded(state, child)


def _wait(fd: int, state: str) -> None:
    """Until that process ends, and reap whoever was our child."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while not poller.poll(5000):
        if not _wanted(state):
            return
        _reap()
    _reap()


def _wait_until_recorded(state: str, child: int) -> None:
    """The new supervisor writes itself down first thing; until then there must not be a third one."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _start_time(child):
        fd = _supervisor(state)
        if fd is not None:
            os.close(fd)
            return
        time.sleep(0.01)
    _reap()


def _reap() -> None:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


if __name__ == "__main__":
    _write_own_identity(sys.argv[1])
    watch(sys.argv[1], sys.argv[2:])
