"""Kubernetes' documented semantics for one pod and one node at a time: slow, obvious, apart from the engine."""

from __future__ import annotations

from sampan_api import quantity

ASSUMED = {"cpu": 100, "memory": 200 * 1024 * 1024}


def _amount(name, text):
    return quantity.milli(text) if name == "cpu" else quantity.value(text)


def _container(container, assumed):
    asked = (container.get("resources") or {}).get("requests") or {}
    return assumed | {name: _amount(name, text) for name, text in asked.items()}


def requests(pod, assumed=None):
    """The rule of KEP-753, by simulating every moment of the pod's life."""
    assumed = assumed or {}
    spec = pod["spec"]
    moments, sidecars = [], []
    for init in spec.get("initContainers", []):
        moments.append([*sidecars, _container(init, assumed)])
        if init.get("restartPolicy") == "Always":
            sidecars.append(_container(init, assumed))
    moments.append(sidecars + [_container(c, assumed) for c in spec["containers"]])
    names = {name for moment in moments for c in moment for name in c}
    total = {name: max(sum(c.get(name, 0) for c in moment) for moment in moments) for name in names}
    for name, text in spec.get("overhead", {}).items():
        total[name] = total.get(name, 0) + _amount(name, text)
    return total


def _tolerates(toleration, taint):
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def _untolerated(pod, node, effects):
    tolerations = pod["spec"].get("tolerations", [])
    taints = [t for t in node["spec"].get("taints", []) if t["effect"] in effects]
    return [t for t in taints if not any(_tolerates(toleration, t) for toleration in tolerations)]


def _matches(requirement, value):
    operator, values = requirement["operator"], requirement.get("values", [])
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    if value is None or not value.isdigit():
        return False
    return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])


def _term(term, node):
    labels, name = node["metadata"]["labels"], node["metadata"]["name"]
    expressions, fields = term.get("matchExpressions", []), term.get("matchFields", [])
    if not expressions and not fields:
        return False
    return all(_matches(r, labels.get(r["key"])) for r in expressions) and all(_matches(r, name) for r in fields)


def refusals(pod, node, placed):
    """The reasons of the first plug-in that refuses, [] when the node is feasible."""
    spec = pod["spec"]
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    if node["spec"].get("unschedulable") and not any(_tolerates(t, cordon) for t in spec.get("tolerations", [])):
        return ["node(s) were unschedulable"]
    hard = _untolerated(pod, node, ("NoSchedule", "NoExecute"))
    if hard:
        return [f"node(s) had untolerated taint {{{hard[0]['key']}: {hard[0].get('value', '')}}}"]
    labels = node["metadata"]["labels"]
    selected = all(labels.get(k) == v for k, v in spec.get("nodeSelector", {}).items())
    affinity = spec.get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not selected or (required and not any(_term(t, node) for t in required["nodeSelectorTerms"])):
        return ["node(s) didn't match Pod's node affinity/selector"]
    return _shortages(pod, node, placed)


def _shortages(pod, node, placed):
    allocatable = {name: _amount(name, text) for name, text in node["status"]["allocatable"].items()}
    found = ["Too many pods"] if len(placed) + 1 > allocatable.get("pods", 0) else []
    for name, amount in requests(pod).items():
        used = sum(requests(p).get(name, 0) for p in placed)
        if amount > 0 and used + amount > allocatable.get(name, 0):
            found.append(f"Insufficient {name}")
    return found


def scores(pod, feasible):
    """Total per node name; `feasible` is [(node, pods placed there)]."""
    preferred = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    preferred = preferred.get("preferredDuringSchedulingIgnoredDuringExecution", [])
    taints = {n["metadata"]["name"]: len(_untolerated(pod, n, ("PreferNoSchedule",))) for n, _ in feasible}
    weights = {
        n["metadata"]["name"]: sum(t["weight"] for t in preferred if _term(t["preference"], n)) for n, _ in feasible
    }
    worst, best = max(taints.values(), default=0), max(weights.values(), default=0)
    totals = {}
    for node, placed in feasible:
        name = node["metadata"]["name"]
        total = 3 * (100 - (taints[name] * 100 // worst if worst else 0))
        total += 2 * (weights[name] * 100 // best if best else 0) if preferred else 0
        totals[name] = total + _least_allocated(pod, node, placed) + _balanced(pod, node, placed)
    return totals


def _least_allocated(pod, node, placed):
    parts = []
    for name in ("cpu", "memory"):
        capacity = _amount(name, node["status"]["allocatable"].get(name, "0"))
        if capacity:
            used = sum(requests(p, ASSUMED)[name] for p in [*placed, pod])
            parts.append((capacity - used) * 100 // capacity if used <= capacity else 0)
    return sum(parts) // len(parts) if parts else 0


def _balanced(pod, node, placed):
    if not any(requests(pod).get(name) for name in ("cpu", "memory")):
        return 0
    shares = []
    for name in ("cpu", "memory"):
        capacity = _amount(name, node["status"]["allocatable"].get(name, "0"))
        if capacity:
            shares.append(min(1.0, sum(requests(p).get(name, 0) for p in [*placed, pod]) / capacity))
    deviation = abs(shares[0] - shares[1]) / 2 if len(shares) == 2 else 0.0
    return int((1 - deviation) * 100)
