"""Why a pod does not run: pure functions over recorded pods, and over the words of Kubernetes' own node agents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sampan_cli.why import pods, terminating
from sampan_cli.why.facts import PodFacts
from sampan_cli.why.findings import Cause, Finding
from why_samples import NOW, STAMP, event, pod, waiting, with_state

RECORDED = [
    json.loads(line) for line in (Path(__file__).parent / "data" / "why_recorded.jsonl").read_text().splitlines()
]


def facts_of(recorded: dict[str, Any]) -> PodFacts:
    return PodFacts(
        {"kind": "Pod", **recorded["pod"]},
        recorded["now"],
        tuple(recorded["events"]),
        nodes=tuple(recorded["nodes"]),
        knows_nodes=True,
    )


def first(obj: dict[str, Any], *events: dict[str, Any], **facts: Any) -> Finding:
    return pods.findings(PodFacts(obj, NOW, events, **facts))[0]


@pytest.mark.parametrize("recorded", RECORDED, ids=[each["pod"]["metadata"]["name"] for each in RECORDED])
def test_the_planted_cause_of_a_recorded_pod_is_named_first(recorded: dict[str, Any]) -> None:
    assert pods.findings(facts_of(recorded))[0].cause == recorded["cause"]


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        ("ErrImagePull", 'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/app:1": '
         'failed to resolve reference "docker.io/library/app:1": docker.io/library/app:1: not found',
         Cause.IMAGE_NOT_FOUND),
        ("ImagePullBackOff", 'Back-off pulling image "app:1": ErrImagePull: pull access denied, repository does not '
         "exist or may require authorization: server message: insufficient_scope: authorization failed",
         Cause.IMAGE_DENIED),
        ("ErrImagePull", 'failed to do request: Head "https://registry.invalid/v2/app/manifests/1": dial tcp: lookup '
         "registry.invalid on 10.96.0.10:53: no such host", Cause.REGISTRY_UNREACHABLE),
        ("ErrImagePull", "failed to pull registry.example/app:1: not found", Cause.IMAGE_NOT_FOUND),
        ("ErrImagePull", "toomanyrequests: You have reached your pull rate limit", Cause.IMAGE_PULL),
        ("InvalidImageName", 'Failed to apply default image tag "App:1": couldn\'t parse image name "App:1": invalid '
         "reference format: repository name (library/App) must be lowercase", Cause.IMAGE_NAME_INVALID),
        ("ErrImageNeverPull", 'Container image "app:1" is not present with pull policy of Never',
         Cause.IMAGE_NEVER_PULL),
        ("CreateContainerConfigError", 'configmap "settings" not found', Cause.MISSING_CONFIG_MAP),
        ("CreateContainerConfigError", 'secret "password" not found', Cause.MISSING_SECRET),
        ("CreateContainerConfigError", "couldn't find key p in Secret default/password", Cause.MISSING_KEY),
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root",
         Cause.CONTAINER_CONFIG),
        ("RunContainerError", 'failed to create containerd task: failed to create shim task: OCI runtime create failed:'
         ' runc create failed: unable to start container process: error during container init: exec: "nope": '
         "executable file not found in $PATH: unknown", Cause.COMMAND_NOT_FOUND),
        ("RunContainerError", 'unable to start container process: exec: "/app": permission denied: unknown',
         Cause.NOT_EXECUTABLE),
        ("CreateContainerError", 'failed to generate container "5f": no command specified', Cause.CONTAINER_CREATE),
    ],
)  # fmt: skip
def test_what_a_node_says_of_a_waiting_container_has_its_cause(reason: str, message: str, cause: Cause) -> None:
    found = first(pod(containerStatuses=[waiting(reason, message)]))
    assert found.cause is cause
    assert found.fix


@pytest.mark.parametrize(
    ("end", "cause", "word"),
    [
        ({"exitCode": 1, "reason": "Error"}, Cause.EXITED_WITH_ERROR, "exit code 1"),
        ({"exitCode": 126, "reason": "Error"}, Cause.NOT_EXECUTABLE, "126"),
        ({"exitCode": 127, "reason": "Error"}, Cause.COMMAND_NOT_FOUND, "127"),
        ({"exitCode": 128, "reason": "StartError", "message": 'exec: "x": executable file not found in $PATH'},
         Cause.COMMAND_NOT_FOUND, "cannot be started"),
        ({"exitCode": 134, "reason": "Error"}, Cause.KILLED, "SIGABRT"),
        ({"exitCode": 137, "reason": "Error"}, Cause.KILLED, "SIGKILL"),
        ({"exitCode": 137, "reason": "OOMKilled"}, Cause.OUT_OF_MEMORY, "64Mi"),
        ({"exitCode": 139, "reason": "Error"}, Cause.KILLED, "SIGSEGV"),
        ({"exitCode": 143, "reason": "Error"}, Cause.KILLED, "SIGTERM"),
        ({"exitCode": 255, "reason": "Error"}, Cause.EXITED_WITH_ERROR, "255"),
        ({"exitCode": 0, "reason": "Completed"}, Cause.EXITS_AT_ONCE, "Job"),
    ],
)  # fmt: skip
def test_an_exit_code_is_told_by_what_it_means(end: dict[str, Any], cause: Cause, word: str) -> None:
    crashed = waiting("CrashLoopBackOff", "back-off 40s restarting failed container=c pod=x_default(u)",
                      {"finishedAt": STAMP, **end})  # fmt: skip
    spec = {"containers": [{"name": "c", "resources": {"limits": {"memory": "64Mi"}}}]}
    found = first(pod(spec, phase="Running", containerStatuses=[crashed | {"restartCount": 4}]))
    assert found.cause is cause
    assert word in f"{found.text} {found.fix}"
    assert "restarted 4 times" in found.text
    assert any("next try is in 30s" in line for line in found.evidence)


def test_a_container_killed_by_its_liveness_probe_is_not_taken_for_one_that_was_killed_by_somebody() -> None:
    crashed = waiting("CrashLoopBackOff", "", {"exitCode": 137, "reason": "Error", "finishedAt": STAMP})
    events = (
        event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500"),
        event("Killing", "Container c failed liveness probe, will be restarted"),
    )
    found = first(pod(phase="Running", containerStatuses=[crashed]), *events)
    assert found.cause is Cause.LIVENESS_PROBE
    assert "statuscode: 500" in found.evidence[0]


@pytest.mark.parametrize(
    ("state", "fix"),
    [
        (waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"), "runAsUser"),
        (waiting("ErrImagePull", "invalid reference format: 'App:1': repository name must be lowercase"), '"app:1"?'),
    ],
)
def test_what_newcomers_meet_first_names_what_to_write(state: dict[str, Any], fix: str) -> None:
    spec = {"containers": [{"name": "c", "image": "App:1"}]}
    assert fix in first(pod(spec, containerStatuses=[state])).fix


@pytest.mark.parametrize(
    ("why", "fix"),
    [
        ("volume source persistentVolumeClaim is not supported by this node", "use what this node has: emptyDir"),
        ("hostPath type check failed: /data does not exist", "make it on node n1, or say hostPath.type Directory"),
        ("something else", "correct the volume that is named"),
    ],
)
def test_a_volume_that_cannot_be_set_up_says_what_would_be(why: str, fix: str) -> None:
    mount = event("FailedMount", f'MountVolume.SetUp failed for volume "v" : {why}', "")
    found = first(pod(containerStatuses=[waiting("ContainerCreating")]), mount)
    assert (found.cause, found.fix.startswith(fix)) == (Cause.VOLUME, True)


def test_commands_name_the_namespace() -> None:
    gone = pod(phase="Running", containerStatuses=[with_state({"running": {"startedAt": STAMP}})])
    assert "kubectl delete pod/x -n default --force" in first(gone, nodes=(), knows_nodes=True).fix
    gone["metadata"] |= {"deletionTimestamp": STAMP, "deletionGracePeriodSeconds": 30}
    assert "kubectl delete pod/x -n default --force" in first(gone).fix


def test_the_log_of_a_crashed_container_is_evidence() -> None:
    crashed = waiting("CrashLoopBackOff", "", {"exitCode": 1, "finishedAt": STAMP})
    found = first(pod(phase="Running", containerStatuses=[crashed]), logs={"c": "starting\nno database\n"})
    assert "log: no database" in found.evidence


def test_main_containers_are_not_blamed_while_an_init_container_fails() -> None:
    status = {
        "initContainerStatuses": [{**waiting("CrashLoopBackOff", "", {"exitCode": 7}), "name": "init"}],
        "containerStatuses": [waiting("PodInitializing")],
    }
    found = pods.findings(PodFacts(pod({"initContainers": [{"name": "init"}]}, **status), NOW))
    assert [(f.cause, f.subject) for f in found] == [(Cause.EXITED_WITH_ERROR, "init container init of pod/x")]


def test_a_missing_secret_of_a_volume_is_read_from_the_mount_event() -> None:
    mount = event("FailedMount", 'MountVolume.SetUp failed for volume "v" : secret "tls" not found', "")
    found = first(pod(containerStatuses=[waiting("ContainerCreating")]), mount)
    assert (found.cause, "tls" in found.text) == (Cause.MISSING_SECRET, True)


def test_a_pod_without_sandbox_names_its_network() -> None:
    failed = event("FailedCreatePodSandBox", "Failed to create pod sandbox: plugin type=calico failed", "")
    assert first(pod(containerStatuses=[waiting("ContainerCreating")]), failed).cause is Cause.SANDBOX


def test_a_pod_on_a_node_that_is_silent_says_so_before_all_else() -> None:
    ready = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting"}
    node = {"metadata": {"name": "n1"}, "status": {"conditions": [ready]}}
    running = pod(phase="Running", containerStatuses=[with_state({"running": {"startedAt": STAMP}})])
    assert first(running, nodes=(node,), knows_nodes=True).cause is Cause.NODE_NOT_READY
    assert first(running, nodes=(), knows_nodes=True).cause is Cause.NODE_GONE


def test_a_healthy_pod_has_nothing_wrong() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    running = with_state({"running": {"startedAt": STAMP}}, ready=True)
    assert first(pod(phase="Running", conditions=ready, containerStatuses=[running])).cause is Cause.NOTHING_WRONG


def test_an_evicted_pod_says_by_whom() -> None:
    target = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "for y"}
    found = first(pod(phase="Failed", reason="Evicted", message="low on memory", conditions=[target]))
    assert (found.cause, "PreemptionByScheduler" in found.text) == (Cause.EVICTED, True)


def deleting(obj: dict[str, Any], grace: int = 60, **metadata: Any) -> dict[str, Any]:
    stamp = {"deletionTimestamp": "2023-11-14T22:14:00Z", "deletionGracePeriodSeconds": grace}
    return {**obj, "metadata": {**obj["metadata"], **stamp, **metadata}}


RUNNING = with_state({"running": {"startedAt": STAMP}})


def test_a_pod_that_ignores_sigterm_says_when_it_is_killed() -> None:
    found = first(deleting(pod(phase="Running", containerStatuses=[RUNNING])))
    assert found.cause is Cause.GRACE_PERIOD
    assert "SIGKILL comes in 40s" in found.text


def test_a_pre_stop_hook_is_named_while_the_grace_period_runs() -> None:
    spec = {"containers": [{"name": "c", "lifecycle": {"preStop": {"exec": {"command": ["sleep", "99"]}}}}]}
    assert first(deleting(pod(spec, phase="Running", containerStatuses=[RUNNING]))).cause is Cause.PRE_STOP_HOOK


def test_a_pod_that_outlives_its_grace_period_points_at_its_node() -> None:
    late = deleting(pod(phase="Running", containerStatuses=[RUNNING]))
    late["metadata"]["deletionTimestamp"] = "2023-11-14T22:12:00Z"
    found = first(late)
    assert (found.cause, "n1" in found.fix) == (Cause.KILL_OVERDUE, True)


def test_finalizers_are_named() -> None:
    found = first(deleting(pod(phase="Succeeded"), finalizers=["batch.kubernetes.io/job-tracking"]))
    assert (found.cause, "job-tracking" in found.text) == (Cause.FINALIZERS, True)


def test_foreground_deletion_names_the_dependents_that_block_it() -> None:
    owner = deleting({"kind": "ReplicaSet", "metadata": {"name": "web", "uid": "o"}}, finalizers=["foregroundDeletion"])

    def dependent(name: str, blocks: bool) -> dict[str, Any]:
        reference = {"uid": "o", "blockOwnerDeletion": blocks}
        return {"kind": "Pod", "metadata": {"name": name, "ownerReferences": [reference], "finalizers": ["a/b"]}}

    found = terminating.of_object(owner, (dependent("one", True), dependent("two", False)), NOW)
    assert found[0].cause is Cause.FOREGROUND_DELETION
    assert "pod/one" in found[0].text
    assert "pod/two" not in found[0].text
    assert "sampan why pod/one" in found[0].fix


def test_who_may_remove_a_finalizer_is_told_with_the_command_that_forces_it() -> None:
    held = deleting({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "d"}}, finalizers=["orphan", "a/b"])
    (found,) = terminating.of_object(held, (), NOW)
    assert found.text == "configmap/c is kept by its finalizers orphan, a/b."
    assert found.evidence[1] == "orphan: the garbage collector removes it when the dependents have lost their owner"
    assert "kubectl patch configmap/c -n d --type=merge" in found.fix
    (free,) = terminating.of_object(deleting({"kind": "ConfigMap", "metadata": {"name": "c"}}), (), NOW)
    assert free.cause is Cause.GRACE_PERIOD
    (waits,) = terminating.of_object(
        deleting({"kind": "X", "metadata": {"name": "x", "uid": "o"}}, finalizers=["foregroundDeletion"]), (), NOW
    )
    assert (waits.cause, "is the controller manager running?" in waits.fix) == (Cause.FOREGROUND_DELETION, True)


def test_a_silent_node_explains_why_a_pod_does_not_go_unless_the_pod_has_ended() -> None:
    node = {"metadata": {"name": "n1"}, "status": {"conditions": []}}
    stopping = deleting(pod(phase="Running", containerStatuses=[RUNNING]))
    silent = pods.findings(PodFacts(stopping, NOW, nodes=(node,), knows_nodes=True))
    assert [f.cause for f in silent] == [Cause.NODE_NOT_READY]
    assert "which is silent" in silent[0].text
    node["status"] = {"conditions": [{"type": "Ready", "status": "False", "reason": "Down", "message": "m"}]}
    assert "which is not ready" in first(stopping, nodes=(node,), knows_nodes=True).text
    ended = deleting(pod(phase="Failed"), finalizers=["a/b"])
    assert [f.cause for f in pods.findings(PodFacts(ended, NOW, knows_nodes=True))] == [Cause.FINALIZERS]


def test_only_the_containers_that_still_run_are_named_while_a_pod_stops() -> None:
    names = [{"name": "c", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}, {"name": "done"}]
    ended = {**with_state({"terminated": {"exitCode": 0}}), "name": "done"}
    obj = deleting(pod({"containers": names}, phase="Running", containerStatuses=[RUNNING, ended]))
    found = first(obj)
    assert (found.cause, "container c still runs" in found.text) == (Cause.PRE_STOP_HOOK, True)
    assert found.evidence == ("deletionGracePeriodSeconds is 60",)
    failed = first(obj, event("FailedPreStopHook", "hook failed"))
    assert (failed.cause, failed.evidence[1:]) == (Cause.GRACE_PERIOD, ("hook failed",))


def test_the_end_of_a_grace_period_is_counted_down() -> None:
    obj = deleting(pod(phase="Running", containerStatuses=[RUNNING]))
    told = {}
    for stamp in ("22:13:21", "22:13:20", "22:13:10", "22:13:09"):
        obj["metadata"]["deletionTimestamp"] = f"2023-11-14T{stamp}Z"
        told[stamp] = first(obj)
    assert "SIGKILL comes in 1s" in told["22:13:21"].text
    assert "SIGKILL is due" in told["22:13:20"].text
    assert [f.cause for f in told.values()] == [Cause.GRACE_PERIOD] * 3 + [Cause.KILL_OVERDUE]
