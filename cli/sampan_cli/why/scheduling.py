"""Pods that have no node: what the scheduler said of each node, or why it said nothing.

The scheduler's own answer (`verdict`) names per plug-in what is needed, what there is and what would help; a server
without that answer leaves only the PodScheduled condition, whose sentence is then taken apart.
"""

from __future__ import annotations

import re

from sampan_cli.why.facts import PodFacts, ago, condition, counted, joined, latest, message, since, subject
from sampan_cli.why.findings import Cause, Finding, Object
from sampan_cli.why.nodes import is_fresh

KNOWN_SCHEDULER = "default-scheduler"
_PATIENCE = 3.0
"""Seconds in which a scheduler that works has looked at a new pod."""
_CONTROLLER_LEASES = ("kube-scheduler",)
_NODES_SAID = re.compile(r"^\d+/\d+ nodes are available: (.*?)\.?(?: preemption: .*)?$", re.DOTALL)
_COUNTED = re.compile(r"^(\d+) (.+)$")

_BY_PLUGIN = {
    "NodeResourcesFit": Cause.INSUFFICIENT_RESOURCES,
    "NodeAffinity": Cause.NODE_AFFINITY,
    "TaintToleration": Cause.UNTOLERATED_TAINT,
    "NodeUnschedulable": Cause.NODE_CORDONED,
    "NodeName": Cause.NODE_NAME,
    "NodePorts": Cause.PORT_CONFLICT,
    "PodTopologySpread": Cause.TOPOLOGY_SPREAD,
    "InterPodAffinity": Cause.POD_AFFINITY,
}
_BY_WORDS = (
    ("anti-affinity", Cause.POD_ANTI_AFFINITY),
    ("pod affinity", Cause.POD_AFFINITY),
    ("node affinity", Cause.NODE_AFFINITY),
    ("[NodeAffinity]", Cause.NODE_AFFINITY),
    ("Insufficient ", Cause.INSUFFICIENT_RESOURCES),
    ("Too many pods", Cause.INSUFFICIENT_RESOURCES),
    ("taint", Cause.UNTOLERATED_TAINT),
    ("were unschedulable", Cause.NODE_CORDONED),
    ("requested node name", Cause.NODE_NAME),
    ("free ports", Cause.PORT_CONFLICT),
    ("topology spread", Cause.TOPOLOGY_SPREAD),
)
_BROKEN_NODES = {
    "node.kubernetes.io/not-ready": Cause.NODE_NOT_READY,
    "node.kubernetes.io/unreachable": Cause.NODE_SILENT,
    "-pressure:": Cause.NODE_PRESSURE,
}
_WHAT_HELPS = {
    Cause.INSUFFICIENT_RESOURCES: "request less, end other pods, or add a node",
    Cause.NODE_AFFINITY: "label a node as the pod asks, or ask for less in nodeSelector and affinity",
    Cause.UNTOLERATED_TAINT: "add a toleration to the pod, or take the taint off a node",
    Cause.NODE_CORDONED: "kubectl uncordon a node",
    Cause.NODE_NAME: "correct the node's name",
    Cause.PORT_CONFLICT: "use another hostPort, or none",
    Cause.TOPOLOGY_SPREAD: "add nodes in the domains that lack pods, raise maxSkew, or use ScheduleAnyway",
    Cause.POD_AFFINITY: "start the pods it wants to be near to, or make the term a preferred one",
    Cause.POD_ANTI_AFFINITY: "add a node, or make the term a preferred one",
}


def findings(facts: PodFacts) -> list[Finding]:
    pod, who = facts.pod, subject(facts.pod)
    if gates := [gate["name"] for gate in pod["spec"].get("schedulingGates") or []]:
        text = f"{who} is held back by {'the gate' if len(gates) == 1 else 'the gates'} {', '.join(gates)}."
        fix = "whoever set the gate must take it out of spec.schedulingGates; the scheduler does not look before"
        return [Finding(Cause.SCHEDULING_GATED, who, text, _condition_words(pod), fix)]
    if (pod.get("status") or {}).get("nominatedNodeName"):
        return [_preempting(facts)]
    if facts.verdict and facts.verdict.get("refusals"):
        return _from_verdict(facts, facts.verdict)
    held = condition(pod, "PodScheduled")
    if held is None or held.get("status") == "True":
        return [_not_attempted(facts)]
    if facts.verdict and facts.verdict.get("feasible"):
        text = f"{who} fits now on {joined(facts.verdict['feasible'])}; it is tried again at any moment."
        return [Finding(Cause.WAITING_FOR_SCHEDULER, who, text, _condition_words(pod))]
    return from_message(facts, str(held.get("message", "")))


def _condition_words(pod: Object) -> tuple[str, ...]:
    held = condition(pod, "PodScheduled")
    return (f"PodScheduled is {held.get('status')} ({held.get('reason')}): {held.get('message')}",) if held else ()


def _preempting(facts: PodFacts) -> Finding:
    who, node = subject(facts.pod), facts.pod["status"]["nominatedNodeName"]
    text = f"{who} was promised room on {node}, for which pods of lower priority are evicted."
    seen = []
    for victim in filter(_was_preempted, facts.leaving):
        metadata = victim["metadata"]
        seen.append(f"{metadata['namespace']}/{metadata['name']} is still stopping"
                    f" (grace period {metadata.get('deletionGracePeriodSeconds', '?')} s)")  # fmt: skip
    if seen:
        text += f" It waits for {counted(len(seen), 'pod')} to end."
    fix = "wait for them; `sampan why` of one says what holds it" if seen else "wait: it is tried again at any moment"
    return Finding(Cause.WAITING_FOR_PREEMPTION, who, text, (*seen, *_condition_words(facts.pod)), fix)


def _was_preempted(pod: Object) -> bool:
    return (condition(pod, "DisruptionTarget") or {}).get("reason") == "PreemptionByScheduler"


def _not_attempted(facts: PodFacts) -> Finding:
    pod, who = facts.pod, subject(facts.pod)
    wanted = pod["spec"].get("schedulerName") or KNOWN_SCHEDULER
    age = since(pod["metadata"].get("creationTimestamp"), facts.now) or 0.0
    if facts.verdict and facts.verdict.get("state") in ("Queued", "BackingOff", "Binding"):
        text = f"{who} is in the scheduler's queue and has not been tried yet."
        return Finding(Cause.WAITING_FOR_SCHEDULER, who, text, (), "wait")
    if wanted != KNOWN_SCHEDULER and (facts.verdict or {}).get("state") in (None, "OtherScheduler"):
        created = ago(pod["metadata"].get("creationTimestamp"), facts.now)
        text = (
            f'{who} asks for the scheduler "{wanted}", which has not looked at it in {created}:'
            " no scheduler of that name seems to run."
        )
        known = (facts.verdict or {}).get("schedulers") or [KNOWN_SCHEDULER]
        fix = f'start the scheduler "{wanted}", or make the pod again with schedulerName: {" or ".join(known)}'
        return Finding(Cause.UNKNOWN_SCHEDULER, who, text, (f"spec.schedulerName is {wanted}",), fix)
    if age < _PATIENCE:
        return Finding(
            Cause.WAITING_FOR_SCHEDULER, who, f"{who} is new: no scheduler has looked at it yet.", (), "wait"
        )
    lease = next((each for each in facts.leases if each["metadata"]["name"] in _CONTROLLER_LEASES), None)
    holder = ((lease or {}).get("spec") or {}).get("holderIdentity")
    if lease is not None and is_fresh(lease, facts.now):
        seen = f"the lease kube-system/{lease['metadata']['name']} is held by {holder} and renewed"
        text = f"{who} has not been looked at by the scheduler, which is alive."
        return Finding(Cause.WAITING_FOR_SCHEDULER, who, text, (seen,), "see the scheduler's log")
    renewed = ((lease or {}).get("spec") or {}).get("renewTime")
    seen = f"the lease kube-system/kube-scheduler was renewed {ago(renewed, facts.now)} ago" if renewed else (
        "there is no lease kube-system/kube-scheduler"
    )  # fmt: skip
    created = ago(pod["metadata"].get("creationTimestamp"), facts.now)
    text = f"No scheduler runs: {who} was made {created} ago and none has looked at it."
    return Finding(Cause.NO_SCHEDULER, who, text, ("the pod has no condition PodScheduled", seen),
                   "start a scheduler, such as `sampan scheduler`")  # fmt: skip


def _from_verdict(facts: PodFacts, verdict: Object) -> list[Finding]:
    """One finding per change the nearest node would need; without one, per reason."""
    who = subject(facts.pod)
    seen = (str(verdict["message"]),) if verdict.get("message") else ()
    nearest = verdict.get("nearest") or {}
    if changes := nearest.get("changes"):
        where = nearest["node"]
        others = len(changes) - 1
        also = f" ({counted(others, 'other change')} needed there)" if others else ""
        return [
            Finding(_cause(c), who, _sentence(who, verdict, where, c, also), () if i else seen, c["fix"])
            for i, c in enumerate(changes)
        ]
    return [
        Finding(_cause(r), who, f"{who} fits no node: {r['count']} {r['reason']}.", seen, r["fix"])
        for r in verdict["refusals"]
    ]


def _sentence(who: str, verdict: Object, where: str, change: Object, also: str) -> str:
    need, have = change.get("need"), change.get("have")
    amounts = f": it needs {need}, and there is {have}" if need and have else f": it needs {need}" if need else ""
    total = verdict.get("total", 0)
    there = f"{who} fits on none of {total} nodes. On the nearest, {where}" if total > 1 else (
        f"{who} does not fit on the only node, {where}"
    )  # fmt: skip
    return f"{there}: {change['reason']}{amounts}{also}."


def from_message(facts: PodFacts, said: str) -> list[Finding]:
    """From Kubernetes' own sentence, `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had …`."""
    who = subject(facts.pod)
    seen = (said, *filter(None, [message(latest(facts.events, "FailedScheduling"))]))
    seen = tuple(dict.fromkeys(seen))
    if said.startswith("no nodes available"):
        fix = "add a node: `kubectl get nodes` shows none"
        return [Finding(Cause.NO_NODES, who, f"{who} has no node to go to: the cluster has none.", seen, fix)]
    reasons = list(_reasons(said))
    found: dict[Cause, list[str]] = {}
    for count, reason in reasons:
        found.setdefault(cause_of("", reason), []).append(f"{count} {reason}")
    if not found:
        return [Finding(Cause.UNSCHEDULABLE, who, f"{who} fits no node: {said}", seen)]
    return [
        Finding(cause, who, f"{who} fits no node: {', '.join(words)}.", () if i else seen, _WHAT_HELPS.get(cause, ""))
        for i, (cause, words) in enumerate(found.items())
    ]


def _reasons(said: str) -> list[tuple[int, str]]:
    """Taken apart at commas that a number follows: a reason may have commas of its own. The most nodes first."""
    match = _NODES_SAID.match(said.strip())
    if match is None:
        return []
    parts = re.split(r", (?=\d+ )", match[1])
    counts = [(int(m[1]), m[2]) for part in parts if (m := _COUNTED.match(part.strip().rstrip(".")))]
    return sorted(counts, key=lambda pair: -pair[0])


def _cause(refused: Object) -> Cause:
    """Taints that tell of the node's own condition are not the pod's to tolerate."""
    for key, cause in _BROKEN_NODES.items():
        if refused["plugin"] == "TaintToleration" and key in str(refused.get("need")):
            return cause
    return cause_of(refused["plugin"], refused["reason"])


def cause_of(plugin: str, reason: str) -> Cause:
    if plugin != "InterPodAffinity" and plugin in _BY_PLUGIN:
        return _BY_PLUGIN[plugin]
    by_words = next((cause for words, cause in _BY_WORDS if words in reason), None)
    return by_words or _BY_PLUGIN.get(plugin, Cause.UNSCHEDULABLE)
