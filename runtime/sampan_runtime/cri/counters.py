"""Reading what cgroups and network namespaces have counted, on v1 and v2. A counter that is missing reads as 0."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sampan_runtime.cgroups import Hierarchies, directory, members

_UNLIMITED = 1 << 60
"""v1 shows "no limit" as a number near 2^63."""


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_nanoseconds: int
    memory: int
    working_set: int
    rss: int
    page_faults: int
    major_page_faults: int
    memory_limit: int
    processes: int


def usage(hierarchies: Hierarchies, path: str) -> Usage:
    processes = len(members(hierarchies, path))
    return _v1(hierarchies, path, processes) if "memory" in hierarchies.v1 else _v2(hierarchies, path, processes)


def _v1(hierarchies: Hierarchies, path: str, processes: int) -> Usage:
    memory = Path(directory(hierarchies.v1["memory"], path))
    table = _table(memory / "memory.stat")
    used = _number(memory / "memory.usage_in_bytes")
    limit = _number(memory / "memory.limit_in_bytes")
    cpu = Path(directory(hierarchies.v1["cpuacct"], path)) / "cpuacct.usage" if "cpuacct" in hierarchies.v1 else None
    return Usage(
        cpu_nanoseconds=_number(cpu) if cpu else 0,
        memory=used,
        working_set=max(0, used - table.get("total_inactive_file", 0)),
        rss=table.get("total_rss", 0),
        page_faults=table.get("total_pgfault", 0),
        major_page_faults=table.get("total_pgmajfault", 0),
        memory_limit=limit if limit < _UNLIMITED else 0,
        processes=processes,
    )


def _v2(hierarchies: Hierarchies, path: str, processes: int) -> Usage:
    group = Path(directory(hierarchies.unified, path))
    table = _table(group / "memory.stat")
    used = _number(group / "memory.current")
    return Usage(
        cpu_nanoseconds=_table(group / "cpu.stat").get("usage_usec", 0) * 1000,
        memory=used,
        working_set=max(0, used - table.get("inactive_file", 0)),
        rss=table.get("anon", 0),
        page_faults=table.get("pgfault", 0),
        major_page_faults=table.get("pgmajfault", 0),
        memory_limit=_number(group / "memory.max"),
        processes=processes,
    )


def network(pid: int, interface: str = "eth0") -> tuple[int, int, int, int]:
    """Bytes received and sent, errors received and sent, in the namespace of `pid` (proc_pid_net(5))."""
    for line in _text(Path(f"/proc/{pid}/net/dev")).splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == interface:
            fields = list(map(int, counters.split()))
            return fields[0], fields[8], fields[2], fields[10]
    return 0, 0, 0, 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else 0


def _table(path: Path) -> dict[str, int]:
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}
