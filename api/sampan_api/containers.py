"""What everybody asks of a pod's containers, whoever runs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def all_containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every container of a pod spec: init, regular, ephemeral."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or []


def mount_status(mount: dict[str, Any]) -> dict[str, Any]:
    """A volume mount as the status of its container tells it (KEP-3857)."""
    status = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        status |= {"readOnly": True, "recursiveReadOnly": mount.get("recursiveReadOnly") or "Disabled"}
    return status
