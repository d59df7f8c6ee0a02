"""The node link on the real registry in memory, and whole agents on fake runtimes, over real mTLS on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path

from sampan_agent.agent import Agent
from sampan_agent.cgroups import Cgroups
from sampan_agent.cri import Cri
from sampan_agent.join import identity
from sampan_agent.link import Link
from sampan_agent.settings import Settings
from sampan_agent.testing.fake_runtime import FakeRuntime
from sampan_api.client import CONFIGMAPS, NAMESPACES, NODES, SERVICEACCOUNTS, UserInfo
from sampan_api.clock import RealClock
from sampan_master.apiserver.auth.service_account_tokens import TokenIssuer
from sampan_master.apiserver.local import LocalClient
from sampan_master.apiserver.registry.admission import Admission
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.resources.table import BUILT_IN
from sampan_master.controllers import ControllersConfig
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.node_cidr_controller import NodeCidrController
from sampan_master.nodelink import NodeLink, NodeLinkSettings
from sampan_master.pki import Authority
from sampan_master.storage import Cache, Storage
from sampan_master.storage.memory import MemoryStore

TOKEN = "abcdef.0123456789abcdef"


async def eventually(check, seconds=60.0):
    """Waits until `check` (a function, maybe async) is true; its last value is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.005)


class RunningAgent:
    def __init__(self, name: str, directory: Path, join: Path, runtime: FakeRuntime) -> None:
        self.runtime = runtime
        self.settings = Settings(
            node_name=name,
            join=join,
            data_dir=directory,
            run_dir=directory,
            runtime_endpoint=runtime.endpoint,
            node_ip="127.0.0.1",
            cgroup_root="/sampan-test",
            labels={"disk": "ssd"},
            taints=(),
            relist_seconds=0.5,
        )
        self.cri = Cri(runtime.endpoint)
        self.link: Link | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        self.link = Link(self.settings.node_name, await identity(self.settings))
        cgroups = self.settings.data_dir / "cgroup"
        cgroups.mkdir(exist_ok=True)
        await Agent(self.settings, self.cri, self.link, RealClock(), Cgroups(cgroups)).run()

    @property
    def connected(self) -> bool:
        return bool(self.link and self.link.connected)

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None


class Cluster:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = RealClock()
        self.store = MemoryStore(self.clock)
        self.cache = Cache(self.store, self.clock)
        registry = Registry(Storage(self.store, self.cache), self.clock, Admission(self.cache))
        self.client = LocalClient(registry, BUILT_IN, UserInfo("system:masters"), TokenIssuer())
        self.authority = Authority.load_or_create(directory / "pki", self.clock)
        self.join = directory / "join.json"
        self.node_link: NodeLink | None = None
        self.agents: list[RunningAgent] = []
        self.cidrs: asyncio.Task[None] | None = None
        self._ports = (0, 0)

    async def start(self) -> None:
        await self.cache.start()
        for name in ("default", "kube-node-lease"):
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await self.client.create(NAMESPACES, namespace)
        account = {"metadata": {"name": "default", "namespace": "default"}}
        await self.client.create(SERVICEACCOUNTS, account)
        root = {"metadata": {"name": "kube-root-ca.crt", "namespace": "default"}, "data": {"ca.crt": "pem"}}
        await self.client.create(CONFIGMAPS, root)
        self.start_cidrs()
        await self.start_link()

    def start_cidrs(self) -> None:
        """The one controller that nodes need before they run pods."""
        self.cidrs = asyncio.create_task(self._give_cidrs())

    async def _give_cidrs(self) -> None:
        informers = Informers(self.client, self.clock, [NODES])
        controller = NodeCidrController(
            self.client, self.clock, informers, ControllersConfig(cluster_cidr="10.244.0.0/16")
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(informers.nodes.run())
            await informers.synced()
            tasks.create_task(controller.run())

    async def stop_cidrs(self) -> None:
        if self.cidrs is not None:
            self.cidrs.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.cidrs
            self.cidrs = None

    async def start_link(self) -> NodeLink:
        """The master comes (back) at the address it had."""
        settings = NodeLinkSettings(
            node_listen=f"127.0.0.1:{self._ports[0]}",
            join_listen=f"127.0.0.1:{self._ports[1]}",
            server_names=("127.0.0.1",),
            join_token=TOKEN,
            heartbeat_seconds=1,
            session_grace_seconds=60,
            pod_cidr_wait_seconds=0.5,
        )
        link = NodeLink(self.client, self.clock, self.authority, settings)
        await link.start()
        self._ports = (link.node_port, link.join_port)
        self.node_link = link
        self.write_join(TOKEN)
        return link

    def write_join(self, token: str) -> None:
        join = {
            "server": f"127.0.0.1:{self._ports[1]}",
            "node_server": f"127.0.0.1:{self._ports[0]}",
            "token": token,
            "ca": self.authority.ca_pem.decode(),
        }
        self.join.write_text(json.dumps(join))

    async def agent(self, name: str, runtime: FakeRuntime | None = None, directory: str = "") -> RunningAgent:
        if runtime is None:
            runtime = FakeRuntime(self.directory / f"{name}.sock")
            await runtime.start()
        made = RunningAgent(name, self.directory / (directory or name), self.join, runtime)
        self.agents.append(made)
        await made.start()
        return made

    async def stop(self) -> None:
        for agent in self.agents:
            await agent.stop()
            await agent.cri.close()
            await agent.runtime.stop()
        if self.node_link:
            await self.node_link.stop()
        await self.stop_cidrs()
        await self.cache.stop()
        await self.store.close()
