"""A cluster in memory: the real registry on the real memory store, and nodes that are a few lines of Python."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest_asyncio
from sampan_api import meta
from sampan_api.client import (
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    DeleteOptions,
    EventType,
    PatchType,
    Selection,
    UserInfo,
)
from sampan_api.clock import RealClock, VirtualClock, rfc3339, rfc3339_micro
from sampan_api.errors import ApiError, NotFound
from sampan_api.informer import Informer
from sampan_master.apiserver.auth.service_account_tokens import TokenIssuer
from sampan_master.apiserver.local import LocalClient
from sampan_master.apiserver.registry.admission import Admission
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.resources.table import BUILT_IN
from sampan_master.storage import Cache, Storage
from sampan_master.storage.memory import MemoryStore


async def eventually(check, seconds=60.0):
    """Waits until `check` (a function, maybe async) is true; its last value is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {check}"
        await asyncio.sleep(0.002)


class Cluster:
    def __init__(self, clock) -> None:
        self.clock = clock
        self.store = MemoryStore(clock)
        self.cache = Cache(self.store, clock)
        # Events stay: what expires them would never let a virtual clock rest.
        self.registry = Registry(Storage(self.store, self.cache), clock, Admission(self.cache), event_ttl=0)
        self.client = self.client_of("system:masters")
        self._tasks = []

    def client_of(self, user):
        return LocalClient(self.registry, BUILT_IN, UserInfo(user), TokenIssuer())

    async def start(self) -> None:
        await self.cache.start()
        for name in ("default", "kube-node-lease"):
            await self.namespace(name)

    async def stop(self) -> None:
        for task in reversed(self._tasks):
            await self.end(task)
        await self.cache.stop()
        await self.store.close()

    def spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self._tasks.append(task)
        return task

    async def end(self, task) -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def list(self, resource, namespace=None):
        return (await self.client.list(resource, Selection(namespace))).items

    async def pods(self, namespace="default"):
        return await self.list(PODS, namespace)

    async def namespace(self, name):
        return await self.client.create(NAMESPACES, _object("v1", "Namespace", name))

    async def node(self, name, *, labels=None, taints=None, **allocatable):
        node = _object("v1", "Node", name) | {"spec": {"taints": taints or []}}
        node["metadata"]["labels"] = {"kubernetes.io/hostname": name, **(labels or {})}
        await self.client.create(NODES, node)
        await self.heartbeat(name)
        amounts = {"cpu": "4", "memory": "8Gi", "pods": "110"} | allocatable
        status = {"capacity": amounts, "allocatable": amounts, "conditions": self.conditions("True")}
        await self.client.patch(NODES, name, {"status": status}, subresource="status")
        return await self.client.patch(NODES, name, {"spec": {"taints": taints}})

    def conditions(self, ready):
        stamp = rfc3339(self.clock.now())
        common = {"lastHeartbeatTime": stamp, "lastTransitionTime": stamp, "reason": "R", "message": "m"}
        statuses = {"Ready": ready, "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"}
        return [{"type": kind, "status": status, **common} for kind, status in statuses.items()]

    async def heartbeat(self, name):
        renewed = {"holderIdentity": name, "renewTime": rfc3339_micro(self.clock.now())}
        try:
            await self.client.patch(LEASES, name, {"spec": renewed}, "kube-node-lease")
        except NotFound:
            lease = _object("coordination.k8s.io/v1", "Lease", name, "kube-node-lease") | {"spec": renewed}
            await self.client.create(LEASES, lease, "kube-node-lease")

    async def replica_set(self, name, replicas, namespace="default", **spec):
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
        rs = _object("apps/v1", "ReplicaSet", name, namespace)
        rs["spec"] = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
        return await self.client.create(REPLICASETS, rs, namespace)

    async def replication_controller(self, name, replicas, **spec):
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": "busybox"}]},
        }
        rc = _object("v1", "ReplicationController", name, "default")
        rc["spec"] = {"replicas": replicas, "selector": {"app": name}, "template": template, **spec}
        return await self.client.create(REPLICATIONCONTROLLERS, rc, "default")

    async def pod(self, name, *, node="", namespace="default", labels=None, owners=None, **spec):
        pod = _object("v1", "Pod", name, namespace)
        pod["metadata"] |= {"labels": labels or {}, "ownerReferences": owners or []}
        pod["spec"] = {"containers": [{"name": "c", "image": "busybox"}], **spec}
        if node:
            pod["spec"]["nodeName"] = node
        return await self.client.create(PODS, pod, namespace)

    async def set_ready(self, pod):
        stamp = rfc3339(self.clock.now())
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": stamp}
        await self.client.patch(
            PODS,
            meta.name(pod),
            {"status": {"phase": "Running", "conditions": [ready]}},
            meta.namespace(pod),
            type=PatchType.STRATEGIC,
            subresource="status",
        )

    async def kubelet(self, only=None):
        """Every node's agent in one: a bound pod runs at once, a deleted one is gone at once."""
        work = asyncio.Queue()
        informer = Informer(self.client, PODS, self.clock)
        informer.subscribe(lambda event, pod, old: work.put_nowait((event, pod)))
        follow = asyncio.create_task(informer.run())
        try:
            while True:
                event, pod = await work.get()
                node = pod["spec"].get("nodeName")
                if event is EventType.DELETED or not node or (only is not None and node not in only):
                    continue
                with contextlib.suppress(ApiError):
                    if meta.is_deleting(pod):
                        options = DeleteOptions(grace_seconds=0, uid=meta.uid(pod))
                        await self.client.delete(PODS, meta.name(pod), meta.namespace(pod), options)
                    elif (pod.get("status") or {}).get("phase") != "Running":
                        await self.set_ready(pod)
        finally:
            follow.cancel()


def _object(api_version, kind, name, namespace=""):
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


@pytest_asyncio.fixture
async def cluster():
    made = Cluster(RealClock())
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def timeless():
    """A cluster whose clock stands still until it is advanced."""
    made = Cluster(VirtualClock())
    await made.start()
    yield made
    await made.stop()
