"""The text of the PodScheduled condition and of the FailedScheduling event."""

from collections import Counter

from reference import cycle
from reference.preemption import preempt


def message(world, pod):
    if not world["nodes"]:
        return "no nodes available to schedule pods"
    reasons = cycle.reasons(world, pod)
    outcome = preempt(world, pod, reasons)
    conflict = cycle.restricted(pod)
    text = f"0/{len(reasons)} nodes are available: {conflict.text}." if conflict else fit_error(reasons)
    if outcome.best:
        return text
    return f"{text} preemption: {outcome.ineligible or fit_error(outcome.against)}"


def fit_error(reasons):
    """Each reason with the number of nodes it holds for, sorted as text."""
    counts = Counter(reason.text for against in reasons.values() for reason in against)
    listed = ", ".join(sorted(f"{number} {text}" for text, number in counts.items()))
    return f"0/{len(reasons)} nodes are available: {listed}."
