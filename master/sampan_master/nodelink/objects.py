"""What a node may ask for: the ConfigMaps, Secrets and tokens that a pod bound to it names, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sampan_api.containers import all_containers
from sampan_api.meta import Object


class Reference(NamedTuple):
    kind: str
    namespace: str
    name: str


def references(pod: Object) -> Iterator[Reference]:
    """The ConfigMaps and Secrets named in the pod's spec."""
    namespace, spec = pod["metadata"].get("namespace", ""), pod.get("spec") or {}
    for kind, name in _named(spec):
        if name:
            yield Reference(kind, namespace, name)


def asks_for_token(pod: Object, audience: str, seconds: int) -> bool:
    """Whether one of the pod's volumes holds such a token of its service account."""
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        for source in (volume.get("projected") or {}).get("sources") or []:
            token = source.get("serviceAccountToken")
            if token and (token.get("audience", ""), token.get("expirationSeconds")) == (audience, seconds):
                return True
    return False


def _named(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for secret in spec.get("imagePullSecrets") or []:
        yield "Secret", secret.get("name", "")
    for volume in spec.get("volumes") or []:
        yield from _of_source(volume)
        for source in (volume.get("projected") or {}).get("sources") or []:
            yield from _of_source(source)
    for container in all_containers(spec):
        for source in container.get("envFrom") or []:
            yield "ConfigMap", (source.get("configMapRef") or {}).get("name", "")
            yield "Secret", (source.get("secretRef") or {}).get("name", "")
        for variable in container.get("env") or []:
            value_from = variable.get("valueFrom") or {}
            yield "ConfigMap", (value_from.get("configMapKeyRef") or {}).get("name", "")
            yield "Secret", (value_from.get("secretKeyRef") or {}).get("name", "")


def _of_source(source: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "ConfigMap", (source.get("configMap") or {}).get("name", "")
    secret = source.get("secret") or {}
    yield "Secret", secret.get("secretName") or secret.get("name", "")
