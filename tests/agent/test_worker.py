from __future__ import annotations

import time

from agent_pods import pod, until
from sampan_agent.podspec import Pod
from sampan_api.clock import rfc3339


def deleted(original: Pod, seconds: float = 30) -> Pod:
    stamp = rfc3339(time.time() + seconds)
    leaving = {"deletionTimestamp": stamp, "deletionGracePeriodSeconds": seconds}
    return Pod({**original.raw, "metadata": {**original.metadata, **leaving}})


def container(world, name="c1"):
    statuses = [
        *world.recorder.last.get("containerStatuses", []),
        *world.recorder.last.get("initContainerStatuses", []),
    ]
    return next((c for c in statuses if c["name"] == name), {})


async def test_pod_becomes_ready_and_its_events_say_how(world):
    world.start(pod("a", "b"))
    await until(lambda: container(world, "b").get("ready"))
    assert world.recorder.last["phase"] == "Running"
    reasons = [reason for reason, _ in world.recorder.events]
    assert reasons == ["Pulled", "Created", "Started"] * 2


async def test_deleted_pod_is_stopped_gracefully_and_leaves_nothing(world):
    spec = pod("a")
    worker = world.start(spec)
    await until(lambda: container(world, "a").get("ready"))
    worker.update(deleted(spec))
    await until(lambda: world.recorder.terminated)
    assert world.runtime.stops == [("a", 30)]
    assert ("Killing", "Stopping container a") in world.recorder.events
    assert (world.runtime.sandboxes, world.runtime.containers) == ({}, {})
    assert not (world.node.settings.pods_dir / "u1").exists()
    assert world.recorder.last["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 143
    worker.remove()
    await until(lambda: world.gone == ["u1"])


async def test_shorter_grace_cuts_a_stop_that_is_under_way_short(world):
    spec = pod("a")
    world.runtime.ignores_term.add("a")
    worker = world.start(spec)
    await until(lambda: container(world, "a").get("ready"))
    worker.update(deleted(spec, 30))
    await until(lambda: world.runtime.stops)
    worker.remove()
    await until(lambda: world.gone == ["u1"])
    assert world.runtime.stops == [("a", 30), ("a", 1)]


async def test_crashed_container_restarts_once_at_once_and_then_backs_off(world):
    world.start(pod("c1"))
    await until(lambda: container(world).get("ready"))
    world.exit("c1", 1)
    await until(lambda: container(world).get("restartCount") == 1 and container(world)["ready"])
    assert container(world)["lastState"]["terminated"]["exitCode"] == 1
    world.exit("c1", 1)
    await until(lambda: container(world)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    assert ("BackOff", "Back-off restarting failed container c1 in pod p1_default(u1)") in world.recorder.events


async def test_pod_ip_survives_a_container_restart(world):
    world.start(pod("c1"))
    await until(lambda: container(world).get("ready"))
    before = world.recorder.last["podIP"]
    world.exit("c1", 1)
    await until(lambda: container(world).get("restartCount") == 1)
    assert world.recorder.last["podIP"] == before


async def test_job_like_pod_succeeds_and_its_sandbox_goes_down(world):
    world.start(pod("c1", restartPolicy="Never"))
    await until(lambda: container(world).get("ready"))
    world.exit("c1", 0)
    await until(lambda: world.recorder.last["phase"] == "Succeeded")
    await until(lambda: all(s.state for s in world.runtime.sandboxes.values()))
    assert len(world.runtime.containers) == 1


async def test_dead_sandbox_is_replaced(world):
    worker = world.start(pod("c1"))
    await until(lambda: container(world).get("ready"))
    world.runtime.kill_sandbox("u1")
    worker.wake()
    await until(lambda: container(world).get("restartCount") == 1 and container(world)["ready"])
    assert any(reason == "SandboxChanged" for reason, _ in world.recorder.events)


async def test_image_that_is_nowhere_is_reported(world):
    world.start(pod({"name": "c1", "image": "nowhere:1"}))
    await until(lambda: container(world).get("state", {}).get("waiting", {}).get("reason") == "ErrImagePull")
    assert ("Warning", 'Failed to pull image "nowhere:1": nowhere:1: not found') not in world.recorder.events
    assert ("Failed", 'Failed to pull image "nowhere:1": nowhere:1: not found') in world.recorder.events


async def test_image_is_never_pulled_when_the_policy_says_so(world):
    world.start(pod({"name": "c1", "image": "nowhere:1", "imagePullPolicy": "Never"}))
    await until(lambda: container(world).get("state", {}).get("waiting", {}).get("reason") == "ErrImageNeverPull")
    assert not any(call.startswith("PullImage") for call in world.runtime.calls)


async def test_missing_config_map_is_a_config_error_and_is_healed_by_its_coming(world):
    variable = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "a"}}}
    worker = world.start(pod({"name": "c1", "env": [variable]}))

    def waiting():
        return container(world).get("state", {}).get("waiting", {})

    await until(lambda: waiting().get("reason") == "CreateContainerConfigError")
    assert waiting()["message"] == 'configmap "cm" not found'
    world.objects["ConfigMap", "cm"] = {"kind": "ConfigMap", "data": {"a": "1"}}
    worker.wake()
    await until(lambda: container(world).get("ready"))


async def test_config_map_volume_is_mounted_read_only_and_refreshed(world):
    world.objects["ConfigMap", "cm"] = {"kind": "ConfigMap", "data": {"a": "1"}}
    mount = {"name": "v", "mountPath": "/etc/v"}
    spec = pod({"name": "c1", "volumeMounts": [mount]}, volumes=[{"name": "v", "configMap": {"name": "cm"}}])
    worker = world.start(spec)
    await until(lambda: container(world).get("ready"))
    [made] = world.runtime.containers.values()
    found = next(m for m in made.mounts if m.container_path == "/etc/v")
    assert found.readonly
    content = world.node.settings.pods_dir / "u1" / "volumes" / "v" / "a"
    assert content.read_text() == "1"
    world.objects["ConfigMap", "cm"] = {"kind": "ConfigMap", "data": {"a": "2"}}
    worker.update(Pod({**spec.raw, "metadata": {**spec.metadata, "labels": {"touched": "yes"}}}))
    await until(lambda: content.read_text() == "2")


async def test_liveness_probe_restarts_the_container(world):
    world.runtime.commands["check"] = 1
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 0.01, "failureThreshold": 2}
    world.start(pod({"name": "c1", "livenessProbe": probe}))
    await until(lambda: ("Killing", "Container c1 failed liveness probe, will be restarted") in world.recorder.events)
    world.runtime.commands["check"] = 0
    await until(lambda: container(world).get("restartCount", 0) >= 1)
    assert ("Unhealthy", "Liveness probe failed: out\n") in world.recorder.events


async def test_readiness_follows_its_probe(world):
    world.runtime.commands["check"] = 1
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 0.01, "failureThreshold": 1}
    world.start(pod({"name": "c1", "readinessProbe": probe}))
    await until(lambda: "running" in container(world).get("state", {}))
    assert container(world)["ready"] is False
    world.runtime.commands["check"] = 0
    await until(lambda: container(world)["ready"])


async def test_a_new_worker_takes_over_without_restarting_anything(world):
    worker = world.start(pod("c1"))
    await until(lambda: container(world).get("ready"))
    before = container(world)["containerID"]
    await worker.stop()
    world.recorder.statuses.clear()
    world.start(pod("c1"))
    await until(lambda: container(world).get("ready"))
    assert container(world)["containerID"] == before
    assert [c for c in world.runtime.calls if c.startswith("StartContainer")] == ["StartContainer c1"]


async def test_runtime_that_is_away_changes_nothing(world):
    worker = world.start(pod("c1"))
    await until(lambda: container(world).get("ready"))
    reported = len(world.recorder.statuses)
    await world.runtime.stop()
    worker.wake()
    await world.runtime.start()
    world.exit("c1", 5)
    await until(lambda: container(world).get("restartCount") == 1)
    assert [c for c in world.runtime.calls if c.startswith("RunPodSandbox")] == ["RunPodSandbox p1"]
    assert all("waiting" not in s["containerStatuses"][0]["state"] for s, _ in world.recorder.statuses[reported:])


async def test_post_start_and_pre_stop_hooks_run(world):
    hooks = {"postStart": {"exec": {"command": ["up"]}}, "preStop": {"exec": {"command": ["down"]}}}
    spec = pod({"name": "c1", "lifecycle": hooks})
    worker = world.start(spec)
    await until(lambda: container(world).get("ready"))
    worker.update(deleted(spec))
    await until(lambda: world.recorder.terminated)
    wanted = ["StartContainer c1", "ExecSync up", "ExecSync down", "StopContainer c1"]
    assert [c for c in world.runtime.calls if c in wanted] == wanted
