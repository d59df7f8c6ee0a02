"""Ephemeral containers: started once in a pod that runs, seen in its status, and waited for by nobody."""

from agent_pods import exited, pod, running, seen, until
from cri_api.v1 import api_pb2 as cri
from sampan_agent.memory import Memory
from sampan_agent.podspec import Pod
from sampan_agent.status import Surroundings, pod_status
from sampan_agent.sync import StartContainer, StopPod, sync

NOW = 1002.0


def with_debugger(*containers, **fields):
    debugger = {"name": "dbg", "image": "busybox:1.35", **fields}
    return pod(*containers, ephemeralContainers=[debugger])


def actions(pod_, observed):
    return sync(pod_, observed, Memory(), NOW).actions


def test_it_starts_beside_what_runs_and_before_what_waits():
    assert actions(with_debugger("a"), seen(running("a"))) == [StartContainer("dbg", 0)]
    stuck = pod("a", init=[{"name": "i"}], ephemeralContainers=[{"name": "dbg", "image": "x"}])
    assert actions(stuck, seen(running("i"))) == [StartContainer("dbg", 0)]


def test_it_never_starts_again():
    for code in (0, 1):
        assert actions(with_debugger("a"), seen(running("a"), exited("dbg", code))) == []


def test_the_pod_does_not_wait_for_it():
    spec = with_debugger("a")
    done = Pod({**spec.raw, "spec": {**spec.spec, "restartPolicy": "Never"}})
    decision = sync(done, seen(exited("a"), running("dbg")), Memory(), NOW)
    assert (decision.ended, decision.actions) == (True, [StopPod(remove=False)])


def test_its_status_has_a_list_of_its_own():
    spec, observed = with_debugger("a"), seen(running("a"), running("dbg"))
    got = pod_status(spec, observed, Memory(), sync(spec, observed, Memory(), NOW), Surroundings("ip", "sampan", NOW))
    [status] = got["ephemeralContainerStatuses"]
    assert (status["name"], status["ready"], status["restartCount"]) == ("dbg", False, 0)
    assert "running" in status["state"]
    assert "started" not in status
    assert [c["name"] for c in got["containerStatuses"]] == ["a"]
    assert {c["status"] for c in got["conditions"]} == {"True"}


async def test_it_joins_the_processes_of_its_target(world):
    worker = world.start(pod("a"))
    await until(lambda: world.runtime.running("a"))
    worker.update(with_debugger("a", targetContainerName="a"))
    await until(lambda: world.runtime.running("dbg"))
    given = world.runtime.configs[world.runtime.running("dbg").id]["config"]
    options = given.linux.security_context.namespace_options
    assert (options.pid, options.target_id) == (cri.TARGET, world.runtime.running("a").id)
    await until(lambda: world.recorder.last.get("ephemeralContainerStatuses"))


async def test_a_target_that_does_not_run_is_told(world):
    worker = world.start(pod("a", restartPolicy="OnFailure", init=[{"name": "i"}]))
    await until(lambda: world.runtime.running("i"))
    debugger = {"name": "dbg", "image": "busybox:1.35", "targetContainerName": "a"}
    worker.update(pod("a", init=[{"name": "i"}], ephemeralContainers=[debugger]))

    def waiting():
        [status] = world.recorder.last.get("ephemeralContainerStatuses") or [{"state": {}}]
        return status["state"].get("waiting") or {}

    await until(lambda: waiting().get("reason") == "CreateContainerConfigError")
    assert waiting()["message"] == 'unable to find target container "a"'


async def test_in_a_pod_that_shares_its_processes_a_target_changes_nothing(world):
    world.start(
        pod(
            "a",
            shareProcessNamespace=True,
            ephemeralContainers=[{"name": "dbg", "image": "busybox:1.35", "targetContainerName": "a"}],
        )
    )
    await until(lambda: world.runtime.running("dbg"))
    given = world.runtime.configs[world.runtime.running("dbg").id]["config"]
    assert given.linux.security_context.namespace_options.pid == cri.POD
