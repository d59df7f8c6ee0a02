"""The vectorised engine against the slow reference, on clusters made at random."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.engine import INFEASIBLE, Engine
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature
from sampan_master.scheduler.verdict import explain

sys.path.insert(0, str(Path(__file__).parent))
import reference

KEYS, VALUES = ("zone", "disk", "gen"), ("a", "b", "1", "7")


class World:
    """A random cluster: the engine's columns and, beside them, plain lists for the reference."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.cluster = Cluster()
        config = SchedulerConfig(seed=seed)
        self.engine = Engine(self.cluster, config.profiles[0], seed)
        self.nodes, self.placed, self.made = {}, {}, 0

    def pick(self, chance):
        return self.random.random() < chance

    def put_node(self, name):
        r = self.random
        allocatable = {"cpu": r.choice(["0", "2", "3500m", "8"]), "memory": r.choice(["1Gi", "8G", "16Gi"])}
        allocatable |= {"pods": str(r.choice([2, 5, 110])), "ephemeral-storage": "10Gi"}
        if self.pick(0.3):
            allocatable["example.com/gpu"] = "2"
        node = {
            "metadata": {"name": name, "labels": {k: r.choice(VALUES) for k in KEYS if self.pick(0.7)}},
            "spec": {"unschedulable": self.pick(0.1), "taints": self.some_taints()},
            "status": {"allocatable": allocatable},
        }
        self.nodes[name] = node
        self.placed.setdefault(name, [])
        self.cluster.nodes.put_node(node)

    def some_taints(self):
        effects = ("NoSchedule", "NoExecute", "PreferNoSchedule", "PreferNoSchedule")
        return [
            {"key": k, "value": self.random.choice(VALUES), "effect": self.random.choice(effects)}
            for k in KEYS
            if self.pick(0.2)
        ]

    def remove_node(self, name):
        del self.nodes[name]
        self.cluster.nodes.remove_node(name)

    def new_pod(self):
        r = self.random
        self.made += 1
        spec = {"containers": [self.container() for _ in range(r.randint(1, 2))]}
        if self.pick(0.3):
            spec["initContainers"] = [
                self.container() | ({"restartPolicy": "Always"} if self.pick(0.5) else {})
                for _ in range(r.randint(1, 3))
            ]
        if self.pick(0.2):
            spec["overhead"] = {"cpu": "50m"}
        if self.pick(0.3):
            spec["nodeSelector"] = {r.choice(KEYS): r.choice(VALUES)}
        if self.pick(0.4):
            spec["tolerations"] = [self.toleration() for _ in range(r.randint(1, 2))]
        if self.pick(0.4):
            spec["affinity"] = {"nodeAffinity": self.affinity()}
        return {"metadata": {"name": f"p{self.made}", "namespace": "d", "uid": f"u{self.made}"}, "spec": spec}

    def container(self):
        r, asked = self.random, {}
        if self.pick(0.6):
            asked["cpu"] = r.choice(["0", "100m", "700m", "1"])
        if self.pick(0.6):
            asked["memory"] = r.choice(["64Mi", "500M", "2Gi"])
        if self.pick(0.1):
            asked["example.com/gpu"] = "1"
        return {"name": "c", "resources": {"requests": asked}}

    def toleration(self):
        r = self.random
        if self.pick(0.2):
            return {"operator": "Exists"}
        toleration = {"key": r.choice([*KEYS, "node.kubernetes.io/unschedulable"]), "operator": "Exists"}
        if self.pick(0.5):
            toleration = {"key": r.choice(KEYS), "value": r.choice(VALUES)}
        return toleration | ({"effect": r.choice(["NoSchedule", "PreferNoSchedule"])} if self.pick(0.4) else {})

    def affinity(self):
        affinity = {}
        if self.pick(0.6):
            terms = [self.term() for _ in range(self.random.randint(1, 2))]
            affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
        if self.pick(0.6):
            affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [
                {"weight": self.random.randint(1, 100), "preference": self.term()} for _ in range(2)
            ]
        return affinity

    def term(self):
        r = self.random
        if self.pick(0.1):
            return {}
        if self.pick(0.1):
            return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [f"n{r.randrange(12)}"]}]}
        expressions = []
        for _ in range(r.randint(1, 2)):
            operator = r.choice(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])
            requirement = {"key": r.choice(KEYS), "operator": operator}
            if operator in ("In", "NotIn"):
                requirement["values"] = r.sample(VALUES, 2)
            elif operator in ("Gt", "Lt"):
                requirement["values"] = [str(r.randrange(9))]
            expressions.append(requirement)
        return {"matchExpressions": expressions}

    def check(self, pod):
        pod_signature = signature(pod)
        totals = self.engine.totals(pod_signature)
        columns = self.cluster.nodes
        refused = {n: reference.refusals(pod, node, self.placed[n]) for n, node in self.nodes.items()}
        feasible = [(node, self.placed[n]) for n, node in self.nodes.items() if not refused[n]]
        got = {columns.names[row]: int(totals[row]) for row in np.flatnonzero(totals != INFEASIBLE)}
        assert got == reference.scores(pod, feasible)
        self.check_reasons(pod_signature, {n: reasons for n, reasons in refused.items() if reasons})
        row = self.engine.choose(pod_signature)
        if row is None:
            assert not got
            return None
        assert got[columns.names[row]] == max(got.values())
        return row

    def check_reasons(self, pod_signature, refused):
        reasons = {}
        for refusal in explain(self.engine, pod_signature).refusals:
            for row in refusal.rows:
                reasons.setdefault(self.cluster.nodes.names[row], []).append(refusal.reason)
        assert {n: sorted(r) for n, r in reasons.items()} == {n: sorted(r) for n, r in refused.items()}

    def step(self):
        event = self.random.random()
        if event < 0.1 or not self.nodes:
            self.put_node(f"n{self.random.randrange(12)}")
        elif event < 0.13:
            self.remove_node(self.random.choice(list(self.nodes)))
        elif event < 0.25:
            self.remove_some_pod()
        else:
            pod = self.new_pod()
            row = self.check(pod)
            if row is not None:
                node = self.cluster.assume(pod, signature(pod), row)
                self.placed[node].append(pod)

    def remove_some_pod(self):
        crowded = [n for n, pods in self.placed.items() if pods]
        if crowded:
            pods = self.placed[self.random.choice(crowded)]
            pod = pods.pop(self.random.randrange(len(pods)))
            assert self.cluster.remove(pod["metadata"]["uid"])


@pytest.mark.parametrize("seed", range(12))
def test_engine_agrees_with_the_slow_reference_on_feasibility_scores_and_reasons(seed):
    world = World(seed)
    for i in range(8):
        world.put_node(f"n{i}")
    for _ in range(60):
        world.step()


def test_equal_nodes_are_drawn_by_the_seed():
    def choices(seed):
        world = World(seed)
        for i in range(8):
            world.cluster.nodes.put_node(
                {"metadata": {"name": f"n{i}"}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "9"}}}
            )
        pod = signature({"metadata": {}, "spec": {"containers": [{}]}})
        return [world.engine.choose(pod) for _ in range(20)]

    assert choices(1) == choices(1)
    assert len(set(choices(1))) > 3


def test_no_nodes_is_said_so():
    pod = signature({"metadata": {}, "spec": {"containers": [{}]}})
    assert explain(Engine(Cluster(), Profile(), 0), pod).message() == "no nodes available to schedule pods"
