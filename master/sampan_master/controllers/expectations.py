"""What a controller has done and its cache does not show yet. Until it does, the controller must not act again.

A creation is seen when the informer has come as far as the revision it got; a deletion when the informer shows the pod
gone or going. A creation with an unclear outcome puts the owner in doubt: only a consistent list can tell.
"""

from __future__ import annotations

from sampan_api import meta
from sampan_api.informer import Informer
from sampan_api.meta import Key, Object


class Expectations:
    def __init__(self, pods: Informer) -> None:
        self._pods = pods
        self._created: dict[Key, int] = {}
        self._deleted: dict[Key, dict[Key, str]] = {}
        self._in_doubt: set[Key] = set()

    def created(self, owner: Key, pod: Object) -> None:
        self._created[owner] = max(self._created.get(owner, 0), int(meta.resource_version(pod)))

    def deleted(self, owner: Key, pod: Object) -> None:
        self._deleted.setdefault(owner, {})[meta.key(pod)] = meta.uid(pod)

    def doubt(self, owner: Key) -> None:
        self._in_doubt.add(owner)

    def is_in_doubt(self, owner: Key) -> bool:
        return owner in self._in_doubt

    def resolve(self, owner: Key, listed: list[Object]) -> None:
        """`listed` is a consistent list of the owner's pods: what the cache lacks of it is now expected."""
        for pod in listed:
            known = self._pods.items.get(meta.key(pod))
            if known is None or meta.uid(known) != meta.uid(pod):
                self.created(owner, pod)
        self._in_doubt.discard(owner)

    def satisfied(self, owner: Key) -> bool:
        if owner in self._in_doubt:
            return False
        if self._created.get(owner, 0) > int(self._pods.revision or 0):
            return False
        self._created.pop(owner, None)
        pending = self._deleted.get(owner, {})
        for key in [key for key, uid in pending.items() if self._sees_deletion(key, uid)]:
            del pending[key]
        if pending:
            return False
        self._deleted.pop(owner, None)
        return True

    def forget(self, owner: Key) -> None:
        self._created.pop(owner, None)
        self._deleted.pop(owner, None)
        self._in_doubt.discard(owner)

    def _sees_deletion(self, key: Key, uid: str) -> bool:
        pod = self._pods.items.get(key)
        return pod is None or meta.uid(pod) != uid or meta.is_deleting(pod)
