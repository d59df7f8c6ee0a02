"""Where does a pod go? One mask and one score vector per signature, kept true by recomputing only changed rows.

    value[row] = -1 where the pod cannot run, else the weighted sum of the scores that stand by themselves

Scores that are normalised over the feasible nodes (taints, preferred affinity) are kept raw and added when choosing;
for most pods they are zero everywhere and cost nothing. Equal totals are drawn by a seeded generator.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins import FILTERS, SCORES, Score
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Normalise
from sampan_master.scheduler.signature import Placement, Signature

INFEASIBLE = -1
K = TypeVar("K")
V = TypeVar("V")
_REMEMBERED = 2048


@dataclass(slots=True)
class _PlacementCache:
    """What follows from Node objects alone; shared by signatures that differ only in requests.

    `flat` names the raw scores that are zero on every row, which is the usual case and costs nothing.
    """

    position: int = -1
    mask: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    raw: dict[str, Ints] = field(default_factory=dict)
    flat: frozenset[str] = frozenset()


@dataclass(slots=True)
class _SignatureCache:
    position: int = -1
    value: Ints = field(default_factory=lambda: np.zeros(0, np.int64))


class Engine:
    def __init__(self, nodes: NodeColumns, weights: dict[str, int], seed: int) -> None:
        self.nodes = nodes
        self._weights = weights
        self._random = random.Random(seed)
        self._placements: OrderedDict[Placement, _PlacementCache] = OrderedDict()
        self._signatures: OrderedDict[Signature, _SignatureCache] = OrderedDict()
        self._static_filters = [f for f in FILTERS if f.static]
        self._load_filters = [f for f in FILTERS if not f.static]
        self._own_scores = [s for s in SCORES if s.normalise is Normalise.NONE and weights.get(s.name)]
        self._shared_scores = [s for s in SCORES if s.normalise is not Normalise.NONE and weights.get(s.name)]

    def choose(self, pod: Signature) -> int | None:
        """The row of the best node, or None when no node can take the pod."""
        value = self._value(pod)
        if not value.size:
            return None
        shared = self._shared(pod, value)
        totals = value if isinstance(shared, int) else np.where(value == INFEASIBLE, INFEASIBLE, value + shared)
        best = totals.max()
        if best == INFEASIBLE:
            return None
        ties = np.flatnonzero(totals == best)
        return int(ties[self._random.randrange(ties.size)])

    def feasible(self, pod: Signature) -> bool:
        return bool((self._value(pod) != INFEASIBLE).any())

    def totals(self, pod: Signature) -> Ints:
        """Final score of every row, INFEASIBLE where it cannot run."""
        value = self._value(pod)
        return np.where(value == INFEASIBLE, INFEASIBLE, value + self._shared(pod, value))

    def _shared(self, pod: Signature, value: Ints) -> Ints | int:
        """The weighted sum of the normalised scores; a number when it is the same everywhere."""
        placement = self._placements[pod.placement]
        total: Ints | int = 0
        for score in self._shared_scores:
            raw = placement.raw.get(score.name)
            if raw is None:
                continue
            if score.name in placement.flat:
                part: Ints | int = _normalised(score, 0, 0)
            else:
                part = _normalised(score, raw, int(raw[value != INFEASIBLE].max(initial=0)))
            total = total + self._weights[score.name] * part
        return total

    def _value(self, pod: Signature) -> Ints:
        placement = self._placement(pod)
        cache = _recall(self._signatures, pod, _SignatureCache)
        size, position = self.nodes.size, self.nodes.changes.position
        if cache.position == position and cache.value.size == size:
            return cache.value
        rows = self._stale_rows(self.nodes.changes.since(cache.position), cache.value.size)
        if rows is None:
            cache.value = self._evaluate(pod, placement, slice(0, size))
        else:
            cache.value[rows] = self._evaluate(pod, placement, rows)
        cache.position = position
        return cache.value

    def _placement(self, pod: Signature) -> _PlacementCache:
        cache = _recall(self._placements, pod.placement, _PlacementCache)
        position = self.nodes.node_changes.position
        if cache.position == position and cache.mask.size == self.nodes.size:
            return cache
        rows = self._stale_rows(self.nodes.node_changes.since(cache.position), cache.mask.size)
        everything = rows is None
        rows = slice(0, self.nodes.size) if rows is None else rows
        mask = self.nodes.live[rows]
        for plugin in self._static_filters:
            mask = mask & plugin.mask(self.nodes, pod, rows)
        raw = {s.name: s.vector(self.nodes, pod, rows) for s in self._shared_scores if s.applies(pod)}
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

    def _evaluate(self, pod: Signature, placement: _PlacementCache, rows: Rows) -> Ints:
        mask = placement.mask[rows]
        for plugin in self._load_filters:
            mask = mask & plugin.mask(self.nodes, pod, rows)
        total = np.zeros(mask.shape, np.int64)
        for score in self._own_scores:
            if score.applies(pod):
                total += self._weights[score.name] * score.vector(self.nodes, pod, rows)
        total[~mask] = INFEASIBLE
        return total


def _normalised(score: Score, raw: Ints | int, highest: int) -> Ints | int:
    share = raw * MAX_SCORE // highest if highest else 0
    return MAX_SCORE - share if score.normalise is Normalise.REVERSED_SHARE else share


def _recall(caches: OrderedDict[K, V], key: K, make: Callable[[], V]) -> V:
    """The cache of `key`, made when missing; the one not used for longest is forgotten."""
    cache = caches.get(key)
    if cache is None:
        cache = caches[key] = make()
        if len(caches) > _REMEMBERED:
            caches.popitem(last=False)
    else:
        caches.move_to_end(key)
    return cache
