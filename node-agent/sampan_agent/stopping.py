"""Stopping: SIGTERM, the grace period, SIGKILL; main containers first, then sidecars in reverse, then the sandbox."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from sampan_api.qos import qos_class

from sampan_agent import volumes
from sampan_agent.cgroups import pod_cgroup
from sampan_agent.cri_config import log_directory
from sampan_agent.errors import AgentError
from sampan_agent.hooks import run_hook
from sampan_agent.observed import Observed, ObservedContainer
from sampan_agent.podspec import DEFAULT_GRACE_SECONDS, Container, Pod, Role
from sampan_agent.sync import KillContainer

if TYPE_CHECKING:
    from sampan_agent.worker import Node

_CGROUP_TRIES = 50


class Stopper:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._stopping: set[str] = set()
        self._deadline = float("inf")
        self._hurrying: set[asyncio.Task[None]] = set()

    def hurry(self, grace: float) -> None:
        """A stop that is under way must be over in `grace` seconds."""
        deadline = self._node.clock.now() + grace
        if deadline >= self._deadline - 0.5 or not self._stopping:
            return
        self._deadline = deadline
        for container_id in self._stopping:
            task = asyncio.create_task(self._stop_quietly(container_id, grace))
            self._hurrying.add(task)
            task.add_done_callback(self._hurrying.discard)

    async def _stop_quietly(self, container_id: str, grace: float) -> None:
        try:
            await self._node.cri.stop_container(container_id, max(0, round(grace)))
        except AgentError:
            pass  # The stop this one hurries along reports what is wrong.

    async def kill_container(self, pod: Pod, action: KillContainer) -> None:
        own = pod.spec.get("terminationGracePeriodSeconds")
        grace = own if action.grace is None else action.grace
        container = pod.container(action.name)
        self._node.reporter.event(pod, "Normal", "Killing", action.reason, action.name)
        seconds = float(DEFAULT_GRACE_SECONDS if grace is None else grace)
        await self._stop_one(pod, container, action.id, seconds)

    async def stop_pod(self, pod: Pod, observed: Observed, grace: float) -> None:
        """Returns when no process of the pod is left. Raises CriError."""
        self._deadline = self._node.clock.now() + grace
        try:
            await self._stop_in_order(pod, observed)
        finally:
            self._deadline = float("inf")

    async def _stop_in_order(self, pod: Pod, observed: Observed) -> None:
        sidecars = [c.name for c in pod.init_containers if c.role is Role.SIDECAR]
        first = [c for c in observed.running() if c.name not in sidecars]
        await self._stop_all(pod, first)
        for name in reversed(sidecars):
            await self._stop_all(pod, [c for c in observed.running() if c.name == name])
        for sandbox in observed.sandboxes:
            await self._node.cri.stop_sandbox(sandbox.id)

    async def _stop_all(self, pod: Pod, running: list[ObservedContainer]) -> None:
        left = max(0.0, self._deadline - self._node.clock.now())
        for container in running:
            message = f"Stopping container {container.name}"
            self._node.reporter.event(pod, "Normal", "Killing", message, container.name)
        await asyncio.gather(*(self._stop_one(pod, pod.container(c.name), c.id, left) for c in running))

    async def _stop_one(self, pod: Pod, container: Container | None, container_id: str, grace: float) -> None:
        self._stopping.add(container_id)
        end = self._node.clock.now() + grace
        try:
            if container and grace > 0 and (hook := container.hook("preStop")):
                failure = await run_hook(self._node, pod, container, container_id, hook, grace)
                if failure:
                    message = f"PreStopHook failed: {failure}"
                    self._node.reporter.event(pod, "Warning", "FailedPreStopHook", message, container.name)
                # A hook that used the grace period up leaves the process two seconds, as the kubelet does.
                end = max(end, self._node.clock.now() + 2.0)
            left = max(0.0, min(end, max(self._deadline, self._node.clock.now())) - self._node.clock.now())
            await self._node.cri.stop_container(container_id, round(left))
        finally:
            self._stopping.discard(container_id)

    async def clean(self, pod: Pod, observed: Observed) -> None:
        """Takes away everything the pod left on the node. Raises AgentError, OSError."""
        settings = self._node.settings
        for container in observed.containers:
            await self._node.cri.remove_container(container.id)
        for sandbox in observed.sandboxes:
            await self._node.cri.remove_sandbox(sandbox.id)
        volumes.remove(settings.pods_dir / pod.uid)
        shutil.rmtree(log_directory(settings.logs_dir, pod), ignore_errors=True)
        path = pod_cgroup(settings.cgroup_root, qos_class(pod.spec), pod.uid)
        for _ in range(_CGROUP_TRIES):
            if self._node.cgroups.remove(path):
                return
            await asyncio.sleep(0.02)
        raise AgentError(f"cgroup {path} is still in use")
