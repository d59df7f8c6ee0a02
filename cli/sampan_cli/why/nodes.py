"""Nodes: not ready, cordoned, tainted, under pressure; and what that does to a pod that is bound to one."""

from __future__ import annotations

from collections.abc import Iterator

from sampan_cli.why.facts import PodFacts, addressed, ago, condition, seconds, subject
from sampan_cli.why.findings import Cause, Finding, Object

_PRESSURES = {
    "MemoryPressure": "free memory: end or move pods",
    "DiskPressure": "free disk space: images, logs, emptyDirs",
    "PIDPressure": "end processes: something forks without end",
    "NetworkUnavailable": "set up the node's network",
}
_BY_CONDITION = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/network-unavailable",
)
"""Taints that follow from conditions and the cordon: no causes of their own."""


def findings(node: Object, lease: Object | None, now: float) -> list[Finding]:
    found = [*_ready(node, lease, now), *_pressures(node), *_cordon(node), *_taints(node)]
    if found:
        return found
    return [Finding(Cause.NOTHING_WRONG, subject(node), f"{subject(node)} is Ready and takes pods.")]


def _ready(node: Object, lease: Object | None, now: float) -> Iterator[Finding]:
    ready, who = condition(node, "Ready"), subject(node)
    if ready is not None and ready.get("status") == "True":
        return
    if ready is None or ready.get("status") == "Unknown":
        renewed = ((lease or {}).get("spec") or {}).get("renewTime")
        heard = f"last heard of {ago(renewed, now)} ago" if renewed else "never heard of"
        text = f"{who} is silent: {heard}. Nothing is known of its pods; they stay until their tolerations run out."
        fix = "is the machine up, its agent running, and can it reach the API server?"
        yield Finding(Cause.NODE_SILENT, who, text, _words(ready), fix)
    else:
        text = f"{who} answers but is not ready: {ready.get('message') or ready.get('reason')}."
        yield Finding(Cause.NODE_NOT_READY, who, text, _words(ready), "repair what the node names (often its runtime)")


def _words(held: Object | None) -> tuple[str, ...]:
    if held is None:
        return ()
    return (f"condition {held['type']} is {held.get('status')} ({held.get('reason')}): {held.get('message')}",)


def _pressures(node: Object) -> Iterator[Finding]:
    for kind, fix in _PRESSURES.items():
        held = condition(node, kind)
        if held is not None and held.get("status") == "True":
            text = f"{subject(node)} reports {kind} and takes no further pods."
            yield Finding(Cause.NODE_PRESSURE, subject(node), text, _words(held), fix)


def _cordon(node: Object) -> Iterator[Finding]:
    if node["spec"].get("unschedulable"):
        text = f"{subject(node)} is cordoned: it keeps its pods and takes no others."
        name = node["metadata"]["name"]
        yield Finding(
            Cause.NODE_CORDONED, subject(node), text, ("spec.unschedulable is true",), f"kubectl uncordon {name}"
        )


def _taints(node: Object) -> Iterator[Finding]:
    for taint in node["spec"].get("taints") or []:
        if taint["key"] in _BY_CONDITION:
            continue
        value = f"={taint['value']}" if taint.get("value") else ""
        word = f"{taint['key']}{value}:{taint['effect']}"
        text = f"{subject(node)} has the taint {word}: only pods that tolerate it come here."
        if taint["effect"] == "PreferNoSchedule":
            text = f"{subject(node)} has the taint {word}: pods that do not tolerate it come here last."
        fix = f"kubectl taint nodes {node['metadata']['name']} {taint['key']}:{taint['effect']}-"
        yield Finding(Cause.NODE_TAINTED, subject(node), text, (), fix)


def absent_or_silent(facts: PodFacts) -> Iterator[Finding]:
    """Of a pod bound to a node that is not there, or not ready."""
    if not facts.knows_nodes:
        return
    pod, node = facts.pod, facts.node
    who, where = subject(pod), pod["spec"]["nodeName"]
    if node is None:
        text = f"{who} is bound to node {where}, which does not exist: nobody will run or stop it."
        fix = f"kubectl delete {addressed(pod)} --force --grace-period=0 (the pod collector does so after a while)"
        yield Finding(Cause.NODE_GONE, who, text, (), fix)
        return
    ready = condition(node, "Ready")
    if ready is None or ready.get("status") != "True":
        state = "is silent" if ready is None or ready.get("status") == "Unknown" else "is not ready"
        text = (
            f"{who} is bound to node {where}, which {state}: its containers cannot be looked at or stopped from here."
        )
        fix = (
            f"bring {where} back (`sampan why node/{where}`);"
            f" only if that machine is certainly off: kubectl delete {addressed(pod)} --force"
        )
        yield Finding(Cause.NODE_NOT_READY, who, text, _words(ready), fix)


def is_fresh(lease: Object | None, now: float) -> bool:
    """Whether the holder of a Lease has renewed it in time."""
    spec = (lease or {}).get("spec") or {}
    renewed = seconds(spec.get("renewTime"))
    return (
        bool(spec.get("holderIdentity"))
        and renewed is not None
        and now - renewed < spec.get("leaseDurationSeconds", 15)
    )
