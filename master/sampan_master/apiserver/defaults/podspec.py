"""Defaults of a pod's spec, the same in a Pod and in a template (contract: what admission sets is not among them)."""

from __future__ import annotations

from typing import Any

from sampan_api.containers import all_containers

_MODE = 0o644


def default_pod_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    for container in all_containers(spec):
        _container(container)
        if spec.get("hostNetwork"):
            for port in container.get("ports") or []:
                port.setdefault("hostPort", port.get("containerPort", 0))
    for volume in spec.get("volumes") or []:
        _volume(volume)


def _container(container: dict[str, Any]) -> None:
    resources = container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = _pull_policy(container.get("image", ""))
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or []:
        field_ref = (variable.get("valueFrom") or {}).get("fieldRef")
        if field_ref is not None:
            field_ref.setdefault("apiVersion", "v1")
        file_ref = (variable.get("valueFrom") or {}).get("fileKeyRef")
        if file_ref is not None:
            file_ref.setdefault("optional", False)
    limits = resources.get("limits")
    if limits:
        requests = resources.get("requests") or {}
        resources["requests"] = requests | {n: limits[n] for n in limits if n not in requests}
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            _probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _handler(hook)


def _pull_policy(image: str) -> str:
    """Always for `latest`, said or implied; a digest pins the image, so IfNotPresent is enough."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _probe(probe: dict[str, Any]) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    _handler(probe)


def _handler(handler: dict[str, Any]) -> None:
    http = handler.get("httpGet")
    if http is not None:
        if not http.get("path"):
            http["path"] = "/"
        if not http.get("scheme"):
            http["scheme"] = "HTTP"
    grpc = handler.get("grpc")
    if grpc is not None:
        grpc.setdefault("service", "")


def _volume(volume: dict[str, Any]) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        if volume.get(source) is not None:
            volume[source].setdefault("defaultMode", _MODE)
    if volume.get("hostPath") is not None:
        volume["hostPath"].setdefault("type", "")
    _field_items(volume.get("downwardAPI"))
    for source in (volume.get("projected") or {}).get("sources") or []:
        token = source.get("serviceAccountToken")
        if token is not None:
            token.setdefault("expirationSeconds", 3600)
        _field_items(source.get("downwardAPI"))


def _field_items(downward: dict[str, Any] | None) -> None:
    for item in (downward or {}).get("items") or []:
        if item.get("fieldRef") is not None:
            item["fieldRef"].setdefault("apiVersion", "v1")
