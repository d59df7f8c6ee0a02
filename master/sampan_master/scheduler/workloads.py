"""What selects pods, as far as the scheduler asks: Services, and the controllers that own pods.

From these follows which pods belong together when a pod does not say it itself (default topology spread): the
selectors of all Services that select it and of its controller, joined. Worked out once per group of equal pods and
kept until something in its namespace changes.
"""

from __future__ import annotations

from collections import defaultdict
from weakref import WeakKeyDictionary

from sampan_api import meta
from sampan_api.client import REPLICASETS, REPLICATIONCONTROLLERS, SERVICES, STATEFULSETS, Resource
from sampan_api.meta import Object

from sampan_master.scheduler.pod_terms import LabelRequirement, label_selector, matches
from sampan_master.scheduler.signature import Relations

WATCHED = (SERVICES, REPLICATIONCONTROLLERS, REPLICASETS, STATEFULSETS)
_CONTROLLERS = {resource.kind for resource in WATCHED} - {SERVICES.kind}
_Selector = tuple[LabelRequirement, ...]


class Workloads:
    def __init__(self) -> None:
        self._selectors: defaultdict[tuple[str, str], dict[str, _Selector]] = defaultdict(dict)
        """(namespace, kind) -> name -> selector"""
        self._derived: defaultdict[str, WeakKeyDictionary[Relations, _Selector]] = defaultdict(WeakKeyDictionary)

    def put(self, resource: Resource, obj: Object) -> None:
        """Takes a new or changed object of one of the `WATCHED` resources."""
        namespace, selector = meta.namespace(obj), _selector(resource, obj)
        selectors = self._selectors[namespace, resource.kind]
        if selectors.get(meta.name(obj)) != selector:
            selectors[meta.name(obj)] = selector
            self._derived.pop(namespace, None)

    def remove(self, resource: Resource, obj: Object) -> None:
        namespace, key = meta.namespace(obj), (meta.namespace(obj), resource.kind)
        selectors = self._selectors.get(key, {})
        if selectors.pop(meta.name(obj), None) is not None:
            self._derived.pop(namespace, None)
            if not selectors:
                del self._selectors[key]

    def take_over(self, other: Workloads) -> None:
        """Knows what `other` knows now."""
        for key, selectors in other._selectors.items():
            self._selectors[key] = dict(selectors)
        self._derived.clear()

    def selector(self, pod: Relations) -> _Selector:
        """What selects the pods that belong together with this one; () when nothing says so."""
        if not self._selectors:
            return ()
        derived = self._derived[pod.namespace]
        selector = derived.get(pod)
        if selector is None:
            selector = derived[pod] = self._derive(pod)
        return selector

    def _derive(self, pod: Relations) -> _Selector:
        labels, (kind, name) = dict(pod.labels), pod.controller
        services = self._selectors.get((pod.namespace, SERVICES.kind), {}).values()
        found = dict.fromkeys(term for selector in services if matches(selector, labels) for term in selector)
        if kind in _CONTROLLERS:
            found |= dict.fromkeys(self._selectors.get((pod.namespace, kind), {}).get(name, ()))
        return tuple(found)


def _selector(resource: Resource, obj: Object) -> _Selector:
    selector = (obj.get("spec") or {}).get("selector")
    if resource in (SERVICES, REPLICATIONCONTROLLERS):
        selector = selector and {"matchLabels": selector}
    return label_selector(selector) or ()
