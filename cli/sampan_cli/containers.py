"""Which container of a pod is meant when none is named, and that it exists when one is."""

from __future__ import annotations

import sys
from typing import Any

from sampan_cli.errors import CliError

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


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
