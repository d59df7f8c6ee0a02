"""The kubelets' part in pods, for all nodes in one: what is bound to a node of ours is taken on, lived through, told of
and, when it is deleted, let go.

    pod event ──► record: plan, life ──► timer at `life.until` ──► step ──► outbox ──► status patch, final deletion

A record stands for the one pod with that uid; every write says so, and one that is refused for it ends the record.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from sampan_api import meta
from sampan_api.client import PODS, Client, DeleteOptions, EventType, PatchType
from sampan_api.clock import Clock
from sampan_api.errors import ApiError, Conflict, NotFound
from sampan_api.meta import Key, Object

from sampan_sim import life as lives
from sampan_sim.config import Config
from sampan_sim.counters import Counters
from sampan_sim.life import Life, Plan, Stage
from sampan_sim.outbox import Outbox
from sampan_sim.registration import SimNode
from sampan_sim.status import Place, change, ordinal_of, pod_status, taken_over
from sampan_sim.telling import Teller
from sampan_sim.timers import Timers

log = logging.getLogger(__name__)

_OWNERS_REMEMBERED = 10_000
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 30.0
_NO_ADDRESS_PAUSE = 10.0
_SILENCE = 5.0
_DEFAULT_GRACE = 30.0


@dataclass(slots=True, eq=False)
class Record:
    """`pod` is the newest state that is known. `told_since`: when the oldest stage that is not written yet began."""

    pod: Object
    node: SimNode
    plan: Plan
    life: Life
    ordinal: int
    ip: str = ""
    own: str = ""
    """resourceVersion of our own last write, whose echo needs no thought."""
    untold_since: float = 0.0
    pause: float = 0.0
    gone: bool = False
    """It was told to go; finalizers of others may hold it."""

    @property
    def place(self) -> Place:
        return Place(self.node.host_ip, self.ip, self.ordinal)


class Pods:
    def __init__(
        self,
        client: Client,
        clock: Clock,
        config: Config,
        nodes: Mapping[str, SimNode],
        counters: Counters,
        teller: Teller,
    ) -> None:
        self._client, self._config, self._nodes = client, config, nodes
        self._counters, self._teller = counters, teller
        self._records: dict[Key, Record] = {}
        self._owners: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._silent_until = 0.0
        self.timers: Timers[Key] = Timers(clock, self._due)
        self.outbox: Outbox[Key] = Outbox(self._write)

    def __len__(self) -> int:
        return len(self._records)

    def take_over(self, pods: Iterable[Object]) -> None:
        """Those that are there at the start. A generated one whose number is not known was told of to nobody: it gets
        one that is missing, before any that comes later."""
        ours = [pod for pod in pods if (pod["spec"].get("nodeName") or "") in self._nodes]
        held: dict[tuple[str, str], set[int]] = {}
        for pod in ours:
            ordinal = ordinal_of(pod)
            if ordinal is not None:
                held.setdefault(_owner(pod), set()).add(ordinal)
        for pod in sorted(ours, key=lambda pod: (ordinal_of(pod) is None, pod["metadata"]["creationTimestamp"])):
            ordinal, taken = ordinal_of(pod), held.setdefault(_owner(pod), set())
            if ordinal is None:
                ordinal = next(number for number in count() if number not in taken)
                taken.add(ordinal)
            self._take_on(meta.key(pod), pod, self._nodes[pod["spec"]["nodeName"]], ordinal)

    def on_pod(self, event: EventType, pod: Object, _old: Object | None) -> None:
        key = meta.key(pod)
        record = self._records.get(key)
        if event is EventType.DELETED:
            if record is not None and meta.uid(record.pod) == meta.uid(pod):
                self._drop(key)
            return
        if record is None:
            node = self._nodes.get(pod["spec"].get("nodeName") or "")
            if node is not None:
                self._take_on(key, pod, node, None)
        elif meta.resource_version(pod) != record.own:
            record.pod = pod
            self._look(key, record)
        else:
            record.pod = pod

    def forget_node(self, name: str) -> None:
        for key in [key for key, record in self._records.items() if record.node.name == name]:
            self._drop(key)

    def _take_on(self, key: Key, pod: Object, node: SimNode, ordinal: int | None) -> None:
        now = self.timers.now()
        known = ordinal_of(pod) is not None
        plan, ordinal = self._plan(pod, ordinal)
        record = Record(pod, node, plan, taken_over(pod, plan, now), ordinal)
        self._records[key] = record
        self._counters.pods_taken_on += 1
        address = (pod.get("status") or {}).get("podIP") or ""
        if known and address and not record.life.over and not pod["spec"].get("hostNetwork"):
            record.ip = address if node.addresses.keep(address) else ""
        self._look(key, record)

    def _plan(self, pod: Object, ordinal: int | None) -> tuple[Plan, int]:
        metadata, spec = pod["metadata"], pod["spec"]
        namespace, generated = metadata["namespace"], metadata.get("generateName") or ""
        name: tuple[str | int, ...] = (namespace, metadata["name"])
        if generated:
            ordinal = self._number(_owner(pod), ordinal)
            name = (namespace, generated, ordinal)
        behaviour = self._config.behaviour(namespace, meta.labels(pod))
        deadline, policy = spec.get("activeDeadlineSeconds"), spec.get("restartPolicy") or "Always"
        return Plan(self._config.seed, name, behaviour, policy, deadline, self._config.back_off), ordinal or 0

    def _number(self, owner: tuple[str, str], known: int | None) -> int:
        """Which pod of its generated name it is: the first, the second, … that came to us. One that is `known` keeps
        its number, and those that come later go on from there."""
        following = self._owners.pop(owner, 0)
        number = following if known is None else known
        self._owners[owner] = max(following, number + 1)
        if len(self._owners) > _OWNERS_REMEMBERED:
            self._owners.popitem(last=False)
        return number

    def _look(self, key: Key, record: Record) -> None:
        """Somebody has changed the pod, or it is new."""
        now = self.timers.now()
        if meta.is_deleting(record.pod):
            grace = record.pod["metadata"].get("deletionGracePeriodSeconds")
            seconds = _DEFAULT_GRACE if grace is None else float(grace)
            if record.life.stage is not Stage.STOPPING and record.life.alive:
                self._teller.stopping(record.pod)
            stopping = lives.stop(record.life, record.plan, now, seconds)
            record.life = lives.hurry(stopping, record.plan, now, seconds)
        self._advance(key, record, now, changed=True)

    def _due(self, key: Key) -> None:
        record = self._records.get(key)
        if record is None:
            return
        if record.pause:
            self.outbox.put(key)
        self._advance(key, record, self.timers.now(), changed=False)

    def _advance(self, key: Key, record: Record, now: float, *, changed: bool) -> None:
        """Takes the steps that are due; what is to be told waits until the merge window is over or nothing more comes
        within it."""
        while record.life.until is not None and record.life.until <= now:
            if not self._may_start(record, now):
                break
            before, record.life = record.life, lives.step(record.life, record.plan)
            self._account(record, before)
            changed = True
        if changed and not record.untold_since:
            record.untold_since = now
        until = record.life.until
        if record.untold_since and self._is_worth_telling(record, now):
            record.untold_since = 0.0
            self.outbox.put(key)
        if until is not None:
            self.timers.set(key, until)

    def _is_worth_telling(self, record: Record, now: float) -> bool:
        until, window = record.life.until, self._config.merge
        return until is None or until > now + window or now >= record.untold_since + window

    def _may_start(self, record: Record, now: float) -> bool:
        """A pod starts with an address of its own; without one it waits."""
        if record.life.stage is not Stage.CREATING or record.ip or record.pod["spec"].get("hostNetwork"):
            return True
        record.ip = record.node.addresses.take()
        if record.ip:
            return True
        self._teller.no_address(record.pod, record.node.name)
        record.life = lives.put_off(record.life, now + _NO_ADDRESS_PAUSE)
        return False

    def _account(self, record: Record, before: Life) -> None:
        life, counters = record.life, self._counters
        if life.alive and not (before.alive and before.attempt == life.attempt):
            counters.containers_started += 1
            self._teller.started(record.pod, life.attempt)
        ended = life.run if life.run is not None and life.run.finished else life.before
        if before.stage is Stage.RUNNING and before.run is not ended and ended is not None and ended.exit_code:
            counters.containers_failed += not (life.alive and before.attempt == life.attempt)
        if life.stage is Stage.WAITING:
            self._teller.backing_off(record.pod)
        if not life.over:
            return
        if record.ip:
            record.node.addresses.give_back(record.ip)
        if life.stage is Stage.ENDED:
            good = life.run is not None and not life.run.exit_code
            counters.succeeded += good
            counters.failed += not good

    def _drop(self, key: Key) -> None:
        record = self._records.pop(key)
        self.timers.cancel(key)
        if record.ip and not record.life.over:
            record.node.addresses.give_back(record.ip)

    async def _write(self, key: Key) -> None:
        record = self._records.get(key)
        if record is None or record.gone:
            return
        try:
            await self._tell(key, record)
            if record.life.stage is Stage.STOPPED:
                options = DeleteOptions(grace_seconds=0, uid=meta.uid(record.pod))
                record.gone = True
                await self._client.delete(PODS, key.name, key.namespace, options)
                self._counters.deleted += 1
        except (NotFound, Conflict):
            # Gone, or another pod of that name: the informer has or will have told.
            return
        except ApiError as error:
            self._retry(key, record, error)
        else:
            record.pause = 0.0

    async def _tell(self, key: Key, record: Record) -> None:
        life = record.life
        if life.stage is Stage.STOPPED and life.run is None:
            return
        wanted = change(record.pod, pod_status(record.pod, life, record.place, self.timers.now()))
        if not wanted:
            return
        patch = {"metadata": {"uid": meta.uid(record.pod)}, "status": wanted}
        written = await self._client.patch(
            PODS, key.name, patch, key.namespace, type=PatchType.STRATEGIC, subresource="status"
        )
        self._counters.status_writes += 1
        record.own = meta.resource_version(written)
        if int(record.own) > int(meta.resource_version(record.pod) or 0):
            record.pod = without_owners(written)

    def _retry(self, key: Key, record: Record, error: ApiError) -> None:
        now = self.timers.now()
        if now >= self._silent_until:
            # A server that is away fails thousands of pods alike.
            log.warning("pod %s, perhaps others: %.300s", key, error.message)
            self._silent_until = now + _SILENCE
        self._counters.retries += 1
        record.gone = False
        record.pause = min(record.pause * 2, _LAST_PAUSE) or _FIRST_PAUSE
        moment = now + record.pause
        until = record.life.until
        self.timers.set(key, moment if until is None else min(until, moment))


def without_owners(pod: Object) -> Object:
    """Of tens of thousands of pods the managedFields would be half of what is kept, and nobody here asks for them."""
    metadata = {field: value for field, value in pod["metadata"].items() if field != "managedFields"}
    return {**pod, "metadata": metadata}


def _owner(pod: Object) -> tuple[str, str]:
    """Whose pods are numbered together; the generated name stands for it."""
    return pod["metadata"]["namespace"], pod["metadata"].get("generateName") or ""
