"""Who a container's process is: capabilities, user, seccomp, and the order in which they have to be given up.

Without no_new_privs a filter needs CAP_SYS_ADMIN to load, so it goes in before the capabilities are dropped; with it,
after, so that the filter need not allow what dropping them takes. Inheritable and ambient sets stay empty
(CVE-2022-24769): a process that is not root has no capabilities after its exec.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from sampan_runtime import seccomp, syscalls
from sampan_runtime.spec import Security

CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
"""In the order of their numbers, include/uapi/linux/capability.h."""

DOCKER_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"),
    *("NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
)
MASKED_PATHS = (
    *("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
    *("/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
    "/sys/devices/virtual/powercap",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_NUMBERS = {name: number for number, name in enumerate(CAPABILITIES)}
_own: list[tuple[int, int]] = []
_programs: dict[tuple[str, tuple[str, ...]], bytes] = {}


def mask(names: Iterable[str]) -> int:
    """Raises KeyError for a name the kernel does not know."""
    bits = 0
    for name in names:
        bits |= 1 << _NUMBERS[name]
    return bits


def own_capabilities() -> tuple[int, int]:
    """(permitted, bounding) of this process, read once: neither changes while it lives."""
    if _own:
        return _own[0]
    values = {}
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(("CapPrm:", "CapBnd:")):
                name, _, digits = line.partition(":")
                values[name] = int(digits, 16)
    _own.append((values["CapPrm"], values["CapBnd"]))
    return _own[0]


@dataclass(frozen=True, slots=True)
class Privileges:
    """`Security` with everything that needs a file, a table or a lookup already done: safe after the pivot."""

    security: Security
    capabilities: int
    drop_from_bounding: tuple[int, ...]
    program: bytes


def prepare(security: Security) -> Privileges:
    """A capability that this node itself lacks is left out, as a container cannot have more than the node."""
    permitted, bounding = own_capabilities()
    names = CAPABILITIES if security.privileged else security.capabilities
    wanted = mask(names) & permitted & bounding
    drop = tuple(n for n in range(bounding.bit_length()) if bounding >> n & 1 and not wanted >> n & 1)
    profile = "unconfined" if security.privileged else security.seccomp
    key = (profile, tuple(sorted(names)))
    program = _programs.get(key) if profile == "default" else None
    if program is None:
        program = seccomp.compile_profile(profile, names)
        if profile == "default":
            _programs[key] = program
    return Privileges(security, wanted, drop, program)


def apply(privileges: Privileges) -> None:
    """Become that process, except for the exec itself."""
    security = privileges.security
    if privileges.program and not security.no_new_privileges:
        syscalls.seccomp_set_mode_filter(privileges.program)
    for number in privileges.drop_from_bounding:
        syscalls.prctl(syscalls.PR_CAPBSET_DROP, number)
    os.setgroups(security.supplemental_gids)
    os.setresgid(security.gid, security.gid, security.gid)
    syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
    os.setresuid(security.uid, security.uid, security.uid)
    syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 0)
    syscalls.capset(privileges.capabilities, privileges.capabilities, 0)
    os.umask(security.umask)
    if security.no_new_privileges:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        if privileges.program:
            syscalls.seccomp_set_mode_filter(privileges.program)
