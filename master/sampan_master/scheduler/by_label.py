"""Selectors and pods found by one label: what asks for app=web is kept under app=web, and so are pods that have it.

Of the labels a selector asks for the one is taken under which least is kept already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeAlias, TypeVar

from sampan_master.scheduler.pod_terms import LabelRequirement, LabelSelector
from sampan_master.scheduler.signature import Relations

T = TypeVar("T")
_Anchor: TypeAlias = tuple[str | None, str | None, str | None]
"""Namespace, label key, label value; None stands for any."""


class TermsByLabel(Generic[T]):
    """Terms, to be found by the labels of a pod they might select."""

    def __init__(self) -> None:
        self._buckets: dict[_Anchor, dict[T, None]] = {}
        self._anchors: dict[T, list[_Anchor]] = {}

    def add(self, entry: T, requirements: Iterable[LabelRequirement], namespaces: Iterable[str | None]) -> None:
        spaces = list(namespaces)
        choices: list[list[_Anchor]] = [[(n, None, None) for n in spaces]]
        for key, operator, values in requirements:
            if operator == "In":
                choices.append([(n, key, value) for n in spaces for value in dict.fromkeys(values)])
            elif operator == "Exists":
                choices.append([(n, key, None) for n in spaces])
        # The first is under what everything is found: taken only when there is no other.
        anchors = min(choices[1:], key=self._filled) if len(choices) > 1 else choices[0]
        self._anchors[entry] = anchors
        for anchor in anchors:
            self._buckets.setdefault(anchor, {})[entry] = None

    def remove(self, entry: T) -> None:
        for anchor in self._anchors.pop(entry):
            bucket = self._buckets[anchor]
            del bucket[entry]
            if not bucket:
                del self._buckets[anchor]

    def candidates(self, pod: Relations) -> list[T]:
        """All that might select the pod and some that do not."""
        found: list[T] = []
        for namespace in (pod.namespace, None):
            found.extend(self._buckets.get((namespace, None, None), ()))
            for key, value in pod.labels:
                found.extend(self._buckets.get((namespace, key, value), ()))
                found.extend(self._buckets.get((namespace, key, None), ()))
        return found

    def _filled(self, anchors: list[_Anchor]) -> int:
        return sum(len(self._buckets.get(anchor, ())) for anchor in anchors)


class GroupsByLabel:
    """The groups of placed pods, to be found by what a term asks."""

    def __init__(self) -> None:
        self._buckets: dict[_Anchor, dict[Relations, None]] = {}
        self._namespaces: dict[str, dict[Relations, None]] = {}

    def add(self, group: Relations) -> None:
        self._namespaces.setdefault(group.namespace, {})[group] = None
        for key, value in group.labels:
            self._buckets.setdefault((group.namespace, key, value), {})[group] = None

    def remove(self, group: Relations) -> None:
        _discard(self._namespaces, group.namespace, group)
        for key, value in group.labels:
            _discard(self._buckets, (group.namespace, key, value), group)

    def candidates(self, selector: LabelSelector, namespaces: Iterable[str] | None) -> Iterator[Relations]:
        """All that the selector might select there and some that it does not; in all namespaces when None."""
        if selector is None:
            return
        for namespace in self._namespaces if namespaces is None else namespaces:
            buckets = [self._namespaces.get(namespace, {})]
            for key, operator, values in selector:
                if operator == "In":
                    asked = [self._buckets.get((namespace, key, value), {}) for value in dict.fromkeys(values)]
                    if sum(map(len, asked)) <= sum(map(len, buckets)):
                        buckets = asked
            for bucket in buckets:
                yield from bucket


def _discard(buckets: dict[T, dict[Relations, None]], key: T, group: Relations) -> None:
    bucket = buckets[key]
    del bucket[group]
    if not bucket:
        del buckets[key]
