"""The stages of a simulated pod. Pure: what comes next, and when, follows from the pod's plan and where it stands.

    CREATING ──start──► RUNNING ──ready──► RUNNING (ready) ──the run is over──► ENDED, or restarted as the pod's
                           ▲                                                     restartPolicy says:
                           └───────────── back-off is over ◄── WAITING ◄─────────┘
    any stage ──the pod is deleted──► STOPPING ──► STOPPED: its object may go (from ENDED at once)

`step` is called when the moment `until` has come, and gives the life from then on. All containers of a pod start, end
and fail together. Back-off is a kubelet's: the first restart is at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto

from sampan_sim.chance import draw
from sampan_sim.config import END, BackOff, Behaviour
from sampan_sim.durations import Duration, Fixed

_KILLED, _FINISHED = 137, 0


class Stage(Enum):
    CREATING = auto()
    RUNNING = auto()
    WAITING = auto()
    ENDED = auto()
    STOPPING = auto()
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Plan:
    """What decides over a pod's life: `seed` and `name` are its luck, the rest is said by the file and the pod."""

    seed: int
    name: tuple[str | int, ...]
    behaviour: Behaviour
    restart_policy: str = "Always"
    deadline: float | None = None
    """activeDeadlineSeconds."""
    back_off: BackOff = field(default_factory=BackOff)

    def chance(self, *what: str | int) -> float:
        return draw(self.seed, *self.name, *what)

    def happens(self, rate: float, *what: str | int) -> bool:
        return rate > 0 and self.chance(*what) < rate

    def length(self, duration: Duration, *what: str | int) -> float:
        return duration.seconds if isinstance(duration, Fixed) else duration.at(self.chance(*what))


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the containers; `finished` 0 while it lasts."""

    attempt: int
    started: float
    finished: float = 0.0
    exit_code: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """`until`: the moment of the next step, None when nothing more happens by itself. Times are Unix seconds."""

    stage: Stage
    begun: float
    until: float | None
    run: Run | None = None
    """The one that is on or was the last."""
    before: Run | None = None
    """The one before it."""
    ready: bool = False
    first_start: float = 0.0
    streak: int = 0
    """Restarts that followed short runs."""
    overdue: bool = False
    """It had to end because of its deadline."""
    forced: bool = False
    """Stopping takes longer than it may: it will be killed."""

    @property
    def attempt(self) -> int:
        return self.run.attempt if self.run else 0

    @property
    def alive(self) -> bool:
        """Whether containers run."""
        return self.run is not None and not self.run.finished

    @property
    def over(self) -> bool:
        return self.stage in (Stage.ENDED, Stage.STOPPED)

    @property
    def delay(self) -> float:
        """The back-off it waits for, or waited for last."""
        assert self.run is not None
        assert self.until is not None
        return self.until - self.run.finished


def begin(plan: Plan, now: float, since: float | None = None) -> Life:
    """`since`: when it was begun before; its containers did not come to start."""
    start = now + plan.length(plan.behaviour.start, "start")
    return _in_time(Life(Stage.CREATING, now if since is None else since, start), plan)


def step(life: Life, plan: Plan) -> Life:
    """The life after its moment `until`."""
    now = life.until
    assert now is not None
    if life.stage is Stage.STOPPING:
        return _stopped(life, now)
    if plan.deadline is not None and now >= life.begun + plan.deadline:
        return replace(_killed(life, now), stage=Stage.ENDED, until=None, ready=False, overdue=True)
    match life.stage:
        case Stage.CREATING:
            following = _running(life, plan, 0, now)
        case Stage.WAITING:
            following = _running(life, plan, life.attempt + 1, now)
        case Stage.RUNNING if not life.ready and now < (_end(life, plan) or now + 1):
            following = replace(life, ready=True, until=_end(life, plan))
        case _:
            following = _over(life, plan, now)
    return _in_time(following, plan)


def stop(life: Life, plan: Plan, now: float, grace: float) -> Life:
    """The pod is being deleted; it has `grace` seconds."""
    if life.stage in (Stage.STOPPING, Stage.STOPPED):
        return life
    if life.stage is Stage.ENDED:
        # What it held went back when it ended; it must not go back twice.
        return replace(life, stage=Stage.STOPPED, until=None)
    takes = plan.length(plan.behaviour.stop, "stop") if life.alive else 0.0
    return replace(life, stage=Stage.STOPPING, until=now + min(takes, grace), forced=takes > grace)


def hurry(life: Life, plan: Plan, now: float, grace: float) -> Life:
    """A deletion with less time than the one before."""
    if life.stage is not Stage.STOPPING or life.until is None or life.until <= now + grace:
        return life
    return replace(life, until=now + grace, forced=True)


def put_off(life: Life, until: float) -> Life:
    """It cannot begin before that."""
    return replace(life, until=until)


def resume(plan: Plan, life: Life, now: float) -> Life:
    """A life as it was read from a status, with the moment of what comes next: nothing happens in the past."""
    match life.stage:
        case Stage.RUNNING:
            until = _end(life, plan) if life.ready else _ready_or_end(life, plan)
        case Stage.WAITING:
            assert life.run is not None
            until = life.run.finished + _delay(plan, life.streak - 1)
        case _:
            until = None
    return _in_time(replace(life, until=until if until is None else max(until, now)), plan)


def after_end(life: Life, plan: Plan, now: float) -> Life:
    """A life whose run has ended, by what was read: restarted or over."""
    assert life.run is not None
    following = _restarted_or_over(life, plan, max(now, life.run.finished))
    return _in_time(following, plan)


def _fails(plan: Plan, attempt: int) -> bool:
    return plan.happens(plan.behaviour.failure.rate, attempt, "fails")


def _end(life: Life, plan: Plan) -> float | None:
    """When the run that is on will be over."""
    run, behaviour = life.run, plan.behaviour
    assert run is not None
    if _fails(plan, run.attempt):
        return run.started + plan.length(behaviour.failure.after, run.attempt, "run")
    if behaviour.run is None and plan.restart_policy == "Always":
        return None
    return run.started + plan.length(behaviour.run or END, run.attempt, "run")


def _ready_or_end(life: Life, plan: Plan) -> float | None:
    end = _end(life, plan)
    assert life.run is not None
    if plan.happens(plan.behaviour.never_ready, "never ready"):
        return end
    ready = life.run.started + plan.length(plan.behaviour.ready, life.run.attempt, "ready")
    return ready if end is None else min(ready, end)


def _running(life: Life, plan: Plan, attempt: int, now: float) -> Life:
    running = replace(
        life,
        stage=Stage.RUNNING,
        run=Run(attempt, now),
        before=life.run,
        ready=False,
        first_start=life.first_start or now,
    )
    return replace(running, until=_ready_or_end(running, plan))


def _over(life: Life, plan: Plan, now: float) -> Life:
    run, failure = life.run, plan.behaviour.failure
    assert run is not None
    code, reason = 0, "Completed"
    if _fails(plan, run.attempt):
        code = failure.exit_codes[int(plan.chance(run.attempt, "exit code") * len(failure.exit_codes))]
        reason = failure.reason
    ended = replace(life, run=replace(run, finished=now, exit_code=code, reason=reason), ready=False)
    return _restarted_or_over(ended, plan, now)


def _restarted_or_over(life: Life, plan: Plan, now: float) -> Life:
    run = life.run
    assert run is not None
    failed = run.exit_code != 0
    if plan.restart_policy == "Never" or (plan.restart_policy == "OnFailure" and not failed):
        return replace(life, stage=Stage.ENDED, until=None)
    streak = 0 if run.finished - run.started >= 2 * plan.back_off.max else life.streak
    delay = _delay(plan, streak)
    if not delay:
        return _running(replace(life, streak=streak + 1), plan, run.attempt + 1, now)
    return replace(life, stage=Stage.WAITING, until=now + delay, streak=streak + 1)


def _delay(plan: Plan, streak: int) -> float:
    return min(plan.back_off.base * 2.0 ** min(streak - 1, 30), plan.back_off.max) if streak else 0.0


def _killed(life: Life, now: float) -> Life:
    run = life.run
    if run is None or run.finished:
        return life
    return replace(life, run=replace(run, finished=now, exit_code=_KILLED, reason="Error"))


def _stopped(life: Life, now: float) -> Life:
    stopped = _killed(life, now)
    if life.alive and not life.forced:
        assert stopped.run is not None
        stopped = replace(stopped, run=replace(stopped.run, exit_code=_FINISHED, reason="Completed"))
    return replace(stopped, stage=Stage.STOPPED, until=None, ready=False)


def _in_time(life: Life, plan: Plan) -> Life:
    """The deadline comes first when it comes first."""
    if plan.deadline is None or life.over or life.stage is Stage.STOPPING:
        return life
    deadline = life.begun + plan.deadline
    return replace(life, until=deadline if life.until is None else min(life.until, deadline))
