"""What would make a node take a pod: for each plug-in that refuses it, the smallest change, as a step to be done.

A remedy is asked about one row that its plug-in refuses. Plug-ins without one of their own are answered in the words
of their refusal. `effort` orders changes of different kinds: taking a cordon off is less than relabelling a node, and
that is less than repairing one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.scheduler import leaving
from sampan_master.scheduler.cluster import Placed
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.plugins import (
    affinity_refusals,
    node_affinity,
    node_ports,
    resources_fit,
    taint_toleration,
)
from sampan_master.scheduler.plugins.affinity_index import Namespaces
from sampan_master.scheduler.plugins.plugin import Refusal
from sampan_master.scheduler.signature import Requirement, Signature, Taint

CORDON = "node.kubernetes.io/unschedulable"
_BROKEN = {
    "node.kubernetes.io/not-ready": "is not ready",
    "node.kubernetes.io/unreachable": "is not heard of",
    "node.kubernetes.io/memory-pressure": "is short of memory",
    "node.kubernetes.io/disk-pressure": "is short of disk space",
    "node.kubernetes.io/pid-pressure": "is short of process numbers",
    "node.kubernetes.io/network-unavailable": "has no network",
}
_REPAIR = 5.0
_ESTIMATES = {
    "NodeUnschedulable": 0.5,
    "TaintToleration": 1.0,
    "NodeAffinity": 1.5,
    "NodeName": 3.0,
    "PodTopologySpread": 2.5,
    "InterPodAffinity": 2.5,
}
_NAME_PODS = ("InterPodAffinity",)
"""Plug-ins whose words name other pods."""
_WHAT_A_NODE_IS = ("kubernetes.io/", "topology.kubernetes.io/", "node.kubernetes.io/", "beta.kubernetes.io/")
"""Prefixes of labels that tell what a node is and where: written over, they would be untrue."""
_ALIKE = 0.6
"""From here on a label's value may be what was meant by another."""


@dataclass(frozen=True, slots=True)
class Change:
    plugin: str
    reason: str
    need: str
    have: str
    fix: str
    effort: float


@dataclass(frozen=True, slots=True)
class Asked:
    """The pod, and whether other pods may be named to who asks."""

    engine: Engine
    pod: Object
    signature: Signature
    names_pods: bool = True


Efforts: TypeAlias = npt.NDArray[np.float64]
Remedy: TypeAlias = Callable[[Asked, int, Refusal], list[Change]]


def remedy(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    """The changes after which the plug-in of `refusal` would let the pod on `row`."""
    return _BY_PLUGIN.get(refusal.plugin, _in_its_words)(asked, row, refusal)


def scope(refusal: Refusal) -> str:
    """Refusals of one row with equal scope have one remedy, which names all that they have against the row."""
    if refusal.plugin == "TaintToleration" or (
        refusal.plugin == "NodeAffinity" and refusal.reason != node_affinity.ENFORCED
    ):
        return refusal.plugin
    return f"{refusal.plugin} {refusal.reason} {refusal.need}"


def estimate(refusal: Refusal) -> Efforts | float:
    """The effort for each of its rows, without looking at the rows one by one."""
    base = _ESTIMATES.get(refusal.plugin, 1.0)
    if refusal.plugin == "TaintToleration":
        by_word: Efforts = np.array([_of_taint(word, base) for word in refusal.words])[refusal.have]
        return by_word
    if refusal.words:
        return base
    highest = max(int(refusal.have.max(initial=0)), 1)
    share: Efforts = base + 1.0 - np.clip(refusal.have, 0, highest) / highest
    return share


def _of_taint(word: str, base: float) -> float:
    key = word.partition(":")[0]
    return 0.0 if key == CORDON else _REPAIR if key in _BROKEN else base


def have_text(asked: Asked, refusal: Refusal, i: int) -> str:
    """What the i-th of its rows has."""
    if refusal.plugin in _NAME_PODS and not asked.names_pods:
        return "other pods"
    value = int(refusal.have[i])
    if refusal.words:
        return refusal.words[value]
    return amount_text(refusal.unit, value)


def amount_text(unit: str, value: int) -> str:
    """An amount as a manifest would have it; bytes are rounded down to something that can be read."""
    if unit == "m":
        return str(value // 1000) if value % 1000 == 0 else f"{value}m"
    if unit == "B":
        for power, suffix in ((3, "Gi"), (2, "Mi"), (1, "Ki")):
            if value >= 10 * 1024**power or (value and value % 1024**power == 0):
                return f"{value // 1024**power}{suffix}"
    return str(value)


def _node(asked: Asked, row: int) -> str:
    return asked.engine.nodes.names[row]


def _in_its_words(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    i = _index(refusal, row)
    have = have_text(asked, refusal, i)
    fix = f"let {_node(asked, row)} have what the pod asks for: {refusal.need}" if refusal.need else (
        f"change what {refusal.plugin} looks at: {refusal.reason}"
    )  # fmt: skip
    return [Change(refusal.plugin, refusal.reason, refusal.need, have, fix, 2.0)]


def _index(refusal: Refusal, row: int) -> int:
    return int(np.flatnonzero(refusal.rows == row)[0])


def _cordon(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    node = _node(asked, row)
    fix = f"uncordon {node}: kubectl uncordon {node}"
    return [Change(refusal.plugin, refusal.reason, refusal.need, "cordoned", fix, 0.5)]


def _node_name(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    fix = f"take spec.nodeName out of the pod, or write {_node(asked, row)}"
    return [Change(refusal.plugin, refusal.reason, refusal.need, _node(asked, row), fix, 3.0)]


def _taints(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    """All taints that are not tolerated, where the plug-in names the first of them."""
    nodes, tolerations = asked.engine.nodes, asked.signature.placement.tolerations
    taints = nodes.taints.value(row) or ()
    stand_in_the_way = [t for t in taints if taint_toleration.untolerated((t,), tolerations)]
    if nodes.unschedulable[row]:
        stand_in_the_way = [t for t in stand_in_the_way if t.key != CORDON]
    changes = [_taint(asked, row, refusal, taint) for taint in stand_in_the_way]
    return list({change.fix: change for change in changes}.values())


def _taint(asked: Asked, row: int, refusal: Refusal, taint: Taint) -> Change:
    node, word = _node(asked, row), taint_toleration.str_of(taint)
    plugin, reason = refusal.plugin, refusal.reason
    need = f"a toleration of {word}"
    if taint.key in _BROKEN:
        fix = f"repair {node}, which {_BROKEN[taint.key]}: `sampan why node/{node}`"
        return Change(plugin, reason, need, word, fix, _REPAIR)
    off = f"kubectl taint nodes {node} {taint.key}:{taint.effect}-"
    fix = f"add a toleration for {word} to the pod, or take the taint off {node}: {off}"
    return Change(plugin, reason, need, word, fix, 1.0)


def _affinity(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    """The labels that are missing; of terms of which one is enough, the one that misses least."""
    if refusal.reason == node_affinity.ENFORCED:
        return _in_its_words(asked, row, refusal)
    placement, nodes = asked.signature.placement, asked.engine.nodes
    node = nodes.node(row)
    labels = meta.labels(node) if node is not None else {}
    missing = [Requirement(k, "In", (v,)) for k, v in placement.node_selector if labels.get(k) != v]
    if placement.required is not None:
        unmet = [[r for r in term if not _is_met(r, labels, _node(asked, row))] for term in placement.required if term]
        fewest: list[Requirement] = min(unmet, key=lambda term: len(term), default=[])
        missing += fewest
    changes = [_label(asked, row, refusal, requirement, labels) for requirement in missing]
    return changes or _in_its_words(asked, row, refusal)


def _is_met(requirement: Requirement, labels: dict[str, str], name: str) -> bool:
    value = name if requirement.is_field else labels.get(requirement.key)
    return node_affinity.value_matches(requirement)(value)


def _label(asked: Asked, row: int, refusal: Refusal, wanted: Requirement, labels: dict[str, str]) -> Change:
    node, key = _node(asked, row), wanted.key
    need = node_affinity.str_of(wanted) if wanted.operator != "In" or len(wanted.values) > 1 else (
        f"{key}={wanted.values[0]}"
    )  # fmt: skip
    have = f"{key}={labels[key]}" if key in labels else f"no {key}"
    if wanted.is_field:
        fix = f"let the pod ask for {key} {node}, or add a node that it names: {', '.join(wanted.values)}"
        return Change(refusal.plugin, refusal.reason, f"{key} {need}", node, fix, 3.0)
    alike = _likeness(labels.get(key), wanted)
    if key in labels and key.startswith(_WHAT_A_NODE_IS):
        fix = f"let the pod ask for {have}, or add a node with {need}"
        return Change(refusal.plugin, refusal.reason, need, have, fix, 3.0 - alike)
    fix = _labelling(node, wanted, need, " --overwrite" if key in labels else "")
    if alike >= _ALIKE:
        fix += f"; or let the pod ask for {have}, if that was meant"
    return Change(refusal.plugin, refusal.reason, need, have, fix, 1.5)


def _labelling(node: str, wanted: Requirement, need: str, overwrite: str) -> str:
    """The command after which `node` has what is wanted. A label that is not there is in no list of values."""
    key = wanted.key
    match wanted.operator:
        case "In":
            word = f"{key}={wanted.values[0]}"
            return f"label node {node} {word}: kubectl label node {node} {word}{overwrite}"
        case "Exists":
            return f"label node {node} with {key}: kubectl label node {node} {key}=VALUE"
        case "Gt" | "Lt":
            number = int(wanted.values[0]) + (1 if wanted.operator == "Gt" else -1)
            return f"label node {node} so that {need}: kubectl label node {node} {key}={number}{overwrite}"
        case _:
            return f"take the label {key} off {node}: kubectl label node {node} {key}-"


def _likeness(value: str | None, wanted: Requirement) -> float:
    """Of a label's value to the values one of which is wanted: 0 to 1."""
    if value is None or wanted.operator != "In":
        return 0.0
    return max(SequenceMatcher(None, value, each).ratio() for each in wanted.values)


def _resources(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    name = refusal.need.partition(":")[0]
    nodes = asked.engine.nodes
    index = nodes.resource(name)
    capacity = int(nodes.allocatable[index, row])
    free = int(refusal.have[_index(refusal, row)])
    need = dict(asked.signature.load.requests).get(name, 1)
    unit = refusal.unit
    have = f"{amount_text(unit, max(free, 0))} free of {amount_text(unit, capacity)}"
    steps = []
    if name == "pods":
        steps.append(f"let {_node(asked, row)} take more than {capacity} pods")
    elif free > 0:
        steps.append(_lower(asked.pod, name, amount_text(unit, need), amount_text(unit, free)))
    if capacity >= need and (others := _others_leave(asked, row, name, need - free)):
        steps.insert(0 if free <= 0 else 1, others)
    if capacity == 0 and name != "pods":
        steps.append(f"take the request for {name} out")
    effort = 1.0 + (need - max(free, 0)) / max(need, 1) if capacity and steps else 3.0
    steps.append(f"add a node with {amount_text(unit, need)} {name} free")
    return [Change(refusal.plugin, refusal.reason, refusal.need, have, ", or ".join(steps), effort)]


def _lower(pod: Object, resource: str, need: str, free: str) -> str:
    requests = [(c.get("resources") or {}).get("requests") or {} for c in pod["spec"]["containers"]]
    asking = [each for each in requests if resource in each]
    if len(asking) == 1:
        return f"lower the {resource} request from {need} to {free}"
    return f"lower the {resource} requests of its containers from {need} to {free} in all"


def _others_leave(asked: Asked, row: int, resource: str, missing: int) -> str:
    if not asked.names_pods:
        return "end other pods there"
    there = leaving.candidates(asked.engine.cluster, asked.pod, row)
    chosen = leaving.chosen([(placed, _uses(placed, resource)) for placed in there], missing)
    if len(chosen) == 1:
        amount = amount_text(resources_fit.unit_of(resource), _uses(chosen[0], resource))
        return leaving.end_of(chosen[0], f"{amount} {resource}")
    return leaving.end_of_all(chosen) if chosen else ""


def _uses(placed: Placed, resource: str) -> int:
    return 1 if resource == "pods" else dict(placed.signature.load.requests).get(resource, 0)


def _ports(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    nodes, cluster, wanted = asked.engine.nodes, asked.engine.cluster, asked.signature.load.ports
    taken = {used for port in wanted for used in node_ports.in_the_way(port, nodes) if nodes.ports[used][row] > 0}
    users = [p for p in leaving.candidates(cluster, asked.pod, row) if not taken.isdisjoint(p.signature.load.ports)]
    have = have_text(asked, refusal, _index(refusal, row))
    fix = "use another hostPort, or none"
    if users and asked.names_pods:
        fix += f", or {leaving.end_of(users[0], 'it')}"
    elif not users:
        fix += "; as it is, each node takes one of these pods: ask for fewer, or add a node"
    return [Change(refusal.plugin, refusal.reason, refusal.need, have, fix, 1.0)]


def _spread(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    """`need` begins with the topology key, or is the label that the node lacks."""
    have = have_text(asked, refusal, _index(refusal, row))
    if missing := _missing_label(have):
        return [_topology_label(asked, row, refusal, missing)]
    key = refusal.need.partition(":")[0]
    fix = (
        f"make room in the {key} that has the fewest of these pods, or add a node there; or raise maxSkew, or say"
        " whenUnsatisfiable: ScheduleAnyway"
    )
    return [Change(refusal.plugin, refusal.reason, refusal.need, have, fix, 2.5)]


def _pod_affinity(asked: Asked, row: int, refusal: Refusal) -> list[Change]:
    have = have_text(asked, refusal, _index(refusal, row))
    if missing := _missing_label(have):
        return [_topology_label(asked, row, refusal, missing)]
    if refusal.reason == affinity_refusals.LACKING:
        fix = f"start what it wants to be near to ({refusal.need}), or make the term a preferred one"
    elif refusal.reason == affinity_refusals.IN_THE_WAY and (keys := _own_kind_keys(asked)):
        key = ", ".join(keys)
        fix = f"pods of its kind keep away from each other, one for each {key}: ask for fewer of them, add a node in" \
              f" another {key}, or make the term a preferred one"  # fmt: skip
    else:
        fix = f"end what is in the way ({have}), add a node outside of its domain, or make the term a preferred one"
    return [Change(refusal.plugin, refusal.reason, refusal.need, have, fix, 2.5)]


def _own_kind_keys(asked: Asked) -> list[str]:
    """Topology keys of the anti-affinity that a pod with replicas has against them."""
    relations, namespaces = asked.signature.relations, Namespaces(asked.engine.cluster.namespaces)
    if not leaving.controller(asked.pod):
        return []
    return [t.topology_key for t in relations.anti_affinity if namespaces.term_selects(t, relations)]


def _missing_label(have: str) -> str:
    return have.removeprefix("no label ") if have.startswith("no label ") else ""


def _topology_label(asked: Asked, row: int, refusal: Refusal, keys: str) -> Change:
    node = _node(asked, row)
    words = " ".join(f"{key}=VALUE" for key in keys.split(", "))
    fix = f"label node {node} with {keys}: kubectl label node {node} {words}"
    return Change(refusal.plugin, refusal.reason, refusal.need, f"no label {keys}", fix, 1.5)


_BY_PLUGIN: dict[str, Remedy] = {
    "NodeUnschedulable": _cordon,
    "NodeName": _node_name,
    "TaintToleration": _taints,
    "NodeAffinity": _affinity,
    "NodeResourcesFit": _resources,
    "NodePorts": _ports,
    "PodTopologySpread": _spread,
    "InterPodAffinity": _pod_affinity,
}
