"""The informers all controllers share, and the indexes they agree on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from sampan_api import meta
from sampan_api.client import EVENTS, NODES, PODS, Client, Resource
from sampan_api.clock import Clock
from sampan_api.informer import Informer
from sampan_api.meta import Object

from sampan_master.apiserver.resources.table import BUILT_IN


def _each_once() -> Iterable[Resource]:
    """Every kind that can be followed, in one version only. Events own nothing and nobody owns them."""
    seen: set[str] = {EVENTS.plural}
    for one in BUILT_IN.types:
        if one.storage_name not in seen and {"list", "watch", "delete"} <= set(one.verbs):
            seen.add(one.storage_name)
            yield one.resource


WATCHED: tuple[Resource, ...] = tuple(_each_once())


class Informers:
    def __init__(self, client: Client, clock: Clock, resources: Iterable[Resource] = WATCHED) -> None:
        self._by_resource = {resource: Informer(client, resource, clock) for resource in resources}
        for informer in self._by_resource.values():
            informer.add_index("owner", _owner_uids)
            informer.add_index("namespace", _namespace)
        if self.follows(PODS):
            self.pods.add_index("node", _node)
            self.pods.add_index("uncontrolled", _namespace_if_uncontrolled)

    def __getitem__(self, resource: Resource) -> Informer:
        return self._by_resource[resource]

    def follows(self, resource: Resource) -> bool:
        return resource in self._by_resource

    @property
    def all(self) -> list[Informer]:
        return list(self._by_resource.values())

    @property
    def pods(self) -> Informer:
        return self._by_resource[PODS]

    @property
    def nodes(self) -> Informer:
        return self._by_resource[NODES]

    async def synced(self) -> None:
        await asyncio.gather(*(informer.synced() for informer in self.all))


def _owner_uids(obj: Object) -> list[str]:
    return [reference["uid"] for reference in meta.owner_references(obj)]


def _namespace(obj: Object) -> list[str]:
    return [meta.namespace(obj)]


def _node(pod: Object) -> list[str]:
    return [pod["spec"].get("nodeName") or ""]


def _namespace_if_uncontrolled(pod: Object) -> list[str]:
    return [meta.namespace(pod)] if meta.controller_of(pod) is None else []
