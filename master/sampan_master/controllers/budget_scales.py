"""How many pods the owners of a budget's pods want in all: what shares and maxUnavailable are counted from.

A ReplicaSet's Deployment is asked instead of it. What has no scale cannot be counted, and that is told.
"""

from __future__ import annotations

from typing import Any

from sampan_api import meta
from sampan_api.client import (
    DEPLOYMENTS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    STATEFULSETS,
    Client,
    Resource,
)
from sampan_api.errors import NotFound
from sampan_api.meta import Object

from sampan_master.controllers import garbage
from sampan_master.controllers.informers import Informers

SCALABLE: tuple[Resource, ...] = (REPLICATIONCONTROLLERS, DEPLOYMENTS, REPLICASETS, STATEFULSETS)


class Uncountable(Exception):
    """The owners do not say how many pods they want."""


class Scales:
    def __init__(self, client: Client, informers: Informers) -> None:
        self._client, self._informers = client, informers

    async def of(self, pods: list[Object]) -> tuple[dict[str, int], bool]:
        """Uid of an owner -> how many it wants; and whether some pods have none. Raises Uncountable."""
        scales: dict[str, int] = {}
        asked: set[str] = set()
        unmanaged = False
        for pod in pods:
            reference = meta.controller_of(pod)
            if reference is None:
                unmanaged = True
            elif reference["uid"] not in asked:
                asked.add(reference["uid"])
                scales.update([await self._scale(pod, reference)])
        return scales, unmanaged

    async def _scale(self, pod: Object, reference: dict[str, Any]) -> tuple[str, int]:
        """The uid of whoever wants the pod, and how many it wants in all."""
        resource = _scalable(reference)
        owner = await self._owner(resource, reference, pod)
        if owner is None:
            raise Uncountable(f'found no controllers for pod "{meta.name(pod)}"')
        above = meta.controller_of(owner) if resource == REPLICASETS else None
        deployment = None
        if above is not None and garbage.owner_resource(above) == DEPLOYMENTS:
            deployment = await self._owner(DEPLOYMENTS, above, owner)
        wants = deployment or owner
        return meta.uid(wants), (wants.get("spec") or {}).get("replicas", 1)

    async def _owner(self, resource: Resource, reference: dict[str, Any], owned: Object) -> Object | None:
        """The cache may not show an owner that was made a moment ago: then it is asked for."""
        name, namespace = reference["name"], meta.namespace(owned)
        cached = self._informers[resource].get(name, namespace)
        if cached is not None and meta.uid(cached) == reference["uid"]:
            return cached
        try:
            live = await self._client.get(resource, name, namespace)
        except NotFound:
            return None
        return live if meta.uid(live) == reference["uid"] else None


def _scalable(reference: dict[str, Any]) -> Resource:
    resource = garbage.owner_resource(reference)
    if resource is None:
        raise Uncountable(f'no matches for kind "{reference["kind"]}" in version "{reference["apiVersion"]}"')
    if resource not in SCALABLE:
        name = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        raise Uncountable(f"{name} does not implement the scale subresource")
    return resource
