from __future__ import annotations

import pytest
from agent_pods import box, exited, pod, running, seen
from sampan_agent.memory import Backoff, Failure, Memory, ProbeState
from sampan_agent.observed import Observed, ObservedContainer, State
from sampan_agent.sync import (
    CreateSandbox,
    KillContainer,
    RemoveContainer,
    RemoveSandbox,
    StartContainer,
    StopPod,
    sync,
)

NOW = 1002.0


def actions(pod_, observed, memory=None, now=NOW):
    return sync(pod_, observed, memory or Memory(), now).actions


def started(pod_, observed, memory=None, now=NOW):
    return [a.name for a in actions(pod_, observed, memory, now) if isinstance(a, StartContainer)]


def test_new_pod_gets_a_sandbox_before_anything_else():
    assert actions(pod("a", "b"), Observed()) == [CreateSandbox(0)]


def test_main_containers_start_side_by_side():
    assert started(pod("a", "b"), seen()) == ["a", "b"]


def test_running_pod_is_left_alone():
    assert actions(pod("a"), seen(running("a"))) == []


def test_init_containers_run_one_after_the_other():
    spec = pod("main", init=[{"name": "i1"}, {"name": "i2"}])
    assert started(spec, seen()) == ["i1"]
    assert started(spec, seen(running("i1"))) == []
    assert started(spec, seen(exited("i1"))) == ["i2"]
    assert started(spec, seen(exited("i1"), exited("i2"))) == ["main"]


def test_failed_init_container_is_tried_again_unless_the_policy_is_never():
    spec = {"init": [{"name": "i1"}]}
    [again] = actions(pod("main", **spec), seen(exited("i1", 1)))
    assert again == StartContainer("i1", 1, exited("i1", 1))
    decision = sync(pod("main", restartPolicy="Never", **spec), seen(exited("i1", 1)), Memory(), NOW)
    assert decision.ended
    assert decision.actions == [StopPod(remove=False)]


def test_sidecar_lets_the_next_container_start_once_it_runs_and_is_restarted():
    spec = pod("main", init=[{"name": "side", "restartPolicy": "Always"}], restartPolicy="Never")
    assert started(spec, seen()) == ["side"]
    assert started(spec, seen(running("side"))) == ["main"]
    assert started(spec, seen(exited("side"), running("main"))) == ["side"]


def test_sidecar_with_a_startup_probe_holds_the_next_container_back_until_it_has_started():
    side = {"name": "side", "restartPolicy": "Always", "startupProbe": {"exec": {"command": ["x"]}}}
    spec, observed, memory = pod("main", init=[side]), seen(running("side")), Memory()
    assert started(spec, observed, memory) == []
    memory.probes["side-0"] = ProbeState(started=True)
    assert started(spec, observed, memory) == ["main"]


@pytest.mark.parametrize(
    ("policy", "code", "restarts"),
    [("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_restart_policy(policy, code, restarts):
    got = started(pod("a", restartPolicy=policy), seen(exited("a", code)))
    assert got == (["a"] if restarts else [])


def test_pod_whose_containers_have_all_ended_for_good_loses_its_sandbox_and_keeps_its_containers():
    decision = sync(pod("a", "b", restartPolicy="Never"), seen(exited("a"), exited("b", 2)), Memory(), NOW)
    assert decision.ended
    assert decision.actions == [StopPod(remove=False)]
    after = seen(exited("a"), exited("b", 2), sandboxes=(box(ready=False),))
    assert actions(pod("a", "b", restartPolicy="Never"), after) == []


def test_crash_loop_waits_and_says_until_when():
    memory = Memory(backoffs={"a": Backoff(20.0, 1000.0)})
    decision = sync(pod("a"), seen(exited("a", 1, attempt=2)), memory, NOW)
    assert decision.actions == []
    assert decision.wake_at == 1021.0
    assert decision.crash_looping == {"a": 20.0}
    assert started(pod("a"), seen(exited("a", 1, attempt=2)), memory, now=1021.0) == ["a"]


def test_one_container_crashing_leaves_the_others_alone():
    assert started(pod("a", "b"), seen(exited("a", 1), running("b"))) == ["a"]


def test_failure_to_start_is_not_tried_again_before_its_time():
    memory = Memory(failures={"a": Failure("ErrImagePull", "no", 1010.0, 10.0)})
    decision = sync(pod("a"), seen(), memory, NOW)
    assert decision.actions == []
    assert decision.wake_at == 1010.0


def test_dead_sandbox_is_replaced_and_containers_count_on():
    died = seen(exited("a", 255), sandboxes=(box(ready=False),))
    assert actions(pod("a"), died) == [StopPod(remove=False), CreateSandbox(1)]
    fresh = seen(exited("a", 255), sandboxes=(box(1), box(ready=False)))
    assert actions(pod("a"), fresh)[0] == StartContainer("a", 1, exited("a", 255))


def test_replaced_sandbox_runs_init_containers_again():
    fresh = seen(exited("i1"), exited("a", 255), sandboxes=(box(1), box(ready=False)))
    assert started(pod("a", init=[{"name": "i1"}]), fresh) == ["i1"]


def test_container_created_but_never_started_is_made_anew_under_the_same_attempt():
    made = ObservedContainer("a-0", "box0", "a", 0, State.CREATED, 1000.0)
    assert actions(pod("a"), seen(made)) == [RemoveContainer("a-0"), StartContainer("a", 0)]


def test_unhealthy_container_is_killed():
    memory = Memory(probes={"a-0": ProbeState(unhealthy="Container a failed liveness probe, will be restarted")})
    [kill] = actions(pod("a"), seen(running("a")), memory)
    assert kill == KillContainer("a-0", "a", "Container a failed liveness probe, will be restarted")


def test_container_whose_image_changed_is_killed():
    [kill] = actions(pod("a"), seen(running("a", digest="other")))
    assert isinstance(kill, KillContainer)
    assert kill.reason == "Container a definition changed, will be restarted"


def test_deleted_pod_is_stopped_and_removed_whatever_it_does():
    leaving = pod("a", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert actions(leaving, seen(running("a"))) == [StopPod(remove=True)]


def test_pod_that_ended_in_the_api_never_runs_again():
    assert actions(pod("a", status={"phase": "Failed"}), Observed()) == []


def test_pod_past_its_deadline_is_stopped():
    spec, memory = pod("a", activeDeadlineSeconds=5), Memory(since=1000.0)
    before = sync(spec, seen(running("a")), memory, 1002.0)
    assert (before.actions, before.wake_at) == ([], 1005.0)
    after = sync(spec, seen(running("a")), memory, 1005.0)
    assert after.deadline_exceeded
    assert after.actions == [StopPod(remove=False)]


def test_one_dead_container_of_each_name_is_kept_and_empty_sandboxes_go():
    observed = seen(
        exited("a", attempt=0),
        exited("a", attempt=1, sandbox=1),
        running("a", attempt=2, sandbox=1),
        sandboxes=(box(1), box(ready=False)),
    )
    assert actions(pod("a"), observed) == [RemoveContainer("a-0"), RemoveSandbox("box0")]
