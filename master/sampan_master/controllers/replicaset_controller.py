"""ReplicaSet and ReplicationController, the loop: reads the informers, asks `replicaset` what to do, does it, writes
the status. One instance serves one kind.

It never makes a pod too many: while the caches do not show its last writes it does not act (`expectations`), a creation
with an unclear outcome is looked up first, and creations go in batches of 1, 2, 4, … that stop at an error. It never
deletes a pod too many: what is to go is decided anew on an uncached list of the pods, and each deletion is fenced by
the revision of the pod in that list. How many are wanted, and whether it may adopt, it reads from the set uncached.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from sampan_api import meta
from sampan_api.client import PODS, Client, DeleteOptions, EventType, Selection
from sampan_api.clock import Clock
from sampan_api.errors import ApiError, Conflict, Forbidden, InternalError, Invalid, NotFound
from sampan_api.meta import Key, Object
from sampan_api.recorder import EventRecorder
from sampan_api.selectors import LabelSelector, SelectorError

from sampan_master.controllers import replicaset
from sampan_master.controllers.expectations import Expectations
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.pod_facts import is_active
from sampan_master.controllers.replica_kinds import ReplicaKind
from sampan_master.controllers.replicaset import BURST
from sampan_master.controllers.try_all import try_all
from sampan_master.controllers.workqueue import WorkQueue, work

log = logging.getLogger(__name__)

_LOOK_AGAIN = 1.0
"""Seconds after which a lagging cache is looked at again without an event."""
_PAGE = 500


class ReplicaSetController:
    def __init__(self, kind: ReplicaKind, client: Client, clock: Clock, informers: Informers, workers: int) -> None:
        self._kind, self._client, self._clock, self._workers = kind, client, clock, workers
        self._pods, self._sets = informers.pods, informers[kind.resource]
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._expectations = Expectations(self._sets, self._pods)
        self._recorder = EventRecorder(client, clock, kind.component)
        self._selectors: dict[Key, LabelSelector] = {}
        """Of every set that has one which can be understood; nothing is done for the others."""
        self._sets.subscribe(self._on_set)
        self._pods.subscribe(self._on_pod)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(work(self._kind.resource.kind, self._queue, self.sync, self._workers))

    def _on_set(self, event: EventType, replica_set: Object, _old: Object | None) -> None:
        key = meta.key(replica_set)
        self._selectors.pop(key, None)
        if event is not EventType.DELETED:
            try:
                self._selectors[key] = self._kind.selector(replica_set)
            except SelectorError as error:
                log.warning("%s %s has a selector that is none: %s", self._kind.resource.kind, key, error)
        self._queue.add(key)

    def _on_pod(self, event: EventType, pod: Object, old: Object | None) -> None:
        for one in (pod, old):
            if one is not None and (owner := self._owner(one)) is not None:
                self._queue.add(owner)
        controller = meta.controller_of(pod)
        if controller is not None or event is EventType.DELETED:
            return
        if old is None or meta.labels(old) != meta.labels(pod) or meta.controller_of(old) is not None:
            self._offer(pod)

    def _offer(self, pod: Object) -> None:
        """Any set that matches a pod without a controller may adopt it; the first one does."""
        keys = [meta.key(one) for one in self._sets.by_index("namespace", meta.namespace(pod))]
        matching = [key for key in keys if key in self._selectors and self._selectors[key].matches(meta.labels(pod))]
        if len(matching) > 1:
            names = ", ".join(sorted(key.name for key in matching))
            log.warning("more than one %s selects pod %s: %s", self._kind.resource.kind, meta.key(pod), names)
        for key in matching:
            self._queue.add(key)

    def _owner(self, pod: Object) -> Key | None:
        reference = meta.controller_of(pod)
        if reference is None or reference.get("kind") != self._kind.resource.kind:
            return None
        key = Key(meta.namespace(pod), reference["name"])
        replica_set = self._sets.items.get(key)
        return key if replica_set is not None and meta.uid(replica_set) == reference["uid"] else None

    async def sync(self, key: Key) -> float | None:
        replica_set = self._sets.items.get(key)
        if replica_set is None:
            # A write that was under way when the set went has been noted since.
            self._expectations.forget(key)
        if replica_set is None or key not in self._selectors:
            return None
        if self._expectations.is_in_doubt(key):
            self._expectations.resolve(key, await self._list_pods(Selection(key.namespace)))
        if not self._expectations.satisfied(key):
            return _LOOK_AGAIN
        pods = self._candidates(replica_set)
        mine = await self._claim(key, replica_set, pods)
        terminating = replicaset.terminating(self._kind, replica_set, pods)
        failure, error = await self._scale(key, replica_set, mine)
        now = self._clock.now()
        status = replicaset.status(self._kind, replica_set, mine, terminating, failure, now)
        await self._write_status(key, replica_set, status)
        if error is not None:
            raise error
        return replicaset.until_available(replica_set, mine, now)

    def _candidates(self, replica_set: Object) -> list[Object]:
        """The pods that name this set as an owner, and those that nobody controls."""
        namespace, uid = meta.namespace(replica_set), meta.uid(replica_set)
        owned = [p for p in self._pods.by_index("owner", uid) if meta.controller_of(p) is not None]
        return owned + self._pods.by_index("uncontrolled", namespace)

    def _related(self, replica_set: Object) -> list[Object]:
        """Active pods of this set and of all sets with the same controller (a Deployment's others)."""
        controller = meta.controller_of(replica_set)
        siblings = [replica_set]
        if controller is not None:
            siblings = self._sets.by_index("owner", controller["uid"])
        return [p for s in siblings for p in self._pods.by_index("owner", meta.uid(s)) if is_active(p)]

    async def _list_pods(self, selection: Selection) -> list[Object]:
        """An uncached, consistent list, all pages of it."""
        page = await self._client.list(PODS, selection, limit=_PAGE)
        pods = list(page.items)
        while page.continue_:
            page = await self._client.list(PODS, selection, limit=_PAGE, continue_=page.continue_)
            pods += page.items
        return pods

    async def _claim(self, key: Key, replica_set: Object, pods: list[Object]) -> list[Object]:
        """Releases and adopts; returns the active pods that are ours then. Raises the first error, after all tries."""
        claims = replicaset.claims(self._kind, replica_set, pods)
        uid, reference = meta.uid(replica_set), replicaset.owner_reference(self._kind, replica_set)
        may_adopt = bool(claims.adopt) and await self._live(replica_set) is not None
        changes = [(pod, _owners_but(pod, uid)) for pod in claims.release]
        if may_adopt:
            changes += [(pod, [*_owners_but(pod, uid), reference]) for pod in claims.adopt]
        patched = await try_all(lambda change: self._set_owners(key, *change), changes, BURST)
        adopted = [pod for pod in patched if pod is not None and (meta.controller_of(pod) or {}).get("uid") == uid]
        return claims.mine + adopted

    async def _live(self, replica_set: Object) -> Object | None:
        """The set by an uncached read; None when it is gone, going, or another one of that name."""
        try:
            live = await self._client.get(self._kind.resource, meta.name(replica_set), meta.namespace(replica_set))
        except NotFound:
            return None
        return live if meta.uid(live) == meta.uid(replica_set) and not meta.is_deleting(live) else None

    async def _set_owners(self, key: Key, pod: Object, references: list[dict[str, Any]]) -> Object | None:
        """None when the pod is gone, or is another by now."""
        metadata = {
            "uid": meta.uid(pod),
            "resourceVersion": meta.resource_version(pod),
            "ownerReferences": references or None,
        }
        try:
            patched = await self._client.patch(PODS, meta.name(pod), {"metadata": metadata}, key.namespace)
        except (NotFound, Invalid):
            return None
        self._expectations.wrote_pod(key, patched)
        return patched

    async def _scale(
        self, key: Key, replica_set: Object, mine: list[Object]
    ) -> tuple[replicaset.Failure | None, ApiError | None]:
        if not replicaset.missing(replica_set, len(mine)) or (live := await self._live(replica_set)) is None:
            return None, None
        missing = replicaset.missing(live, len(mine))
        try:
            if missing > 0:
                await self._create(key, live, missing)
            elif missing < 0:
                await self._delete(key, live)
        except ApiError as error:
            if missing > 0 and _namespace_ends(error):
                # Nothing can be made there any more, and nobody needs to be told.
                return None, None
            if missing > 0:
                return replicaset.Failure("FailedCreate", error.message), error
            return replicaset.Failure("FailedDelete", f"unable to delete pods: {error.message}"), error
        return None, None

    async def _create(self, key: Key, replica_set: Object, count: int) -> None:
        batch = 1
        while count > 0:
            await try_all(lambda _: self._create_one(key, replica_set), range(min(batch, count)), BURST)
            count -= batch
            batch *= 2

    async def _create_one(self, key: Key, replica_set: Object) -> None:
        try:
            pod = await self._client.create(PODS, replicaset.new_pod(self._kind, replica_set), key.namespace)
        except ApiError as error:
            if error.code >= InternalError.code:
                # A server's failure does not say whether the pod was made.
                self._expectations.doubt(key)
            if not _namespace_ends(error):
                self._tell(replica_set, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        self._expectations.wrote_pod(key, pod)
        self._tell(replica_set, "Normal", "SuccessfulCreate", f"Created pod: {meta.name(pod)}")

    async def _delete(self, key: Key, live: Object) -> None:
        """The caches say there are too many pods. Deletes what is too many of those that are really there."""
        selector = self._kind.selector(live)
        listed = await self._list_pods(Selection(key.namespace, label_selector=str(selector)))
        mine = replicaset.claims(self._kind, live, listed).mine
        surplus = replicaset.surplus(live, mine, self._related(live), self._clock.now())
        await try_all(lambda pod: self._delete_one(key, live, pod), surplus, BURST)

    async def _delete_one(self, key: Key, replica_set: Object, pod: Object) -> None:
        fence = DeleteOptions(uid=meta.uid(pod), resource_version=meta.resource_version(pod))
        try:
            deleted = await self._client.delete(PODS, meta.name(pod), key.namespace, fence)
        except (NotFound, Conflict):
            # It is gone, or it has changed: of either there will be an event, and then we decide again.
            return
        except ApiError as error:
            self._tell(replica_set, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            raise
        self._expectations.wrote_pod(key, deleted)
        self._tell(replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")

    async def _write_status(self, key: Key, replica_set: Object, status: dict[str, object]) -> None:
        """Tries once more on the newest version of the set, as long as it is the same one."""
        if (replica_set.get("status") or {}) == status:
            return
        resource = self._kind.resource
        try:
            written = await self._client.update(resource, replica_set | {"status": status}, "status")
        except ApiError:
            live = await self._client.get(resource, key.name, key.namespace)
            if meta.uid(live) != meta.uid(replica_set):
                raise
            written = await self._client.update(resource, live | {"status": status}, "status")
        self._expectations.wrote_owner(key, written)

    def _tell(self, replica_set: Object, type_: str, reason: str, message: str) -> None:
        self._recorder.record(self._kind.resource, replica_set, type_, reason, message)


def _owners_but(pod: Object, uid: str) -> list[dict[str, Any]]:
    return [reference for reference in meta.owner_references(pod) if reference["uid"] != uid]


def _namespace_ends(error: ApiError) -> bool:
    causes = (error.details or {}).get("causes") or []
    return isinstance(error, Forbidden) and any(c.get("reason") == "NamespaceTerminating" for c in causes)
