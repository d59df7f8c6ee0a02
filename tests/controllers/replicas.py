"""The controllers of ReplicaSets and ReplicationControllers alone, and what must hold of their pods after every single
write (invariant I9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from faults import Invariant, Moment
from faulty_client import Fate
from sampan_api import meta
from sampan_api.client import PODS, REPLICASETS, REPLICATIONCONTROLLERS, Client
from sampan_api.clock import Clock
from sampan_api.meta import Object
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.pod_facts import is_active
from sampan_master.controllers.replica_kinds import REPLICA_SET, REPLICATION_CONTROLLER
from sampan_master.controllers.replicaset_controller import ReplicaSetController

KINDS = ("ReplicaSet", "ReplicationController")


async def start(client: Client, clock: Clock) -> None:
    informers = Informers(client, clock, [PODS, REPLICASETS, REPLICATIONCONTROLLERS])
    kinds = (REPLICA_SET, REPLICATION_CONTROLLER)
    controllers = [ReplicaSetController(kind, client, clock, informers, workers=5) for kind in kinds]
    async with asyncio.TaskGroup() as tasks:
        for informer in informers.all:
            tasks.create_task(informer.run())
        await informers.synced()
        for controller in controllers:
            tasks.create_task(controller.run())


def owner_of(pod: Object) -> str:
    reference = meta.controller_of(pod)
    return reference["uid"] if reference is not None and reference["kind"] in KINDS else ""


def live(moment: Moment, uid: str) -> int:
    return sum(owner_of(pod) == uid and is_active(pod) for pod in moment.objects("Pod").values())


def replicas(moment: Moment, uid: str) -> int | None:
    found = (o for kind in KINDS for o in moment.objects(kind).values() if meta.uid(o) == uid)
    return next((o["spec"]["replicas"] for o in found), None)


def never_too_many(wanted: Callable[[Moment, str], int | None] = replicas) -> Invariant:
    """A set's new pod makes no more of them alive than it wants, but for writes that come late. `wanted`: how many
    the controller may have been asked for, when its caches lag."""

    def check(moment: Moment) -> None:
        if moment.kind != "Pod" or moment.before is not None or moment.after is None:
            return
        uid = owner_of(moment.after)
        most = wanted(moment, uid) if uid else None
        if most is not None:
            late = sum(write.fate is Fate.LATE for write in moment.writes)
            assert live(moment, uid) <= most + late

    return check


def only_its_own(moment: Moment) -> None:
    """What a controller deletes is a pod that a set of its kind controls."""
    pod = _deleted(moment)
    assert pod is None or owner_of(pod), "a pod was deleted that no set controls"


def never_too_few(moment: Moment) -> None:
    """What a controller deletes leaves as many as are wanted."""
    if (pod := _deleted(moment)) is not None:
        uid = owner_of(pod)
        least = replicas(moment, uid)
        assert least is None or live(moment, uid) >= least


def _deleted(moment: Moment) -> Object | None:
    """The pod that was alive before this write and is deleted by it, on the wish of the controllers."""
    pod = moment.before
    if moment.kind != "Pod" or pod is None or not is_active(pod):
        return None
    if moment.after is not None and is_active(moment.after):
        return None
    done = (write for write in moment.writes if write.verb == "delete" and write.result is not None)
    return pod if any(write.arguments[2].uid == meta.uid(pod) for write in done) else None


ALWAYS = (never_too_many(), never_too_few, only_its_own)
