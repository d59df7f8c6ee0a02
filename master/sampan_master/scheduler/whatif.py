"""What would happen if these pods and nodes came: the same planner, on a copy of what it knows, run until it rests.

    fork      nodes, pods and waiting pods of a planner, put into a new one as if they had just been read
    imagine   the new nodes and pods come; decisions are carried out in the copy: who is bound is there, who is evicted
              is gone at once; ends when nothing more is bound or evicted

The real planner is only read. Copying a large cluster takes a while, so it is done in pieces between which other tasks
run; the pieces are of one moment, since what is copied is listed first and objects never change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.scheduler.budgets import Budgets
from sampan_master.scheduler.cluster import Placed
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.explanation import Answer, unplaced
from sampan_master.scheduler.planner import Bind, Decision, Evict, Planner, Refuse
from sampan_master.scheduler.queue import Waiting
from sampan_master.scheduler.workloads import Workloads

_PIECE = 64
_STEP = 30.0
"""Seconds of imagined time between rounds: more than any back-off."""
_ROUNDS = 50


@dataclass(slots=True)
class Fate:
    """What becomes of one pod. `node` "" means that it stays pending."""

    pod: Object
    given: bool
    node: str = ""
    evicts: list[Placed] = field(default_factory=list)
    message: str = ""
    evicted_by: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    nodes: list[Object]
    namespaces: dict[str, dict[str, str]]
    placed: list[tuple[Object, str]]
    waiting: list[Object]
    budgets: Budgets
    workloads: Workloads


def snapshot(planner: Planner) -> Snapshot:
    """Everything the copy is made of, listed in one go; the objects themselves are shared."""
    cluster = planner.cluster
    nodes = [node for row in range(cluster.nodes.size) if (node := cluster.nodes.node(row)) is not None]
    placed = [(p.pod, p.node) for row in range(cluster.nodes.size) for p in cluster.pods_on(row)]
    waiting = [_as_nominated(planner, each) for each in planner.queue.waiting()]
    budgets, workloads = Budgets(), Workloads()
    budgets.take_over(planner.budgets)
    workloads.take_over(cluster.workloads)
    return Snapshot(nodes, dict(cluster.namespaces), placed, waiting, budgets, workloads)


def _as_nominated(planner: Planner, waiting: Waiting) -> Object:
    """The planner may know a nomination that the object does not show yet."""
    nominated = planner.cluster.nominated.get(meta.uid(waiting.pod))
    if nominated is None:
        return waiting.pod
    return {**waiting.pod, "status": {**(waiting.pod.get("status") or {}), "nominatedNodeName": nominated.node}}


async def fork(seen: Snapshot, config: SchedulerConfig) -> Planner:
    """A planner that knows what another knew, and shares nothing that changes with it."""
    copy = Planner(config)
    for namespace, labels in seen.namespaces.items():
        copy.put_namespace(namespace, labels)
    copy.budgets.take_over(seen.budgets)
    copy.cluster.workloads.take_over(seen.workloads)
    for i, node in enumerate(seen.nodes):
        copy.put_node(node)
        await _breathe(i)
    for i, (pod, where) in enumerate(seen.placed):
        copy.put_pod(pod if pod["spec"].get("nodeName") else bound(pod, where), 0.0)
        await _breathe(i)
    for i, pod in enumerate(seen.waiting):
        copy.put_pod(pod, 0.0)
        await _breathe(i)
    return copy


def bound(pod: Object, node: str) -> Object:
    return {**pod, "spec": {**pod["spec"], "nodeName": node}}


async def imagine(copy: Planner, nodes: Iterable[Object], pods: Iterable[Object]) -> list[Fate]:
    """The fates of `pods` in their order, then of pods that waited already and would go somewhere now."""
    given = list(pods)
    waited = [waiting.pod for waiting in copy.queue.waiting()]
    fates = {meta.uid(pod): Fate(pod, True, pod["spec"].get("nodeName") or "") for pod in given}
    fates |= {meta.uid(pod): Fate(pod, False) for pod in waited}
    for node in nodes:
        copy.put_node(node)
    now = _STEP
    for pod in given:
        copy.put_pod(pod, now)
    for _ in range(_ROUNDS):
        if not await _round(copy, fates, now):
            break
        now += _STEP
    return [fate for fate in fates.values() if fate.given or fate.node or fate.evicts]


async def _round(copy: Planner, fates: dict[str, Fate], now: float) -> bool:
    """Says whether anybody was bound or evicted."""
    moved, count = False, 0
    while True:
        copy.requeue(now)
        decision = copy.next(now)
        if decision is None and not copy.checks_left:
            return moved
        if decision is not None:
            moved |= _carry_out(copy, fates, decision, now)
        await _breathe(count)
        count += 1


def _carry_out(copy: Planner, fates: dict[str, Fate], decision: Decision, now: float) -> bool:
    uid = meta.uid(decision.waiting.pod)
    fate = fates[uid]
    match decision:
        case Bind():
            fate.node, fate.message = decision.node, ""
            copy.bound(decision.waiting)
            copy.put_pod(bound(decision.waiting.pod, decision.node), now)
        case Evict():
            fate.evicts += decision.victims
            for victim in decision.victims:
                if victim.uid in fates:
                    fates[victim.uid].node, fates[victim.uid].evicted_by = "", uid
                copy.remove_pod(victim.uid)
        case Refuse():
            fate.message = decision.message
            return False
    return True


def told(copy: Planner, fate: Fate, origin: str) -> Answer:
    """One pod of the answer: where it would go, whom it would evict, and why not where it would stay pending."""
    pod = fate.pod
    answer: dict[str, Any] = {
        "namespace": meta.namespace(pod),
        "name": meta.name(pod),
        "from": origin,
        "node": fate.node,
        "scheduler": pod["spec"].get("schedulerName") or "",
        "evicts": [_victim(placed) for placed in fate.evicts],
    }
    if fate.node:
        return answer
    engine = copy.engines.get(answer["scheduler"])
    if gates := [gate["name"] for gate in pod["spec"].get("schedulingGates") or []]:
        return answer | {"message": f"held back by scheduling gates: {', '.join(gates)}"}
    if engine is None:
        return answer | {"message": f'no scheduler here is called "{answer["scheduler"]}"'}
    if fate.evicted_by:
        return answer | {"message": "it would run, and be evicted again by a more important pod of these"}
    return answer | unplaced(engine, pod) | ({"message": fate.message} if fate.message else {})


def _victim(placed: Placed) -> Answer:
    return {
        "namespace": meta.namespace(placed.pod),
        "name": meta.name(placed.pod),
        "priority": placed.priority,
        "node": placed.node,
    }


async def _breathe(i: int) -> None:
    if i % _PIECE == _PIECE - 1:
        await asyncio.sleep(0)
