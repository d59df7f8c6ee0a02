from __future__ import annotations

from agent_pods import box, exited, pod, running, seen
from sampan_agent.memory import Backoff, Failure, Memory, ProbeState
from sampan_agent.observed import Observed, ObservedContainer, State
from sampan_agent.status import Surroundings, pod_status
from sampan_agent.sync import Decision, sync

HERE = Surroundings("10.77.0.11", "sampan", 1002.0)


def status(pod_, observed, memory=None, now=1002.0):
    memory = memory or Memory(since=999.0)
    return pod_status(pod_, observed, memory, sync(pod_, observed, memory, now), HERE)


def conditions(got):
    return {c["type"]: c["status"] for c in got["conditions"]}


def test_pod_without_a_sandbox_is_pending_and_creating():
    got = status(pod("a"), Observed())
    assert got["phase"] == "Pending"
    assert got["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert conditions(got) == {
        "PodReadyToStartContainers": "False",
        "Initialized": "True",
        "Ready": "False",
        "ContainersReady": "False",
        "PodScheduled": "True",
    } | {"Initialized": conditions(got)["Initialized"]}
    assert "podIP" not in got


def test_running_pod_is_ready_and_says_where():
    got = status(pod("a"), seen(running("a")))
    assert (got["phase"], got["podIP"], got["hostIP"]) == ("Running", "10.244.0.2", "10.77.0.11")
    assert set(conditions(got).values()) == {"True"}
    container = got["containerStatuses"][0]
    assert container["state"] == {"running": {"startedAt": "1970-01-01T00:16:40Z"}}
    assert container["containerID"] == "sampan://a-0"
    assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)


def test_main_containers_wait_for_init_containers():
    got = status(pod("a", init=[{"name": "i"}]), seen(running("i")))
    assert got["phase"] == "Pending"
    assert got["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert conditions(got)["Initialized"] == "False"
    assert next(c for c in got["conditions"] if c["type"] == "Initialized")["message"] == (
        "containers with incomplete status: [i]"
    )


def test_crash_loop_shows_the_last_end_and_the_delay():
    memory = Memory(backoffs={"a": Backoff(10.0, 1000.0)})
    got = status(pod("a"), seen(exited("a", 7, attempt=1)), memory)["containerStatuses"][0]
    assert got["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert got["state"]["waiting"]["message"] == "back-off 10s restarting failed container=a pod=p1_default(u1)"
    assert got["lastState"]["terminated"]["exitCode"] == 7
    assert (got["restartCount"], got["ready"], got["started"]) == (1, False, False)


def test_restarted_container_remembers_how_it_ended():
    got = status(pod("a"), seen(exited("a", 3), running("a", attempt=1)))["containerStatuses"][0]
    assert got["lastState"]["terminated"]["exitCode"] == 3
    assert got["lastState"]["terminated"]["reason"] == "Error"
    assert got["restartCount"] == 1


def test_oom_kill_is_named():
    got = status(pod("a", restartPolicy="Never"), seen(exited("a", 137, reason="OOMKilled")))
    end = got["containerStatuses"][0]["state"]["terminated"]
    assert (end["reason"], end["exitCode"]) == ("OOMKilled", 137)


def test_ended_pods_succeed_or_fail():
    assert status(pod("a", restartPolicy="Never"), seen(exited("a")))["phase"] == "Succeeded"
    assert status(pod("a", "b", restartPolicy="Never"), seen(exited("a"), exited("b", 1)))["phase"] == "Failed"


def test_succeeded_pod_is_not_ready_because_it_completed():
    got = status(pod("a", restartPolicy="Never"), seen(exited("a"), sandboxes=(box(ready=False),)))
    ready = next(c for c in got["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "PodCompleted")


def test_image_that_cannot_be_pulled_is_the_waiting_reason():
    memory = Memory(failures={"a": Failure("ErrImagePull", "not found", 1010.0, 10.0)})
    got = status(pod("a"), seen(), memory)
    assert got["containerStatuses"][0]["state"] == {"waiting": {"reason": "ErrImagePull", "message": "not found"}}


def test_readiness_probe_decides_and_begins_false():
    spec = pod({"name": "a", "readinessProbe": {"tcpSocket": {"port": 80}}})
    memory = Memory()
    assert status(spec, seen(running("a")), memory)["containerStatuses"][0]["ready"] is False
    memory.probes["a-0"] = ProbeState(ready=True)
    assert status(spec, seen(running("a")), memory)["containerStatuses"][0]["ready"] is True


def test_lost_container_says_so():
    lost = ObservedContainer("a-0", "box0", "a", 0, State.UNKNOWN, 1000.0)
    end = status(pod("a", restartPolicy="Never"), seen(lost))["containerStatuses"][0]["state"]["terminated"]
    assert (end["reason"], end["exitCode"]) == ("ContainerStatusUnknown", 137)


def test_deadline_is_the_reason_of_the_failure():
    got = status(pod("a", activeDeadlineSeconds=1), seen(running("a")), Memory(since=1000.0))
    assert (got["phase"], got["reason"]) == ("Failed", "DeadlineExceeded")


def test_qos_classes():
    def qos(**resources):
        return status(pod({"name": "a", "resources": resources}), Observed())["qosClass"]

    assert qos() == "BestEffort"
    assert qos(requests={"cpu": "100m"}) == "Burstable"
    assert qos(limits={"cpu": "1", "memory": "1Gi"}) == "Guaranteed"
    assert qos(limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "500m"}) == "Burstable"


def test_a_deleted_pod_that_was_stopped_by_signal_has_failed():
    got = pod_status(pod("a"), seen(exited("a", 143)), Memory(), Decision(ended=True), HERE)
    assert got["phase"] == "Failed"
