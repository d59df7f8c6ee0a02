"""Which process is meant: a pid alone may be a stranger's tomorrow; pid + start time + boot id never is."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat, in clock ticks since boot; 0 if there is no such process or only its zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


@dataclass(frozen=True)
class Identity:
    pid: int
    start: int
    boot: str
    generation: int = 1
    """How many times this component has been started since `up`."""

    def alive(self) -> bool:
        return self.boot == boot_id() and start_time(self.pid) == self.start

    def open(self) -> int | None:
        """A pidfd of exactly this process, or None if it is gone."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        if self.alive():
            return fd
        os.close(fd)
        return None

    def signal(self, number: int) -> bool:
        """Whether the process was there to be signalled."""
        fd = self.open()
        if fd is None:
            return False
        try:
            signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)
        return True


def own(generation: int = 1) -> Identity:
    pid = os.getpid()
    return Identity(pid, start_time(pid), boot_id(), generation)


def write(path: Path, identity: Identity) -> None:
    write_atomically(path, json.dumps(asdict(identity)))


def read(path: Path) -> Identity | None:
    try:
        return Identity(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_atomically(path: Path, text: str, durable: bool = False) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)
