"""What is being deleted and does not go: finalizers, dependents, the node, the grace period."""

from __future__ import annotations

from sampan_cli.why.facts import PodFacts, addressed, ago, joined, latest, message, said, seconds, subject
from sampan_cli.why.findings import Cause, Finding, Object
from sampan_cli.why.nodes import absent_or_silent

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"
_GARBAGE_COLLECTOR = {
    _FOREGROUND: "the garbage collector removes it when the dependents are gone",
    _ORPHAN: "the garbage collector removes it when the dependents have lost their owner",
}
_OVERDUE = 10.0
"""Seconds after the end of a grace period in which a node may still be clearing up."""


def is_deleting(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def of_object(obj: Object, dependents: tuple[Object, ...], now: float) -> list[Finding]:
    """Any object but a pod waits for its finalizers alone."""
    finalizers = obj["metadata"].get("finalizers") or []
    found = []
    if _FOREGROUND in finalizers:
        found.append(_foreground(obj, dependents, now))
    others = [f for f in finalizers if f != _FOREGROUND]
    if others:
        found.append(_finalizers(obj, others, now))
    if not found:
        text = f"{subject(obj)} is being deleted and nothing holds it: it goes at any moment."
        found.append(Finding(Cause.GRACE_PERIOD, subject(obj), text))
    return found


def _foreground(obj: Object, dependents: tuple[Object, ...], now: float) -> Finding:
    blocking = [d for d in dependents if _blocks(obj, d)]
    who = subject(obj)
    text = f"{who} is deleted in the foreground: it waits for {len(blocking)} dependents to go first"
    if blocking:
        text += f": {joined(subject(d) for d in blocking)}"
    stuck = [d for d in blocking if d["metadata"].get("finalizers")]
    seen = tuple(f"{subject(d)} has finalizers {', '.join(d['metadata']['finalizers'])}" for d in stuck)
    seen = (f"deletion was asked for {ago(obj['metadata']['deletionTimestamp'], now)} ago", *seen)
    fix = f"`sampan why {addressed(stuck[0] if stuck else blocking[0])}` says what holds it" if blocking else (
        "the garbage collector must remove the finalizer foregroundDeletion: is the controller manager running?"
    )  # fmt: skip
    return Finding(Cause.FOREGROUND_DELETION, who, f"{text}.", seen, fix)


def _blocks(owner: Object, dependent: Object) -> bool:
    references = dependent["metadata"].get("ownerReferences") or []
    return any(r["uid"] == owner["metadata"]["uid"] and r.get("blockOwnerDeletion") for r in references)


def _finalizers(obj: Object, finalizers: list[str], now: float) -> Finding:
    who = subject(obj)
    text = f"{who} is kept by {'its finalizer' if len(finalizers) == 1 else 'its finalizers'} {', '.join(finalizers)}."
    known = [f"{f}: {_GARBAGE_COLLECTOR[f]}" for f in finalizers if f in _GARBAGE_COLLECTOR]
    seen = (f"deletion was asked for {ago(obj['metadata']['deletionTimestamp'], now)} ago", *known)
    patch = """'{"metadata":{"finalizers":null}}'"""
    fix = (
        "whoever set the finalizer must do its work and remove it (is that controller running?);"
        f" if it is gone for good: kubectl patch {addressed(obj)} --type=merge -p {patch}"
    )
    return Finding(Cause.FINALIZERS, who, text, seen, fix)


def of_pod(facts: PodFacts) -> list[Finding]:
    pod = facts.pod
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    found = list(absent_or_silent(facts)) if pod["spec"].get("nodeName") and not ended else []
    running = _running(pod)
    if running and not found:
        found.append(_grace(facts, running))
    if pod["metadata"].get("finalizers"):
        found = [*of_object(pod, facts.dependents, facts.now), *found]
    return found or of_object(pod, facts.dependents, facts.now)


def _running(pod: Object) -> list[str]:
    status = pod.get("status") or {}
    statuses = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return [s["name"] for s in statuses if (s.get("state") or {}).get("running")]


def _grace(facts: PodFacts, running: list[str]) -> Finding:
    pod, metadata = facts.pod, facts.pod["metadata"]
    who = subject(pod)
    grace = metadata.get("deletionGracePeriodSeconds", pod["spec"].get("terminationGracePeriodSeconds", 30))
    left = (seconds(metadata["deletionTimestamp"]) or facts.now) - facts.now
    what = f"{'container' if len(running) == 1 else 'containers'} {joined(running)}"
    hooks = [c["name"] for c in pod["spec"]["containers"] if c["name"] in running and _has_pre_stop(c)]
    failed = latest(facts.events, "FailedPreStopHook")
    seen = (f"deletionGracePeriodSeconds is {grace}", *((message(failed),) if failed else ()))
    now_fix = (
        f"wait, or end it now: kubectl delete {addressed(pod)} --force --grace-period=0 (what it was doing is lost)"
    )
    if left < -_OVERDUE:
        text = f"{who} should have been killed {said(-left)} ago, but its node still reports {what} running."
        node = pod["spec"].get("nodeName")
        return Finding(Cause.KILL_OVERDUE, who, text, seen, f"look at the agent and the runtime on node {node}")
    until = f"SIGKILL comes in {said(left)}" if left > 0 else "SIGKILL is due"
    if hooks and not failed:
        text = (f"{who} is stopping: the preStop hook of {joined(hooks)} comes before SIGTERM, and both share the grace"
                f" period of {grace} s; {what} still runs; {until}.")  # fmt: skip
        return Finding(Cause.PRE_STOP_HOOK, who, text, seen, f"{now_fix}; make the preStop hook shorter")
    text = f"{who} is stopping: {what} got SIGTERM and has not ended; {until} (grace period {grace} s)."
    return Finding(Cause.GRACE_PERIOD, who, text, seen, f"{now_fix}; make the program end on SIGTERM")


def _has_pre_stop(container: Object) -> bool:
    return bool((container.get("lifecycle") or {}).get("preStop"))
