"""Events about pods, in the form and words the kubelet's have."""

from __future__ import annotations

from typing import Any

from sampan_agent.podspec import Pod, Role


def pod_event(pod: Pod, node_name: str, type_: str, reason: str, message: str, container: str = "") -> dict[str, Any]:
    """A core/v1 Event without name and times: the master adds them."""
    involved = {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
        "resourceVersion": pod.metadata.get("resourceVersion", ""),
    }
    if container:
        found = pod.container(container)
        field = "containers" if found is None or found.role is Role.MAIN else "initContainers"
        involved["fieldPath"] = f"spec.{field}{{{container}}}"
    return {
        "involvedObject": involved,
        "type": type_,
        "reason": reason,
        "message": message,
        "source": {"component": "kubelet", "host": node_name},
        "reportingComponent": "kubelet",
        "reportingInstance": node_name,
    }
