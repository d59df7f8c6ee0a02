"""`Agent`: the pods this node should run, one worker each, between the node link and the runtime.

The pods are kept on disk as they arrive, so that an agent started while the master is away goes on with them. A
snapshot is complete: what it does not name is taken off the node, also sandboxes that only the runtime still knows.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import Coroutine
from typing import Any

from sampan_api.clock import Clock
from sampan_proto import node_pb2

from sampan_agent import node_status, routes
from sampan_agent.atomic import write_file
from sampan_agent.cgroups import Cgroups, Limits
from sampan_agent.cri import Cri
from sampan_agent.env import NodeFacts
from sampan_agent.errors import AgentError, CriError
from sampan_agent.events import pod_event
from sampan_agent.link import Link
from sampan_agent.objects import RememberedObjects
from sampan_agent.podspec import Pod
from sampan_agent.qos import pod_totals, quota, request
from sampan_agent.resizing import Used
from sampan_agent.settings import Settings
from sampan_agent.strays import remove_stray
from sampan_agent.streams import serve_stream
from sampan_agent.tokens import Tokens
from sampan_agent.upkeep import rotate_logs
from sampan_agent.worker import Node, PodWorker

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 0.2
_RETRY_STRAYS_SECONDS = 2.0
_POD_FILE = "pod.json"


class Agent:
    """Implements `link.Listener` and `worker.Reporter`."""

    def __init__(self, settings: Settings, cri: Cri, link: Link, clock: Clock, cgroups: Cgroups | None = None) -> None:
        self._settings = settings
        self._link = link
        self._clock = clock
        self._workers: dict[str, PodWorker] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()
        self._runtime: Any | None = None
        self._pod_cidr = ""
        capacity = node_status.capacity(settings)
        memory = settings.memory or node_status.machine_memory()
        facts = NodeFacts(settings.node_name, settings.node_ip, int(capacity["cpu"]) * 1000, memory)
        read = RememberedObjects(link.read_object)
        tokens = Tokens(link.read_token, clock)
        self._node = Node(
            settings, cri, clock, cgroups or Cgroups(), self, read, tokens, facts, others=self._used_by_others
        )

    async def run(self) -> None:
        """Until cancelled; nothing on the node changes when it is."""
        self._make_root_cgroup()
        await self._load_pods()
        work = (self._watch_runtime(), self._relist(), self._upkeep(), self._link.run(self))
        tasks = [asyncio.create_task(w) for w in work]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in [*tasks, *self._background, *self._streams]:
                task.cancel()
            await asyncio.gather(*tasks, *self._background, *self._streams, return_exceptions=True)
            await asyncio.gather(*(w.stop() for w in self._workers.values()))

    def _make_root_cgroup(self) -> None:
        """kubepods, held to what the node offers when that is less than the machine."""
        settings = self._settings
        limits = Limits(cpu_quota=quota(settings.cpu * 1000), memory=settings.memory)
        try:
            self._node.cgroups.make(f"{settings.cgroup_root.rstrip('/')}/kubepods", limits)
        except OSError as e:
            _log.warning("cgroup of the node's pods: %s", e)
        for controller in self._node.cgroups.missing():
            _log.warning("this machine has no %s cgroup controller: such limits are not enforced", controller)

    async def _load_pods(self) -> None:
        self._settings.pods_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._settings.logs_dir.mkdir(parents=True, exist_ok=True)
        for directory in self._settings.pods_dir.iterdir():
            try:
                pod = Pod(json.loads((directory / _POD_FILE).read_bytes()))
                self._start_worker(pod)
            except (OSError, ValueError, KeyError) as e:
                _log.warning("%s holds no pod that can be read: %s", directory, e)

    def _start_worker(self, pod: Pod) -> None:
        worker = PodWorker(pod, self._node, self._worker_gone)
        self._workers[pod.uid] = worker
        worker.start()

    def _used_by_others(self, uid: str) -> Used:
        specs = [w.pod.spec for w in self._workers.values() if w.pod.uid != uid and not (w.cleaned or w.pod.ended)]
        cpu, memory = (sum(pod_totals(spec, request, name) for spec in specs) for name in ("cpu", "memory"))
        return Used(cpu, memory)

    def _worker_gone(self, uid: str) -> None:
        self._workers.pop(uid, None)
        self._link.forget(uid)
        self._node.tokens.forget(uid)

    def _spawn(self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)

    async def hello(self) -> tuple[dict[str, Any], list[dict[str, str]]]:
        labels = node_status.labels(self._settings)
        node = {"metadata": {"name": self._settings.node_name, "labels": labels}, "status": await self.status()}
        return node, list(self._settings.taints)

    async def status(self) -> dict[str, Any]:
        conditions: dict[str, tuple[bool, str]] = {}
        images: list[Any] = []
        try:
            self._runtime = await self._node.cri.version()
            self._node.runtime_name = self._runtime.runtime_name
            conditions = await self._node.cri.conditions()
            images = await self._node.cri.images()
        except CriError as e:
            _log.warning("runtime: %s", e)
            self._runtime = None
        return node_status.node_status(self._settings, self._runtime, conditions, images)

    async def welcomed(self, welcome: node_pb2.Welcome) -> None:
        self._node.cluster_dns = tuple(welcome.cluster_dns)
        self._node.cluster_domain = welcome.cluster_domain
        self._pod_cidr = welcome.pod_cidr
        try:
            await self._node.cri.set_pod_cidr(welcome.pod_cidr)
        except CriError as e:
            _log.warning("pod CIDR %s not taken by the runtime: %s", welcome.pod_cidr, e)

    def snapshot(self, pods: list[dict[str, Any]]) -> None:
        wanted = {obj["metadata"]["uid"] for obj in pods}
        for obj in pods:
            self._take(Pod(obj))
        for uid in self._workers.keys() - wanted:
            self._workers[uid].remove()
        self._spawn(self._remove_strays(), self._background)

    def pod_changed(self, pod: dict[str, Any], removed: bool) -> None:
        if not removed:
            self._take(Pod(pod))
        elif worker := self._workers.get(pod["metadata"]["uid"]):
            worker.remove()

    def _take(self, pod: Pod) -> None:
        worker = self._workers.get(pod.uid)
        if worker is None or not worker.cleaned:
            directory = self._settings.pods_dir / pod.uid
            directory.mkdir(parents=True, exist_ok=True, mode=0o750)
            write_file(directory / _POD_FILE, json.dumps(pod.raw).encode())
        if worker is not None:
            worker.update(pod)
        else:
            self._start_worker(pod)

    def peers_changed(self, peers: dict[str, str]) -> None:
        try:
            routes.apply(peers)
        except OSError as e:
            _log.warning("routes to the other nodes: %s", e)

    def stream_asked(self, request: node_pb2.OpenStream) -> None:
        self._spawn(serve_stream(self._node, self._link, request), self._streams)

    def pod_status(self, pod: Pod, status: dict[str, Any], *, terminated: bool) -> None:
        self._link.put_status(
            node_pb2.PodStatus(
                namespace=pod.namespace,
                name=pod.name,
                uid=pod.uid,
                status=json.dumps(status).encode(),
                terminated=terminated,
            )
        )

    def event(self, pod: Pod, type_: str, reason: str, message: str, container: str = "") -> None:
        self._link.put_event(pod_event(pod, self._settings.node_name, type_, reason, message, container))

    async def _watch_runtime(self) -> None:
        """Container events wake their pod; when the stream begins anew, all pods look."""
        while True:
            try:
                await self._node.cri.version()
                if self._pod_cidr:
                    await self._node.cri.set_pod_cidr(self._pod_cidr)
                self._link.node_status_changed()
                self._wake_all()
                async for uid in self._node.cri.events():
                    if worker := self._workers.get(uid):
                        worker.wake()
            except CriError as e:
                if self._runtime is not None:
                    _log.warning("runtime events: %s", e)
                    self._runtime = None
                    self._link.node_status_changed()
            await self._clock.sleep(_RETRY_SECONDS)

    def _wake_all(self) -> None:
        for worker in self._workers.values():
            worker.wake()

    async def _relist(self) -> None:
        """Every so often the runtime is asked for everything: a pod that changed looks again, whatever events said."""
        last: dict[str, frozenset[tuple[str, int]]] = {}
        while True:
            await self._clock.sleep(self._settings.relist_seconds)
            try:
                now = await self._node.cri.fingerprints()
            except CriError:
                continue
            for uid, worker in self._workers.items():
                if now.get(uid) != last.get(uid):
                    worker.wake()
            last = now

    async def _remove_strays(self) -> None:
        """After a snapshot, until it has worked once: the runtime may not be up yet."""
        while True:
            try:
                await self._remove_what_nobody_asked_for()
                return
            except (AgentError, OSError) as e:
                _log.warning("removing strays: %s", e)
            await self._clock.sleep(_RETRY_STRAYS_SECONDS)

    async def _remove_what_nobody_asked_for(self) -> None:
        """Sandboxes, directories and logs of pods that have no worker; asked anew before each, for pods keep coming."""
        for uid in await self._node.cri.pod_uids():
            if uid not in self._workers:
                _log.warning("pod %s is not this node's any more: removing it", uid)
                await remove_stray(self._node, uid)
        for directory in self._settings.pods_dir.iterdir():
            if directory.name not in self._workers:
                await remove_stray(self._node, directory.name)
        for directory in self._settings.logs_dir.iterdir():
            if directory.name.rpartition("_")[2] not in self._workers:
                shutil.rmtree(directory, ignore_errors=True)

    async def _upkeep(self) -> None:
        while True:
            await self._clock.sleep(self._settings.relist_seconds)
            for worker in list(self._workers.values()):
                try:
                    await rotate_logs(self._node, worker.pod)
                except (AgentError, OSError) as e:
                    _log.warning("logs of pod %s: %s", worker.pod.full_name, e)
