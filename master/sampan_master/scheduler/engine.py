"""Where does a pod go? One mask and one score vector per signature, kept true by recomputing only changed rows.

    placement            ─► mask and raw scores from Node objects         kept, changed nodes recomputed
    placement + load     ─► value: -1 where refused, else own scores      kept, changed rows recomputed
    placement + relations ─► a state for each relation (spread, affinity)  kept, told of every pod that moves

Scores that are normalised over the feasible nodes, and those of relations, are added when choosing; for most pods they
are the same everywhere and cost nothing. Rows with room promised to pods of at least the same priority are looked at
once more with those pods on them. Equal totals are drawn by a seeded generator.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import Bools, Ints, Rows
from sampan_master.scheduler.hypothesis import Hypothesis
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Normalise, Plugin, Refusal, RelationState, Scope, Score
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import Signature

INFEASIBLE = -1
V = TypeVar("V")
_KEPT_BYTES = 48 << 20
_MOST_KEPT = 2048
_STATE_ARRAYS = 8


@dataclass(slots=True)
class _PlacementCache:
    """What follows from Node objects alone; shared by signatures that differ only in load and relations.

    `flat` names the raw scores that are zero on every row, which is the usual case and costs nothing.
    """

    position: int = -1
    mask: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    raw: dict[str, Ints] = field(default_factory=dict)
    flat: frozenset[str] = frozenset()


@dataclass(slots=True)
class _ValueCache:
    position: int = -1
    value: Ints = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(slots=True)
class _StateCache:
    """`made_at` is where all but pods stood when the state was made; `position` how far it knows the moves."""

    made_at: tuple[Hashable, ...] = ()
    position: int = -1
    state: RelationState | None = None


class Engine:
    """The plug-ins of one profile over the nodes and pods of `cluster`."""

    def __init__(self, cluster: Cluster, profile: Profile, seed: int) -> None:
        self.cluster, self.nodes, self.profile = cluster, cluster.nodes, profile
        self._random = random.Random(seed)
        self._placements: OrderedDict[Hashable, _PlacementCache] = OrderedDict()
        self._values: OrderedDict[Hashable, _ValueCache] = OrderedDict()
        self._states: OrderedDict[Hashable, _StateCache] = OrderedDict()
        scores = [(p.name, p.score) for p in profile.plugins if p.score is not None and profile.weights.get(p.name)]
        self._own_scores = [(name, score) for name, score in scores if score.normalise is Normalise.NONE]
        self._shared_scores = [(name, score) for name, score in scores if score.normalise is not Normalise.NONE]
        filters = [plugin.filter for plugin in profile.plugins if plugin.filter is not None]
        self._node_filters = [f for f in filters if f.scope is Scope.NODE]
        self._row_filters = [f for f in filters if f.scope is not Scope.NODE]
        self._values_of_whole_pods = any(f.scope is Scope.POD for f in filters)
        self._relations = [p for p in profile.plugins if p.relation is not None]
        self.relation_names = frozenset(plugin.name for plugin in self._relations)

    def choose(self, pod: Signature, *, uid: str = "", priority: int = 0) -> int | None:
        """The row of the best node, or None when no node can take the pod. `uid` is its own: it does not stand in its
        own way, and the node it is nominated for comes before all others."""
        value, states = self._value_with_relations(pod, uid, priority)
        if not value.size:
            return None
        own = self.cluster.nominated.get(uid)
        row = None if own is None else self.nodes.row_of.get(own.node)
        if row is not None and value[row] != INFEASIBLE:
            return row
        rows, totals = self._totals(pod, value, states)
        best = totals.max()
        if best == INFEASIBLE:
            return None
        ties = np.flatnonzero(totals == best)
        tie = int(ties[self._random.randrange(ties.size)])
        return tie if rows is None else int(rows[tie])

    def feasible(self, pod: Signature, *, uid: str = "", priority: int = 0) -> bool:
        return bool((self._value_with_relations(pod, uid, priority)[0] != INFEASIBLE).any())

    def fits(self, row: int, pod: Signature, *, uid: str = "", priority: int = 0) -> bool:
        """Whether this one node can take the pod."""
        return bool(self.with_promises(pod, np.array([row]), uid, priority).mask()[0])

    def totals(self, pod: Signature, *, uid: str = "", priority: int = 0) -> Ints:
        """Final score of every row, INFEASIBLE where it cannot run."""
        value, states = self._value_with_relations(pod, uid, priority)
        (rows, totals), shared = self._totals(pod, value, states), self._shared(pod, value)
        if rows is not None:
            found, totals = totals, value.copy()
            totals[rows] = found
        return np.where(value == INFEASIBLE, INFEASIBLE, totals + shared) if isinstance(shared, int) else totals

    def refusals(self, pod: Signature, *, uid: str = "", priority: int = 0) -> list[Refusal]:
        """Every live row with the reasons of the first plug-in that refuses it, in the order of the profile. Where room
        is promised, those that hold once it is taken come first."""
        rows, refusals = np.flatnonzero(self.nodes.live[: self.nodes.size]), []
        crowded = self.cluster.promised_among(rows, priority)
        if crowded.size:
            refusals = self.with_promises(pod, crowded, uid, priority).refusals()
            passes = self.nodes.live[: self.nodes.size].copy()
            for refusal in refusals:
                passes[refusal.rows] = False
            rows = np.flatnonzero(passes)
        states = dict(self.states(pod))
        for plugin in self.refusing(pod, rows):
            mask = self._passes(plugin, states, pod, rows)
            if mask is not None and not mask.all():
                refusals += self.refusals_by(plugin, pod, rows[~mask])
                rows = rows[mask]
        return refusals

    def refusals_by(self, plugin: Plugin, pod: Signature, rows: Ints) -> list[Refusal]:
        """What one plug-in has against these rows, all of which it refuses."""
        if plugin.filter is not None:
            return plugin.filter.refuse(self.nodes, pod, rows)
        return self.state(plugin, pod).refuse(rows)

    def refused_by(self, plugin: Plugin, pod: Signature) -> Ints:
        """All live rows this plug-in refuses, whatever others say."""
        rows = np.flatnonzero(self.nodes.live[: self.nodes.size])
        passes = self._passes(plugin, dict(self.states(pod)), pod, rows)
        return rows[:0] if passes is None else rows[~passes]

    def admitted(self, pod: Signature, rows: Ints) -> Ints:
        """Those of these rows that would take the pod as far as Node objects have a say in it."""
        return rows[self._placement(pod).mask[rows]]

    def give_up(self) -> None:
        """Forgets all it keeps."""
        for caches in (self._placements, self._values, self._states):
            caches.clear()

    def states(self, pod: Signature) -> list[tuple[str, RelationState]]:
        """The relations that concern this pod, by the name of their plug-in, up to date."""
        cluster = self.cluster
        return [
            (plugin.name, self.state(plugin, pod))
            for plugin in self._relations
            if plugin.relation is not None and plugin.relation.concerns(cluster, pod)
        ]

    def state(self, plugin: Plugin, pod: Signature) -> RelationState:
        relation, cluster, nodes = plugin.relation, self.cluster, self.nodes
        assert relation is not None
        cache = self._recall(self._states, (plugin.name, relation.key(pod)), _StateCache, _STATE_ARRAYS)
        moves = cluster.moves
        depends = relation.depends(cluster, pod)
        made_at = (nodes.node_changes.position, nodes.size, cluster.namespace_position, depends)
        if cache.state is not None and cache.made_at == made_at and relation.follows:
            return cache.state
        missed = moves.since(cache.position) if cache.made_at == made_at else None
        if cache.state is None or missed is None or len(missed) > 4 * nodes.size:
            cache.state, cache.made_at = relation.prepare(cluster, pod), made_at
        else:
            for row, group, sign in missed:
                cache.state.moved(row, group, sign)
        cache.position = moves.position
        return cache.state

    def passes(self, hypothesis: Hypothesis, pod: Signature) -> Bools:
        """What the filters that look at rows one by one say of supposed rows."""
        nodes, rows = hypothesis.nodes, slice(0, hypothesis.nodes.size)
        mask = self._placement(pod).mask[hypothesis.rows]
        for plugin in self._row_filters:
            mask = mask & plugin.mask(nodes, pod, rows)
        return mask

    def refusing(self, pod: Signature, rows: Ints) -> Sequence[Plugin]:
        """The plug-ins that may refuse some of these rows: often those that ask Node objects alone are known not to."""
        if not self._placement(pod).mask[rows].all():
            return self.profile.plugins
        return [p for p in self.profile.plugins if p.filter is None or p.filter.scope is not Scope.NODE]

    def _passes(self, plugin: Plugin, states: dict[str, RelationState], pod: Signature, rows: Ints) -> Bools | None:
        if plugin.filter is not None:
            return plugin.filter.mask(self.nodes, pod, rows)
        state = states.get(plugin.name)
        return None if state is None else state.mask(rows)

    def _value_with_relations(
        self, pod: Signature, uid: str, priority: int
    ) -> tuple[Ints, list[tuple[str, RelationState]]]:
        value, states = self._value(pod, priority), self.states(pod)
        value = self._with_own_promise(pod, uid, priority, value)
        everything = slice(0, self.nodes.size)
        for _, state in states:
            mask = state.mask(everything)
            if mask is not None:
                value = np.where(mask, value, INFEASIBLE)
        if states and self.cluster.nominated:
            crowded = self.cluster.promised_among(np.flatnonzero(value != INFEASIBLE), priority)
            if crowded.size:
                supposed = self.with_promises(pod, crowded, uid, priority)
                value = value.copy()
                value[supposed.rows[~supposed.mask()]] = INFEASIBLE
        return value, states

    def _with_own_promise(self, pod: Signature, uid: str, priority: int, value: Ints) -> Ints:
        """The room promised to the pod itself is free for it."""
        own = self.cluster.nominated.get(uid)
        row = None if own is None else self.nodes.row_of.get(own.node)
        if row is None:
            return value
        value = value.copy()
        value[row] = self._evaluate(pod, self._placement(pod), np.array([row]), priority, uid)[0]
        return value

    def _totals(self, pod: Signature, value: Ints, states: list[tuple[str, RelationState]]) -> tuple[Ints | None, Ints]:
        """Rows and their final scores, less what is the same for every row. None stands for all rows, with INFEASIBLE
        among the scores."""
        shared = self._shared(pod, value)
        totals = value if isinstance(shared, int) else np.where(value == INFEASIBLE, INFEASIBLE, value + shared)
        weighed = [(weight, state) for name, state in states if (weight := self.profile.weights.get(name))]
        feasible = np.flatnonzero(value != INFEASIBLE) if weighed else value[:0]
        if not feasible.size:
            return None, totals
        totals = totals.take(feasible)
        for weight, state in weighed:
            score = state.score(feasible)
            if score is not None:
                totals += weight * score
        return feasible, totals

    def with_promises(self, pod: Signature, rows: Ints, uid: str, priority: int) -> Hypothesis:
        """`rows` with the pods on them that are at least as important and promised room there."""
        supposed = Hypothesis(self, pod, rows)
        promised = self.nodes.promised_from(priority)
        if promised is not None:
            supposed.promise_all(promised[:, rows], self.cluster.nominated.get(uid), priority)
        return supposed

    def _shared(self, pod: Signature, value: Ints) -> Ints | int:
        """The weighted sum of the normalised scores; a number when it is the same everywhere."""
        placement = self._placements[pod.placement]
        total: Ints | int = 0
        for name, score in self._shared_scores:
            raw = placement.raw.get(name)
            if raw is None:
                continue
            if name in placement.flat:
                part: Ints | int = _normalised(score, 0, 0)
            else:
                part = _normalised(score, raw, int(raw[value != INFEASIBLE].max(initial=0)))
            total = total + self.profile.weights[name] * part
        return total

    def _value(self, pod: Signature, priority: int) -> Ints:
        placement = self._placement(pod)
        level = priority if self.cluster.nominated else None
        key = (pod, level) if self._values_of_whole_pods else (pod.placement, pod.load, level)
        cache = self._recall(self._values, key, _ValueCache)
        size, position = self.nodes.size, self.nodes.changes.position
        if cache.position == position and cache.value.size == size:
            return cache.value
        rows = self._stale_rows(self.nodes.changes.since(cache.position), cache.value.size)
        if rows is None:
            cache.value = self._evaluate(pod, placement, slice(0, size), priority)
        else:
            cache.value[rows] = self._evaluate(pod, placement, rows, priority)
        cache.position = position
        return cache.value

    def _placement(self, pod: Signature) -> _PlacementCache:
        cache = self._recall(self._placements, pod.placement, _PlacementCache)
        position = self.nodes.node_changes.position
        if cache.position == position and cache.mask.size == self.nodes.size:
            return cache
        rows = self._stale_rows(self.nodes.node_changes.since(cache.position), cache.mask.size)
        everything = rows is None
        rows = slice(0, self.nodes.size) if rows is None else rows
        mask = self.nodes.live[rows]
        for plugin in self._node_filters:
            mask = mask & plugin.mask(self.nodes, pod, rows)
        raw = {name: s.vector(self.nodes, pod, rows) for name, s in self._shared_scores if s.applies(pod)}
        if everything:
            cache.mask, cache.raw = mask, raw
        else:
            cache.mask[rows] = mask
            for name, values in raw.items():
                cache.raw[name][rows] = values
        cache.flat = frozenset(name for name, values in cache.raw.items() if not values.any())
        cache.position = position
        return cache

    def _stale_rows(self, changed: list[int] | None, cached: int) -> Rows | None:
        """The rows to compute again; None when it must be all of them."""
        if changed is None or cached != self.nodes.size or len(changed) > self.nodes.size:
            return None
        if len(changed) == 1:
            return slice(changed[0], changed[0] + 1)
        return np.array(list(set(changed)), np.int64)

    def _evaluate(self, pod: Signature, placement: _PlacementCache, rows: Rows, priority: int, uid: str = "") -> Ints:
        mask = placement.mask[rows]
        for plugin in self._row_filters:
            mask = mask & plugin.mask(self.nodes, pod, rows)
        total = np.zeros(mask.shape, np.int64)
        for name, score in self._own_scores:
            if score.applies(pod):
                total += self.profile.weights[name] * score.vector(self.nodes, pod, rows)
        if self.cluster.nominated:
            mask = mask & ~self._promised_away(pod, rows, priority, uid)
        total[~mask] = INFEASIBLE
        return total

    def _promised_away(self, pod: Signature, rows: Rows, priority: int, uid: str) -> Bools:
        """Which of the rows have no room left once those it is promised to are there."""
        numbers = self.nodes.row_numbers[rows]
        away = np.zeros(numbers.shape, np.bool_)
        crowded = self.cluster.promised_among(numbers, priority)
        if crowded.size:
            full = crowded[~self.passes(self.with_promises(pod, crowded, uid, priority), pod)]
            away[np.isin(numbers, full) if numbers.size > 1 else full.size > 0] = True
        return away

    def _recall(self, caches: OrderedDict[Hashable, V], key: Hashable, make: Callable[[], V], arrays: int = 1) -> V:
        """The cache of `key`, made when missing; those not used for longest are forgotten. Each has about so many
        arrays with an entry per row."""
        cache = caches.get(key)
        if cache is None:
            cache = caches[key] = make()
            by_bytes = max(16, _KEPT_BYTES // (8 * arrays * max(self.nodes.size, 1)))
            most = min(by_bytes, _MOST_KEPT, self.cluster.kinds_kept())
            while len(caches) > most:
                caches.popitem(last=False)
        else:
            caches.move_to_end(key)
        return cache


def _normalised(score: Score, raw: Ints | int, highest: int) -> Ints | int:
    share = raw * MAX_SCORE // highest if highest else 0
    return MAX_SCORE - share if score.normalise is Normalise.REVERSED_SHARE else share
