"""Startup, readiness and liveness probes: one task per probe of a running container, verdicts into the worker's memory.

Readiness begins false, liveness true; neither runs before the startup probe has succeeded. A verdict changes
after successThreshold or failureThreshold results in a row; a failed liveness or startup probe marks the container to
be killed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sampan_agent.errors import CriError, RuntimeDown
from sampan_agent.grpc_health import grpc_health
from sampan_agent.http import get_status
from sampan_agent.memory import Memory
from sampan_agent.observed import Observed, ObservedContainer
from sampan_agent.podspec import Container, Pod, Role
from sampan_agent.ports import port_number

if TYPE_CHECKING:
    from sampan_agent.worker import Node

KINDS = ("startup", "readiness", "liveness")


class _Target(NamedTuple):
    pod: Pod
    container: Container
    container_id: str
    ip: str


class Probes:
    def __init__(self, node: Node, memory: Memory, wake: Callable[[], None]) -> None:
        self._node = node
        self._memory = memory
        self._wake = wake
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def follow(self, pod: Pod, observed: Observed, *, ended: bool) -> None:
        """Begins the probes of containers that run, ends those of containers that do not."""
        wanted: dict[tuple[str, str], _Target] = {}
        if not ended:
            for container in pod.containers:
                latest = observed.latest(container.name)
                if container.role is not Role.INIT and latest and latest.alive:
                    wanted.update(self._of(pod, container, latest, observed))
        for key in self._tasks.keys() - wanted.keys():
            self._tasks.pop(key).cancel()
        for key, target in wanted.items():
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(self._probe(key[1], target))
        alive = {c.id for c in observed.running()}
        for container_id in self._memory.probes.keys() - alive:
            del self._memory.probes[container_id]

    def _of(
        self, pod: Pod, container: Container, latest: ObservedContainer, observed: Observed
    ) -> dict[tuple[str, str], _Target]:
        ips = observed.sandbox.ips if observed.sandbox else ()
        ip = self._node.facts.ip if pod.host_network else (ips[0] if ips else "")
        target = _Target(pod, container, latest.id, ip)
        return {(latest.id, kind): target for kind in KINDS if container.probe(kind) is not None}

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _probe(self, kind: str, target: _Target) -> None:
        probe = target.container.probe(kind) or {}
        state = self._memory.probe(target.container_id)
        clock, period = self._node.clock, float(probe.get("periodSeconds") or 10)
        await clock.sleep(float(probe.get("initialDelaySeconds") or 0))
        row, last = 0, None
        while True:
            if kind != "startup" and target.container.probe("startup") and not state.started:
                await clock.sleep(min(1.0, period))
                continue
            result = await self._once(kind, probe, target)
            if result is None:
                await clock.sleep(period)
                continue
            row = row + 1 if result == last else 1
            last = result
            needed = int(probe.get("successThreshold" if result else "failureThreshold") or (1 if result else 3))
            if row >= needed and self._verdict(kind, target, result):
                return
            await clock.sleep(period + random.uniform(0, 0.05 * period) if row > 1 else period)

    def _verdict(self, kind: str, target: _Target, result: bool) -> bool:
        """True: this probe is done."""
        state, name = self._memory.probe(target.container_id), target.container.name
        if kind == "readiness":
            if state.ready is not result:
                state.ready = result
                self._wake()
            return False
        if result:
            if kind == "startup":
                state.started = True
                self._wake()
                return True
            return False
        state.grace = (target.container.probe(kind) or {}).get("terminationGracePeriodSeconds")
        state.unhealthy = f"Container {name} failed {kind} probe, will be restarted"
        self._wake()
        return True

    async def _once(self, kind: str, probe: dict[str, Any], target: _Target) -> bool | None:
        """None: the runtime could not tell."""
        timeout = float(probe.get("timeoutSeconds") or 1)
        try:
            failure = await self._check(probe, target, timeout)
        except RuntimeDown:
            return None
        if failure:
            message = f"{kind.capitalize()} probe failed: {failure}"
            self._node.reporter.event(target.pod, "Warning", "Unhealthy", message, target.container.name)
        return not failure

    async def _check(self, probe: dict[str, Any], target: _Target, timeout: float) -> str:
        """What is wrong, or ""."""
        if action := probe.get("exec"):
            return await self._exec(action.get("command") or [], target, timeout)
        if action := probe.get("httpGet"):
            host = action.get("host") or target.ip
            port = port_number(target.container, action["port"])
            code, text = await get_status(action, host, port, timeout)
            if 200 <= code < 400:
                return ""
            return f"HTTP probe failed with statuscode: {code}" if code else text
        if action := probe.get("tcpSocket"):
            host = action.get("host") or target.ip
            return await _connect(host, port_number(target.container, action["port"]), timeout)
        if action := probe.get("grpc"):
            return await grpc_health(target.ip, int(action["port"]), action.get("service") or "", timeout)
        return "the probe has no action this node knows"

    async def _exec(self, command: list[str], target: _Target, timeout: float) -> str:
        try:
            code, output = await self._node.cri.exec_sync(target.container_id, command, timeout)
        except RuntimeDown:
            raise
        except CriError as e:
            if e.code == "DEADLINE_EXCEEDED":
                return f"command timed out: {' '.join(command)!r} timed out after {timeout:g}s"
            return e.message
        return (output[:10240].decode(errors="replace") or f"exit code {code}") if code else ""


async def _connect(host: str, port: int, timeout: float) -> str:
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"dial tcp {host}:{port}: i/o timeout"
    except OSError as e:
        return f"dial tcp {host}:{port}: connect: {(e.strerror or str(e)).lower()}"
    writer.close()
    return ""
