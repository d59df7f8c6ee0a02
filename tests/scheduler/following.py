"""The engine beside the reference: both are told the same, both are asked the same.

What is asked are feasible nodes with their scores, the reasons against all others, and what the planner decides: the
node, or whom it evicts, or what it says of a pod that fits nowhere.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import reference
from reference.preemption import victim_uids
from reference.scheduling_gates import is_gated
from sampan_api.client import REPLICASETS, REPLICATIONCONTROLLERS, SERVICES, STATEFULSETS
from sampan_master.scheduler.cluster import priority_of
from sampan_master.scheduler.configuration import read_config
from sampan_master.scheduler.engine import INFEASIBLE
from sampan_master.scheduler.planner import Bind, Evict, Planner, Refuse
from sampan_master.scheduler.signature import signature

PROFILE = "default-scheduler"
OWNERS = {
    "services": SERVICES,
    "replicationcontrollers": REPLICATIONCONTROLLERS,
    "replicasets": REPLICASETS,
    "statefulsets": STATEFULSETS,
}


class Disagreement(AssertionError):
    pass


class Follower:
    """`ask` compares all answers for a pod, then lets the world go on as the planner decided."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.config = read(scenario.configuration)
        self.planner = Planner(self.config)
        self.unconfirmed = []

    def follow(self, event):
        tell(self.planner, event)

    def ask(self, pod):
        world = self.scenario.world
        difference = compare(self.planner, world, pod)
        if difference:
            raise Disagreement(explained(self.config, difference, world, pod))
        expected = expectation(world, pod)
        decision = decide(self.planner, pod)
        difference = judge(decision, expected)
        if difference:
            raise Disagreement(explained(self.config, difference, world, pod))
        self.go_on(pod, decision)
        self.settle()

    def go_on(self, pod, decision):
        if not isinstance(decision, Bind):
            self.scenario.unplaced.append(pod)
        match decision:
            case Bind(_, node):
                _, bound = self.scenario.place(pod, node, started=False)
                self.unconfirmed.append(bound)
                self.planner.bound(decision.waiting)
            case Evict():
                for displaced in decision.displaced:
                    self.scenario.forget_nomination(displaced.uid)
                self.scenario.nominate(pod, decision.node)
                self.let_go(decision.victims)
            case Refuse():
                if decision.gave_up:
                    self.scenario.forget_nomination(pod["metadata"]["uid"])
        self.planner.queue.remove(pod["metadata"]["uid"])

    def let_go(self, victims):
        """Some victims are gone at once, others take their time, and some news never comes."""
        r = self.scenario.random
        for victim in victims:
            outcome = r.random()
            if outcome < 0.4:
                self.follow(self.scenario.remove(victim.uid))
            elif outcome < 0.8:
                self.follow(self.scenario.terminate(self.scenario.bound(victim.uid), for_preemptor=True))

    def settle(self):
        """News of some of the assumed pods: they are bound, or their binding failed."""
        r, world, waiting = self.scenario.random, self.scenario.world, self.unconfirmed
        self.unconfirmed = []
        for bound in waiting:
            there = world["placed"][bound["spec"]["nodeName"]]
            if not any(bound is pod for pod in there):
                continue  # changed or removed by an event meanwhile, of which the planner was told
            outcome = r.random()
            if outcome < 0.3:
                self.unconfirmed.append(bound)
            elif outcome < 0.4:
                there.remove(bound)
                self.planner.cluster.forget(bound["metadata"]["uid"])
            else:
                started = bound | {"status": {"startTime": self.scenario.time()}}
                there[there.index(bound)] = started
                self.follow(("pod", started))


def read(configuration):
    """As from a file given to `--config`."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "scheduler.yaml"
        path.write_text(json.dumps(configuration))
        return read_config(path if configuration else None)


def tell(planner, event):
    match event:
        case "node", node:
            planner.put_node(node)
        case "node gone", name:
            planner.remove_node(name)
        case "pod", pod:
            planner.put_pod(pod, 0.0)
        case "pod gone", pod:
            planner.remove_pod(pod["metadata"]["uid"])
        case "namespace", name, labels:
            planner.put_namespace(name, labels)
        case "nominated", pod, node:
            planner.cluster.nominate(pod, signature(pod), node)
        case "withdrawn", uid:
            planner.cluster.withdraw(uid)
        case "budgets", before, after:
            for gone in before:
                planner.budgets.remove(gone)
            for made in after:
                planner.budgets.put(made)
        case "owners", before, after:
            for kind, resource in OWNERS.items():
                for gone in before[kind]:
                    planner.cluster.workloads.remove(resource, gone)
                for made in after[kind]:
                    planner.cluster.workloads.put(resource, made)
        case _:
            raise AssertionError(event)


def told(config, world):
    """A planner that knows nothing but this world."""
    planner = Planner(config)
    for name, labels in world["namespaces"].items():
        tell(planner, ("namespace", name, labels))
    for node in world["nodes"].values():
        tell(planner, ("node", node))
    for there in world["placed"].values():
        for pod in there:
            tell(planner, ("pod", pod))
    tell(planner, ("owners", dict.fromkeys(OWNERS, ()), world))
    tell(planner, ("budgets", (), world["budgets"]))
    for name, waiting in world["nominated"].items():
        for pod in waiting:
            tell(planner, ("nominated", pod, name))
    return planner


def compare(planner, world, pod):
    """The first difference in feasible nodes, scores and reasons as text, "" when they agree."""
    asked = {"uid": pod["metadata"]["uid"], "priority": priority_of(pod)}
    engine, columns, of = planner.engines[PROFILE], planner.cluster.nodes, signature(pod)
    against = reference.reasons(world, pod)
    totals = engine.totals(of, **asked)
    got = {columns.names[row]: int(totals[row]) for row in np.flatnonzero(totals != INFEASIBLE)}
    feasible = [world["nodes"][name] for name, why in against.items() if not why]
    expected = reference.totals(world, pod, feasible)
    if got != expected:
        table = reference.score_table(world, pod, feasible)
        return f"totals are {got}, should be {expected} (by plug-in: {table})"
    refused = {name: sorted((r.text, r.eviction_may_help) for r in why) for name, why in against.items() if why}
    told_reasons = reasons_of(engine.refusals(of, **asked), columns)
    return "" if told_reasons == refused else f"reasons are {told_reasons}, should be {refused}"


def reasons_of(refusals, columns):
    found = {}
    for refusal in refusals:
        for row, hopeless in zip(refusal.rows.tolist(), refusal.hopeless.tolist(), strict=True):
            found.setdefault(columns.names[row], []).append((refusal.reason, not hopeless))
    return {name: sorted(why) for name, why in found.items()}


def decide(planner, pod):
    """What the planner does with the pod, which is not in its queue yet."""
    planner.put_pod(pod, 0.0)
    return planner.next(0.0)


def expectation(world, pod):
    """Nodes to bind to, or {node: uids of victims}, and the message for a pod that fits nowhere now."""
    if is_gated(pod):
        return set(), {}, None
    totals = reference.totals(world, pod)
    own = {n for n, waiting in world["nominated"].items() if any(_uid(p) == _uid(pod) for p in waiting)} & set(totals)
    best = own or {name for name, total in totals.items() if total == max(totals.values())}
    if best:
        return best, {}, None
    outcome = reference.preempt(world, pod)
    return set(), {c.node: victim_uids(c) for c in outcome.best}, reference.message(world, pod)


def judge(decision, expected):
    nodes, victims, message = expected
    match decision:
        case Bind(_, node):
            return "" if node in nodes else f"bound to {node}, should be one of {sorted(nodes)} or evict {victims}"
        case Evict():
            got = {placed.uid for placed in decision.victims}
            if victims.get(decision.node) != got:
                return f"evicts {got} from {decision.node}, should be {victims}, or bind to {nodes}"
        case Refuse():
            if nodes or victims:
                return f"refuses, should bind to {nodes} or evict {victims}"
        case None:
            return "" if not nodes and message is None else f"leaves the pod alone, should {expected}"
    return "" if decision.message == message else f"says {decision.message!r}, should say {message!r}"


def _uid(pod):
    return pod["metadata"]["uid"]


def all_differences(config, world, pod):
    """Asked of a planner that knows nothing but this world."""
    found = compare(told(config, world), world, pod)
    return found or judge(decide(told(config, world), pod), expectation(world, pod))


def explained(config, difference, world, pod):
    if not all_differences(config, world, pod):
        return f"{difference}\nA new planner agrees with the reference: what this one kept is out of date."
    world = shrunk(config, world, pod)
    shown = json.dumps({"pod": pod} | world, indent=1)
    return f"{all_differences(config, world, pod)}\nA new planner says the same of this world:\n{shown}"


def shrunk(config, world, pod):
    """The world without all that the disagreement does not need."""
    for candidate in _smaller(world):
        if all_differences(config, candidate, pod):
            return shrunk(config, candidate, pod)
    return world


def _smaller(world):
    for name in world["nodes"]:
        yield world | {"nodes": {n: node for n, node in world["nodes"].items() if n != name}}
    for part in ("placed", "nominated"):
        for name, there in world[part].items():
            for i in range(len(there)):
                yield world | {part: world[part] | {name: there[:i] + there[i + 1 :]}}
    for part in ("budgets", *OWNERS):
        for i in range(len(world[part])):
            yield world | {part: world[part][:i] + world[part][i + 1 :]}
