"""The engine beside the reference: both are told the same, both are asked the same."""

import json

import numpy as np
import reference
from sampan_master.scheduler.cluster import Cluster, priority_of
from sampan_master.scheduler.engine import INFEASIBLE, Engine
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature
from sampan_master.scheduler.workloads import WATCHED


class Disagreement(AssertionError):
    pass


class Follower:
    """`check` compares all answers for a pod; `ask` compares, then places the pod where the engine wants it."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.engine = new_engine()
        self.unconfirmed = []

    def follow(self, event):
        tell(self.engine.cluster, event)

    def ask(self, pod):
        scenario, cluster = self.scenario, self.engine.cluster
        difference = compare(self.engine, scenario.world, pod)
        if difference:
            raise Disagreement(explained(difference, scenario.world, pod))
        row = choose(self.engine, pod)
        if row is not None:
            node = cluster.assume(pod, signature(pod), row)
            _, bound = scenario.place(pod, node, started=False)
            self.unconfirmed.append(bound)
        self.settle()

    def settle(self):
        """News of some of the assumed pods: they are bound, or their binding failed."""
        r, world, waiting = self.scenario.random, self.scenario.world, self.unconfirmed
        self.unconfirmed = []
        for bound in waiting:
            there = world["placed"][bound["spec"]["nodeName"]]
            if not any(bound is pod for pod in there):
                continue  # changed or removed by an event meanwhile, of which the engine was told
            outcome = r.random()
            if outcome < 0.3:
                self.unconfirmed.append(bound)
            elif outcome < 0.4:
                there.remove(bound)
                self.engine.cluster.forget(bound["metadata"]["uid"])
            else:
                started = bound | {"status": {"startTime": self.scenario.time()}}
                there[there.index(bound)] = started
                self.follow(("pod", started))


def new_engine():
    return Engine(Cluster(), Profile(), 1)


def tell(cluster, event):
    match event:
        case "node", node:
            cluster.nodes.put_node(node)
        case "node gone", name:
            cluster.nodes.remove_node(name)
        case "pod", pod:
            cluster.saw_bound(pod)
        case "pod gone", pod:
            cluster.remove(pod["metadata"]["uid"])
        case "namespace", name, labels:
            cluster.put_namespace(name, labels)
        case "nominated", pod, node:
            cluster.nominate(pod, signature(pod), node)
        case "withdrawn", uid:
            cluster.withdraw(uid)
        case "owners", owners:
            tell_owners(cluster, owners)
        case _:
            raise AssertionError(event)


def tell_owners(cluster, owners):
    """Owners are told all at once: those that were there and are no more are gone."""
    before = getattr(cluster, "told_owners", {})
    for resource in WATCHED:
        for obj in before.get(resource.plural, []):
            cluster.workloads.remove(resource, obj)
        for obj in owners[resource.plural]:
            cluster.workloads.put(resource, obj)
    cluster.told_owners = owners


def told(world):
    """An engine that knows nothing but this world."""
    engine = new_engine()
    for name, labels in world["namespaces"].items():
        tell(engine.cluster, ("namespace", name, labels))
    tell(engine.cluster, ("owners", {r.plural: world[r.plural] for r in WATCHED}))
    for node in world["nodes"].values():
        tell(engine.cluster, ("node", node))
    for there in world["placed"].values():
        for pod in there:
            tell(engine.cluster, ("pod", pod))
    for name, waiting in world["nominated"].items():
        for pod in waiting:
            tell(engine.cluster, ("nominated", pod, name))
    return engine


def choose(engine, pod):
    return engine.choose(signature(pod), uid=pod["metadata"]["uid"], priority=priority_of(pod))


def compare(engine, world, pod):
    """The first difference as text, "" when they agree."""
    asked = {"uid": pod["metadata"]["uid"], "priority": priority_of(pod)}
    columns, of = engine.cluster.nodes, signature(pod)
    against = reference.reasons(world, pod)
    totals = engine.totals(of, **asked)
    got = {columns.names[row]: int(totals[row]) for row in np.flatnonzero(totals != INFEASIBLE)}
    expected = reference.totals(world, pod, [world["nodes"][n] for n, why in against.items() if not why])
    if got != expected:
        table = reference.score_table(world, pod, [world["nodes"][n] for n in expected])
        return f"totals are {got}, should be {expected} (by plug-in: {table})"
    refused = {name: sorted((r.text, r.eviction_may_help) for r in why) for name, why in against.items() if why}
    told_reasons = reasons_of(engine.refusals(of, **asked), columns)
    if told_reasons != refused:
        return f"reasons are {told_reasons}, should be {refused}"
    row = choose(engine, pod)
    if (row is None) != (not got):
        return f"chose row {row} of {got}"
    if row is not None and not _may_choose(columns.names[row], got, world, pod):
        return f"chose {columns.names[row]} of {got}"
    return ""


def _may_choose(name, totals, world, pod):
    """The best, or the node the pod is nominated for."""
    own = [
        n
        for n, waiting in world["nominated"].items()
        if any(p["metadata"]["uid"] == pod["metadata"]["uid"] for p in waiting)
    ]
    return name in own or (totals[name] == max(totals.values()) and not any(n in totals for n in own))


def reasons_of(refusals, columns):
    found = {}
    for refusal in refusals:
        for row, hopeless in zip(refusal.rows.tolist(), refusal.hopeless.tolist(), strict=True):
            found.setdefault(columns.names[row], []).append((refusal.reason, not hopeless))
    return {name: sorted(why) for name, why in found.items()}


def explained(difference, world, pod):
    fresh = compare(told(world), world, pod)
    if not fresh:
        return f"{difference}\nA new engine agrees with the reference: what this one kept is out of date."
    world = shrunk(world, pod)
    shown = json.dumps({"pod": pod} | {k: world[k] for k in ("nodes", "placed", "nominated", "namespaces")}, indent=1)
    return f"{compare(told(world), world, pod)}\nA new engine says the same of this world:\n{shown}"


def shrunk(world, pod):
    """The world without all nodes and pods that the disagreement does not need."""
    for candidate in _smaller(world):
        if compare(told(candidate), candidate, pod):
            return shrunk(candidate, pod)
    return world


def _smaller(world):
    for name in world["nodes"]:
        yield world | {"nodes": {n: node for n, node in world["nodes"].items() if n != name}}
    for part in ("placed", "nominated"):
        for name, there in world[part].items():
            for i in range(len(there)):
                yield world | {part: world[part] | {name: there[:i] + there[i + 1 :]}}
