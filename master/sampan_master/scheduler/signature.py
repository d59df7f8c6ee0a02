"""The scheduling signature: everything of a pod that decides where it may and should run, as one value.

    Signature ─┬─ placement   what is asked of Node objects alone: name, selector, node affinity, tolerations
               ├─ load        what is asked of a node's free room: requests, host ports; and the images it starts from
               └─ relations   what concerns other pods: namespace, labels, topology spread, pod affinity

Pods with equal signatures get equal masks and scores, so the engine works once for all replicas of a template. Each
part is interned: equal parts are one object, so that comparing and hashing cost an address. Two that were interned at
different times may be equal and not identical; that costs work, never truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

import orjson
from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.scheduler.pod_terms import (
    AffinityTerm,
    SpreadConstraint,
    WeightedTerm,
    pod_affinity,
    spread_constraints,
)
from sampan_master.scheduler.requests import pod_requests, pod_requests_for_scoring

T = TypeVar("T")


class Toleration(NamedTuple):
    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self.operator == "Exists" or (bool(self.key) and self.value == taint.value)


class Taint(NamedTuple):
    key: str
    value: str
    effect: str


class Requirement(NamedTuple):
    """One node selector requirement; `is_field` means `key` is a field (only metadata.name exists), not a label."""

    key: str
    operator: str
    values: tuple[str, ...]
    is_field: bool = False


class PreferredTerm(NamedTuple):
    weight: int
    requirements: tuple[Requirement, ...]


class HostPort(NamedTuple):
    """A port asked for on the node. `ip` 0.0.0.0 is every address."""

    ip: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Placement:
    """The part that depends only on Node objects, not on what runs there.

    `required` are ORed terms of ANDed requirements; None means no required affinity, () that nothing can match.
    """

    node_name: str
    node_selector: tuple[tuple[str, str], ...]
    required: tuple[tuple[Requirement, ...], ...] | None
    preferred: tuple[PreferredTerm, ...]
    tolerations: tuple[Toleration, ...]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Load:
    """What the pod takes of its node. `scoring_requests` are millicores and bytes with usual amounts assumed where a
    container names none; `images` are the names its containers start from and of image volumes, one entry each."""

    requests: tuple[tuple[str, int], ...]
    scoring_requests: tuple[int, int]
    ports: tuple[HostPort, ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Relations:
    """What ties the pod to other pods. Pods that are equal here count as one group wherever pods are counted.

    `controller` is (kind, name) of the owner that manages the pod, ("", "") without one. A pod that is `terminating`
    is still there for affinity, but no longer for spreading.
    """

    namespace: str
    labels: tuple[tuple[str, str], ...]
    controller: tuple[str, str]
    spread: tuple[SpreadConstraint, ...]
    affinity: tuple[AffinityTerm, ...]
    anti_affinity: tuple[AffinityTerm, ...]
    preferred: tuple[WeightedTerm, ...]
    """Preferred affinity with positive, preferred anti-affinity with negative weights."""
    terminating: bool

    @property
    def has_affinity(self) -> bool:
        return bool(self.affinity or self.anti_affinity or self.preferred)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Signature:
    placement: Placement
    load: Load
    relations: Relations


_CONTAINER = ("resources", "ports", "image", "restartPolicy")
_SPEC = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "overhead", "resources", "hostNetwork")
_known: WeakValueDictionary[bytes, Signature] = WeakValueDictionary()
_interned: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()


def signature(pod: Object, node_name: str = "") -> Signature:
    """Replicas of one template differ in nothing that is looked at here, so the work is done for the first of them, and
    not again as long as somebody holds its signature.

    `node_name` is the node the pod insists on; that of a pod which is bound already does not count.
    """
    key = orjson.dumps(_essence(pod, node_name))
    known = _known.get(key)
    if known is None:
        parts = (_placement(pod["spec"], node_name), _load(pod), _relations(pod))
        known = _known[key] = _intern(Signature, *parts)
    return known


def _essence(pod: Object, node_name: str) -> list[Any]:
    """What the signature is made from."""
    spec, metadata = pod["spec"], pod["metadata"]
    containers = [[c.get(field) for field in _CONTAINER] for c in spec["containers"]]
    inits = [[c.get(field) for field in _CONTAINER] for c in spec.get("initContainers") or ()]
    controller = _controller(pod)
    about = [metadata.get("namespace"), metadata.get("labels"), controller, meta.is_deleting(pod)]
    return [node_name, containers, inits, _volume_images(spec), *map(spec.get, _SPEC), *about]


def _intern(kind: Callable[..., T], *fields: Any) -> T:
    key = (kind, *fields)
    known: T | None = _interned.get(key)
    if known is None:
        known = _interned[key] = kind(*fields)
    return known


def _placement(spec: Object, node_name: str) -> Placement:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return _intern(
        Placement,
        node_name,
        tuple(sorted((spec.get("nodeSelector") or {}).items())),
        None if required is None else node_selector_terms(required),
        preferred_terms(affinity.get("preferredDuringSchedulingIgnoredDuringExecution")),
        tolerations(spec),
    )


def _load(pod: Object) -> Load:
    spec = pod["spec"]
    running = [*spec["containers"], *(c for c in spec.get("initContainers") or () if _stays(c))]
    ports = {
        HostPort(p.get("hostIP") or "0.0.0.0", p.get("protocol") or "TCP", p["hostPort"])
        for container in running
        for p in container.get("ports") or ()
        if p.get("hostPort")
    }
    images = [c.get("image") or "" for c in (*(spec.get("initContainers") or ()), *spec["containers"])]
    images += _volume_images(spec)
    requests = tuple(pod_requests(pod).items())
    return _intern(Load, requests, pod_requests_for_scoring(pod), tuple(sorted(ports)), tuple(images))


def _relations(pod: Object) -> Relations:
    spec, namespace, labels = pod["spec"], meta.namespace(pod), meta.labels(pod)
    affinity, anti_affinity, preferred = pod_affinity(spec.get("affinity") or {}, namespace)
    return _intern(
        Relations,
        namespace,
        tuple(sorted(labels.items())),
        _controller(pod),
        spread_constraints(spec.get("topologySpreadConstraints") or (), labels),
        affinity,
        anti_affinity,
        preferred,
        meta.is_deleting(pod),
    )


def _volume_images(spec: Object) -> list[str]:
    """The rest of the volumes differs from replica to replica: some have names of their own for their tokens."""
    return [v["image"].get("reference") or "" for v in spec.get("volumes") or () if v.get("image")]


def _controller(pod: Object) -> tuple[str, str]:
    owner = meta.controller_of(pod)
    return ("", "") if owner is None else (owner["kind"], owner["name"])


def _stays(container: Object) -> bool:
    return container.get("restartPolicy") == "Always"


def taints(node: Object) -> tuple[Taint, ...]:
    return tuple(
        Taint(t["key"], t.get("value") or "", t["effect"]) for t in (node.get("spec") or {}).get("taints") or ()
    )


def node_selector_terms(selector: dict[str, Any]) -> tuple[tuple[Requirement, ...], ...]:
    """A core/v1 NodeSelector. An empty term matches nothing, so it is left out."""
    terms = selector.get("nodeSelectorTerms") or ()
    return tuple(requirements for term in terms if (requirements := _requirements(term)))


def preferred_terms(terms: list[dict[str, Any]] | None) -> tuple[PreferredTerm, ...]:
    return tuple(PreferredTerm(t["weight"], _requirements(t.get("preference") or {})) for t in terms or ())


def tolerations(spec: Object) -> tuple[Toleration, ...]:
    return tuple(_toleration(t) for t in spec.get("tolerations") or ())


def _toleration(toleration: dict[str, Any]) -> Toleration:
    return Toleration(
        toleration.get("key") or "",
        toleration.get("operator") or "Equal",
        toleration.get("value") or "",
        toleration.get("effect") or "",
    )


def _requirements(term: dict[str, Any]) -> tuple[Requirement, ...]:
    labels = [
        Requirement(r["key"], r["operator"], tuple(r.get("values") or ())) for r in term.get("matchExpressions") or ()
    ]
    fields = [
        Requirement(r["key"], r["operator"], tuple(r.get("values") or ()), True) for r in term.get("matchFields") or ()
    ]
    return tuple(labels + fields)
