"""Which pods must go so that a more important one can run: DefaultPreemption.

On every node all pods of lower priority are supposed away; if the pod fits then, as many as possible are put back, the
most important first, those that a disruption budget protects before all others. Who cannot go back is a victim. The
node that is hurt least is taken:

    fewest budgets violated ─► lowest priority of the greatest victim ─► smallest sum of priorities ─► fewest victims
    ─► the greatest victims started last

What it costs on a row depends on that row alone, so costs are kept per (signature, priority) and recomputed for changed
rows. Relations to other pods break that rule: for them rows are tried afresh each time until there are enough
candidates, as upstream does for all pods.
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sampan_api import meta

from sampan_master.scheduler.budgets import Budgets
from sampan_master.scheduler.cluster import Placed
from sampan_master.scheduler.columns import Bools, Ints
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.hypothesis import Hypothesis
from sampan_master.scheduler.profile import Candidates
from sampan_master.scheduler.signature import Signature
from sampan_master.scheduler.verdict import NO_VICTIMS

_OFFSET = 1 << 31
"""Added to each priority in a sum, so that each further victim weighs, even one of negative priority (upstream)."""
BY_SCHEDULER = "PreemptionByScheduler"
"""The reason of the condition DisruptionTarget on a victim (KEP-3329)."""
_CRITERIA = 5
_REMEMBERED, _SPARE = 32, 4
_AT_ONCE = 100
"""Rows that are tried together when costs cannot be kept."""


class Victims(NamedTuple):
    row: int
    pods: list[Placed]
    violations: int


@dataclass(slots=True)
class _Costs:
    """`table[criterion, row]`, smaller is better; `possible` says on which rows eviction opens the node at all, and
    `victims` whose: uids, so that no pod outlives its deletion here."""

    position: int
    starts: int
    budgets: int
    table: Ints
    possible: Bools
    victims: dict[int, tuple[str, ...]]


class Preemption:
    """What one profile would evict."""

    def __init__(self, engine: Engine, budgets: Budgets, seed: int) -> None:
        self._engine, self._cluster, self._budgets = engine, engine.cluster, budgets
        self._random = random.Random(seed)
        self._kept: OrderedDict[tuple[Signature, int], _Costs] = OrderedDict()

    def choose(self, pod: Signature, uid: str, priority: int, rows: Ints) -> Victims | None:
        """Which of `rows` is hurt least and who must leave it; None when no eviction opens any of them."""
        if not rows.size or all(other >= priority for other in self._cluster.priorities):
            return None
        own = [row for row in self._own_row(uid) if row in rows]
        if any(state.filters for _, state in self._engine.states(pod)):
            found = self._try_some(pod, uid, priority, rows)
        else:
            found = self.dry_run(pod, uid, priority, np.array(own, np.int64)) if own else []
            costs = self._costs(pod, priority)
            cheapest = _cheapest(costs)
            if cheapest is not None and cheapest not in own:
                found.append(self._known_victims(costs, cheapest))
        return min((victims for victims in found if victims.pods), key=_cost, default=None)

    def may_open(self, pod: Signature, priority: int, rows: Collection[int]) -> bool:
        """Whether one of these rows would take the pod by its Node, and has pods that may go."""
        if not rows or all(other >= priority for other in self._cluster.priorities):
            return False
        admitted = self._engine.admitted(pod, np.array(list(rows), np.int64)).tolist()
        return any(placed.priority < priority for row in admitted for placed in self._cluster.pods_on(row))

    def waits(self, uid: str, priority: int, rows: Ints) -> bool:
        """Whether pods that were evicted for this one are still on their way out: then it evicts nobody else, unless
        the node it waits for is no longer among the `rows` that eviction can open."""
        pods = [placed for row in self._own_row(uid) if row in rows for placed in self._cluster.pods_on(row)]
        return any(p.priority < priority and meta.is_deleting(p.pod) and _was_preempted(p) for p in pods)

    def against(self, pod: Signature, uid: str, priority: int, rows: Ints) -> Counter[str]:
        """How often which reason speaks against `rows` even when all who may go are gone."""
        if not rows.size or all(other >= priority for other in self._cluster.priorities):
            return Counter({NO_VICTIMS: int(rows.size)})
        order, _ = self._potential_victims(rows, priority)
        some = np.array([bool(lower) for lower in order], np.bool_)
        counts, rows = Counter({NO_VICTIMS: int((~some).sum())}), rows[some]
        order = [lower for lower in order if lower]
        if rows.size:
            counts += self._refusals_without(order, pod, uid, priority, rows)
        return counts

    def _refusals_without(
        self, order: Sequence[Sequence[Placed]], pod: Signature, uid: str, priority: int, rows: Ints
    ) -> Counter[str]:
        """What refuses the pod when all of `order[i]` have left rows[i], with promised room taken or even without."""
        counts: Counter[str] = Counter()
        told: set[int] = set()
        for supposed in (self._engine.with_promises(pod, rows, uid, priority), Hypothesis(self._engine, pod, rows)):
            _take_away(supposed, order)
            refusals = supposed.refusals()
            for refusal in refusals:
                counts[refusal.reason] += sum(row not in told for row in refusal.rows.tolist())
            told.update(row for refusal in refusals for row in refusal.rows.tolist())
        return counts

    def _own_row(self, uid: str) -> list[int]:
        """Where the pod is nominated already; kept costs, which are those of a kind, count its own promise too."""
        own = self._cluster.nominated.get(uid)
        row = None if own is None else self._cluster.nodes.row_of.get(own.node)
        return [] if row is None else [row]

    def dry_run(self, pod: Signature, uid: str, priority: int, rows: Ints) -> list[Victims]:
        """For each row who would have to go; nobody when that does not help."""
        supposed = self._engine.with_promises(pod, rows, uid, priority)
        order, protected = self._potential_victims(rows, priority)
        _take_away(supposed, order)
        fits = supposed.mask()
        victims: list[list[Placed]] = [[] for _ in order]
        violations = [0] * rows.size
        for k in range(max(map(len, order), default=0)):
            here = [i for i in range(rows.size) if fits[i] and k < len(order[i])]
            for i in _stay_out(supposed, here, [order[i][k].signature for i in here]):
                victims[i].append(order[i][k])
                violations[i] += k < protected[i]
        return [Victims(*found) for found in zip(rows.tolist(), victims, violations, strict=True)]

    def _potential_victims(self, rows: Ints, priority: int) -> tuple[list[list[Placed]], list[int]]:
        """Per row the pods that may go, in the order they are put back, and how many of the first are protected."""
        order: list[list[Placed]] = []
        protected: list[int] = []
        for row in rows.tolist():
            lower = [placed for placed in self._cluster.pods_on(row) if placed.priority < priority]
            if len(lower) > 1:
                lower.sort(key=_importance)
            violating = self._budgets.violating(lower)
            order.append(violating + [p for p in lower if p not in violating] if violating else lower)
            protected.append(len(violating))
        return order, protected

    def _costs(self, pod: Signature, priority: int) -> _Costs:
        nodes, starts = self._cluster.nodes, self._cluster.starts
        key, size = (pod, priority), nodes.size
        kept = self._kept.get(key)
        changed = None if kept is None else _both(nodes.changes.since(kept.position), starts.since(kept.starts))
        if kept is None or changed is None or kept.budgets != self._budgets.position or kept.possible.size != size:
            kept = _Costs(-1, -1, -1, np.zeros((_CRITERIA, size), np.int64), np.zeros(size, np.bool_), {})
            rows = np.flatnonzero(nodes.live[:size])
        else:
            rows = np.array([row for row in set(changed) if nodes.live[row]], np.int64)
            kept.possible[changed] = False
            for row in changed:
                kept.victims.pop(row, None)
        found = self.dry_run(pod, "", priority, rows) if rows.size else []
        for victims in found:
            if victims.pods:
                kept.possible[victims.row] = True
                kept.victims[victims.row] = tuple(placed.uid for placed in victims.pods)
                kept.table[:, victims.row] = _cost(victims)
        kept.position, kept.starts, kept.budgets = nodes.changes.position, starts.position, self._budgets.position
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > min(_REMEMBERED, _SPARE + self._cluster.kinds_waiting):
            self._kept.popitem(last=False)
        return kept

    def _known_victims(self, costs: _Costs, row: int) -> Victims:
        """They are there: whatever comes or goes changes the row."""
        pods = [placed for uid in costs.victims[row] if (placed := self._cluster.placed(uid)) is not None]
        return Victims(row, pods, int(costs.table[0, row]))

    def _try_some(self, pod: Signature, uid: str, priority: int, rows: Ints) -> list[Victims]:
        """Candidates from a random row on, until there are enough, one of them at least without violations."""
        candidates = self._engine.profile.preemption or Candidates()
        wanted = max(rows.size * candidates.percentage // 100, candidates.absolute)
        rows = np.roll(rows, -self._random.randrange(rows.size))
        found: list[Victims] = []
        for start in range(0, rows.size, _AT_ONCE):
            some = self.dry_run(pod, uid, priority, rows[start : start + _AT_ONCE])
            found += [victims for victims in some if victims.pods]
            if len(found) >= wanted and not all(victims.violations for victims in found):
                break
        return found


def _take_away(supposed: Hypothesis, order: Sequence[Sequence[Placed]]) -> None:
    """All of `order[i]` leave row i."""
    where = np.repeat(np.arange(len(order)), [len(here) for here in order])
    supposed.move_each(where, [placed.signature for here in order for placed in here], -1)


def _stay_out(supposed: Hypothesis, here: list[int], pods: Sequence[Signature]) -> list[int]:
    """Puts pods[k] back on row here[k]; those with whom the newcomer does not fit are taken away again, and told."""
    supposed.move_each(np.array(here, np.int64), pods, 1)
    fits = supposed.mask(here)
    out = [k for k, i in enumerate(here) if not fits[i]]
    supposed.move_each(np.array([here[k] for k in out], np.int64), [pods[k] for k in out], -1)
    return [here[k] for k in out]


def _was_preempted(placed: Placed) -> bool:
    return (meta.condition(placed.pod, "DisruptionTarget") or {}).get("reason") == BY_SCHEDULER


def _importance(placed: Placed) -> tuple[int, int]:
    """Sorts the most important first: higher priority, then longer running."""
    return -placed.priority, placed.started


def _cost(victims: Victims) -> tuple[int, int, int, int, int]:
    highest = max(placed.priority for placed in victims.pods)
    total = sum(placed.priority + _OFFSET for placed in victims.pods)
    first = min(placed.started for placed in victims.pods if placed.priority == highest)
    return victims.violations, highest, total, len(victims.pods), -first


def _both(some: list[int] | None, others: list[int] | None) -> list[int] | None:
    return None if some is None or others is None else some + others


def _cheapest(costs: _Costs) -> int | None:
    rows = np.flatnonzero(costs.possible)
    for criterion in costs.table:
        values = criterion[rows]
        if rows.size > 1:
            rows = rows[values == values.min()]
    return int(rows[0]) if rows.size else None
