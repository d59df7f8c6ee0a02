"""The objects that are there before anybody makes any: four namespaces and the system's priority classes."""

from __future__ import annotations

from sampan_api.client import NAMESPACES, PRIORITYCLASSES, Client
from sampan_api.errors import AlreadyExists
from sampan_api.meta import Object

from sampan_master.apiserver.resources.priorityclasses import SYSTEM_CLASSES

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_DESCRIPTIONS = {
    "system-cluster-critical": "For pods the cluster cannot do without; they may move to another node.",
    "system-node-critical": "For pods their node cannot do without; they stay where they are.",
}


def initial_objects() -> list[tuple[str, Object]]:
    found: list[tuple[str, Object]] = [
        ("Namespace", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}) for name in _NAMESPACES
    ]
    for name, value in SYSTEM_CLASSES.items():
        found.append(
            (
                "PriorityClass",
                {
                    "kind": "PriorityClass",
                    "apiVersion": "scheduling.k8s.io/v1",
                    "metadata": {"name": name},
                    "value": value,
                    "description": _DESCRIPTIONS[name],
                },
            )
        )
    return found


async def create_initial_objects(client: Client) -> None:
    for kind, obj in initial_objects():
        try:
            await client.create(NAMESPACES if kind == "Namespace" else PRIORITYCLASSES, obj)
        except AlreadyExists:
            continue
