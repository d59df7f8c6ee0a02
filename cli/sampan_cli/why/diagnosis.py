"""An object, what is asked around it, and its findings, by kind."""

from __future__ import annotations

from typing import NamedTuple

from sampan_cli.why import namespaces, nodes, pods, selecting, terminating, workloads
from sampan_cli.why.facts import condition, last_seen, message, subject
from sampan_cli.why.findings import Cause, Finding, Object
from sampan_cli.why.gather import Asked, Gatherer


class Diagnosis(NamedTuple):
    """`asked` is the scheduler's verdict, of the pod or of one of the object's pods."""

    findings: list[Finding]
    asked: Asked = Asked(None)


def of(obj: Object, gatherer: Gatherer, now: float) -> Diagnosis:
    kind = obj["kind"]
    if kind == "Pod":
        facts, asked = gatherer.pod(obj)
        return Diagnosis(pods.findings(facts), asked)
    if kind == "Namespace" and terminating.is_deleting(obj):
        held = [each for each in gatherer.contents(obj["metadata"]["name"]) if each["metadata"].get("finalizers")]
        return Diagnosis(namespaces.findings(obj, tuple(held), now))
    if terminating.is_deleting(obj):
        return Diagnosis(terminating.of_object(obj, gatherer.dependents(obj), now))
    if kind in workloads.KINDS:
        of_workload, asked = gatherer.workload(obj)
        return Diagnosis(workloads.findings(of_workload), asked)
    if kind in selecting.KINDS:
        selected, others, asked = gatherer.selection(obj)
        return Diagnosis(selecting.findings(selected, others), asked)
    if kind == "Node":
        return Diagnosis(nodes.findings(obj, gatherer.node_lease(obj["metadata"]["name"]), now))
    return Diagnosis(any_kind(obj, gatherer.events(obj)))


def any_kind(obj: Object, events: tuple[Object, ...]) -> list[Finding]:
    """Kinds without a diagnosis of their own: what others have complained of."""
    who = subject(obj)
    warnings = sorted((e for e in events if e.get("type") == "Warning"), key=last_seen, reverse=True)
    found = [
        Finding(Cause.WARNED, who, f"{who}: {event.get('reason')}: {message(event)}")
        for event in {e.get("reason"): e for e in reversed(warnings)}.values()
    ]
    status = obj.get("status") or {}
    if status.get("phase") == "Pending":
        text = f"{who} is Pending: {status.get('message') or 'nobody has taken it up'}"
        fix = f"is a controller running that acts on the kind {obj['kind']}? (Sampan warns where it has none)"
        found.insert(0, Finding(Cause.NOT_READY, who, text, (), fix))
    if (ready := condition(obj, "Ready")) and ready.get("status") != "True":
        text = f"{who} is not Ready: {ready.get('message') or ready.get('reason')}"
        found.insert(0, Finding(Cause.NOT_READY, who, text))
    return found or [
        Finding(Cause.NOTHING_WRONG, who, f"Nothing is known to hold {who} up: no event warns of anything.")
    ]
