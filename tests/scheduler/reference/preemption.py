"""DefaultPreemption: which pods of lower priority would have to go for a pod that fits nowhere, and where.

On each node that eviction may open, all pods of lower priority are taken away; if the pod fits then, they are put back
one by one, those protected by a disruption budget first, the most important first, as long as it still fits. Among the
nodes the one is chosen whose victims hurt least."""

from dataclasses import dataclass, field

from reference import cycle
from reference.reason import Reason, hopeless
from reference.selectors import matches, requirements
from reference.world import (
    is_terminating,
    labels,
    name,
    namespace,
    placed_on,
    priority,
    spec,
    status,
    uid,
    with_pods,
)

NO_VICTIMS = Reason("No preemption victims found for incoming pod", eviction_may_help=False)
NOT_HELPFUL = Reason("Preemption is not helpful for scheduling", eviction_may_help=False)
NEVER_STARTED = "9999-12-31T23:59:59Z"


@dataclass
class Candidate:
    node: str
    victims: list = field(default_factory=list)
    violations: int = 0


@dataclass
class Outcome:
    """`best` are the candidates that rank equal and first: any of them may be chosen. Without any, `against` says per
    node why not; `ineligible` is set when the pod may not preempt at all."""

    best: list = field(default_factory=list)
    against: dict = field(default_factory=dict)
    ineligible: str = ""


def preempt(world, pod, reasons=None):
    reasons = cycle.reasons(world, pod) if reasons is None else reasons
    refused = ineligible(world, pod, reasons)
    if refused:
        return Outcome(ineligible=refused)
    found, against = [], {}
    for node, why in reasons.items():
        if hopeless(why):
            against[node] = [NOT_HELPFUL]
            continue
        result = select_victims(world, pod, world["nodes"][node])
        if isinstance(result, Candidate):
            found.append(result)
        else:
            against[node] = result
    return Outcome(best=best(found), against=against)


def ineligible(world, pod, reasons):
    if spec(pod).get("preemptionPolicy") == "Never":
        return "not eligible due to preemptionPolicy=Never."
    nominated = status(pod).get("nominatedNodeName")
    if nominated and not hopeless(reasons.get(nominated) or []):
        for other in placed_on(world, nominated) if nominated in world["nodes"] else []:
            if priority(other) < priority(pod) and leaves_for_preemptor(other):
                return "not eligible due to a terminating pod on the nominated node."
    return ""


def leaves_for_preemptor(pod):
    return is_terminating(pod) and any(
        c["type"] == "DisruptionTarget" and c["status"] == "True" and c.get("reason") == "PreemptionByScheduler"
        for c in status(pod).get("conditions") or []
    )


def importance(pod):
    """Sorts the most important first: the highest priority, then the longest running."""
    return -priority(pod), status(pod).get("startTime") or NEVER_STARTED


def select_victims(world, pod, node):
    """A Candidate, or the reasons why evictions do not help on this node."""
    pods = placed_on(world, name(node))
    lower = sorted((p for p in pods if priority(p) < priority(pod)), key=importance)
    if not lower:
        return [NO_VICTIMS]
    staying = [p for p in pods if priority(p) >= priority(pod)]
    against = cycle.run_filters_with_nominated(with_pods(world, name(node), staying), pod, node)
    if against:
        return against
    protected, others = split_by_budgets(world, lower)
    victims, violations = [], 0
    for other in [*protected, *others]:
        with_it = with_pods(world, name(node), [*staying, other])
        if cycle.run_filters_with_nominated(with_it, pod, node):
            victims.append(other)
            violations += any(other is p for p in protected)
        else:
            staying = [*staying, other]
    return Candidate(name(node), sorted(victims, key=importance), violations)


def split_by_budgets(world, pods):
    """(pods whose eviction a PodDisruptionBudget does not allow any more, the rest), in the given order.

    By the API of policy/v1 an empty selector selects every pod of the namespace; upstream's preemption overlooks such
    budgets, and pods without labels altogether."""
    allowed = {id(budget): status(budget).get("disruptionsAllowed") or 0 for budget in world["budgets"]}
    protected, others = [], []
    for pod in pods:
        violates = False
        for budget in world["budgets"]:
            wanted = requirements(spec(budget).get("selector"))
            if namespace(budget) != namespace(pod) or not matches(wanted, labels(pod)):
                continue
            if name(pod) in (status(budget).get("disruptedPods") or {}):
                continue
            allowed[id(budget)] -= 1
            violates = violates or allowed[id(budget)] < 0
        (protected if violates else others).append(pod)
    return protected, others


def best(candidates):
    """Those that rank first by: violations, highest priority of a victim, sum of priorities, number of victims, and
    then the latest start of the pod that runs longest among the victims of the highest priority."""
    criteria = (
        lambda c: c.violations,
        lambda c: priority(c.victims[0]),
        lambda c: sum(priority(v) + 2**31 for v in c.victims),
        lambda c: len(c.victims),
    )
    for criterion in criteria:
        least = min(map(criterion, candidates), default=0)
        candidates = [c for c in candidates if criterion(c) == least]
    latest = max(map(_longest_running, candidates), default="")
    return [c for c in candidates if _longest_running(c) == latest]


def _longest_running(candidate):
    highest = priority(candidate.victims[0])
    return min(status(v).get("startTime") or NEVER_STARTED for v in candidate.victims if priority(v) == highest)


def victim_uids(candidate):
    return {uid(victim) for victim in candidate.victims}
