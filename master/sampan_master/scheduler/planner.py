"""What the scheduler decides, without doing it: news goes in, decisions come out, nothing waits and nothing is written.

    put_node, put_pod, …  ──► cluster (columns), queue, what may help whom
    next(now)             ──► Bind(pod, node) | Evict(pod, node, victims) | Refuse(pod)

A decision to bind is assumed at once, so that the next one counts on it; `bound`, `elsewhere` and `not_bound` say what
became of it. Pods no node can take wait until an event can help them: which events may is said by the plug-ins that
refused (room by any node or leaving pod; company, that is other pods' coming, only where relations refused), and then
the engine is asked whether it did, so that nobody is tried in vain. A changed Node may also let in a pod that must
evict others there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.scheduler.budgets import Budgets
from sampan_master.scheduler.cluster import Cluster, Nominated, Placed, has_ended, node_of
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.preemption import Preemption
from sampan_master.scheduler.queue import Kind, SchedulingQueue, Waiting, kind_of
from sampan_master.scheduler.verdict import NEVER_PREEMPTS, WAITS_FOR_VICTIMS, Verdict, explain

_CHECKS = 128
"""Kinds of waiting pods that are asked about at one go when something may help them."""
_VERDICTS = 64


@dataclass(frozen=True, slots=True)
class Bind:
    waiting: Waiting
    node: str


@dataclass(frozen=True, slots=True)
class Evict:
    """The pod waits for room on `node`; `displaced` are less important pods that were promised room there."""

    waiting: Waiting
    node: str
    victims: tuple[Placed, ...]
    displaced: tuple[Nominated, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """No node fits. `gave_up`: its nomination came to nothing and is taken back."""

    waiting: Waiting
    message: str
    gave_up: bool


Decision: TypeAlias = Bind | Evict | Refuse


class Planner:
    def __init__(self, config: SchedulerConfig) -> None:
        self.queue = SchedulingQueue(config)
        self.cluster, self.budgets = Cluster(self.queue.kinds), Budgets()
        self.engines = {p.scheduler_name: Engine(self.cluster, p, config.seed) for p in config.profiles}
        self._preemptions = {
            name: Preemption(engine, self.budgets, config.seed)
            for name, engine in self.engines.items()
            if engine.profile.preemption is not None
        }
        self._verdicts: dict[Kind, Verdict] = {}
        self._verdicts_of = (-1, -1, -1)
        """The moment they are all of."""
        self._to_check: dict[Kind, str] = {}
        """Kinds that may be helped, by what."""
        self._opened: set[int] = set()
        """Rows whose Nodes changed since these were marked."""
        self._looked_at = 0

    # News.

    def put_node(self, node: Object) -> None:
        new = meta.name(node) not in self.cluster.nodes.row_of
        if self.cluster.nodes.put_node(node):
            self._may_help("NodeAdd" if new else "NodeUpdate", room=True)
            if self._to_check:
                self._opened.add(self.cluster.nodes.row_of[meta.name(node)])

    def remove_node(self, name: str) -> None:
        self.cluster.nodes.remove_node(name)
        self._may_help("NodeDelete", room=False)

    def put_namespace(self, name: str, labels: dict[str, str] | None) -> None:
        """`labels` None: it is gone."""
        if self.cluster.put_namespace(name, labels):
            self._may_help("NamespaceUpdate", room=False)

    def put_pod(self, pod: Object, now: float) -> None:
        uid = meta.uid(pod)
        if has_ended(pod):
            self.remove_pod(uid)
        elif node_of(pod):
            self.queue.remove(uid)
            known, freed = self.cluster.is_placed(uid), self.cluster.withdraw(uid)
            if self.cluster.saw_bound(pod):
                self._may_help("AssignedPodUpdate" if known else "AssignedPodAdd", room=known or freed)
        elif meta.is_deleting(pod) or pod["spec"].get("schedulerName") not in self.engines:
            self._leaves_queue(uid)
        elif not self.cluster.is_placed(uid):
            self._put_waiting(pod, now)
        elif self.queue.get(uid) is not None:
            # It is being bound: should that come to nothing, it is tried again as it is by then.
            self.queue.put(pod, kind_of(pod), now)

    def remove_pod(self, uid: str) -> None:
        self._leaves_queue(uid)
        if self.cluster.remove(uid):
            self._may_help("AssignedPodDelete", room=True)

    # Decisions.

    def next(self, now: float) -> Decision | None:
        """The decision about the next pod, None when there is none to try."""
        waiting = self.queue.pop()
        return None if waiting is None else self.decide(waiting, now)

    def decide(self, waiting: Waiting, now: float) -> Decision:
        """About a pod that the queue has handed out."""
        kind, uid = waiting.kind, meta.uid(waiting.pod)
        row = self.engines[kind.profile].choose(kind.signature, uid=uid, priority=kind.priority)
        if row is None:
            return self._no_node(waiting, uid, now)
        for policy in self.engines[kind.profile].profile.policies:
            if forbids := policy.forbids(self.cluster.nodes, row, kind.signature):
                self.queue.no_node_fits(waiting, now, frozenset([policy.name]))
                message = f"{forbids} does not permit node {self.cluster.nodes.names[row]}"
                return Refuse(waiting, message, self._withdraw(uid))
        return Bind(waiting, self.cluster.assume(waiting.pod, kind.signature, row))

    def bound(self, waiting: Waiting) -> None:
        """The binding is stored. Whoever waits for this pod's company may be helped."""
        self.queue.remove(meta.uid(waiting.pod))
        self._may_help("AssignedPodAdd", room=False)

    def elsewhere(self, waiting: Waiting) -> None:
        """Somebody else bound the pod, or it is gone."""
        self._forget(waiting)
        self.queue.remove(meta.uid(waiting.pod))

    def not_bound(self, waiting: Waiting, now: float) -> None:
        """The binding was refused and the pod is still free."""
        self._forget(waiting)
        self.queue.retry_later(waiting, now)

    def failed(self, waiting: Waiting, now: float) -> None:
        """Something that should not happen kept the decision, or what was to follow it, from being carried out. The pod
        is tried again; what is kept for others, and may be half done, is given up."""
        self.engines[waiting.kind.profile].give_up()
        self._forget(waiting)
        self.queue.met_with_error(meta.uid(waiting.pod), now)
        self.queue.retry_later(waiting, now)

    def requeue(self, now: float) -> None:
        """Lets go of pods that have been helped, or whose time has come. `checks_left` says whether to call again."""
        changes = self.cluster.nodes.changes
        if self.cluster.nominated:
            changed = changes.since(self._looked_at)
            for row in self.cluster.promised_rows() if changed is None else set(changed):
                self._check_nominated(row, now)
        self._looked_at = changes.position
        for _ in range(min(_CHECKS, len(self._to_check))):
            kind = next(iter(self._to_check))
            event = self._to_check.pop(kind)
            if self._is_worth_trying(kind):
                self.queue.move([kind], now, event)
        if not self._to_check:
            self._opened.clear()
        self.queue.tick(now)

    @property
    def checks_left(self) -> bool:
        return bool(self._to_check)

    def verdict(self, waiting: Waiting) -> Verdict:
        """Why this pod fits nowhere now; the same for all of its kind until something changes."""
        kind, uid = waiting.kind, meta.uid(waiting.pod)
        engine = self.engines[kind.profile]
        if uid in self.cluster.nominated:
            return explain(engine, kind.signature, uid=uid, priority=kind.priority)
        cluster = self.cluster
        moment = (cluster.nodes.changes.position, cluster.namespace_position, cluster.workloads.position)
        if moment != self._verdicts_of or len(self._verdicts) >= _VERDICTS:
            self._verdicts, self._verdicts_of = {}, moment
        known = self._verdicts.get(kind)
        if known is None:
            known = self._verdicts[kind] = explain(engine, kind.signature, priority=kind.priority)
        return known

    def _no_node(self, waiting: Waiting, uid: str, now: float) -> Decision:
        kind, verdict = waiting.kind, self.verdict(waiting)
        self.queue.no_node_fits(waiting, now, frozenset(refusal.plugin for refusal in verdict.refusals))
        if waiting.pod["spec"].get("preemptionPolicy") == "Never":
            return Refuse(waiting, verdict.message(NEVER_PREEMPTS), False)
        if kind.profile not in self._preemptions:
            return Refuse(waiting, verdict.message(), self._withdraw(uid))
        preemption, hopeful = self._preemptions[kind.profile], verdict.hopeful()
        if preemption.waits(uid, kind.priority, hopeful):
            return Refuse(waiting, verdict.message(WAITS_FOR_VICTIMS), False)
        victims = preemption.choose(kind.signature, uid, kind.priority, hopeful)
        if victims is None:
            against = preemption.against(kind.signature, uid, kind.priority, hopeful)
            return Refuse(waiting, verdict.message(verdict.no_preemption(against)), self._withdraw(uid))
        node = self.cluster.nodes.names[victims.row]
        displaced = [n for n in self.cluster.promises(victims.row, -(1 << 31)) if n.priority < kind.priority]
        for nominated in displaced:
            self.cluster.withdraw(nominated.uid)
            self.queue.move_one(nominated.uid, now, "AssignedPodDelete")
        before = self.cluster.nominated.get(uid)
        if before is not None and before.node != node:
            self._withdraw(uid)
        self.cluster.nominate(waiting.pod, kind.signature, node)
        return Evict(waiting, node, tuple(victims.pods), tuple(displaced), verdict.message())

    def _put_waiting(self, pod: Object, now: float) -> None:
        kind, node = kind_of(pod), (pod.get("status") or {}).get("nominatedNodeName") or ""
        before = self.queue.get(meta.uid(pod))
        said = (before.pod.get("status") or {}).get("nominatedNodeName") if before is not None else None
        if node:
            self.cluster.nominate(pod, kind.signature, node)
        elif said:
            # Only what somebody took back counts as taken back: news from before our own nomination does not.
            self._withdraw(meta.uid(pod))
        self.queue.put(pod, kind, now)

    def _withdraw(self, uid: str) -> bool:
        """The pod, which still waits, is nominated no more: others may have its room. Says whether it was."""
        was = self.cluster.withdraw(uid)
        if was:
            self._may_help("AssignedPodDelete", room=True)
        return was

    def _is_worth_trying(self, kind: Kind) -> bool:
        if self.engines[kind.profile].feasible(kind.signature, priority=kind.priority):
            return True
        preemption = self._preemptions.get(kind.profile)
        return preemption is not None and preemption.may_open(kind.signature, kind.priority, self._opened)

    def _leaves_queue(self, uid: str) -> None:
        self.queue.remove(uid)
        if self.cluster.withdraw(uid):
            self._may_help("UnschedulablePodDelete", room=True)

    def _forget(self, waiting: Waiting) -> None:
        self.cluster.forget(meta.uid(waiting.pod))
        self._may_help("AssignedPodDelete", room=True)

    def _may_help(self, event: str, *, room: bool) -> None:
        """There may be more room; or only company has changed, which matters to those that relations refused. `event`
        is what kube-scheduler calls it in its metrics."""
        for kind in self.queue.unschedulable_kinds():
            if room or self.queue.refused_by(kind) & self.engines[kind.profile].relation_names:
                self._to_check.setdefault(kind, event)

    def _check_nominated(self, row: int, now: float) -> None:
        """The room promised to a pod does not count as taken when it is asked about itself."""
        for nominated in self.cluster.promises(row, -(1 << 31)):
            waiting = self.queue.get(nominated.uid)
            if waiting is not None:
                engine = self.engines[waiting.kind.profile]
                if engine.fits(row, nominated.signature, uid=nominated.uid, priority=nominated.priority):
                    self.queue.move_one(nominated.uid, now, "AssignedPodDelete")
