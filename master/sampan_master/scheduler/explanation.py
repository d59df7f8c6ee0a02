"""The answer to "why has this pod no node?": who refuses which nodes, and the node that is nearest to taking it.

    refusals  every node once, at the first plug-in that refuses it (Kubernetes' own count), like rows together
    nearest   the node that the fewest and smallest changes over ALL plug-ins would open, and those changes

Nothing is kept: the planner has the verdict of the last attempt per kind of pod, all else is asked of the engine. The
size of an answer does not grow with the cluster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.scheduler.columns import Ints
from sampan_master.scheduler.engine import INFEASIBLE, Engine
from sampan_master.scheduler.planner import Planner
from sampan_master.scheduler.plugins.plugin import Refusal
from sampan_master.scheduler.queue import Kind, Place, Waiting, kind_of
from sampan_master.scheduler.remedies import Asked, Change, estimate, have_text, remedy, scope
from sampan_master.scheduler.verdict import Verdict, explain

Answer = dict[str, Any]
_GROUPS = 8
"""So many different "have" of one reason are told apart; more are told as a range."""
_NAMES = 10
_CANDIDATES = 32
"""Nodes whose changes are worked out in full, chosen by a first estimate."""
_STATES = {
    Place.ACTIVE: "Queued",
    Place.BACKING_OFF: "BackingOff",
    Place.UNSCHEDULABLE: "Unschedulable",
    Place.GATED: "Gated",
    Place.OUT: "Binding",
}


def why(planner: Planner, pod: Object, *, names_pods: bool = True) -> Answer:
    """`pod` as it is stored: the message is that of its last attempt, all else is of now. `names_pods`: whether who
    asks may be told the names of other pods."""
    scheduler = pod["spec"].get("schedulerName") or ""
    answer: Answer = {
        "kind": "PodVerdict",
        "apiVersion": "sampan/v1",
        "namespace": meta.namespace(pod),
        "name": meta.name(pod),
        "scheduler": scheduler,
    }
    if pod["spec"].get("nodeName"):
        return answer | {"state": "Bound", "node": pod["spec"]["nodeName"]}
    engine = planner.engines.get(scheduler)
    if engine is None:
        return answer | {"state": "OtherScheduler", "schedulers": sorted(planner.engines)}
    waiting = planner.queue.get(meta.uid(pod))
    if waiting is None:
        return answer | {"state": "Unknown"}
    answer |= {"state": _STATES[waiting.place], "attempts": waiting.attempts}
    if waiting.place is Place.GATED:
        return answer | {"gates": [gate["name"] for gate in pod["spec"].get("schedulingGates") or []]}
    nominated = planner.cluster.nominated.get(meta.uid(pod))
    if nominated is not None:
        answer["nominatedNode"] = nominated.node
    answer |= account(planner, engine, waiting, names_pods=names_pods)
    if "message" in answer and (said := (meta.condition(pod, "PodScheduled") or {}).get("message")):
        answer["message"] = said
    return answer


def account(planner: Planner, engine: Engine, waiting: Waiting, *, names_pods: bool = True) -> Answer:
    """What stands between one pod and the nodes now."""
    kind, uid = waiting.kind, meta.uid(waiting.pod)
    totals = engine.totals(kind.signature, uid=uid, priority=kind.priority)
    feasible = np.flatnonzero(totals != INFEASIBLE)
    if feasible.size:
        return {"total": engine.nodes.live_count, "feasible": [engine.nodes.names[row] for row in feasible[:_NAMES]]}
    verdict = planner.verdict(waiting)
    return describe(engine, kind, waiting.pod, verdict, names_pods=names_pods)


def unplaced(engine: Engine, pod: Object, *, names_pods: bool = True) -> Answer:
    """The same for a pod that is in no queue."""
    kind = kind_of(pod)
    return describe(engine, kind, pod, explain(engine, kind.signature, priority=kind.priority), names_pods=names_pods)


def describe(engine: Engine, kind: Kind, pod: Object, verdict: Verdict, *, names_pods: bool = True) -> Answer:
    asked = Asked(engine, pod, kind.signature, names_pods)
    answer: Answer = {
        "total": verdict.nodes,
        "message": verdict.message(),
        "refusals": [row for refusal in verdict.refusals for row in _told(asked, refusal)],
    }
    if (found := nearest(asked, verdict)) is not None:
        row, changes = found
        answer["nearest"] = {"node": engine.nodes.names[row], "changes": [_change(change) for change in changes]}
    return answer


def _change(change: Change) -> Answer:
    return {
        "plugin": change.plugin,
        "reason": change.reason,
        "need": change.need,
        "have": change.have,
        "fix": change.fix,
    }


def _told(asked: Asked, refusal: Refusal) -> list[Answer]:
    """One entry for each different "have", or one for all when there are many."""
    if not refusal.rows.size:
        return []
    distinct = np.unique(refusal.have)
    if distinct.size > _GROUPS:
        low, high = (int(np.flatnonzero(refusal.have == value)[0]) for value in (distinct[0], distinct[-1]))
        have = f"{have_text(asked, refusal, low)} to {have_text(asked, refusal, high)}"
        if refusal.words:
            have = f"{have_text(asked, refusal, low)}, and {distinct.size - 1} others"
        return [_entry(asked, refusal, np.argsort(-refusal.have, kind="stable"), have)]
    entries = []
    for value in distinct[::-1]:
        where = np.flatnonzero(refusal.have == value)
        entries.append(_entry(asked, refusal, where, have_text(asked, refusal, int(where[0]))))
    return entries


def _entry(asked: Asked, refusal: Refusal, where: Ints, have: str) -> Answer:
    """`where` indexes the refusal's rows, the most promising first."""
    rows = refusal.rows[where]
    names = asked.engine.nodes.names
    changes = remedy(asked, int(rows[0]), refusal)
    return {
        "plugin": refusal.plugin,
        "reason": refusal.reason,
        "need": refusal.need,
        "have": have,
        "fix": "; ".join(change.fix for change in changes),
        "evictionMayHelp": not bool(refusal.hopeless[where].all()),
        "count": int(rows.size),
        "nodes": [names[row] for row in rows[:_NAMES]],
    }


def nearest(asked: Asked, verdict: Verdict) -> tuple[int, list[Change]] | None:
    """The row that the fewest changes would open, of those the ones with the least effort. None without nodes."""
    engine = asked.engine
    by_plugin = _all_refusals(asked)
    efforts = np.where(engine.nodes.live[: engine.nodes.size], 0.0, np.inf)
    for refusals in by_plugin:
        for refusal in refusals:
            efforts[refusal.rows] += estimate(refusal)
    live = np.flatnonzero(np.isfinite(efforts))
    order = live[np.argsort(efforts[live], kind="stable")][:_CANDIDATES]
    found = [(int(row), _changes(asked, int(row), by_plugin, verdict)) for row in order]
    known = [each for each in found if each[1]]
    return min(known, key=lambda each: _effort(each[1]), default=None)


def _effort(changes: list[Change]) -> tuple[float, int]:
    return sum(change.effort for change in changes), len(changes)


def _all_refusals(asked: Asked) -> list[list[Refusal]]:
    """What every plug-in has against every node, whatever the others say."""
    engine, found = asked.engine, []
    for plugin in engine.profile.plugins:
        rows = engine.refused_by(plugin, asked.signature)
        if rows.size:
            found.append(engine.refusals_by(plugin, asked.signature, rows))
    return found


def _changes(asked: Asked, row: int, by_plugin: list[list[Refusal]], verdict: Verdict) -> list[Change]:
    """Where no plug-in by itself refuses, room that is promised to more important pods does."""
    here = [refusal for refusals in by_plugin for refusal in refusals if row in refusal.rows]
    if here:
        return [change for refusal in _once(here) for change in remedy(asked, row, refusal)]
    promised = [refusal for refusal in verdict.refusals if row in refusal.rows]
    return [
        Change(r.plugin, r.reason, r.need, "room promised to a pod of higher or equal priority",
               f"wait: {asked.engine.nodes.names[row]} is promised to pods that preempted others there", 4.0)
        for r in promised
    ]  # fmt: skip


def _once(refusals: list[Refusal]) -> list[Refusal]:
    """The first of those that have one remedy."""
    return list({scope(refusal): refusal for refusal in reversed(refusals)}.values())[::-1]
