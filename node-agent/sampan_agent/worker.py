"""One pod's worker: look, decide (`sync`), act, report, and wait for the next reason to look.

One action is under way at a time, so two steps of a pod never race. What may take long (an image pull, a hook) gives
way to a deletion. The runtime is asked anew before each decision; if it does not answer, nothing is concluded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from sampan_api.clock import Clock

from sampan_agent import resizing, volumes
from sampan_agent.cgroups import Cgroups
from sampan_agent.cri import Cri
from sampan_agent.env import NodeFacts
from sampan_agent.errors import AgentError, CriError, RuntimeDown, VolumeError
from sampan_agent.memory import Failure, Memory
from sampan_agent.objects import ObjectReader
from sampan_agent.observed import Observed
from sampan_agent.payload import Sources
from sampan_agent.podspec import Pod
from sampan_agent.probes import Probes
from sampan_agent.settings import Settings
from sampan_agent.starting import Starter
from sampan_agent.status import Surroundings, pod_status
from sampan_agent.stopping import Stopper
from sampan_agent.sync import (
    Action,
    CreateSandbox,
    Decision,
    KillContainer,
    RemoveContainer,
    RemoveSandbox,
    ResizePod,
    StartContainer,
    StopPod,
    sync,
)
from sampan_agent.tokens import Tokens

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0


class Reporter(Protocol):
    """Where a worker's findings go."""

    def pod_status(self, pod: Pod, status: dict[str, Any], *, terminated: bool) -> None: ...

    def event(self, pod: Pod, type_: str, reason: str, message: str, container: str = "") -> None: ...


@dataclass(slots=True)
class Node:
    """What every worker of the node shares."""

    settings: Settings
    cri: Cri
    clock: Clock
    cgroups: Cgroups
    reporter: Reporter
    read: ObjectReader
    tokens: Tokens
    facts: NodeFacts
    runtime_name: str = "sampan"
    others: Callable[[str], resizing.Used] = lambda uid: resizing.Used()
    """What all pods but this one ask for."""
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"


class PodWorker:
    def __init__(self, pod: Pod, node: Node, on_gone: Callable[[str], None]) -> None:
        self.pod = pod
        self._node = node
        self._on_gone = on_gone
        self._memory = Memory(since=node.clock.now())
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._removed = False
        self._sent: tuple[dict[str, Any], bool] | None = None
        self._starter = Starter(node, self._memory)
        self._stopper = Stopper(node)
        self._probes = Probes(node, self._memory, self.wake)
        self._refresh_at = node.clock.now() + node.settings.volume_refresh_seconds
        self.cleaned = False
        """Nothing of the pod is left on this node."""
        self._fresh: Observed | None = None
        """What is known to be there after our own actions; None: the runtime must be asked."""
        self._announced: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"pod {self.pod.full_name}")

    async def stop(self) -> None:
        """Ends the worker and touches nothing of the pod."""
        await self._probes.stop()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        self._wake.set()

    def update(self, pod: Pod) -> None:
        if pod.metadata.get("labels") != self.pod.metadata.get("labels") or pod.metadata.get(
            "annotations"
        ) != self.pod.metadata.get("annotations"):
            self._refresh_at = 0.0
        self.pod = pod
        if pod.deleting:
            self._urgent.set()
            self._stopper.hurry(pod.grace_seconds)
        self.wake()

    def remove(self) -> None:
        """The pod is gone from the API: stop it at once."""
        self._removed = True
        self._urgent.set()
        self._stopper.hurry(1.0)
        self.wake()

    async def _run(self) -> None:
        while True:
            if self._wake.is_set():
                self._fresh = None
                self._wake.clear()
            try:
                wake_at = await self._step()
            except RuntimeDown as e:
                self._fresh = None
                _log.debug("pod %s: runtime: %s", self.pod.full_name, e)
                wake_at = self._node.clock.now() + _RETRY_SECONDS
            except (AgentError, OSError) as e:
                self._fresh = None
                _log.warning("pod %s: %s", self.pod.full_name, e)
                self._node.reporter.event(self.pod, "Warning", "FailedSync", f"error syncing pod: {e}")
                wake_at = self._node.clock.now() + _RETRY_SECONDS
            if self._removed and self.cleaned:
                await self._probes.stop()
                self._on_gone(self.pod.uid)
                return
            await self._wait(wake_at)

    async def _wait(self, wake_at: float | None) -> None:
        if wake_at is None:
            await self._wake.wait()
            return
        seconds = wake_at - self._node.clock.now()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleep = asyncio.ensure_future(self._node.clock.sleep(seconds))
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((sleep, woken), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            woken.cancel()

    async def _step(self) -> float | None:
        """One look; returns when to look again (None: when woken)."""
        pod, now = self.pod, self._node.clock.now()
        if self.cleaned:
            return None
        observed, self._fresh = self._fresh or await self._node.cri.observe(pod.uid), None
        decision = self._decide(pod, observed, now)
        self._probes.follow(pod, observed, ended=decision.ended)
        if decision.deadline_exceeded and any(isinstance(a, StopPod) for a in decision.actions):
            message = "Pod was active on the node longer than the specified deadline"
            self._node.reporter.event(pod, "Normal", "DeadlineExceeded", message)
        self._report(pod, observed, decision, now)
        self._announce_crashes(pod, observed, decision)
        known, sure = observed, bool(decision.actions)
        for action in decision.actions:
            if self._urgent.is_set() and not isinstance(action, StopPod):
                break
            after = await self._execute(action, pod, known)
            known, sure = after or known, sure and after is not None
            if pod is not self.pod:
                break
        self._fresh = known if sure else None
        if decision.actions and not self.cleaned:
            return now
        return await self._refresh(pod, decision)

    def _decide(self, pod: Pod, observed: Observed, now: float) -> Decision:
        if not self._removed and not pod.deleting:
            self._urgent.clear()
        if self._removed or pod.deleting:
            actions: list[Action] = [] if self.cleaned else [StopPod(remove=True)]
            return Decision(actions, ended=True)
        decision = sync(pod, observed, self._memory, now)
        resizing.decide(pod, observed, self._memory, decision, self._node.facts, self._node.others, now)
        return decision

    def _report(self, pod: Pod, observed: Observed, decision: Decision, now: float) -> None:
        if self._removed or (pod.deleting and self.cleaned and self._sent is not None):
            return
        here = Surroundings(self._node.facts.ip, self._node.runtime_name, now)
        status = pod_status(pod, observed, self._memory, decision, here)
        self._send(pod, status, terminated=self.cleaned)

    def _send(self, pod: Pod, status: dict[str, Any], *, terminated: bool) -> None:
        if pod.ended and not any(c.get("containerID") for c in status.get("containerStatuses") or []):
            status = {}  # Its containers are gone from this node: what the API holds is better.
        comparable = (_without_times(status), terminated)
        if comparable != self._sent:
            self._sent = comparable
            self._node.reporter.pod_status(pod, status, terminated=terminated)

    def _announce_crashes(self, pod: Pod, observed: Observed, decision: Decision) -> None:
        for name in decision.crash_looping:
            latest = observed.latest(name)
            if latest and self._announced.get(name) != latest.attempt:
                self._announced[name] = latest.attempt
                message = f"Back-off restarting failed container {name} in pod {pod.full_name}"
                self._node.reporter.event(pod, "Warning", "BackOff", message, name)

    async def _refresh(self, pod: Pod, decision: Decision) -> float | None:
        """Keeps volumes made of API data up to date; returns the next moment to look."""
        if decision.ended or not volumes.has_payload(pod):
            return decision.wake_at
        now = self._node.clock.now()
        if now >= self._refresh_at:
            self._refresh_at = now + self._node.settings.volume_refresh_seconds
            directory = self._node.settings.pods_dir / pod.uid
            try:
                await volumes.prepare(
                    pod, directory, Sources(pod, self._node.read, self._node.tokens, self._node.facts)
                )
            except AgentError as e:
                _log.info("pod %s: volumes not refreshed: %s", pod.full_name, e)
        decision.wake(self._refresh_at)
        return decision.wake_at

    async def _execute(self, action: Action, pod: Pod, observed: Observed) -> Observed | None:
        """What is there now, if that follows from the action; None: ask the runtime."""
        cri = self._node.cri
        match action:
            case CreateSandbox():
                if sandbox_id := await self._create_sandbox(action, pod):
                    return observed.with_sandbox(await cri.new_sandbox(sandbox_id))
            case StartContainer():
                assert observed.sandbox is not None
                started = await self._interruptible(self._starter.start_container(pod, action, observed))
                if started:
                    return observed.with_container(await cri.new_container(started, observed.sandbox.id))
            case ResizePod():
                await resizing.resize(self._node, pod, observed, action, self._memory)
            case KillContainer():
                await self._stopper.kill_container(pod, action)
            case RemoveContainer():
                await cri.remove_container(action.id)
            case RemoveSandbox():
                await cri.remove_sandbox(action.id)
            case StopPod():
                await self._stop_pod(action, pod, observed)
        return None

    async def _create_sandbox(self, action: CreateSandbox, pod: Pod) -> str:
        """Its id, or "" when it could not be made."""
        if action.attempt:
            message = "Pod sandbox changed, it will be killed and re-created."
            self._node.reporter.event(pod, "Normal", "SandboxChanged", message)
        try:
            made = await self._interruptible(self._starter.create_sandbox(pod, action.attempt))
            self._memory.sandbox_failure = None
            return made
        except RuntimeDown:
            raise
        except (CriError, AgentError, OSError) as e:
            before = self._memory.sandbox_failure
            delay = min(before.delay * 2, 30.0) if before else 1.0
            now = self._node.clock.now()
            self._memory.sandbox_failure = Failure("FailedCreatePodSandBox", str(e), now + delay, delay)
            reason = "FailedMount" if isinstance(e, VolumeError) else "FailedCreatePodSandBox"
            prefix = "" if reason == "FailedMount" else "Failed to create pod sandbox: "
            self._node.reporter.event(pod, "Warning", reason, f"{prefix}{e}")
        return ""

    async def _interruptible(self, work: Coroutine[Any, Any, str]) -> str:
        """Its result; "" when it was given up because the pod is to be stopped."""
        task = asyncio.ensure_future(work)
        urgent = asyncio.ensure_future(self._urgent.wait())
        try:
            await asyncio.wait((task, urgent), return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and not self._starter.may_give_way:
                await asyncio.wait((task,))
            return task.result() if task.done() else ""
        finally:
            urgent.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _stop_pod(self, action: StopPod, pod: Pod, observed: Observed) -> None:
        await self._probes.stop()
        grace = 1.0 if self._removed else pod.grace_seconds
        await self._stopper.stop_pod(pod, observed, grace)
        if not action.remove:
            return
        observed = await self._node.cri.observe(pod.uid)
        if not self._removed:
            here = Surroundings(self._node.facts.ip, self._node.runtime_name, self._node.clock.now())
            # Stopped by an agent before this one: what the API holds says more than an empty node.
            status = pod_status(pod, observed, self._memory, Decision(ended=True), here) if observed.containers else {}
        await self._stopper.clean(pod, observed)
        self.cleaned = True
        if not self._removed:
            self._send(pod, status, terminated=True)


def _without_times(status: dict[str, Any]) -> dict[str, Any]:
    """The status as far as it is worth a message: transition times are computed anew at each look."""
    kept = status.get("conditions") or []
    conditions = [{k: v for k, v in c.items() if k != "lastTransitionTime"} for c in kept]
    return {**status, "conditions": conditions}
