"""Resizing a running pod in place: what each container has, what it shall have, and how to get there.

What a container has is noted with the container itself when it is made and when it is changed, so it is known after a
restart of this agent too. The pod's own cgroup holds its containers': it grows before them and shrinks after them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sampan_api.qos import qos_class

from sampan_agent.cgroups import Limits, pod_cgroup
from sampan_agent.cri import ANNOTATION_RESOURCES
from sampan_agent.cri_config import container_resources
from sampan_agent.env import NodeFacts
from sampan_agent.errors import AgentError, RuntimeDown
from sampan_agent.memory import Failure, Memory
from sampan_agent.observed import Observed, ObservedContainer
from sampan_agent.podspec import Container, Pod, RestartPolicy, Role
from sampan_agent.qos import limit, pod_totals, quota, request, shares
from sampan_agent.sync import Decision, KillContainer, ResizePending, ResizePod

if TYPE_CHECKING:
    from sampan_agent.worker import Node

_LOOK_AGAIN = 10.0
_FIRST_DELAY, _MAX_DELAY = 2.0, 60.0


@dataclass(frozen=True, slots=True)
class Used:
    """What the other pods of the node ask for: milli-cores and bytes."""

    cpu: int = 0
    memory: int = 0


def decide(
    pod: Pod,
    observed: Observed,
    memory: Memory,
    decision: Decision,
    node: NodeFacts,
    others: Callable[[str], Used],
    now: float,
) -> None:
    """Adds to the decision what a changed size needs. `others`: uid -> what all pods but that one ask for; it is asked
    only when there is something to resize."""
    changed = _changed(pod, observed)
    if not changed or decision.ended:
        memory.resize_failure = None
        return
    decision.resizing = True
    decision.resize_pending = pending(pod, node, others(pod.uid))
    if decision.resize_pending is not None:
        decision.wake(now + _LOOK_AGAIN)
        return
    failure = memory.resize_failure
    if failure is not None and failure.retry_at > now:
        decision.wake(failure.retry_at)
        return
    killed = {action.id for action in decision.actions if isinstance(action, KillContainer)}
    in_place = []
    for container, here in changed:
        if here.id in killed:
            continue
        if _needs_restart(pod, container, here):
            message = f"Container {container.name} resize requires restart"
            decision.actions.append(KillContainer(here.id, container.name, message))
        else:
            in_place.append((here.id, container.name))
    decision.actions.append(ResizePod(tuple(in_place)))


def _changed(pod: Pod, observed: Observed) -> list[tuple[Container, ObservedContainer]]:
    found = []
    for container in (*pod.init_containers, *pod.main_containers):
        here = observed.latest(container.name)
        if here is not None and here.alive and here.resources not in ("", container.size):
            found.append((container, here))
    return found


def pending(pod: Pod, node: NodeFacts, others: Used) -> ResizePending | None:
    for name, capacity, used in (("cpu", node.cpu_milli, others.cpu), ("memory", node.memory, others.memory)):
        wanted = pod_totals(pod.spec, request, name)
        if wanted > capacity:
            said = f"Node didn't have enough capacity: {name}, requested: {wanted}, capacity: {capacity}"
            return ResizePending("Infeasible", said)
        if wanted + used > capacity:
            said = f"Node didn't have enough resource: {name}, requested: {wanted}, used: {used}, capacity: {capacity}"
            return ResizePending("Deferred", said)
    return None


def _needs_restart(pod: Pod, container: Container, here: ObservedContainer) -> bool:
    """Whether the container's resizePolicy wants one for what changes; a pod that never restarts has none."""
    if pod.restart_policy is RestartPolicy.NEVER and container.role is not Role.SIDECAR:
        return False
    has, wants = json.loads(here.resources), json.loads(container.size)
    for policy in container.raw.get("resizePolicy") or []:
        name = policy.get("resourceName")
        differs = any((has.get(p) or {}).get(name) != (wants.get(p) or {}).get(name) for p in ("requests", "limits"))
        if differs and policy.get("restartPolicy") == "RestartContainer":
            return True
    return False


def spec_in_force(pod: Pod, observed: Observed) -> dict[str, Any]:
    """The pod's spec with the resources its running containers have, rather than shall have."""

    def of(container: dict[str, Any]) -> dict[str, Any]:
        here = observed.latest(container["name"])
        if here is None or not here.resources:
            return container
        return {**container, "resources": json.loads(here.resources)}

    lists = ("initContainers", "containers")
    return {**pod.spec, **{field: [of(c) for c in pod.spec.get(field) or []] for field in lists}}


def pod_limits(spec: dict[str, Any], node: NodeFacts, pids: int) -> Limits:
    return Limits(
        cpu_shares=shares(pod_totals(spec, request, "cpu")),
        cpu_quota=quota(pod_totals(spec, limit, "cpu"), node.cpu_milli),
        memory=pod_totals(spec, limit, "memory"),
        pids=pids,
    )


def room_for_both(before: Limits, after: Limits) -> Limits:
    """The wider of each; 0 is no limit and leaves a limit as it is, which is none here."""

    def wider(one: int, other: int) -> int:
        return max(one, other) if one and other else 0

    return replace(
        after,
        cpu_shares=max(before.cpu_shares, after.cpu_shares),
        cpu_quota=wider(before.cpu_quota, after.cpu_quota),
        memory=wider(before.memory, after.memory),
    )


async def resize(node: Node, pod: Pod, observed: Observed, action: ResizePod, memory: Memory) -> None:
    """Raises RuntimeDown; any other failure is remembered and told."""
    try:
        await _resize(node, pod, observed, action)
        memory.resize_failure = None
    except RuntimeDown:
        raise
    except (AgentError, OSError) as error:
        before = memory.resize_failure
        delay = min(before.delay * 2, _MAX_DELAY) if before else _FIRST_DELAY
        memory.resize_failure = Failure("Error", str(error), node.clock.now() + delay, delay)
        node.reporter.event(pod, "Warning", "ResizeError", f"Error resizing pod: {error}")


async def _resize(node: Node, pod: Pod, observed: Observed, action: ResizePod) -> None:
    settings = node.settings
    path = pod_cgroup(settings.cgroup_root, qos_class(pod.spec), pod.uid)
    before = pod_limits(spec_in_force(pod, observed), node.facts, settings.pod_pids_limit)
    after = pod_limits(pod.spec, node.facts, settings.pod_pids_limit)
    node.cgroups.make(path, room_for_both(before, after))
    for container_id, name in action.containers:
        container = pod.container(name)
        assert container is not None
        resources = container_resources(pod, container, node.facts)
        await node.cri.update_resources(container_id, resources, {ANNOTATION_RESOURCES: container.size})
    node.cgroups.make(path, after)
