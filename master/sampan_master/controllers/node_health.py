"""Node life cycle, the decisions: is a node heard of, what do its conditions, taints and labels say.

A node is heard of when its Lease is renewed or its status heartbeat moves; only the moment at which *we* saw that
counts, on our monotonic clock, so clocks that disagree do no harm and a restarted master gives everybody a full grace.

    Ready False    → not-ready:NoSchedule,   later not-ready:NoExecute
    Ready Unknown  → unreachable:NoSchedule, later unreachable:NoExecute   (silent beyond the grace)
    pressures, cordon → their own NoSchedule taints
    no Ready condition yet → neither; the startup grace runs

"Later" is when the zone's rate allows it (`zones`). A node that has one of the two NoExecute taints and comes to need
the other changes it at once, and its pods' time goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sampan_api import meta
from sampan_api.clock import rfc3339
from sampan_api.meta import Object

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
_CORDON = "node.kubernetes.io/unschedulable"
_HEARTBEAT_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_EVICTING = {"False": NOT_READY, "Unknown": UNREACHABLE}
_OURS_NO_SCHEDULE = {NOT_READY, UNREACHABLE, _CORDON, *_PRESSURES.values()}
_OURS_NO_EXECUTE = {NOT_READY, UNREACHABLE}
_OLD_LABELS = {
    "kubernetes.io/os": "beta.kubernetes.io/os",
    "kubernetes.io/arch": "beta.kubernetes.io/arch",
}
"""Label -> the older name under which it must say the same."""


@dataclass(frozen=True, slots=True)
class Observation:
    """When a node was last heard of (monotonic), by what sign, and the revisions at which that was read. `alive`: there
    was another sign than the first; until then `heard_at` is only when we began to listen."""

    renewed: str
    heartbeat: str
    lease_version: int
    node_version: int
    heard_at: float
    alive: bool = False


def listen(known: Observation | None, node: Object, lease: Object | None, now: float) -> Observation:
    """Any other sign than before is a sign of life: clocks may be set back. An older revision says nothing."""
    renewed = ((lease or {}).get("spec") or {}).get("renewTime") or ""
    heartbeat = (meta.condition(node, "Ready") or {}).get("lastHeartbeatTime") or ""
    lease_version, node_version = _version(lease), _version(node)
    if known is None:
        return Observation(renewed, heartbeat, lease_version, node_version, now)
    if lease_version < known.lease_version:
        renewed, lease_version = known.renewed, known.lease_version
    if node_version < known.node_version:
        heartbeat, node_version = known.heartbeat, known.node_version
    if (renewed, heartbeat) == (known.renewed, known.heartbeat):
        return Observation(renewed, heartbeat, lease_version, node_version, known.heard_at, known.alive)
    # The first lease we see may be an old one: it was listed after its node.
    first_lease = not known.lease_version and heartbeat == known.heartbeat
    return Observation(renewed, heartbeat, lease_version, node_version, now, known.alive or not first_lease)


def ready_status(node: Object) -> str:
    """True, False or Unknown; "" while the node has not said anything."""
    return (meta.condition(node, "Ready") or {}).get("status") or ""


def silent_conditions(node: Object, now: float) -> list[dict[str, Any]] | None:
    """The conditions of a node that went silent: the agent's own become Unknown. None when they are already."""
    before = {c["type"]: c for c in (node.get("status") or {}).get("conditions") or []}
    if all(before.get(kind, {}).get("status") == "Unknown" for kind in _HEARTBEAT_CONDITIONS):
        return None
    after = dict(before)
    for kind in _HEARTBEAT_CONDITIONS:
        old = before.get(kind)
        if old is not None and old.get("status") == "Unknown":
            continue
        after[kind] = {
            "type": kind,
            "status": "Unknown",
            "lastHeartbeatTime": old.get("lastHeartbeatTime") if old else node["metadata"].get("creationTimestamp"),
            "lastTransitionTime": rfc3339(now),
            "reason": "NodeStatusUnknown" if old else "NodeStatusNeverUpdated",
            "message": "Kubelet stopped posting node status." if old else "Kubelet never posted node status.",
        }
    return list(after.values())


def wanted_taints(node: Object, *, may_evict: bool, now: float) -> list[dict[str, Any]]:
    """All taints the node should have. A first NoExecute taint is only set when `may_evict`; foreign taints stay."""
    present = (node.get("spec") or {}).get("taints") or []
    evicting = [t for t in present if _is_ours(t) and t["effect"] == "NoExecute"]
    wanted = {(key, "NoSchedule"): rfc3339(now) for key in _no_schedule(node)}
    eviction = _EVICTING.get(ready_status(node))
    if eviction is not None and (may_evict or evicting):
        since = min((t["timeAdded"] for t in evicting if t.get("timeAdded")), default=rfc3339(now))
        wanted[eviction, "NoExecute"] = since
    elif not ready_status(node):
        wanted |= {(t["key"], "NoExecute"): "" for t in evicting}
    kept = [t for t in present if not _is_ours(t) or (t["key"], t["effect"]) in wanted]
    have = {(t["key"], t["effect"]) for t in kept}
    added = [
        {"key": key, "effect": effect, "timeAdded": since}
        for (key, effect), since in sorted(wanted.items())
        if (key, effect) not in have
    ]
    return kept + added


def without_eviction(taints: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`taints` less those by which we evict: when every zone is down, it is the master that is cut off."""
    return [t for t in taints if not (t["effect"] == "NoExecute" and t["key"] in _OURS_NO_EXECUTE)]


def wants_eviction(node: Object) -> bool:
    """The node lacks the NoExecute taint that its Ready condition calls for."""
    key = _EVICTING.get(ready_status(node))
    return key is not None and not has_taint(node, key, "NoExecute")


def has_taint(node: Object, key: str, effect: str) -> bool:
    return any(t["key"] == key and t["effect"] == effect for t in (node.get("spec") or {}).get("taints") or [])


def wanted_labels(node: Object) -> dict[str, str]:
    """The node's labels, the older names of some of them brought in line."""
    labels = meta.labels(node)
    return labels | {old: labels[name] for name, old in _OLD_LABELS.items() if name in labels}


def _no_schedule(node: Object) -> set[str]:
    keys = {taint for kind, taint in _PRESSURES.items() if meta.is_true(node, kind)}
    if (node.get("spec") or {}).get("unschedulable"):
        keys.add(_CORDON)
    eviction = _EVICTING.get(ready_status(node))
    return keys | {eviction} if eviction is not None else keys


def _is_ours(taint: dict[str, Any]) -> bool:
    owned = _OURS_NO_EXECUTE if taint["effect"] == "NoExecute" else _OURS_NO_SCHEDULE
    return taint["effect"] in ("NoSchedule", "NoExecute") and taint["key"] in owned


def _version(obj: Object | None) -> int:
    return int(meta.resource_version(obj) or 0) if obj is not None else 0
