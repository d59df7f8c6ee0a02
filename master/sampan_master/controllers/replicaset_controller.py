"""ReplicaSet, the loop: reads the informers, asks `replicaset` what to do, does it, writes the status.

It never makes a pod too many: while the cache does not show its last creations it does not act (`expectations`), a
creation with an unclear outcome is looked up first, and creations go in batches of 1, 2, 4, … that stop at an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from sampan_api import meta
from sampan_api.client import PODS, REPLICASETS, Client, DeleteOptions, EventType, Selection
from sampan_api.clock import Clock
from sampan_api.errors import (
    ApiError,
    Conflict,
    Forbidden,
    InternalError,
    Invalid,
    NotFound,
    ServerTimeout,
    ServiceUnavailable,
)
from sampan_api.meta import Key, Object
from sampan_api.recorder import EventRecorder

from sampan_master.controllers import replicaset
from sampan_master.controllers.expectations import Expectations
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.pod_facts import is_active
from sampan_master.controllers.workqueue import WorkQueue, work

_UNCLEAR = (InternalError, ServerTimeout, ServiceUnavailable)
_LOOK_AGAIN = 1.0
"""Seconds after which unmet expectations are checked without an event: the event may have been missed."""


class ReplicaSetController:
    def __init__(self, client: Client, clock: Clock, informers: Informers, workers: int) -> None:
        self._client, self._clock, self._workers = client, clock, workers
        self._pods, self._sets = informers.pods, informers[REPLICASETS]
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._expectations = Expectations(self._pods)
        self._recorder = EventRecorder(client, clock, "replicaset-controller")
        self._sets.subscribe(self._on_set)
        self._pods.subscribe(self._on_pod)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(work("replicaset", self._queue, self.sync, self._workers))

    def _on_set(self, event: EventType, replica_set: Object, _old: Object | None) -> None:
        if event is EventType.DELETED:
            self._expectations.forget(meta.key(replica_set))
        self._queue.add(meta.key(replica_set))

    def _on_pod(self, event: EventType, pod: Object, old: Object | None) -> None:
        owner = self._owner(pod)
        previous = self._owner(old) if old is not None else None
        for key in {owner, previous} - {None}:
            assert key is not None
            self._queue.add(key)
        changed = event is not EventType.MODIFIED or old is None or meta.labels(old) != meta.labels(pod)
        if meta.controller_of(pod) is None and (changed or previous is not None):
            for replica_set in self._sets.by_index("namespace", meta.namespace(pod)):
                if replicaset.selector(replica_set).matches(meta.labels(pod)):
                    self._queue.add(meta.key(replica_set))

    def _owner(self, pod: Object) -> Key | None:
        reference = meta.controller_of(pod)
        if reference is None or reference.get("kind") != "ReplicaSet":
            return None
        key = Key(meta.namespace(pod), reference["name"])
        replica_set = self._sets.items.get(key)
        return key if replica_set is not None and meta.uid(replica_set) == reference["uid"] else None

    async def sync(self, key: Key) -> float | None:
        replica_set = self._sets.items.get(key)
        if replica_set is None:
            return None
        if self._expectations.is_in_doubt(key):
            await self._look_up(key, replica_set)
        may_scale = self._expectations.satisfied(key)
        pods = self._candidates(replica_set)
        mine = await self._claim(replica_set, pods)
        now = self._clock.now()
        error: ApiError | None = None
        failure: replicaset.Failure | None = None
        if may_scale:
            plan = replicaset.scaling(replica_set, mine, self._related(replica_set), now)
            failure, error = await self._scale(key, replica_set, plan)
        status = replicaset.status(
            replica_set, mine, replicaset.terminating(replica_set, pods), failure, self._clock.now()
        )
        await self._write_status(replica_set, status)
        if error is not None:
            raise error
        if not self._expectations.satisfied(key):
            return _LOOK_AGAIN
        return replicaset.until_available(replica_set, mine, now)

    def _candidates(self, replica_set: Object) -> list[Object]:
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

    async def _look_up(self, key: Key, replica_set: Object) -> None:
        """A consistent list of our pods ends the doubt about creations with an unclear outcome."""
        listed: list[Object] = []
        continue_ = ""
        while True:
            page = await self._client.list(PODS, Selection(key.namespace), limit=500, continue_=continue_)
            listed += page.items
            if not (continue_ := page.continue_):
                break
        uid = meta.uid(replica_set)
        self._expectations.resolve(key, [p for p in listed if (meta.controller_of(p) or {}).get("uid") == uid])

    async def _claim(self, replica_set: Object, pods: list[Object]) -> list[Object]:
        claims = replicaset.claims(replica_set, pods)
        for pod in claims.release:
            await self._set_owners(pod, [r for r in meta.owner_references(pod) if r["uid"] != meta.uid(replica_set)])
        if claims.adopt and await self._may_adopt(replica_set):
            reference = replicaset.owner_reference(replica_set)
            for pod in claims.adopt:
                adopted = await self._set_owners(pod, [*meta.owner_references(pod), reference])
                if adopted is not None:
                    claims.mine.append(adopted)
        return claims.mine

    async def _may_adopt(self, replica_set: Object) -> bool:
        """The cache may be behind: a set that is being deleted, or another of that name, must adopt nothing."""
        live = await self._client.get(REPLICASETS, meta.name(replica_set), meta.namespace(replica_set))
        return meta.uid(live) == meta.uid(replica_set) and not meta.is_deleting(live)

    async def _set_owners(self, pod: Object, references: list[dict[str, object]]) -> Object | None:
        metadata = {
            "uid": meta.uid(pod),
            "resourceVersion": meta.resource_version(pod),
            "ownerReferences": references or None,
        }
        try:
            return await self._client.patch(PODS, meta.name(pod), {"metadata": metadata}, meta.namespace(pod))
        except (NotFound, Invalid):
            return None

    async def _scale(
        self, key: Key, replica_set: Object, plan: replicaset.Scaling
    ) -> tuple[replicaset.Failure | None, ApiError | None]:
        try:
            if plan.create:
                await self._create(key, replica_set, plan.create)
            elif plan.delete:
                await _all(self._delete(key, replica_set, pod) for pod in plan.delete)
        except ApiError as error:
            reason = "FailedCreate" if plan.create else "FailedDelete"
            return replicaset.Failure(reason, error.message), error
        return None, None

    async def _create(self, key: Key, replica_set: Object, count: int) -> None:
        batch = 1
        while count > 0:
            await _all(self._create_one(key, replica_set) for _ in range(min(batch, count)))
            count -= batch
            batch *= 2

    async def _create_one(self, key: Key, replica_set: Object) -> None:
        try:
            pod = await self._client.create(PODS, replicaset.new_pod(replica_set), key.namespace)
        except ApiError as error:
            if isinstance(error, _UNCLEAR):
                self._expectations.doubt(key)
            if not _namespace_ends(error):
                message = f"Error creating: {error.message}"
                self._recorder.record(REPLICASETS, replica_set, "Warning", "FailedCreate", message)
            raise
        self._expectations.created(key, pod)
        message = f"Created pod: {meta.name(pod)}"
        self._recorder.record(REPLICASETS, replica_set, "Normal", "SuccessfulCreate", message)

    async def _delete(self, key: Key, replica_set: Object, pod: Object) -> None:
        try:
            await self._client.delete(PODS, meta.name(pod), key.namespace, DeleteOptions(uid=meta.uid(pod)))
        except (NotFound, Conflict):
            return
        except ApiError as error:
            message = f"Error deleting: {error.message}"
            self._recorder.record(REPLICASETS, replica_set, "Warning", "FailedDelete", message)
            raise
        self._expectations.deleted(key, pod)
        message = f"Deleted pod: {meta.name(pod)}"
        self._recorder.record(REPLICASETS, replica_set, "Normal", "SuccessfulDelete", message)

    async def _write_status(self, replica_set: Object, status: dict[str, object]) -> None:
        if (replica_set.get("status") or {}) == status:
            return
        await self._client.update(REPLICASETS, replica_set | {"status": status}, "status")


async def _all(calls: Iterable[Awaitable[None]]) -> None:
    """Runs all calls at once and to their end, then raises the first error."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if result is not None:
            raise result


def _namespace_ends(error: ApiError) -> bool:
    causes = (error.details or {}).get("causes") or []
    return isinstance(error, Forbidden) and any(c.get("reason") == "NamespaceTerminating" for c in causes)
