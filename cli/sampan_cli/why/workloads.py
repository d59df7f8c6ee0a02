"""What makes pods and does not get on: nobody acts on it, its creations are refused, or its pods are held up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sampan_cli.why import pods as pod_diagnosis
from sampan_cli.why.facts import (
    PodFacts,
    addressed,
    ago,
    condition,
    counted,
    joined,
    latest,
    message,
    said,
    seconds,
    since,
    subject,
)
from sampan_cli.why.findings import Cause, Finding, Object
from sampan_cli.why.nodes import is_fresh

KINDS = ("ReplicaSet", "ReplicationController", "Deployment", "StatefulSet", "DaemonSet", "Job")
_PATIENCE = 3.0
"""Seconds in which a controller that works has looked at a new object."""
_MANAGER = "kube-controller-manager"


class WorkloadFacts(NamedTuple):
    """`sets` are the ReplicaSets of a Deployment; `pods` those of the object itself and of its sets."""

    obj: Object
    now: float
    events: tuple[Object, ...] = ()
    sets: tuple[Object, ...] = ()
    pods: tuple[PodFacts, ...] = ()
    leases: tuple[Object, ...] = ()


def findings(facts: WorkloadFacts) -> list[Finding]:
    obj = facts.obj
    if absent := _nobody(facts):
        return [absent]
    found = [*_behind(facts), *_stopped(facts), *_refused(facts), *of_pods(facts)]
    if not found:
        found = [*_settling(facts), *_missing(facts)]
    if found:
        return found
    wanted = _wanted(obj)
    text = f"{subject(obj)} has all {counted(wanted, 'pod')} it wants." if wanted else f"{subject(obj)} wants no pods."
    return [Finding(Cause.NOTHING_WRONG, subject(obj), text)]


def _wanted(obj: Object) -> int:
    spec, status = obj["spec"], obj.get("status") or {}
    if obj["kind"] == "DaemonSet":
        return int(status.get("desiredNumberScheduled", 0))
    if obj["kind"] == "Job":
        done = int(status.get("succeeded", 0))
        wanted = spec.get("completions", spec.get("parallelism", 1))
        return max(0, min(int(spec.get("parallelism", 1)), int(wanted) - done))
    return int(spec.get("replicas", 1))


def _nobody(facts: WorkloadFacts) -> Finding | None:
    """Whether a controller has looked at the object at all."""
    obj, status = facts.obj, facts.obj.get("status") or {}
    seen = bool(status.get("observedGeneration"))
    if obj["kind"] == "Job":
        seen = bool(status.get("startTime") or status.get("conditions") or status.get("active"))
    if seen or (since(obj["metadata"].get("creationTimestamp"), facts.now) or 0.0) < _PATIENCE:
        return None
    created = ago(obj["metadata"].get("creationTimestamp"), facts.now)
    text = f"Nothing acts on {subject(obj)}, made {created} ago: no controller of the kind {obj['kind']} runs here."
    seen_words = ("its status names no generation that a controller has seen", *_manager(facts))
    fix = "start the controllers"
    if is_fresh(_lease(facts), facts.now):
        instead = "a Pod with restartPolicy OnFailure" if obj["kind"] == "Job" else "a ReplicaSet"
        fix = f"the controllers that run do not know the kind {obj['kind']} (the server warned of it): use {instead}"
    return Finding(Cause.NO_CONTROLLER, subject(obj), text, seen_words, fix)


def _lease(facts: WorkloadFacts) -> Object | None:
    return next((each for each in facts.leases if each["metadata"]["name"] == _MANAGER), None)


def _manager(facts: WorkloadFacts) -> tuple[str, ...]:
    lease = _lease(facts)
    if lease is None:
        return ()
    renewed = ago((lease.get("spec") or {}).get("renewTime"), facts.now)
    state = "alive" if is_fresh(lease, facts.now) else "not alive"
    return (f"the lease kube-system/{_MANAGER} was renewed {renewed} ago: its holder is {state}",)


def _behind(facts: WorkloadFacts) -> Iterator[Finding]:
    obj = facts.obj
    generation = int(obj["metadata"].get("generation") or 0)
    observed = int((obj.get("status") or {}).get("observedGeneration") or 0)
    if not observed or observed >= generation:
        return
    who = subject(obj)
    text = f"{who} was changed (generation {generation}), and its controller has acted on generation {observed} only."
    fix = "is the controller manager running? See its log"
    yield Finding(Cause.CONTROLLER_BEHIND, who, text, _manager(facts), fix)


def _stopped(facts: WorkloadFacts) -> Iterator[Finding]:
    """Somebody wanted it to stand still, or its controller has given up."""
    obj, who = facts.obj, subject(facts.obj)
    if obj["kind"] == "Deployment" and obj["spec"].get("paused"):
        yield Finding(Cause.PAUSED, who, f"{who} is paused: its changes are not rolled out.", (),
                      f"kubectl rollout resume {addressed(obj)}")  # fmt: skip
    if obj["kind"] == "Job" and obj["spec"].get("suspend"):
        yield Finding(Cause.PAUSED, who, f"{who} is suspended: it has no pods.", (), "set spec.suspend to false")
    failed = condition(obj, "Failed") if obj["kind"] == "Job" else None
    if failed and failed.get("status") == "True":
        deadline = failed.get("reason") == "DeadlineExceeded"
        cause = Cause.DEADLINE_EXCEEDED if deadline else Cause.BACKOFF_LIMIT
        text = f"{who} has failed for good ({failed.get('reason')})."
        fix = "correct what its pods end with, then make the job again"
        yield Finding(cause, who, text, (str(failed.get("message", "")),), fix)
    progressing = condition(obj, "Progressing")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        text = f"{who} has not got on within its progressDeadlineSeconds."
        yield Finding(
            Cause.PROGRESS_DEADLINE, who, text, (str(progressing.get("message", "")),), "see the causes below"
        )


def _refused(facts: WorkloadFacts) -> Iterator[Finding]:
    """Pods that the API server did not let the controller make, or end."""
    for obj in (facts.obj, *facts.sets):
        failure = condition(obj, "ReplicaFailure")
        if failure and failure.get("status") == "True":
            made = failure.get("reason") != "FailedDelete"
            yield refusal(subject(facts.obj), str(failure.get("message", "")), made=made)
            return
    failed = latest(facts.events, "FailedCreate", "FailedDelete")
    if failed and len(facts.pods) < _wanted(facts.obj):
        yield refusal(subject(facts.obj), message(failed), made=failed["reason"] == "FailedCreate")


_MISSING = (
    (Cause.MISSING_PRIORITY_CLASS, re.compile(r"no PriorityClass with name (\S+) was found"),
     "PriorityClass {0} does not exist", "create priorityclass/{0}, or correct priorityClassName in the template"),
    (Cause.MISSING_SERVICE_ACCOUNT, re.compile(r'serviceaccount "([^"]+)" not found'),
     'the service account "{0}" does not exist',
     "create serviceaccount/{0} in its namespace, or correct serviceAccountName"),
    (Cause.MISSING_RUNTIME_CLASS, re.compile(r'RuntimeClass "([^"]+)"'),
     'RuntimeClass "{0}" does not exist or no node serves it', "correct runtimeClassName, or take it out"),
)  # fmt: skip


def refusal(who: str, why: str, *, made: bool = True) -> Finding:
    """`why` is the API server's answer to the controller."""
    if not made:
        return Finding(
            Cause.DELETION_FAILED, who, f"{who} cannot delete its pods.", (why,), "see what the server answered"
        )
    head = f"{who} cannot make its pods"
    for cause, pattern, what, fix in _MISSING:
        if found := pattern.search(why):
            return Finding(cause, who, f"{head}: {what.format(found[1])}.", (why,), fix.format(found[1]))
    if "exceeded quota" in why or "failed quota" in why:
        text = f"{head}: the quota of its namespace is used up."
        return Finding(Cause.QUOTA, who, text, (why,), "request less, end other pods, or raise the ResourceQuota")
    if "is forbidden" in why or "forbidden:" in why:
        return Finding(Cause.CREATION_FORBIDDEN, who, f"{head}: they are forbidden.", (why,), "correct the template")
    if "is invalid" in why:
        return Finding(Cause.CREATION_INVALID, who, f"{head}: they would be invalid.", (why,), "correct the template")
    return Finding(Cause.CREATION_FAILED, who, f"{head}.", (why,), "see what the server answered")


def of_pods(facts: WorkloadFacts) -> Iterator[Finding]:
    """The causes of its pods; pods with the same one are told together."""
    groups: dict[Cause, list[tuple[PodFacts, Finding]]] = {}
    for pod in facts.pods:
        for finding in pod_diagnosis.findings(pod):
            if finding.cause is not Cause.NOTHING_WRONG:
                groups.setdefault(finding.cause, []).append((pod, finding))
    for cause, members in sorted(groups.items(), key=lambda group: -len(group[1])):
        pods = list(dict.fromkeys(subject(pod.pod) for pod, _ in members))
        first = members[0][1]
        text = f"{len(pods)} of {counted(len(facts.pods), 'pod')}: {first.text}"
        seen = (f"pods: {joined(pods)}", *first.evidence) if len(pods) > 1 else first.evidence
        yield Finding(cause, subject(facts.obj), text, seen, first.fix)


def _settling(facts: WorkloadFacts) -> Iterator[Finding]:
    """Pods that are Ready, but not for long enough to count as available."""
    obj, status = facts.obj, facts.obj.get("status") or {}
    needed = int(obj["spec"].get("minReadySeconds", 0))
    ready = int(status.get("readyReplicas", status.get("numberReady", 0)))
    available = int(status.get("availableReplicas", status.get("numberAvailable", 0)))
    if not needed or ready <= available:
        return
    waits = [
        needed - (facts.now - then)
        for pod in facts.pods
        if (held := condition(pod.pod, "Ready")) and held.get("status") == "True"
        and (then := seconds(held.get("lastTransitionTime"))) is not None
    ]  # fmt: skip
    left = [wait for wait in waits if wait > 0]
    when = f"; the last is counted in {said(max(left))}" if left else ""
    young = counted(ready - available, "pod")
    text = f"{subject(obj)}: {young} of {ready} Ready for less than minReadySeconds ({needed} s){when}."
    yield Finding(Cause.MIN_READY_SECONDS, subject(obj), text, (), "wait, or lower minReadySeconds")


def _missing(facts: WorkloadFacts) -> Iterator[Finding]:
    wanted, there = _wanted(facts.obj), len(facts.pods)
    if facts.obj["kind"] == "Job" or there >= wanted:
        return
    text = f"{subject(facts.obj)} has {there} of {counted(wanted, 'pod')}, and no failure is reported."
    fix = "its controller should be making them: is the controller manager running?"
    yield Finding(Cause.CONTROLLER_BEHIND, subject(facts.obj), text, _manager(facts), fix)
