"""What is known of the owners that references name: the cache is believed when it says "there", a live GET otherwise.

Coordinates, not uids, are remembered as absent: a reference may name an existing owner by the wrong name, kind or
namespace, and must not make it absent for those that name it rightly.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from sampan_api import meta
from sampan_api.client import Client, Resource
from sampan_api.errors import NotFound
from sampan_api.meta import Object

from sampan_master.controllers import garbage
from sampan_master.controllers.garbage import Owner
from sampan_master.controllers.informers import Informers

_REMEMBERED_ABSENT = 5000


class Coordinates(NamedTuple):
    resource: Resource
    namespace: str
    name: str
    uid: str


class Owners:
    def __init__(self, client: Client, informers: Informers) -> None:
        self._client, self._informers = client, informers
        self._absent: OrderedDict[Coordinates, None] = OrderedDict()

    async def state(self, dependent: Object, reference: dict[str, Any]) -> Owner:
        resource = garbage.owner_resource(reference)
        if resource is None or (resource.namespaced and not meta.namespace(dependent)):
            return Owner.UNKNOWN
        namespace = meta.namespace(dependent) if resource.namespaced else ""
        wanted = Coordinates(resource, namespace, reference["name"], reference["uid"])
        if wanted in self._absent:
            return Owner.ABSENT
        cached = self._cached(wanted)
        if cached is not None and not garbage.waits_for_dependents(cached):
            return Owner.SOLID
        live = await self._live(wanted)
        if live is None:
            return Owner.ABSENT
        return Owner.WAITING if garbage.waits_for_dependents(live) else Owner.SOLID

    def is_elsewhere(self, dependent: Object, reference: dict[str, Any]) -> bool:
        """Whether the owner exists, in a namespace from which it cannot own this dependent."""
        resource = garbage.owner_resource(reference)
        if resource is None or not resource.namespaced or not self._informers.follows(resource):
            return False
        here = meta.namespace(dependent)
        return any(
            meta.uid(other) == reference["uid"] and key.namespace != here
            for key, other in self._informers[resource].items.items()
        )

    def _cached(self, wanted: Coordinates) -> Object | None:
        if not self._informers.follows(wanted.resource):
            return None
        cached = self._informers[wanted.resource].get(wanted.name, wanted.namespace)
        return cached if cached is not None and meta.uid(cached) == wanted.uid else None

    async def _live(self, wanted: Coordinates) -> Object | None:
        try:
            live = await self._client.get(wanted.resource, wanted.name, wanted.namespace)
        except NotFound:
            live = None
        if live is not None and meta.uid(live) == wanted.uid:
            return live
        self._absent[wanted] = None
        if len(self._absent) > _REMEMBERED_ABSENT:
            self._absent.popitem(last=False)
        return None
