"""The disruption budgets preemption tries to respect. It may break one when there is no other way (KEP-85 leaves that
to the scheduler), but a node where it need not is taken first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan_api import meta
from sampan_api.meta import Key, Object

from sampan_master.scheduler.cluster import Placed
from sampan_master.scheduler.pod_terms import LabelSelector, label_selector, matches


@dataclass(frozen=True, slots=True)
class _Budget:
    namespace: str
    selector: LabelSelector
    allowed: int
    promised: frozenset[str]
    """Names of pods whose eviction is granted already: they cost nothing."""

    def covers(self, placed: Placed) -> bool:
        relations = placed.signature.relations
        return relations.namespace == self.namespace and matches(self.selector, dict(relations.labels))


class Budgets:
    """`position` rises with every change."""

    def __init__(self) -> None:
        self.position = 0
        self._budgets: dict[Key, _Budget] = {}

    def put(self, budget: Object) -> None:
        selector = label_selector((budget.get("spec") or {}).get("selector"))
        status = budget.get("status") or {}
        promised = frozenset(status.get("disruptedPods") or ())
        new = _Budget(meta.namespace(budget), selector, status.get("disruptionsAllowed") or 0, promised)
        if self._budgets.get(meta.key(budget)) != new:
            self._budgets[meta.key(budget)] = new
            self.position += 1

    def remove(self, budget: Object) -> None:
        if self._budgets.pop(meta.key(budget), None) is not None:
            self.position += 1

    def take_over(self, other: Budgets) -> None:
        """Knows what `other` knows now."""
        self._budgets = dict(other._budgets)
        self.position += 1

    def violating(self, pods: Sequence[Placed]) -> list[Placed]:
        """Those of `pods`, in their order, whose going would break a budget if they went one after the other."""
        if not self._budgets or not pods:
            return []
        left = {key: budget.allowed for key, budget in self._budgets.items()}
        found: list[Placed] = []
        for placed in pods:
            breaks = False
            for key, budget in self._budgets.items():
                if budget.covers(placed) and meta.name(placed.pod) not in budget.promised:
                    left[key] -= 1
                    breaks = breaks or left[key] < 0
            if breaks:
                found.append(placed)
        return found
