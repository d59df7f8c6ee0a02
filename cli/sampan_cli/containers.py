"""Which pod is meant by a word, and which container of it when none is named, and that it exists when one is."""

from __future__ import annotations

import sys
from typing import Any

from sampan_cli.errors import CliError
from sampan_cli.session import Session, targets

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def pod_of(session: Session, word: str, announce: bool = False) -> dict[str, Any]:
    """A pod, or the first pod of what `type/name` selects."""
    if "/" not in word:
        return dict(session.api.call("GET", f"/api/v1/namespaces/{session.namespace}/pods/{word}"))
    target = targets(session, [word])[0]
    obj = session.api.call("GET", target.resource.path(session.namespace, target.name))
    if target.resource.qualified == "pods":
        return dict(obj)
    labels = (obj.get("spec", {}).get("selector") or {}).get("matchLabels")
    if not labels:
        raise CliError(f"error: cannot get a pod of {target.resource.qualified}: selector not found")
    query = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items())}
    pods = session.api.call("GET", f"/api/v1/namespaces/{session.namespace}/pods", query)["items"]
    if not pods:
        raise CliError(f"error: no pods found for {word}")
    if len(pods) > 1 and announce:
        print(f"Found {len(pods)} pods, using pod/{pods[0]['metadata']['name']}", file=sys.stderr)
    return dict(pods[0])


def names(pod: dict[str, Any]) -> list[str]:
    """Init containers first, then the containers, then the ephemeral ones."""
    spec = pod["spec"]
    fields = ("initContainers", "containers", "ephemeralContainers")
    return [container["name"] for field in fields for container in spec.get(field) or []]


def choose(pod: dict[str, Any], wanted: str) -> str:
    if wanted:
        if wanted not in names(pod):
            where = f"{pod['metadata']['name']}"
            raise CliError(f"error: container {wanted} is not valid for pod {where} out of: {_said(pod)}")
        return wanted
    annotated = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    if annotated in names(pod):
        return str(annotated)
    first = str(pod["spec"]["containers"][0]["name"])
    if len(names(pod)) > 1:
        print(f'Defaulted container "{first}" out of: {_said(pod)}', file=sys.stderr)
    return first


def _said(pod: dict[str, Any]) -> str:
    spec = pod["spec"]
    said = [c["name"] for c in spec["containers"]]
    said += [f"{c['name']} (init)" for c in spec.get("initContainers") or []]
    said += [f"{c['name']} (ephem)" for c in spec.get("ephemeralContainers") or []]
    return ", ".join(said)
