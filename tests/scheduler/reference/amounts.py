"""What a pod asks of a node, by walking through every moment of its life (KEP-753, KEP-2837)."""

from sampan_api import quantity

from reference.world import spec, status

USUAL = {"cpu": 100, "memory": 200 * 1024 * 1024}
"""What a container that names no amount is taken to need when nodes are scored."""


def amount(resource, text):
    return quantity.milli(text) if resource == "cpu" else quantity.value(text)


def _container(container, assumed):
    asked = (container.get("resources") or {}).get("requests") or {}
    return assumed | {resource: amount(resource, text) for resource, text in asked.items()}


def requests(pod, assumed=None):
    """Millicores and units per resource. Init containers run one after the other, each beside the sidecars started
    before it; then all sidecars and all containers run together. The greatest moment counts, per resource."""
    assumed = assumed or {}
    moments, sidecars = [], []
    for init in spec(pod).get("initContainers") or []:
        moments.append([*sidecars, _container(init, assumed)])
        if init.get("restartPolicy") == "Always":
            sidecars.append(_container(init, assumed))
    moments.append(sidecars + [_container(c, assumed) for c in spec(pod)["containers"]])
    resources = {resource for moment in moments for c in moment for resource in c}
    total = {resource: max(sum(c.get(resource, 0) for c in moment) for moment in moments) for resource in resources}
    for resource, text in ((spec(pod).get("resources") or {}).get("requests") or {}).items():
        if resource in ("cpu", "memory") or resource.startswith("hugepages-"):
            total[resource] = amount(resource, text)
    for resource, text in (spec(pod).get("overhead") or {}).items():
        total[resource] = total.get(resource, 0) + amount(resource, text)
    return total


def requests_for_scoring(pod):
    return requests(pod, USUAL)


def allocatable(node, resource):
    return amount(resource, (status(node).get("allocatable") or {}).get(resource, "0"))


def used(pods, resource, of=requests):
    return sum(of(pod).get(resource, 0) for pod in pods)


def is_extended(resource):
    """Neither cpu, memory nor ephemeral-storage: only counted where it is asked for."""
    return resource not in ("cpu", "memory", "ephemeral-storage", "pods")
