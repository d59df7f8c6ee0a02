"""Nodes, pods and worlds for the reference's examples, in as few words as the case needs."""

from itertools import count

from reference import new_world

_numbers = count()
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
PLENTY = {"cpu": "1000", "memory": "1000Gi", "pods": "1000"}


def node(name, labels=None, taints=(), images=None, unschedulable=False, **allocatable):
    """`images` is {name: bytes}; keyword arguments are allocatable amounts, `PLENTY` where none is given."""
    return {
        "metadata": {"name": name, "labels": dict(labels or {})},
        "spec": {"taints": list(taints), "unschedulable": unschedulable},
        "status": {
            "allocatable": PLENTY | allocatable,
            "images": [{"names": [n], "sizeBytes": size} for n, size in (images or {}).items()],
        },
    }


def host(name, zone=None, **more):
    labels = {HOSTNAME: name} | ({"zone": zone} if zone else {})
    return node(name, labels, **more)


def pod(name="", labels=None, requests=None, namespace="default", start=None, status=None, **spec):
    """One container with `requests`; other keyword arguments are fields of the spec."""
    number = next(_numbers)
    name = name or f"p{number}"
    container = {"name": "c", "image": "busybox", "resources": {"requests": requests or {}}}
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{number}", "labels": dict(labels or {})},
        "spec": {"containers": [container]} | spec,
        "status": dict(status or {}) | ({"startTime": start} if start else {}),
    }


def pods(number, **of):
    return [pod(**of) for _ in range(number)]


def world(nodes, placed=None, namespaces=("default",), **config):
    """`placed` is {node name: pods}; `namespaces` names or {name: labels}."""
    made = new_world(**config)
    made["nodes"] = {n["metadata"]["name"]: n for n in nodes}
    made["placed"] = {name: list(there) for name, there in (placed or {}).items()}
    made["namespaces"] = dict(namespaces) if isinstance(namespaces, dict) else {n: {} for n in namespaces}
    return made


def exists(key):
    return {"matchExpressions": [{"key": key, "operator": "Exists"}]}


def is_(**labels):
    return {"matchLabels": labels}


def spread(key, max_skew=1, selector=None, hard=True, **more):
    return {
        "maxSkew": max_skew,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
        "labelSelector": selector,
    } | more


def term(key, selector, **more):
    return {"topologyKey": key, "labelSelector": selector} | more


def required(*terms):
    return {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}


def preferred(*weighted):
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": weight, "podAffinityTerm": t} for weight, t in weighted
        ]
    }


def select_node(*expressions, field=None):
    """A required node affinity of one term: (key, operator, *values) each, or one on metadata.name."""
    made = {"matchExpressions": [_requirement(*e) for e in expressions]}
    if field:
        made["matchFields"] = [_requirement("metadata.name", *field)]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [made]}}}


def _requirement(key, operator, *values):
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})
