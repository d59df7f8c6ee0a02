"""What a finding says of a container: the amounts, names and times in its words, and whom it blames."""

from __future__ import annotations

from typing import Any

import pytest
from sampan_cli.why import containers, facts, images, pods
from sampan_cli.why.facts import PodFacts
from sampan_cli.why.findings import Cause, Finding
from why_samples import NOW, STAMP, event, pod, waiting, with_state


def found(obj: dict[str, Any], *events: dict[str, Any], **more: Any) -> list[Finding]:
    return pods.findings(PodFacts(obj, NOW, events, **more))


def crashed(container: dict[str, Any], *events: dict[str, Any], restarts: int = 0, **end: Any) -> Finding:
    """The finding about a container that ended so and is to be started again."""
    last = {"exitCode": 1, "finishedAt": STAMP, **end}
    state = {**waiting("CrashLoopBackOff", "", last), "restartCount": restarts}
    (only,) = found(
        pod({"containers": [{"name": "c", **container}]}, phase="Running", containerStatuses=[state]), *events
    )
    return only


def test_init_containers_that_are_done_are_passed_over_and_the_first_that_fails_is_told() -> None:
    inits = [{"name": "done"}, {"name": "side", "restartPolicy": "Always"}, {"name": "bad"}, {"name": "later"}]
    statuses = [
        {**with_state({"terminated": {"exitCode": 0}}), "name": "done"},
        {**with_state({"running": {"startedAt": STAMP}}, started=True), "name": "side"},
        {**with_state({"terminated": {"exitCode": 7, "finishedAt": STAMP}}), "name": "bad"},
        {**waiting("CrashLoopBackOff", "", {"exitCode": 8}), "name": "later"},
    ]
    causes = found(pod({"initContainers": inits}, initContainerStatuses=statuses))
    assert [(f.cause, f.subject) for f in causes] == [(Cause.EXITED_WITH_ERROR, "init container bad of pod/x")]


def test_an_init_container_that_runs_says_who_waits_for_it() -> None:
    running = {**with_state({"running": {"startedAt": STAMP}}), "name": "init"}
    obj = pod({"initContainers": [{"name": "init"}]}, initContainerStatuses=[running])
    (only,) = found(obj, logs={"init": "waiting for db\n"})
    assert only.cause is Cause.INIT_CONTAINER_RUNS
    assert "running for 10s; it must end before the 1 container of the pod" in only.text
    assert only.evidence == ("log: waiting for db",)


@pytest.mark.parametrize(
    ("policy", "code", "told"), [("Never", 0, False), ("OnFailure", 0, False), ("Never", 3, True), ("Always", 0, True)]
)
def test_a_container_that_has_ended_is_told_of_when_it_failed_or_was_to_go_on(
    policy: str, code: int, told: bool
) -> None:
    ended = with_state({"terminated": {"exitCode": code, "finishedAt": STAMP}})
    facts_of = PodFacts(pod({"restartPolicy": policy}, phase="Running", containerStatuses=[ended]), NOW)
    assert bool(containers.findings(facts_of)) is told


def test_a_failed_pod_tells_of_the_containers_that_failed_and_of_no_others() -> None:
    def ended(name: str, code: int) -> dict[str, Any]:
        return {**with_state({"terminated": {"exitCode": code, "finishedAt": STAMP}}), "name": name}

    statuses = [ended("good", 0), ended("bad", 3), {**with_state({}), "name": "never"}, ended("unknown", 4)]
    names = [{"name": name} for name in ("good", "bad", "never")]
    causes = found(pod({"containers": names}, phase="Failed", containerStatuses=statuses))
    assert [f.subject for f in causes] == ["container bad of pod/x"]


def test_a_failed_pod_whose_containers_failed_by_themselves_was_not_evicted() -> None:
    target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "drained"}
    ended = with_state({"terminated": {"exitCode": 3, "finishedAt": STAMP}})
    (failed,) = found(pod(phase="Failed", conditions=[target], containerStatuses=[ended]))
    assert failed.cause is Cause.EXITED_WITH_ERROR
    (evicted,) = found(pod(phase="Failed", conditions=[target]))
    assert (evicted.cause, evicted.evidence) == (Cause.EVICTED, ())
    (unknown,) = found(pod(phase="Failed", message="gone"))
    assert (unknown.cause, unknown.evidence) == (Cause.EXITED_WITH_ERROR, (": gone",))


def test_out_of_memory_names_the_limit_or_says_that_the_node_had_no_more() -> None:
    limited = crashed({"resources": {"limits": {"memory": "64Mi"}}}, exitCode=137, reason="OOMKilled")
    assert (limited.cause, "above 64Mi" in limited.fix, "limit is 64Mi" in limited.text) == (
        Cause.OUT_OF_MEMORY, True, True
    )  # fmt: skip
    free = crashed({}, exitCode=137, reason="OOMKilled")
    assert (free.cause, "requests.memory" in free.fix, "the node had no more" in free.text) == (
        Cause.OUT_OF_MEMORY, True, True
    )  # fmt: skip


@pytest.mark.parametrize(("probe", "times"), [({}, "3 times"), ({"failureThreshold": 1}, "1 time ")])
def test_a_probe_that_kills_says_after_how_many_failures(probe: dict[str, Any], times: str) -> None:
    events = (
        event("Unhealthy", "Readiness probe failed: other"),
        event("Unhealthy", "Startup probe failed: refused"),
        event("Killing", "Container c failed startup probe, will be restarted"),
    )
    told = crashed({"startupProbe": probe}, *events, exitCode=137)
    assert (told.cause, told.evidence[0]) == (Cause.STARTUP_PROBE, "Startup probe failed: refused")
    assert f"fails {times}" in told.text
    assert crashed({"startupProbe": probe}, *events, exitCode=0).cause is Cause.EXITS_AT_ONCE


@pytest.mark.parametrize(
    ("spec", "word"), [({"command": ["a"], "args": ["b"]}, "no a:"), ({"args": ["b"]}, "no b:"), ({}, "image's own")]
)
def test_a_command_that_is_not_there_is_named(spec: dict[str, Any], word: str) -> None:
    told = crashed(spec, exitCode=128, reason="StartError", message="exec: executable file not found in $PATH")
    assert word in told.text
    assert told.evidence[0].startswith("exec:")
    said_nothing = crashed(spec, exitCode=128)
    assert said_nothing.as_data()["evidence"] == ["exit code 128, reason none, 10s ago"]


def restarted(ready: bool, minutes: int) -> list[Finding]:
    """A container that runs after an end so many minutes ago."""
    last = {"exitCode": 1, "finishedAt": f"2023-11-14T22:{13 - minutes:02}:20Z"}
    running = with_state({"running": {"startedAt": STAMP}}, last, ready=ready)
    return containers.findings(PodFacts(pod(phase="Running", containerStatuses=[running]), NOW))


def test_a_restart_is_told_while_it_is_recent_or_the_container_is_not_ready() -> None:
    (recent,) = restarted(ready=True, minutes=9)
    assert recent.text.endswith("It runs now.")
    assert restarted(ready=True, minutes=11) == []
    (unready,) = restarted(ready=False, minutes=11)
    assert unready.text.endswith("It runs now, but is not ready.")


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("back-off 10s restarting failed container=c", ": the next try is due"),
        ("back-off 11s restarting failed container=c", ": the next try is in 1s"),
        ("back-off 2m40s restarting failed container=c", ": the next try is in 2m30s"),
        ("back-off 1h0m10s restarting failed container=c", ": the next try is in 60m"),
        ("wait", ""),
    ],
)
def test_a_back_off_is_counted_from_the_last_end(why: str, told: str) -> None:
    obj = pod(
        phase="Running", containerStatuses=[waiting("CrashLoopBackOff", why, {"exitCode": 1, "finishedAt": STAMP})]
    )
    assert found(obj)[0].evidence[-1] == why + told
    unknown = pod(phase="Running", containerStatuses=[waiting("CrashLoopBackOff", why, {"exitCode": 1})])
    assert found(unknown)[0].evidence[-1] == why


@pytest.mark.parametrize(("kind", "told"), [("config", "configmap"), ("configmap", "configmap"), ("secret", "secret")])
def test_a_missing_item_of_a_volume_is_told_by_what_holds_it(kind: str, told: str) -> None:
    said = containers.missing(f"references non-existent {kind} key: tls.crt", "pod/x")
    assert said is not None
    assert said.cause is Cause.MISSING_KEY
    assert f"to the {told}," in said.fix


def pulling(why: str, image: str = "app:1", *nodes: dict[str, Any], reason: str = "ErrImagePull") -> Finding:
    obj = pod({"containers": [{"name": "c", "image": image}]}, containerStatuses=[waiting(reason, why)])
    return images.unavailable(
        PodFacts(obj, NOW, nodes=nodes), obj["spec"]["containers"][0], {"reason": reason, "message": why}, "c"
    )


@pytest.mark.parametrize(
    ("why", "text", "fix"),
    [
        ("pull access denied", "pull access denied", "imagePullSecret"),
        ("manifest unknown", "image not found", "push it"),
        ("no such host", "cannot be reached", "registry's name (docker.io)"),
        ("disk is full", 'pulling "app:1" fails', "see what the registry answered"),
    ],
)
def test_each_way_of_getting_no_image_has_its_own_words(why: str, text: str, fix: str) -> None:
    told = pulling(why)
    assert text in told.text
    assert fix in told.fix


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("app", "docker.io"), ("library/app:1", "docker.io"), ("localhost/app", "localhost"),
        ("registry:5000/app", "registry:5000"), ("quay.io/a/b", "quay.io"), ("app.1", "docker.io"),
    ],
)  # fmt: skip
def test_the_registry_of_an_image_is_what_stands_before_its_path_if_that_is_a_host(image: str, registry: str) -> None:
    assert images.registry_of(image) == registry


def holding(*tags: str) -> dict[str, Any]:
    return {"metadata": {"name": "n"}, "status": {"images": [{"names": list(tags)}, {}]}}


def test_an_image_with_nearly_that_name_on_a_node_is_offered() -> None:
    nodes = (
        holding("docker.io/library/ngnix:1.27", "docker.io/library/ngnix@sha256:0", "quay.io/other/thing:9"),
        holding("docker.io/library/nginx:1.26"),
        {"metadata": {"name": "new"}},
    )
    told = pulling("not found", "nginx:1.27", *nodes)
    assert told.fix.endswith('; did you mean "docker.io/library/nginx:1.26"?')
    assert told.evidence[-1].endswith("similar name: docker.io/library/nginx:1.26, docker.io/library/ngnix:1.27")
    assert "did you mean" not in pulling("not found", "nginx:1.27", holding("nginx:1.27")).fix
    never = pulling("", "nginx:1.27", *nodes, reason="ErrImageNeverPull")
    assert "did you mean" in never.fix
    assert "did you mean" not in pulling("", "nginx:1.27", reason="ErrImageNeverPull").fix


def test_the_last_event_counts_by_when_it_was_seen_last() -> None:
    old, new = event("Unhealthy", "old"), {**event("Unhealthy", "new"), "lastTimestamp": "2023-11-14T22:13:00Z"}
    assert facts.latest([old, new], "Unhealthy") is old
    series = {**new, "series": {"lastObservedTime": "2023-11-14T22:13:19Z"}}
    assert facts.latest([old, series], "Unhealthy") is series
    other = event("Unhealthy", "of another", "d")
    assert facts.latest([other, old], "Unhealthy", container="d") is other
    assert facts.latest([old, new], "Unhealthy", text="new") is new
    assert facts.latest([old, new], "Unhealthy", text="newer") is None


def test_lists_are_cut_where_that_saves_more_than_one_and_times_are_never_below_zero() -> None:
    assert facts.joined("abcdef") == "a, b, c, d, e, f"
    assert facts.joined("abcdefg") == "a, b, c, d, e and 2 more"
    assert facts.ago(None, NOW) == "some time"
    assert facts.ago("2023-11-14T22:13:30Z", NOW) == "0s"
    assert facts.ago(STAMP, NOW) == "10s"
    assert (facts.said(0.2), facts.said(1.2), facts.said(-5)) == ("1s", "1s", "1s")


def test_a_pod_that_is_being_started_tells_the_last_thing_that_was_heard() -> None:
    creating = pod(containerStatuses=[waiting("ContainerCreating")], startTime=STAMP)
    first = {**event("Scheduled", "to n1"), "lastTimestamp": None, "eventTime": "2023-11-14T22:13:09.5Z"}
    (told,) = found(creating, event("Pulling", "image app:1"), first)
    assert (told.cause, told.evidence) == (Cause.STARTING, ("Pulling: image app:1",))
    assert told.text.endswith("on node n1: for 10s.")
    (silent,) = found(pod(containerStatuses=[waiting("ContainerCreating")]))
    assert (silent.evidence, silent.text.endswith("the node has not taken it up yet.")) == ((), True)


def test_a_pod_that_is_not_ready_says_in_whose_words() -> None:
    running = with_state({"running": {"startedAt": STAMP}})
    said = {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "c"}
    (told,) = found(pod(phase="Running", conditions=[said], containerStatuses=[running]))
    assert told.evidence == ("Ready is False (ContainersNotReady): c",)
    (silent,) = found(pod(phase="Running", containerStatuses=[running]))
    assert (silent.cause, silent.evidence) == (Cause.NOT_READY, ())
