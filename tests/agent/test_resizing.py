"""Resizing in place: what is decided, what the runtime is told, and what the status says meanwhile."""

import json

import pytest
from agent_pods import exited, pod, running, seen, until
from sampan_agent.cgroups import Limits
from sampan_agent.env import NodeFacts
from sampan_agent.memory import Failure, Memory
from sampan_agent.podspec import Container, Role
from sampan_agent.resizing import Used, decide, pod_limits, room_for_both, spec_in_force
from sampan_agent.status import Surroundings, pod_status
from sampan_agent.sync import KillContainer, ResizePending, ResizePod, sync

NOW = 1002.0
NODE = NodeFacts("n1", "127.0.0.1", 2000, 1 << 30)
MIB = 1 << 20


def sized(cpu="100m", memory="64Mi", name="a", **fields):
    amounts = {"cpu": cpu, "memory": memory}
    return {"name": name, "resources": {"requests": amounts, "limits": amounts}, **fields}


def size(container):
    return Container(container, Role.MAIN).size


def decided(spec, observed, *, memory=None, others=Used()):  # noqa: B008  a frozen value
    memory = memory or Memory()
    decision = sync(spec, observed, memory, NOW)
    decide(spec, observed, memory, decision, NODE, lambda uid: others, NOW)
    return decision


def test_a_pod_that_has_what_it_shall_have_is_left_alone():
    assert decided(pod(sized()), seen(running("a", resources=size(sized())))).actions == []
    assert decided(pod(sized()), seen(running("a"))).actions == []


def test_a_changed_size_is_applied_to_the_running_container():
    decision = decided(pod(sized("200m")), seen(running("a", resources=size(sized()))))
    assert decision.actions == [ResizePod((("a-0", "a"),))]
    assert decision.resizing


def test_a_container_that_does_not_run_gets_its_size_when_it_starts():
    decision = decided(pod(sized("200m")), seen(exited("a", 1, resources=size(sized()))))
    assert not decision.resizing


@pytest.mark.parametrize(
    ("wanted", "others", "pending"),
    [
        (
            sized("3"),
            Used(),
            ResizePending("Infeasible", "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"),
        ),
        (
            sized("1500m"),
            Used(cpu=600),
            ResizePending(
                "Deferred", "Node didn't have enough resource: cpu, requested: 1500, used: 600, capacity: 2000"
            ),
        ),
        (
            sized(memory="512Mi"),
            Used(memory=600 * MIB),
            ResizePending(
                "Deferred",
                f"Node didn't have enough resource: memory, requested: {512 * MIB}, used: {600 * MIB},"
                f" capacity: {1 << 30}",
            ),
        ),
    ],
)
def test_what_does_not_fit_waits_and_says_why(wanted, others, pending):
    spec, observed = pod(wanted), seen(running("a", resources=size(sized())))
    decision = decided(spec, observed, others=others)
    assert (decision.actions, decision.resize_pending) == ([], pending)
    assert decision.wake_at is not None
    got = pod_status(spec, observed, Memory(), decision, Surroundings("ip", "sampan", NOW))
    [condition] = [c for c in got["conditions"] if c["type"] == "PodResizePending"]
    assert (condition["status"], condition["reason"]) == ("True", pending.reason)
    [status] = got["containerStatuses"]
    assert status["resources"] == sized()["resources"]
    assert status["allocatedResources"] == sized()["resources"]["requests"]


def test_a_policy_of_restarting_restarts_for_its_own_resource_only():
    policy = {"resizePolicy": [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]}
    observed = seen(running("a", resources=size(sized())))
    assert decided(pod(sized("200m", **policy)), observed).actions == [ResizePod((("a-0", "a"),))]
    killed, rest = decided(pod(sized(memory="128Mi", **policy)), observed).actions
    assert killed == KillContainer("a-0", "a", "Container a resize requires restart")
    assert rest == ResizePod(())
    never = pod(sized(memory="128Mi", **policy), restartPolicy="Never")
    assert decided(never, observed).actions == [ResizePod((("a-0", "a"),))]


def test_a_failed_resize_is_tried_again_later_and_told_meanwhile():
    memory = Memory(resize_failure=Failure("Error", "busy", NOW + 5, 2.0))
    spec, observed = pod(sized("200m")), seen(running("a", resources=size(sized())))
    decision = decided(spec, observed, memory=memory)
    assert (decision.actions, decision.wake_at) == ([], NOW + 5)
    got = pod_status(spec, observed, memory, decision, Surroundings("ip", "sampan", NOW))
    [condition] = [c for c in got["conditions"] if c["type"] == "PodResizeInProgress"]
    assert (condition["reason"], condition["message"]) == ("Error", "busy")


def test_the_pods_cgroup_is_wide_enough_for_before_and_after():
    spec = pod(sized("200m", "32Mi"), sized(name="b"))
    observed = seen(running("a", resources=size(sized())), running("b", resources=size(sized(name="b"))))
    before = pod_limits(spec_in_force(spec, observed), NODE, 10)
    after = pod_limits(spec.spec, NODE, 10)
    assert (before.memory, after.memory) == (128 * MIB, 96 * MIB)
    assert room_for_both(before, after) == Limits(
        cpu_shares=after.cpu_shares, cpu_quota=after.cpu_quota, memory=before.memory, pids=10
    )
    assert room_for_both(Limits(), after).memory == 0


async def test_the_runtime_is_told_and_the_status_follows(world):
    worker = world.start(pod(sized()))
    await until(lambda: world.runtime.running("a"))
    first = world.runtime.running("a")
    worker.update(pod(sized("200m", "128Mi")))

    def status():
        return (world.recorder.last.get("containerStatuses") or [{}])[0]

    await until(lambda: (status().get("resources") or {}).get("limits") == {"cpu": "200m", "memory": "128Mi"})
    now = world.runtime.running("a")
    assert (now.id, now.resources.linux.cpu_quota) == (first.id, 20_000)
    assert now.resources.linux.memory_limit_in_bytes == 128 * MIB
    assert json.loads(now.annotations["sampan.dev/resources"])["requests"]["cpu"] == "200m"
    assert status()["restartCount"] == 0
    assert not [c for c in world.recorder.last["conditions"] if "Resize" in c["type"]]
    told = [c["type"] for past, _ in world.recorder.statuses for c in past["conditions"]]
    assert "PodResizeInProgress" in told


async def test_a_refusal_of_the_runtime_is_an_event_and_a_condition(world):
    worker = world.start(pod(sized()))
    await until(lambda: world.runtime.running("a"))
    world.runtime.update_refusal = "device or resource busy"
    worker.update(pod(sized(memory="32Mi")))
    await until(lambda: ("ResizeError", "Error resizing pod: device or resource busy") in world.recorder.events)

    def reasons():
        return [c.get("reason") for c in world.recorder.last["conditions"] if c["type"] == "PodResizeInProgress"]

    await until(lambda: reasons() == ["Error"])
    world.runtime.update_refusal = ""
    await until(lambda: not reasons())
