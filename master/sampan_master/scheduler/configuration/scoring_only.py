"""A plug-in whose filter is switched off while its score stays."""

from __future__ import annotations

from dataclasses import replace

from sampan_master.scheduler.columns import Bools, Ints, Rows
from sampan_master.scheduler.plugins.plugin import Plugin, Refusal, RelationState
from sampan_master.scheduler.signature import Relations


class _ScoringOnly:
    filters = False

    def __init__(self, state: RelationState) -> None:
        self._state = state

    def counts(self, pod: Relations) -> bool:
        return False

    def moved(self, row: int, pod: Relations, sign: int) -> None:
        self._state.moved(row, pod, sign)

    def mask(self, rows: Rows) -> Bools | None:
        return None

    def refuse(self, rows: Ints) -> list[Refusal]:
        return []

    def score(self, feasible: Ints) -> Ints | None:
        return self._state.score(feasible)


def scoring_only(plugin: Plugin) -> Plugin:
    relation = plugin.relation
    if relation is not None:
        prepare = relation.prepare
        relation = replace(relation, prepare=lambda cluster, pod: _ScoringOnly(prepare(cluster, pod)))
    return replace(plugin, filter=None, relation=relation)
