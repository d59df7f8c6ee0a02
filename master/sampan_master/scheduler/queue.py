"""The pods that wait for a node.

    active         to be tried now: highest priority first, then the one whose last attempt (or coming) is longest ago
    backing off    failed lately; becomes active when its back-off (1 s, doubling to 10 s) is over. Who may have been
                   helped is tried sooner when nothing is active (KEP-5142); who met with an error is not
    unschedulable  no node fits; waits for an event that can help it (`move`), at the latest for the 5-minute flush
    gated          has scheduling gates; waits for its own change

Times are monotonic seconds given by the caller.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from itertools import count
from typing import NamedTuple

from sampan_api import meta
from sampan_api.meta import Key, Object

from sampan_master.scheduler.cluster import priority_of
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.signature import Signature, signature


class Place(Enum):
    ACTIVE = auto()
    BACKING_OFF = auto()
    UNSCHEDULABLE = auto()
    GATED = auto()
    OUT = auto()
    """Handed out by `pop`, or removed."""


QUEUES = {
    Place.ACTIVE: "active",
    Place.BACKING_OFF: "backoff",
    Place.UNSCHEDULABLE: "unschedulable",
    Place.GATED: "gated",
}
"""What kube-scheduler calls them."""


class Event(StrEnum):
    """Why a pod came into a queue, where it is not a change of the cluster; kube-scheduler's words."""

    POD_ADD = "UnschedulablePodAdd"
    POD_UPDATE = "UnschedulablePodUpdate"
    ATTEMPT_FAILED = "ScheduleAttemptFailure"
    BACKOFF_COMPLETE = "BackoffComplete"
    POPPED_EARLY = "PopFromBackoffQ"
    TIMEOUT = "UnschedulableTimeout"
    UNKNOWN = "Unknown"


class Kind(NamedTuple):
    """What an attempt depends on: pods of one kind fare alike."""

    profile: str
    signature: Signature
    priority: int


def kind_of(pod: Object) -> Kind:
    return Kind(pod["spec"].get("schedulerName") or "", signature(pod), priority_of(pod))


@dataclass(slots=True, eq=False)
class Waiting:
    """One pod in the queue, in its turn `since` it came or was last tried. `first_active` is when it could first have
    been tried, None while its gates are closed. `ticket` tells a heap entry that is still good from one that was
    overtaken."""

    pod: Object
    kind: Kind
    since: float
    first_active: float | None = None
    attempts: int = 0
    place: Place = Place.OUT
    ready_at: float = 0.0
    ticket: int = 0

    @property
    def key(self) -> Key:
        return meta.key(self.pod)


class SchedulingQueue:
    def __init__(self, config: SchedulerConfig) -> None:
        self._config = config
        self._pods: dict[str, Waiting] = {}
        self.kinds: Counter[Kind] = Counter()
        """How many pods of each kind are known."""
        self._active: list[tuple[int, float, int, Waiting]] = []
        self._backing_off: list[tuple[float, int, Waiting]] = []
        self._after_error: list[tuple[float, int, Waiting]] = []
        """Backing off as well."""
        self._unschedulable: defaultdict[Kind, set[Waiting]] = defaultdict(set)
        self._by_age: OrderedDict[Waiting, None] = OrderedDict()
        """The unschedulable ones, in the order of their last attempts."""
        self._refused_by: dict[Kind, frozenset[str]] = {}
        self._tickets = count(1)
        self.incoming: Callable[[str, str], None] = _nobody_counts
        """Told of each pod that comes into a queue (by its name for Prometheus), and why."""

    def __len__(self) -> int:
        return len(self._pods)

    def waiting(self) -> list[Waiting]:
        return list(self._pods.values())

    def get(self, uid: str) -> Waiting | None:
        return self._pods.get(uid)

    def sizes(self) -> dict[str, int]:
        """How many pods wait in which queue, by its name for Prometheus."""
        places = Counter(waiting.place for waiting in self._pods.values())
        return {name: places[place] for place, name in QUEUES.items()}

    def put(self, pod: Object, kind: Kind, now: float) -> None:
        """Takes a new pod, or the new state of one it has. A changed kind or gate makes it active again, unless it is
        handed out."""
        waiting, event = self._pods.get(meta.uid(pod)), Event.POD_UPDATE
        if waiting is None:
            waiting, event = Waiting(pod, kind, now), Event.POD_ADD
            self._pods[meta.uid(pod)] = waiting
        elif waiting.kind == kind and _gated(waiting.pod) == _gated(pod):
            waiting.pod = pod
            return
        handed_out = event is Event.POD_UPDATE and waiting.place is Place.OUT
        self._leave(waiting)
        if event is Event.POD_UPDATE:
            self._forget(waiting.kind)
        self.kinds[kind] += 1
        waiting.pod, waiting.kind = pod, kind
        if _gated(pod):
            waiting.place = Place.GATED
            self.incoming("unschedulable", event)
        elif not handed_out:
            self._activate(waiting, event, now)

    def remove(self, uid: str) -> None:
        waiting = self._pods.pop(uid, None)
        if waiting is not None:
            self._leave(waiting)
            self._forget(waiting.kind)

    def pop(self) -> Waiting | None:
        """The next pod to try, or None. It stays known until `remove`; a failure puts it back."""
        while self._active:
            _, _, ticket, waiting = heapq.heappop(self._active)
            if waiting.ticket == ticket and waiting.place is Place.ACTIVE:
                return _handed_out(waiting)
        while self._backing_off:
            _, ticket, waiting = heapq.heappop(self._backing_off)
            if waiting.ticket == ticket and waiting.place is Place.BACKING_OFF:
                self.incoming(QUEUES[Place.ACTIVE], Event.POPPED_EARLY)
                return _handed_out(waiting)
        return None

    def retry_later(self, waiting: Waiting, now: float) -> None:
        """The attempt failed for a reason that may pass by itself."""
        if self._is_mine(waiting):
            waiting.since = now
            self._back_off(waiting, now, Event.ATTEMPT_FAILED, self._after_error)

    def no_node_fits(self, waiting: Waiting, now: float, refused_by: frozenset[str] = frozenset()) -> None:
        """`refused_by`: the plug-ins that said no; only what they look at can help."""
        if self._is_mine(waiting):
            self._refused_by[waiting.kind] = refused_by | self.refused_by(waiting.kind)
            waiting.since = now
            waiting.place = Place.UNSCHEDULABLE
            self._unschedulable[waiting.kind].add(waiting)
            self._by_age[waiting] = None
            self.incoming("unschedulable", Event.ATTEMPT_FAILED)

    def unschedulable_kinds(self) -> list[Kind]:
        return list(self._unschedulable)

    def refused_by(self, kind: Kind) -> frozenset[str]:
        """The plug-ins that refused those of this kind that wait; nobody when none does."""
        return self._refused_by.get(kind, frozenset())

    def move(self, kinds: Iterable[Kind], now: float, event: str = Event.UNKNOWN) -> None:
        """Something changed that may help these: active at once, or when their back-off is over."""
        for kind in kinds:
            self._refused_by.pop(kind, None)
            for waiting in self._unschedulable.pop(kind, ()):
                del self._by_age[waiting]
                self._back_off(waiting, now, event, self._backing_off)

    def move_one(self, uid: str, now: float, event: str = Event.UNKNOWN) -> None:
        """Something changed that may help just this pod."""
        waiting = self._pods.get(uid)
        if waiting is not None and waiting.place is Place.UNSCHEDULABLE:
            self._leave(waiting)
            self._back_off(waiting, now, event, self._backing_off)

    def met_with_error(self, uid: str, now: float) -> None:
        """What was to follow the attempt (an eviction) failed for a reason that may pass by itself."""
        waiting = self._pods.get(uid)
        if waiting is not None and waiting.place is Place.UNSCHEDULABLE:
            self._leave(waiting)
            self._back_off(waiting, now, Event.ATTEMPT_FAILED, self._after_error)

    def tick(self, now: float) -> None:
        """Does what time brings: ended back-offs, and the flush of pods that waited too long for an event."""
        for heap in (self._backing_off, self._after_error):
            while heap and heap[0][0] <= now:
                _, ticket, waiting = heapq.heappop(heap)
                if waiting.ticket == ticket and waiting.place is Place.BACKING_OFF:
                    self._activate(waiting, Event.BACKOFF_COMPLETE, now)
        oldest = now - self._config.unschedulable_flush_seconds
        while self._by_age and (waiting := next(iter(self._by_age))).since <= oldest:
            self._leave(waiting)
            self._activate(waiting, Event.TIMEOUT, now)

    def next_tick(self, now: float) -> float | None:
        """Seconds until `tick` has something to do, None when only events can help."""
        ready = [heap[0][0] for heap in (self._backing_off, self._after_error) if heap]
        if ready:
            return max(0.0, min(ready) - now)
        return self._config.unschedulable_flush_seconds / 10 if self._unschedulable else None

    def has_some(self) -> bool:
        """Whether `pop` may find one."""
        return bool(self._active or self._backing_off)

    def _forget(self, kind: Kind) -> None:
        self.kinds[kind] -= 1
        if not self.kinds[kind]:
            del self.kinds[kind]

    def _is_mine(self, waiting: Waiting) -> bool:
        return waiting.place is Place.OUT and self._pods.get(meta.uid(waiting.pod)) is waiting

    def _activate(self, waiting: Waiting, event: str, now: float) -> None:
        if waiting.first_active is None:
            waiting.first_active = now
        self.incoming(QUEUES[Place.ACTIVE], event)
        waiting.place, waiting.ticket = Place.ACTIVE, next(self._tickets)
        heapq.heappush(self._active, (-waiting.kind.priority, waiting.since, waiting.ticket, waiting))

    def _back_off(self, waiting: Waiting, now: float, event: str, heap: list[tuple[float, int, Waiting]]) -> None:
        delay = self._config.initial_backoff_seconds * 2 ** min(max(waiting.attempts - 1, 0), 10)
        waiting.ready_at = waiting.since + min(delay, self._config.max_backoff_seconds)
        if waiting.ready_at <= now:
            self._activate(waiting, event, now)
            return
        self.incoming(QUEUES[Place.BACKING_OFF], event)
        waiting.place, waiting.ticket = Place.BACKING_OFF, next(self._tickets)
        heapq.heappush(heap, (waiting.ready_at, waiting.ticket, waiting))

    def _leave(self, waiting: Waiting) -> None:
        if waiting.place is Place.UNSCHEDULABLE:
            group = self._unschedulable[waiting.kind]
            group.discard(waiting)
            del self._by_age[waiting]
            if not group:
                del self._unschedulable[waiting.kind]
                self._refused_by.pop(waiting.kind, None)
        waiting.place = Place.OUT


def _handed_out(waiting: Waiting) -> Waiting:
    waiting.place = Place.OUT
    waiting.attempts += 1
    return waiting


def _gated(pod: Object) -> bool:
    return bool(pod["spec"].get("schedulingGates"))


def _nobody_counts(_queue: str, _event: str) -> None:
    pass
