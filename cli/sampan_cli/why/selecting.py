"""Services and disruption budgets: whom they select, and whether that does what they are for."""

from __future__ import annotations

from sampan_cli.why.facts import condition, counted, joined, subject
from sampan_cli.why.findings import Cause, Finding, Object
from sampan_cli.why.workloads import WorkloadFacts, of_pods

KINDS = ("Service", "PodDisruptionBudget")
_ALIKE = 0.6


def findings(facts: WorkloadFacts, others: tuple[Object, ...]) -> list[Finding]:
    """`facts.pods` are those the object selects, `others` all pods of its namespace."""
    obj, who = facts.obj, subject(facts.obj)
    if obj["kind"] == "Service" and not obj["spec"].get("selector"):
        text = f"{who} selects no pods by itself: its endpoints are made by somebody else."
        return [Finding(Cause.NOTHING_WRONG, who, text)]
    if not facts.pods:
        return [_nobody(obj, others)]
    ready = sum(_is_ready(each.pod) for each in facts.pods)
    found = list(of_pods(facts)) if ready < len(facts.pods) else []
    if obj["kind"] == "PodDisruptionBudget":
        return [*_blocks(obj), *found] or [Finding(Cause.NOTHING_WRONG, who, _allows(obj))]
    if ready == 0:
        text = f"{who} has nobody to answer: none of the {counted(len(facts.pods), 'pod')} it selects is Ready."
        return [Finding(Cause.NOT_READY, who, text, (), "see what holds its pods up"), *found]
    text = f"{who} selects {counted(len(facts.pods), 'pod')}, of which {ready} {'is' if ready == 1 else 'are'} Ready."
    return found or [Finding(Cause.NOTHING_WRONG, who, text)]


def _nobody(obj: Object, others: tuple[Object, ...]) -> Finding:
    selector = obj["spec"].get("selector") or {}
    wanted = selector if obj["kind"] == "Service" else selector.get("matchLabels") or {}
    words = ", ".join(f"{key}={value}" for key, value in wanted.items()) or "everything"
    near = _nearly(others, wanted)
    fix = "correct the selector, or the labels of the pods that are meant"
    text = f"{subject(obj)} selects no pod: none in its namespace has {words}."
    return Finding(Cause.SELECTS_NOTHING, subject(obj), text, (joined(near),) if near else (), fix)


def _nearly(pods: tuple[Object, ...], wanted: Object) -> list[str]:
    """The pods whose labels look like what is wanted, the closest first."""
    from difflib import SequenceMatcher

    found = []
    for pod in pods if wanted else ():
        labels = pod["metadata"].get("labels") or {}
        has = {key: labels[key] for key in wanted if key in labels}
        alike = sum(SequenceMatcher(None, value, wanted[key]).ratio() for key, value in has.items()) / len(wanted)
        if alike >= _ALIKE:
            words = ", ".join(f"{key}={value}" for key, value in has.items())
            found.append((-alike, f"pod/{pod['metadata']['name']} has {words}"))
    return [told for _, told in sorted(found)]


def _is_ready(pod: Object) -> bool:
    return (condition(pod, "Ready") or {}).get("status") == "True"


def _blocks(obj: Object) -> list[Finding]:
    status = obj.get("status") or {}
    if status.get("disruptionsAllowed") != 0:
        return []
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    text = f"{subject(obj)} allows no eviction: {healthy} of its pods are healthy, and {desired} must be."
    fix = "start more of these pods, or lower minAvailable (raise maxUnavailable)"
    if healthy < desired:
        fix = "get its pods Ready again; until then a drain waits"
    return [Finding(Cause.DISRUPTIONS_BLOCKED, subject(obj), text, (), fix)]


def _allows(obj: Object) -> str:
    allowed = (obj.get("status") or {}).get("disruptionsAllowed")
    return f"{subject(obj)} allows {counted(int(allowed or 0), 'eviction')} now."
