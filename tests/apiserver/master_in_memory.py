"""A whole master over a store in memory, with one node that only says what a node would say: every pod that is bound
to it runs, and goes at once when it is deleted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sampan_api.client import NODES, PODS, Client, DeleteOptions, UserInfo
from sampan_api.clock import Clock, RealClock, rfc3339
from sampan_api.errors import Conflict, NotFound
from sampan_api.informer import Informer
from sampan_api.meta import Object
from sampan_master.master import running
from sampan_master.settings import parse

NODE = "node1"
KUBELET = UserInfo("system:node:node1", ["system:masters"])


@contextmanager
def master_in_memory(directory: Path) -> Iterator[Path]:
    """Gives the path of the admin kubeconfig. The master lives in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="master", daemon=True)
    thread.start()
    stop = asyncio.Event()
    ready = asyncio.run_coroutine_threadsafe(_start(directory, stop), loop).result(30)
    try:
        yield directory / "admin.kubeconfig"
    finally:
        loop.call_soon_threadsafe(stop.set)
        asyncio.run_coroutine_threadsafe(_ended(ready), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _ended(task: asyncio.Task[None]) -> None:
    await task


async def _start(directory: Path, stop: asyncio.Event) -> asyncio.Task[None]:
    up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(_serve(directory, stop, up))
    done, _ = await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
    if task in done:
        await task
    return task


async def _serve(directory: Path, stop: asyncio.Event, up: asyncio.Future[None]) -> None:
    anywhere = "127.0.0.1:0"
    settings = parse(
        ["--data-dir", str(directory), "--in-memory", "--listen", anywhere, "--node-listen", anywhere,
         "--join-listen", anywhere, "--node-monitor-grace-seconds", "3600"]
    )  # fmt: skip
    clock = RealClock()
    async with running(settings, clock) as master:
        node = asyncio.create_task(_node(master.api.client(KUBELET), clock))
        up.set_result(None)
        await stop.wait()
        node.cancel()
        with suppress(asyncio.CancelledError):
            await node


async def _node(client: Client, clock: Clock) -> None:
    await client.create(NODES, _node_object())
    await client.patch(NODES, NODE, {"status": _node_status(clock.now())}, subresource="status")
    informer = Informer(client, PODS, clock)
    changed: asyncio.Queue[Object] = asyncio.Queue()
    informer.subscribe(lambda event, obj, old: changed.put_nowait(obj))
    listening = asyncio.create_task(informer.run())
    try:
        while True:
            pod = await changed.get()
            with suppress(NotFound, Conflict):
                await _act(client, pod, clock.now())
    finally:
        listening.cancel()


async def _act(client: Client, pod: Object, now: float) -> None:
    metadata, spec = pod["metadata"], pod["spec"]
    name, namespace = metadata["name"], metadata["namespace"]
    if spec.get("nodeName") != NODE:
        return
    if metadata.get("deletionTimestamp"):
        await client.delete(PODS, name, namespace, DeleteOptions(grace_seconds=0, uid=metadata["uid"]))
    elif not (pod.get("status") or {}).get("podIP"):
        await client.patch(PODS, name, {"status": _pod_status(pod, now)}, namespace, subresource="status")


def _node_object() -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "spec": {"podCIDR": "10.244.0.0/24"}}


def _node_status(now: float) -> dict[str, Any]:
    amounts = {"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "10Gi"}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
        "lastHeartbeatTime": rfc3339(now),
        "lastTransitionTime": rfc3339(now),
    }
    return {
        "capacity": amounts,
        "allocatable": amounts,
        "conditions": [ready],
        "addresses": [{"type": "InternalIP", "address": "10.77.0.11"}, {"type": "Hostname", "address": NODE}],
        "nodeInfo": {"kubeletVersion": "v1.36.2", "osImage": "Debian", "kernelVersion": "6", "architecture": "amd64"},
    }


def _pod_status(pod: Object, now: float) -> dict[str, Any]:
    started = rfc3339(now)
    crashes = pod["metadata"]["name"] == "crash"
    condition = {"status": "False" if crashes else "True", "lastTransitionTime": started}
    return {
        "phase": "Running",
        "podIP": "10.244.0.9",
        "podIPs": [{"ip": "10.244.0.9"}],
        "hostIP": "10.77.0.11",
        "startTime": started,
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": started},
            {"type": "Initialized", "status": "True", "lastTransitionTime": started},
            {"type": "ContainersReady", **condition},
            {"type": "Ready", **condition},
        ],
        "containerStatuses": [_container_status(c, started, crashes) for c in pod["spec"]["containers"]],
    }


def _container_status(container: dict[str, Any], started: str, crashes: bool) -> dict[str, Any]:
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "sha256:0",
        "containerID": f"sampan://{container['name']}",
        "ready": not crashes,
        "started": not crashes,
        "restartCount": 8 if crashes else 0,
        "state": waiting if crashes else {"running": {"startedAt": started}},
    }
