"""An operator on built-in kinds with the label operated=yes.

A ConfigMap gets a child of its own, is told when its size changes, and leaves a farewell behind: kopf keeps it by a
finalizer until that is written. A pod gets a condition in its status.
"""

from datetime import UTC, datetime

import kopf
from kubernetes import client, config

LABELS = {"operated": "yes"}


@kopf.on.startup()
def startup(settings, **_):
    config.load_kube_config()
    settings.posting.level = 0


def write(namespace, body):
    client.CoreV1Api().create_namespaced_config_map(namespace, body)


@kopf.on.create("configmaps", labels=LABELS)
def created(name, namespace, body, patch, **_):
    child = {"metadata": {"name": f"{name}-child"}}
    kopf.append_owner_reference(child)
    write(namespace, child)
    kopf.info(body, reason="Operated", message=f"{name} has a child")
    patch.setdefault("data", {})["seen"] = "1"


@kopf.on.update("configmaps", labels=LABELS, field="data.size")
def resized(old, new, patch, **_):
    patch.metadata.annotations["example.com/resized"] = f"{old} to {new}"


@kopf.on.delete("configmaps", labels=LABELS)
def deleted(name, namespace, **_):
    write(namespace, {"metadata": {"name": f"{name}-farewell"}})


@kopf.on.create("pods", labels=LABELS)
def judged(status, patch, **_):
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    judged = {"type": "example.com/Judged", "status": "True", "lastTransitionTime": now}
    patch.status["conditions"] = [*status.get("conditions", []), judged]
