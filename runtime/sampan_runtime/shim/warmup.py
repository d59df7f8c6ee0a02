"""Rehearsals: the zygote runs through a container's plan in mount namespaces that nobody sees.

CPython specialises code while it runs, in place. Code that is still settling is written to by every child, and each
write to a page shared with the zygote is a copy: a tenth of a container's start. What has been rehearsed stays shared.
"""

from __future__ import annotations

import dataclasses
import json
import os

from sampan_runtime import rootfs, security, syscalls
from sampan_runtime.errors import StepFailed
from sampan_runtime.shim import child, container
from sampan_runtime.shim.containers import Machine
from sampan_runtime.shim.shm import SharedMemory
from sampan_runtime.spec import Cgroup, ContainerSpec, Security

ROUNDS = 12
STAGE = "/tmp"
"""Covered by a tmpfs for the rehearsal."""


def rehearse(machine: Machine) -> None:
    """One round, some 5 ms. A kernel that refuses a step here will say so again, to somebody who listens."""
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        try:
            _play(machine)
        finally:
            syscalls.setns(own, syscalls.CLONE_NEWNS)
    except (OSError, StepFailed):
        pass
    finally:
        os.close(own)


def _play(machine: Machine) -> None:
    syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", STAGE, "tmpfs", 0, "size=1m")
    for name in ("lower", "upper", "work", "rootfs"):
        os.mkdir(f"{STAGE}/{name}")
    spec = container.container_spec(json.loads(json.dumps(dataclasses.asdict(_spec()))))
    security.prepare(spec.security)
    child.program(spec.args, spec.env, spec.cwd, spec.tty, 0)
    memory = SharedMemory(machine.clones_detached)
    tree = memory.tree()
    memory.close()
    *steps, _ = rootfs.plan(spec, rootfs.CgroupView(machine.hierarchies.v1), tree)
    root = rootfs.Root(f"{STAGE}/rootfs")
    try:
        rootfs.execute(steps, root)
    finally:
        for fd in (root.fd, root.devices, root.empty_tree):
            if fd >= 0:
                os.close(fd)


def _spec() -> ContainerSpec:
    return ContainerSpec(
        id="rehearsal",
        directory=STAGE,
        lower=(f"{STAGE}/lower",),
        upper=f"{STAGE}/upper",
        work=f"{STAGE}/work",
        args=("true",),
        env=("PATH=/bin",),
        cwd="/srv",
        cgroup=Cgroup("/"),
        security=Security(
            capabilities=security.DOCKER_CAPABILITIES,
            masked_paths=security.MASKED_PATHS,
            read_only_paths=security.READ_ONLY_PATHS,
        ),
    )
