"""From manifests to what a scheduler would see: the pods that would be made of them, and the nodes that would come.

Every object goes through `Draft`, which is the real way of a creation without its last step: decoded, defaulted,
admitted and validated. Priority classes and namespaces of the same manifests count as if they were there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sampan_api.client import REPLICASETS, REPLICATIONCONTROLLERS, SERVICES, STATEFULSETS, Resource
from sampan_api.errors import AlreadyExists, BadRequest
from sampan_api.meta import Object

Draft: TypeAlias = Callable[[Object], Awaitable[Object]]
"""The object as a creation would store it. Raises what a creation would."""

MOST_PODS = 10_000
_NODE_PODS = "110"
_TAKEN = "-whatif"
_LONGEST = 63 - len(_TAKEN)
_NOT_READY = "node.kubernetes.io/not-ready"
_REPLICATED = {
    "ReplicaSet": REPLICASETS,
    "ReplicationController": REPLICATIONCONTROLLERS,
    "StatefulSet": STATEFULSETS,
    "Deployment": REPLICASETS,
}
"""The resource by whose selector the pods are known."""
_OWNERS = {"Deployment": "ReplicaSet", "CronJob": "Job"}
"""Who controls the pods, where it is not the object itself."""


@dataclass(slots=True)
class Drafts:
    """`origins`: uid of a pod -> the object it comes from. `ignored` says why nothing is known of an object."""

    nodes: list[Object] = field(default_factory=list)
    workloads: list[tuple[Resource, Object]] = field(default_factory=list)
    """What selects pods, and so says which of them are spread together."""
    pods: list[Object] = field(default_factory=list)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    ignored: list[dict[str, str]] = field(default_factory=list)


async def drafted(objects: Iterable[Object], draft: Draft) -> Drafts:
    """Raises BadRequest, and what `draft` raises."""
    objects = list(objects)
    found = Drafts()
    found.namespaces = {_name(obj): _labels(obj) for obj in objects if obj["kind"] == "Namespace"}
    classes = {_name(obj): obj for obj in objects if obj["kind"] == "PriorityClass"}
    for obj in objects:
        try:
            await _take(obj, draft, found, classes)
        except BadRequest as error:
            subject = f'{obj["kind"]} "{_name(obj) or obj["metadata"].get("generateName", "")}"'
            if subject in error.message:
                raise
            raise BadRequest(f"{subject}: {error.message}", error.details) from error
    return found


async def _take(obj: Object, draft: Draft, found: Drafts, classes: dict[str, Object]) -> None:
    kind = obj["kind"]
    if kind == "Node":
        found.nodes.append(await _node(obj, draft))
    elif kind in ("Namespace", "PriorityClass"):
        await _draft_as(obj, draft)
    elif kind == "Pod":
        await _add(obj, 1, "", obj, draft, found, classes)
    elif kind == SERVICES.kind:
        found.workloads.append((SERVICES, await _draft_in(obj, draft, found)))
    elif kind in (*_REPLICATED, "Job", "CronJob"):
        whole = await _draft_in(obj, draft, found)
        if kind in _REPLICATED:
            found.workloads.append((_REPLICATED[kind], whole))
        template, count = _template(whole)
        await _add(_pod_of(whole, template), count, f"{kind}/{_name(obj)}", obj, draft, found, classes)
    else:
        why = "its pods, one for each node, are not worked out" if kind == "DaemonSet" else "makes no pods by itself"
        found.ignored.append({"kind": kind, "name": _name(obj), "why": why})


async def _node(obj: Object, draft: Draft) -> Object:
    """As it will be once its agent has said that it is ready."""
    status = obj.get("status") or {}
    allocatable = status.get("allocatable") or status.get("capacity")
    if not allocatable:
        wanted = "name the cpu, memory and pods the node would have"
        raise BadRequest(f'Node "{_name(obj)}": status.allocatable: Required value: {wanted}')
    whole = await _draft_as(obj, draft)
    taints = [t for t in whole["spec"].get("taints") or [] if t["key"] != _NOT_READY]
    return {
        **whole,
        "spec": {**whole["spec"], "taints": taints},
        "status": {**status, "allocatable": {"pods": _NODE_PODS, **allocatable}},
    }


async def _add(
    pod: Object, count: int, origin: str, source: Object, draft: Draft, found: Drafts, classes: dict[str, Object]
) -> None:
    """The pod, drafted once, as often as it is wanted: replicas differ in nothing a scheduler looks at."""
    if len(found.pods) + count > MOST_PODS:
        raise BadRequest(f"{source['kind']} {_name(source)!r}: more than {MOST_PODS} pods in all are asked about")
    if count < 1:
        return
    chosen = classes.get((pod.get("spec") or {}).get("priorityClassName") or "")
    whole = await _draft_in(_without_class(pod, classes), draft, found)
    spec = {**whole["spec"], **_priority(chosen)} if chosen is not None else whole["spec"]
    name = _name(source) if source["metadata"].get("name") else source["metadata"].get("generateName", "")
    for i in range(count):
        uid = f"whatif-{len(found.pods)}"
        own = f"{name}-{i}" if origin else name
        found.pods.append({**whole, "metadata": {**whole["metadata"], "name": own, "uid": uid}, "spec": spec})
        found.origins[uid] = origin


async def _draft_in(obj: Object, draft: Draft, found: Drafts) -> Object:
    """Of a namespace that does not exist yet nothing can be drafted: the default one stands in for it. So does another
    name for one that is taken: more of what is there may be asked about."""
    namespace = obj["metadata"].get("namespace", "")
    if namespace in found.namespaces:
        whole = await _draft_as(obj, draft, namespace="default")
        return {**whole, "metadata": {**whole["metadata"], "namespace": namespace}}
    return await _draft_as(obj, draft)


async def _draft_as(obj: Object, draft: Draft, **metadata: str) -> Object:
    given = {**obj["metadata"], **metadata}
    try:
        return await draft({**obj, "metadata": given})
    except AlreadyExists:
        name = given["name"]
        whole = await draft({**obj, "metadata": {**given, "name": f"{name[:_LONGEST]}{_TAKEN}"}})
        return {**whole, "metadata": {**whole["metadata"], "name": name}}


def _pod_of(owner: Object, template: Object) -> Object:
    """As its controller would make it."""
    given = template.get("metadata") or {}
    kind = owner["kind"]
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": _OWNERS.get(kind, kind),
        "name": _name(owner),
        "uid": owner["metadata"].get("uid") or "whatif",
        "controller": True,
    }
    metadata: dict[str, Any] = {key: given[key] for key in ("labels", "annotations") if key in given}
    metadata |= {"generateName": f"{_name(owner)}-", "namespace": owner["metadata"].get("namespace", "")}
    metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _template(owner: Object) -> tuple[Object, int]:
    """The template of its pods and how many of them run at once."""
    spec = owner["spec"]
    if owner["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if owner["kind"] in ("Job", "CronJob"):
        at_once = int(spec.get("parallelism", 1))
        return spec["template"], min(at_once, int(spec.get("completions") or at_once))
    wanted = spec.get("replicas")
    return spec["template"], 1 if wanted is None else int(wanted)


def _without_class(pod: Object, classes: dict[str, Object]) -> Object:
    """Admission does not know the classes of these manifests."""
    spec = pod.get("spec") or {}
    if spec.get("priorityClassName") not in classes:
        return pod
    return {**pod, "spec": {k: v for k, v in spec.items() if k != "priorityClassName"}}


def _priority(chosen: Object) -> dict[str, Any]:
    policy = chosen.get("preemptionPolicy") or "PreemptLowerPriority"
    return {"priorityClassName": _name(chosen), "priority": int(chosen.get("value", 0)), "preemptionPolicy": policy}


def _name(obj: Object) -> str:
    return str(obj["metadata"].get("name") or "")


def _labels(obj: Object) -> dict[str, str]:
    return {**(obj["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": _name(obj)}
