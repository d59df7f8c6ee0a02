"""A pod: which stage it is held up in. Later stages are not looked at while an earlier one has something to say."""

from __future__ import annotations

from sampan_cli.why import containers, scheduling, terminating
from sampan_cli.why.facts import PodFacts, ago, condition, latest, message, subject
from sampan_cli.why.findings import Cause, Finding, Object
from sampan_cli.why.nodes import absent_or_silent


def findings(facts: PodFacts) -> list[Finding]:
    pod, status = facts.pod, facts.pod.get("status") or {}
    if terminating.is_deleting(pod):
        return terminating.of_pod(facts)
    if status.get("phase") == "Succeeded":
        return [
            Finding(Cause.NOTHING_WRONG, subject(pod), f"{subject(pod)} has done its work: every container ended well.")
        ]
    if status.get("phase") == "Failed":
        return _failed(facts)
    if not pod["spec"].get("nodeName"):
        return scheduling.findings(facts)
    for stage in (lambda f: list(absent_or_silent(f)), containers.findings, _preparing, _unready):
        if found := stage(facts):
            return found
    return [Finding(Cause.NOTHING_WRONG, subject(pod), f"{subject(pod)} is Running and Ready.")]


def _failed(facts: PodFacts) -> list[Finding]:
    pod, status = facts.pod, facts.pod.get("status") or {}
    who, reason, why = subject(pod), status.get("reason", ""), str(status.get("message", ""))
    seen = (f"{reason}: {why}",) if reason or why else ()
    if reason == "DeadlineExceeded":
        limit = pod["spec"].get("activeDeadlineSeconds")
        text = f"{who} was ended: it was active for longer than its activeDeadlineSeconds ({limit} s)."
        return [Finding(Cause.DEADLINE_EXCEEDED, who, text, seen, "raise activeDeadlineSeconds, or make it end sooner")]
    disrupted = condition(pod, "DisruptionTarget")
    if reason in ("Evicted", "Preempting") or (disrupted and not containers.ends(facts)):
        told = f"{disrupted.get('reason')}: {disrupted.get('message')}" if disrupted else why
        text = f"{who} was evicted: {told}"
        return [Finding(Cause.EVICTED, who, text, seen, "its controller makes another; a bare pod must be made again")]
    if found := containers.ends(facts):
        return found
    return [Finding(Cause.EXITED_WITH_ERROR, who, f"{who} has failed: {why or 'its status does not say why'}", seen)]


def _preparing(facts: PodFacts) -> list[Finding]:
    """Bound, but its containers have not been made: volumes, sandbox, or just a moment ago."""
    pod, status = facts.pod, facts.pod.get("status") or {}
    if status.get("phase") != "Pending":
        return []
    who = subject(pod)
    created = latest(facts.events, "Created", "Pulled", "Pulling")
    if mount := latest(facts.events, "FailedMount", "FailedAttachVolume"):
        if found := containers.missing(message(mount), who):
            return [found]
        text = f"{who} waits for a volume that cannot be set up."
        return [Finding(Cause.VOLUME, who, text, (message(mount),), _volume_fix(pod, message(mount)))]
    if (sandbox := latest(facts.events, "FailedCreatePodSandBox")) and not created:
        text = f"{who} gets no sandbox (its namespaces and network) on node {pod['spec']['nodeName']}."
        return [Finding(Cause.SANDBOX, who, text, (message(sandbox),), "look at the runtime and network of that node")]
    last = max(facts.events, key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""), default=None)
    seen = (f"{last.get('reason')}: {message(last)}",) if last else ()
    since = ago(status.get("startTime"), facts.now) if status.get("startTime") else ""
    state = f"for {since}" if since else "the node has not taken it up yet"
    text = f"{who} is being started on node {pod['spec']['nodeName']}: {state}."
    return [Finding(Cause.STARTING, who, text, seen, "wait")]


def _volume_fix(pod: Object, why: str) -> str:
    if "is not supported by this node" in why:
        return "use what this node has: emptyDir, hostPath, configMap, secret, downwardAPI or projected"
    if "hostPath type check failed" in why and "does not exist" in why:
        return f"make it on node {pod['spec']['nodeName']}, or say hostPath.type DirectoryOrCreate (FileOrCreate)"
    return "correct the volume that is named"


def _unready(facts: PodFacts) -> list[Finding]:
    pod = facts.pod
    ready = condition(pod, "Ready")
    if ready is not None and ready.get("status") == "True":
        return []
    if found := containers.gates(facts):
        return found
    words = f"Ready is {ready.get('status')} ({ready.get('reason')}): {ready.get('message', '')}" if ready else ""
    text = f"{subject(pod)} runs but is not Ready."
    return [Finding(Cause.NOT_READY, subject(pod), text, (words,) if words else ())]
