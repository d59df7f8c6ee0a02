"""What selects pods, as far as the scheduler asks: Services, and the controllers that own pods.

From these follows which pods belong together when a pod does not say it itself (default topology spread): the
selectors of all Services that select it and of its controller, joined. Worked out once per group of equal pods and
kept until something in its namespace changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sampan_api import meta
from sampan_api.client import REPLICASETS, REPLICATIONCONTROLLERS, SERVICES, STATEFULSETS, Resource
from sampan_api.meta import Object

from sampan_master.scheduler.by_label import TermsByLabel
from sampan_master.scheduler.pod_terms import LabelRequirement, label_selector, matches
from sampan_master.scheduler.signature import Relations

WATCHED = (SERVICES, REPLICATIONCONTROLLERS, REPLICASETS, STATEFULSETS)
_CONTROLLERS = {resource.kind for resource in WATCHED} - {SERVICES.kind}
_Selector = tuple[LabelRequirement, ...]


@dataclass(slots=True)
class _Namespace:
    """`selectors` by kind and name; those of Services also by label, but for Services without one, which select
    nobody. `derived` is what followed from them."""

    selectors: dict[tuple[str, str], _Selector] = field(default_factory=dict)
    services: TermsByLabel[str] = field(default_factory=TermsByLabel)
    derived: WeakKeyDictionary[Relations, _Selector] = field(default_factory=WeakKeyDictionary)

    def put(self, kind: str, name: str, selector: _Selector) -> None:
        if self.selectors.get((kind, name)) != selector:
            self.remove(kind, name)
            self.selectors[kind, name] = selector
            if kind == SERVICES.kind and selector:
                self.services.add(name, selector, (None,))

    def remove(self, kind: str, name: str) -> None:
        self.derived = WeakKeyDictionary()
        if self.selectors.pop((kind, name), ()) and kind == SERVICES.kind:
            self.services.remove(name)

    def selector(self, pod: Relations) -> _Selector:
        selector = self.derived.get(pod)
        if selector is None:
            selector = self.derived[pod] = self._derive(pod)
        return selector

    def _derive(self, pod: Relations) -> _Selector:
        labels, (kind, name) = dict(pod.labels), pod.controller
        services = [self.selectors[SERVICES.kind, service] for service in self.services.candidates(pod)]
        found = {term for selector in services if matches(selector, labels) for term in selector}
        if kind in _CONTROLLERS:
            found |= set(self.selectors.get((kind, name), ()))
        return tuple(sorted(found))


class Workloads:
    """`position` rises with every change."""

    def __init__(self) -> None:
        self.position = 0
        self._namespaces: dict[str, _Namespace] = {}

    def put(self, resource: Resource, obj: Object) -> None:
        """Takes a new or changed object of one of the `WATCHED` resources."""
        self.position += 1
        namespace = self._namespaces.get(meta.namespace(obj))
        if namespace is None:
            namespace = self._namespaces[meta.namespace(obj)] = _Namespace()
        namespace.put(resource.kind, meta.name(obj), _selector(resource, obj))

    def remove(self, resource: Resource, obj: Object) -> None:
        self.position += 1
        namespace = self._namespaces.get(meta.namespace(obj))
        if namespace is not None:
            namespace.remove(resource.kind, meta.name(obj))
            if not namespace.selectors:
                del self._namespaces[meta.namespace(obj)]

    def take_over(self, other: Workloads) -> None:
        """Knows what `other` knows now."""
        for name, known in other._namespaces.items():
            namespace = self._namespaces[name] = _Namespace()
            for key, selector in known.selectors.items():
                namespace.put(*key, selector)

    def selector(self, pod: Relations) -> _Selector:
        """What selects the pods that belong together with this one; () when nothing says so."""
        namespace = self._namespaces.get(pod.namespace)
        return () if namespace is None else namespace.selector(pod)


def _selector(resource: Resource, obj: Object) -> _Selector:
    selector = (obj.get("spec") or {}).get("selector")
    if resource in (SERVICES, REPLICATIONCONTROLLERS):
        selector = selector and {"matchLabels": selector}
    return label_selector(selector) or ()
