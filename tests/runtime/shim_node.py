"""Pods for the tests: a zygote in a network namespace of its own, one busybox image, cgroups under one name."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sampan_runtime import security, syscalls
from sampan_runtime.network import netlink
from sampan_runtime.shim import client
from sampan_runtime.spec import Cgroup, ContainerExit, ContainerSpec, ExecSpec, Network, SandboxSpec, Security

BRIDGE = "test-br"
ENV = ("PATH=/bin",)
APPLETS = ("sh", "true", "cat", "sleep", "ls", "id", "mount", "hostname", "ps", "stty", "pwd", "env", "ping", "mknod")
DEFAULT_SECURITY = Security(
    capabilities=security.DOCKER_CAPABILITIES,
    masked_paths=security.MASKED_PATHS,
    read_only_paths=security.READ_ONLY_PATHS,
)


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


def has_begun(pid: int) -> bool:
    """Whether its arguments can be read: the kernel tells of an exec a moment before it has put them in place."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
        return bool(arguments) or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Node:
    """One zygote, and what the tests make with it."""

    def __init__(self, base: Path, zygote: client.Zygote, cgroup: str) -> None:
        self.base, self.zygote, self.cgroup = base, zygote, cgroup
        self.image = base / "image"
        self.shims: list[client.Shim] = []
        self.exits: dict[str, ContainerExit] = {}
        self.watchers: list[asyncio.Task[None]] = []

    def sandbox(self, name: str = "pod", **changes: object) -> SandboxSpec:
        spec = SandboxSpec(name, str(self.base / name), "pod-host", Cgroup(f"{self.cgroup}/{name}"), None)
        return replace(spec, **changes)

    def network(self, number: int = 2) -> Network:
        return Network(BRIDGE, f"test{number}", f"10.99.0.{number}/24", "10.99.0.1")

    async def pod(self, name: str = "pod", **changes: object) -> client.Shim:
        shim = await self.zygote.create_sandbox(self.sandbox(name, **changes))
        await shim.commit()
        self.follow(shim)
        return shim

    def follow(self, shim: client.Shim) -> None:
        self.shims.append(shim)
        self.watchers.append(asyncio.create_task(self._collect(shim)))

    async def _collect(self, shim: client.Shim) -> None:
        async for exit in shim.events:
            self.exits[exit.id] = exit

    async def exit_of(self, id: str) -> ContainerExit:
        await until(lambda: id in self.exits)
        return self.exits[id]

    def container(self, shim: client.Shim, id: str, *args: str, **changes: object) -> ContainerSpec:
        directory = self.base / f"c-{id}"
        for name in ("upper", "work"):
            (directory / name).mkdir(parents=True)
        spec = ContainerSpec(
            id=id,
            directory=str(directory),
            lower=(str(self.image),),
            upper=str(directory / "upper"),
            work=str(directory / "work"),
            args=args,
            env=ENV,
            cwd="/",
            cgroup=Cgroup(f"{self.cgroup}/{shim.id}/{id}", pids_limit=64),
            security=DEFAULT_SECURITY,
            log_path=str(self.base / f"{id}.log"),
        )
        return replace(spec, **changes)

    async def start(self, shim: client.Shim, id: str, *args: str, **changes: object) -> int:
        await shim.create_container(self.container(shim, id, *args, **changes))
        pid = await shim.start_container(id)
        await until(lambda: has_begun(pid))
        return pid

    async def output(self, shim: client.Shim, id: str, *args: str, **changes: object) -> str:
        """What it wrote, standard error too; the container has ended."""
        await self.start(shim, id, *args, **changes)
        await self.exit_of(id)
        return "".join(line.split(" ", 3)[3] for line in self.log(id))

    def log(self, id: str) -> list[str]:
        return (self.base / f"{id}.log").read_text().splitlines(keepends=True)

    async def sh(self, shim: client.Shim, id: str, script: str) -> str:
        result = await shim.exec_sync(id, ExecSpec(("sh", "-c", script), ENV, "/"), 60)
        return (result.stdout + result.stderr).decode()


def make_image(directory: Path) -> None:
    for name in ("bin", "etc", "tmp"):
        (directory / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", directory / "bin/busybox")
    for name in APPLETS:
        (directory / "bin" / name).symlink_to("busybox")


async def zygote_in_new_netns(base: Path) -> client.Zygote:
    """The tests' own process comes back to its namespace at once."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.unshare(syscalls.CLONE_NEWNET)
    try:
        with netlink.Netlink() as node:
            node.run([netlink.set_up(1), netlink.new_bridge(BRIDGE)])
            node.run([netlink.new_address(socket.if_nametoindex(BRIDGE), "10.99.0.1/24")])
        return await client.Zygote.start(base)
    finally:
        syscalls.setns(own, syscalls.CLONE_NEWNET)
        os.close(own)
