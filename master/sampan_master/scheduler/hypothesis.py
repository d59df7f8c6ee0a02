"""Some rows as they would be with pods taken away or put there: preemption and promised room ask the same plug-ins.

Each row is a world of its own: what is supposed of one is not supposed of the others. The columns are a copy, so
filters that look at rows one by one are asked about all rows at once. So are relations, but for rows where a pod that
counts for one moves: they are told of the moves on such a row, asked about it, and told the moves back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from sampan_master.scheduler.cluster import Nominated
from sampan_master.scheduler.columns import PODS, Bools, Ints, NodeColumns
from sampan_master.scheduler.plugins.plugin import Refusal, RelationState
from sampan_master.scheduler.signature import Load, Relations, Signature

if TYPE_CHECKING:
    from sampan_master.scheduler.engine import Engine

_Moves: TypeAlias = "Counter[Relations]"
"""How many pods of a group came; less than nothing when they left. Who left and came back is in none."""


_NO_MOVES: _Moves = Counter()


class Hypothesis:
    """`rows` of the cluster, asked about for `pod`; row i here is row `rows[i]` there."""

    def __init__(self, engine: Engine, pod: Signature, rows: Ints) -> None:
        self.rows, self.nodes = rows, engine.nodes.extract(rows)
        self._engine, self._pod = engine, pod
        self._states: list[RelationState] = [state for _, state in engine.states(pod) if state.filters]
        self._moves: defaultdict[int, _Moves] = defaultdict(Counter)
        self._promised: defaultdict[int, _Moves] = defaultdict(Counter)
        self._counted: dict[Relations, bool] = {}

    def move(self, i: int, pod: Signature, sign: int) -> None:
        """A pod comes to row `i` (+1) or leaves it (-1)."""
        self.nodes.use(i, pod.load, sign)
        if self._counts(pod.relations):
            self._count(i, pod.relations, sign)

    def move_each(self, where: Ints, pods: Sequence[Signature], sign: int) -> None:
        """Pod k comes to row where[k] or leaves it; a row may be named several times."""
        if not pods:
            return
        np.add.at(self.nodes.requested.T, where, sign * _amounts(pods, self.nodes).T)
        with_ports = any(load.ports for load in {pod.load for pod in pods})
        counted = {group for group in {pod.relations for pod in pods} if self._counts(group)}
        if not with_ports and not counted:
            return
        for i, pod in zip(where.tolist(), pods, strict=True):
            for port in pod.load.ports:
                self.nodes.port(port)[i] += sign
            if pod.relations in counted:
                self._count(i, pod.relations, sign)

    def promise_all(self, amounts: Ints, own: Nominated | None, priority: int) -> None:
        """Room is kept for pods of at least `priority`: `amounts[resource, row]`. `own` is the pod's own promise, which
        does not bind it. Since the others may never come, relations must hold with them and without."""
        self.nodes.requested[: len(amounts)] += amounts
        if own is not None and own.priority >= priority:
            # Of its own promise only amounts are among `amounts`; ports are put there below, one pod after the other.
            for i in np.flatnonzero(self.rows == self._engine.nodes.row_of.get(own.node, -1)).tolist():
                self.nodes.use(i, replace(own.signature.load, ports=()), -1)
        cluster, uid = self._engine.cluster, "" if own is None else own.uid
        if self._states or cluster.nominated_with_ports:
            for i in np.flatnonzero(amounts[PODS]).tolist():
                for other in cluster.promises(int(self.rows[i]), priority, uid):
                    self._promise(i, other.signature)

    def _promise(self, i: int, pod: Signature) -> None:
        for port in pod.load.ports:
            self.nodes.port(port)[i] += 1
        if self._counts(pod.relations):
            self._promised[i][pod.relations] += 1

    def _count(self, i: int, group: Relations, sign: int) -> None:
        moves = self._moves[i]
        moves[group] += sign
        if not moves[group]:
            del moves[group]
            if not moves:
                del self._moves[i]

    def mask(self, asked: Iterable[int] | None = None) -> Bools:
        """Which of the rows could take the pod. Of rows that are not `asked` about, None standing for all, it may say
        what was so before anything moved."""
        mask = self._engine.passes(self, self._pod)
        for state in self._states:
            moved = {**self._moves, **self._promised}
            moved_now = [i for i in (moved if asked is None else asked) if mask[i] and i in moved]
            as_it_is = state.mask(self.rows)
            if as_it_is is not None:
                mask &= as_it_is
            for i in moved_now:
                mask[i] = self._holds(state, i)
        return mask

    def refusals(self) -> list[Refusal]:
        """Why rows cannot take the pod once promised room is taken, by the first plug-in that refuses."""
        found: list[Refusal] = []
        here = np.arange(self.rows.size)
        for plugin in self._engine.refusing(self._pod, self.rows):
            if plugin.filter is not None:
                passes = plugin.filter.mask(self.nodes, self._pod, here)
                if not passes.all():
                    refused = plugin.filter.refuse(self.nodes, self._pod, here[~passes])
                    found += [replace(refusal, rows=self.rows[refusal.rows]) for refusal in refused]
                here = here[passes]
        for state in self._states:
            staying = []
            for i in here.tolist():
                with self._supposed(state, i, _sum(self._moves.get(i), self._promised.get(i))) as row:
                    mask = state.mask(row)
                    if mask is None or mask[0]:
                        staying.append(i)
                    else:
                        found += state.refuse(row)
            here = np.array(staying, np.int64)
        return found

    def _counts(self, pod: Relations) -> bool:
        """Whether it matters to a relation that such a pod comes or goes."""
        if not self._states:
            return False
        counted = self._counted.get(pod)
        if counted is None:
            counted = self._counted[pod] = any(state.counts(pod) for state in self._states)
        return counted

    def _holds(self, state: RelationState, i: int) -> bool:
        moves, promised = self._moves.get(i, _NO_MOVES), self._promised.get(i)
        return self._passes(state, i, moves) and (not promised or self._passes(state, i, _sum(moves, promised)))

    def _passes(self, state: RelationState, i: int, moves: _Moves) -> bool:
        with self._supposed(state, i, moves) as row:
            mask = state.mask(row)
        return mask is None or bool(mask[0])

    @contextmanager
    def _supposed(self, state: RelationState, i: int, moves: _Moves) -> Iterator[Ints]:
        """The state as it would be after `moves` on row `i`."""
        row = int(self.rows[i])
        for group, number in moves.items():
            state.moved(row, group, number)
        try:
            yield self.rows[i : i + 1]
        finally:
            for group, number in moves.items():
                state.moved(row, group, -number)


def _amounts(pods: Sequence[Signature], nodes: NodeColumns) -> Ints:
    """[resource, pod]: what each pod takes of each resource."""
    numbers: dict[Load, int] = {}
    which = [numbers.setdefault(pod.load, len(numbers)) for pod in pods]
    table = np.zeros((len(nodes.requested), len(numbers)), np.int64)
    table[PODS] = 1
    for load, number in numbers.items():
        for name, amount in load.requests:
            table[nodes.resources[name], number] = amount
    return table.take(which, axis=1)


def _sum(one: _Moves | None, other: _Moves | None) -> _Moves:
    both = Counter(one)
    both.update(other or ())
    return both
