"""What a controller has written and its caches do not show yet. Until they do, it must not act on that owner again.

A write is seen when the informer has come as far as the revision it got. Nothing expires: informers always get there.
A creation with an unclear outcome puts the owner in doubt. Only a consistent list of pods can end that; what the list
has seen the cache must see before anything is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sampan_api import meta
from sampan_api.informer import Informer
from sampan_api.meta import Key, Object


@dataclass(slots=True)
class _Expected:
    """Of one owner: the revision each informer must reach."""

    revisions: dict[Informer, int] = field(default_factory=dict)
    in_doubt: bool = False


class Expectations:
    def __init__(self, owners: Informer, pods: Informer) -> None:
        self._owners, self._pods = owners, pods
        self._expected: dict[Key, _Expected] = {}

    def wrote_pod(self, owner: Key, pod: Object) -> None:
        self._reach(owner, self._pods, pod)

    def wrote_owner(self, owner: Key, written: Object) -> None:
        self._reach(owner, self._owners, written)

    def doubt(self, owner: Key) -> None:
        self._of(owner).in_doubt = True

    def is_in_doubt(self, owner: Key) -> bool:
        expected = self._expected.get(owner)
        return expected is not None and expected.in_doubt

    def resolve(self, owner: Key, listed: Iterable[Object]) -> None:
        """Ends the doubt. `listed` are the pods there are, by a consistent list begun after the doubt."""
        for pod in listed:
            self.wrote_pod(owner, pod)
        self._of(owner).in_doubt = False

    def satisfied(self, owner: Key) -> bool:
        expected = self._expected.get(owner)
        if expected is None:
            return True
        if expected.in_doubt or any(int(i.revision or 0) < revision for i, revision in expected.revisions.items()):
            return False
        del self._expected[owner]
        return True

    def forget(self, owner: Key) -> None:
        self._expected.pop(owner, None)

    def _of(self, owner: Key) -> _Expected:
        return self._expected.setdefault(owner, _Expected())

    def _reach(self, owner: Key, informer: Informer, written: Object) -> None:
        """What a deletion answers may have no revision; there is nothing to wait for then."""
        revisions = self._of(owner).revisions
        revisions[informer] = max(revisions.get(informer, 0), int(meta.resource_version(written) or 0))
