"""Which device nodes a container may open: Docker's list, and making any node while opening none of them.

cgroup v1 takes the list as text. v2 asks an eBPF program: it sees a type, an access and two numbers and answers 1 or 0.
The capability MKNOD is in the default set, so without this a container could read the node's disks.
"""

from __future__ import annotations

import errno
import os
import struct

from sampan_runtime import cgroups, syscalls
from sampan_runtime.errors import StepFailed

ALLOWED = ((1, (3, 5, 7, 8, 9)), (5, (0, 1, 2)))
"""null zero full random urandom; tty console ptmx"""
PTS_MAJOR = 136
CHARACTER_DEVICE, MKNOD = 2, 1

LDX_W, MOV64_REG, RSH64, AND64, MOV64, EXIT = 0x61, 0xBF, 0x77, 0x57, 0xB7, 0x95
JEQ, JNE = 0x15, 0x55
Instruction = tuple[int, int, int, int, int]
"""code, destination register, source register, offset, immediate"""


def v1_plan(hierarchies: cgroups.Hierarchies, path: str) -> list[cgroups.Step]:
    directory = cgroups.directory(hierarchies.v1["devices"], path)
    rules = ["c *:* m", "b *:* m", f"c {PTS_MAJOR}:* rwm"]
    rules += [f"c {major}:{minor} rwm" for major, minors in ALLOWED for minor in minors]
    deny = cgroups.Write(f"{directory}/devices.deny", "a")
    return [deny, *(cgroups.Write(f"{directory}/devices.allow", rule) for rule in rules)]


def program() -> bytes:
    """struct bpf_cgroup_dev_ctx {u32 access_type: access << 16 | type; u32 major; u32 minor} -> r0"""
    kind, major, minor, access = 2, 3, 4, 5
    allow: list[Instruction] = [(MOV64, 0, 0, 0, 1), (EXIT, 0, 0, 0, 0)]
    deny: list[Instruction] = [(MOV64, 0, 0, 0, 0), (EXIT, 0, 0, 0, 0)]
    body: list[Instruction] = [
        (LDX_W, kind, 1, 0, 0),
        (LDX_W, major, 1, 4, 0),
        (LDX_W, minor, 1, 8, 0),
        (MOV64_REG, access, kind, 0, 0),
        (RSH64, access, 0, 0, 16),
        (AND64, kind, 0, 0, 0xFFFF),
        (JNE, access, 0, 2, MKNOD),
        *allow,
        (JEQ, kind, 0, 2, CHARACTER_DEVICE),
        *deny,
        (JNE, major, 0, 2, PTS_MAJOR),
        *allow,
    ]
    for number, minors in ALLOWED:
        tests: list[Instruction] = []
        for minor_number in minors:
            tests += [(JNE, minor, 0, 2, minor_number), *allow]
        body += [(JNE, major, 0, len(tests), number), *tests]
    body += deny
    return b"".join(struct.pack("BBhi", code, dst | src << 4, off, imm) for code, dst, src, off, imm in body)


def load() -> int:
    """A descriptor of the program in the kernel. Raises StepFailed."""
    try:
        return syscalls.bpf_load_cgroup_device(program())
    except OSError as error:
        raise StepFailed("load the device filter", error.errno or errno.EIO) from error


def restrict(hierarchies: cgroups.Hierarchies, path: str, program_fd: int) -> None:
    """Raises StepFailed. `program_fd` is used only where there is no v1 devices controller."""
    if "devices" in hierarchies.v1:
        cgroups.run(v1_plan(hierarchies, path))
        return
    directory = cgroups.directory(hierarchies.unified, path)
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syscalls.bpf_attach_cgroup_device(program_fd, fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise StepFailed(f"attach the device filter to {directory}", error.errno or errno.EIO) from error
