"""The state that all verbs share, and the tasks that keep it true while the daemon runs.

The zygote may die at any time: the next sandbox finds a new one. Nothing here is a decision about one pod; those are
in the plans and verbs.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
from collections.abc import Coroutine
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from cri_api.v1 import api_pb2 as cri

from sampan_runtime import bridge, cgroups, firewall, nat
from sampan_runtime.cri.errors import Unavailable
from sampan_runtime.cri.events import EventHub
from sampan_runtime.cri.records import Records
from sampan_runtime.errors import ShimGone
from sampan_runtime.images import archive
from sampan_runtime.images.store import ImageStore
from sampan_runtime.ipam import AddressPool
from sampan_runtime.settings import Settings
from sampan_runtime.shim.client import Shim, Zygote
from sampan_runtime.spec import SandboxSpec
from sampan_runtime.statefiles import read_json, write_json
from sampan_runtime.streaming.server import StreamServer

log = logging.getLogger(__name__)

_SHORT_ID = 16
"""Of an id in the run directory's names: a socket's path must stay below 108 bytes."""


class AlreadyRunning(Exception):
    """Another daemon holds the state directory."""


class Daemon:
    def __init__(self, settings: Settings, zygote: Zygote | None = None) -> None:
        self.settings = settings
        self.run_dir = settings.run_dir
        settings.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = lock(settings.state_dir)
        self.records = Records(settings.state_dir)
        self.images = ImageStore(settings.state_dir / "images")
        self.events = EventHub()
        self.streams = StreamServer()
        self.hierarchies = cgroups.detect()
        self.pool: AddressPool | None = None
        self.host_ports: dict[str, list[nat.HostPort]] = {}
        self._zygote = zygote
        self._zygote_lock = asyncio.Lock()
        self._network_lock = asyncio.Lock()
        self._images_lock = asyncio.Lock()
        self.network_error = "no pod CIDR yet: waiting for UpdateRuntimeConfig"
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        os.close(self._lock)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task %s failed", task.get_name(), exc_info=error)

    async def cancel_tasks(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def zygote(self) -> Zygote:
        async with self._zygote_lock:
            if self._zygote is None or self._zygote.closed.done():
                if self._zygote is not None:
                    log.warning("zygote %d is gone, starting another", self._zygote.pid)
                    await self._zygote.stop()
                self._zygote = await Zygote.start(self.run_dir)
            return self._zygote

    async def create_shim(self, spec: SandboxSpec) -> Shim:
        """Once more with a new zygote when the old one turns out to be dead."""
        zygote = await self.zygote()
        try:
            return await zygote.create_sandbox(spec)
        except ShimGone:
            if not zygote.closed.done():
                raise
        return await (await self.zygote()).create_sandbox(spec)

    async def keep_zygote(self) -> None:
        """A new one is warmed as soon as the old one dies, so that no pod has to wait for it."""
        while True:
            zygote = await self.zygote()
            await asyncio.shield(zygote.closed)

    async def stop_zygote(self) -> None:
        if self._zygote is not None:
            await self._zygote.stop()

    def shim_dir(self, sandbox_id: str) -> Path:
        return self.run_dir / "pods" / sandbox_id[:_SHORT_ID]

    def make_shim_dir(self, sandbox_id: str) -> Path:
        folder = self.shim_dir(sandbox_id)
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def remove_shim_dir(self, sandbox_id: str) -> None:
        shutil.rmtree(self.shim_dir(sandbox_id), ignore_errors=True)

    def kill_cgroup(self, path: str) -> None:
        """Kills what runs there and below and removes the groups. Blocks until they are empty."""
        try:
            cgroups.kill(self.hierarchies, path)
        except FileNotFoundError:
            return
        if not cgroups.remove(self.hierarchies, path):
            log.error("cgroup %s does not become empty", path)

    async def take_in_images(self) -> None:
        """Imports the archives that `sampan-runtime images import` left for us, before anybody looks at the images."""
        async with self._images_lock:
            await asyncio.to_thread(archive.import_incoming, self.images)

    def publish(self, event: cri.ContainerEventResponse) -> None:
        self.events.publish(event)

    # The pod network.

    @property
    def _network_file(self) -> Path:
        return self.settings.state_dir / "network.json"

    async def restore_network(self) -> None:
        record = read_json(self._network_file)
        if record:
            await self._set_up_network(IPv4Network(record["pod_cidr"]))

    async def set_pod_cidr(self, cidr: IPv4Network) -> None:
        if self.pool is not None and self.pool.cidr == cidr:
            return
        await self._set_up_network(cidr)
        write_json(self._network_file, {"pod_cidr": str(cidr)}, durable=True)

    async def _set_up_network(self, cidr: IPv4Network) -> None:
        try:
            bridge.ensure_bridge(self.settings.bridge, cidr)
            await self._apply_rules(cidr)
            await self._open_firewalls()
        except (OSError, nat.NatError) as error:
            self.network_error = f"pod network {cidr}: {error}"
            raise Unavailable(self.network_error) from error
        self.network_error = ""
        ipam = self.settings.state_dir / "ipam"
        self.pool = AddressPool(ipam, cidr, self.settings.address_cooldown_seconds)

    async def _apply_rules(self, cidr: IPv4Network) -> None:
        async with self._network_lock:
            table = nat.table_name(self.settings.cluster, self.settings.node)
            ports = [port for ports in self.host_ports.values() for port in ports]
            cluster_cidr = IPv4Network(self.settings.cluster_cidr)
            await asyncio.to_thread(nat.apply, nat.ruleset(table, cidr, cluster_cidr, ports))

    async def _open_firewalls(self) -> None:
        ruleset = await asyncio.to_thread(firewall.list_ruleset)
        networks = [IPv4Network(self.settings.cluster_cidr)]
        if commands := firewall.plan(ruleset, f"sampan:{self.settings.cluster}", networks):
            await asyncio.to_thread(nat.apply, commands)

    async def apply_rules(self) -> None:
        if self.pool is not None:
            await self._apply_rules(self.pool.cidr)

    async def set_host_ports(self, sandbox_id: str, ports: list[nat.HostPort]) -> None:
        """An empty list takes the sandbox's rules away."""
        if ports == self.host_ports.get(sandbox_id, []) or self.pool is None:
            return
        if ports:
            self.host_ports[sandbox_id] = ports
        else:
            del self.host_ports[sandbox_id]
        await self._apply_rules(self.pool.cidr)


def lock(state_dir: Path) -> int:
    """Held until the descriptor is closed. Whoever holds it may write below the state directory."""
    descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyRunning(f"another daemon holds {state_dir}") from None
    return descriptor
