import pytest
from sampan_sim.config import read
from sampan_sim.life import Plan, Stage, begin, hurry, step, stop


def plan(said=None, policy="Always", deadline=None, **config):
    read_config = read({"pods": [said or {}], **config})
    return Plan(0, ("default", "pod"), read_config.pods[0], policy, deadline, read_config.back_off)


def lived(the_plan, steps, now=0.0):
    life = begin(the_plan, now)
    for _ in range(steps):
        life = step(life, the_plan)
    return life


def test_a_pod_without_a_word_runs_at_once_and_for_ever():
    life = lived(plan(), 2)
    assert (life.stage, life.ready, life.until, life.run.started) == (Stage.RUNNING, True, None, 0)


def test_pods_that_are_to_end_do_so_by_themselves():
    life = lived(plan(policy="Never"), 3)
    assert (life.stage, life.run.exit_code) == (Stage.ENDED, 0)
    assert 1 <= life.run.finished <= 5


def test_back_off_doubles_up_to_its_limit_and_a_long_run_forgets_it():
    looping = plan({"failure": {"rate": 1, "after": "1s"}}, backOff={"base": "10s", "max": "35s"})
    life, pauses = begin(looping, 0.0), []
    while len(pauses) < 5:
        life = step(life, looping)
        if life.stage is Stage.WAITING:
            pauses.append(life.until - life.run.finished)
    assert pauses == [10, 20, 35, 35, 35]
    patient = plan({"run": "70s"}, backOff={"base": "10s", "max": "35s"})
    life = begin(patient, 0.0)
    for _ in range(12):
        life = step(life, patient)
        assert life.stage is Stage.RUNNING


def test_on_failure_restarts_what_failed_and_ends_what_did_not():
    failing = plan({"failure": {"rate": 1}}, policy="OnFailure")
    assert lived(failing, 3).run.attempt == 1
    assert lived(plan({"run": "3s"}, policy="OnFailure"), 3).stage is Stage.ENDED


def test_a_run_that_ends_before_it_is_ready_never_is():
    life = lived(plan({"run": "2s", "ready": "5s"}, policy="Never"), 2)
    assert life.stage is Stage.ENDED


def test_never_ready():
    life = lived(plan({"neverReady": 1}), 1)
    assert (life.stage, life.ready, life.until) == (Stage.RUNNING, False, None)


@pytest.mark.parametrize(("said", "run"), [({}, (137, 15)), ({"start": "20s"}, None)])
def test_the_deadline_ends_a_pod_wherever_it_is(said, run):
    bounded = plan(said, deadline=10)
    life = begin(bounded, 5.0)
    while life.until is not None:
        life = step(life, bounded)
    assert (life.stage, life.overdue) == (Stage.ENDED, True)
    assert (life.run and (life.run.exit_code, life.run.finished)) == run


def test_stopping_ends_well_within_the_grace_and_is_forced_after_it():
    polite = plan({"stop": "4s"})
    running = lived(polite, 2)
    stopped = step(stop(running, polite, 100.0, 30.0), polite)
    assert (stopped.stage, stopped.run.exit_code, stopped.run.finished) == (Stage.STOPPED, 0, 104)
    forced = step(stop(running, polite, 100.0, 1.0), polite)
    assert (forced.run.exit_code, forced.run.finished) == (137, 101)
    hurried = step(hurry(stop(running, polite, 100.0, 30.0), polite, 101.0, 1.0), polite)
    assert (hurried.run.exit_code, hurried.run.finished) == (137, 102)


def test_what_has_ended_keeps_its_end_when_it_is_deleted():
    failed = plan({"failure": {"rate": 1, "exitCodes": [7]}}, policy="Never")
    life = lived(failed, 3)
    gone = stop(life, failed, 50.0, 30.0)
    assert (gone.stage, gone.run.exit_code, gone.run.finished) == (Stage.STOPPED, 7, 1)


def test_luck_follows_from_seed_name_and_attempt():
    behaviour = read({"pods": [{"failure": {"rate": 0.5}}]}).pods[0]

    def ends(seed):
        return [lived(Plan(seed, ("ns", f"pod-{n}"), behaviour, "Never"), 3).run.exit_code for n in range(40)]

    assert ends(1) == ends(1)
    assert ends(1) != ends(2)
    assert 8 < sum(ends(1)) < 32
