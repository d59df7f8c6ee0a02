"""Topology spread's arrays, changed one pod at a time, against counts made anew pod by pod and node by node."""

import math
import random

import numpy as np
import pytest
from sampan_api.client import SERVICES
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.plugins.pod_topology_spread import PLUGIN
from sampan_master.scheduler.plugins.pod_topology_spread.counting import index_of
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature
from spreading import HOST, TAINT, cluster_of, hard, node, placed, pod, soft

ZONE = "topology.kubernetes.io/zone"
LABELS, NAMESPACES = ("foo", "bar"), ("default", "other")


class World:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.cluster = cluster_of([], [])
        self.engine = Engine(self.cluster, Profile(), seed)
        self.nodes, self.pods, self.made, self.service = {}, {}, 0, None
        for i in range(8):
            self.put_node(f"n{i}")

    def pick(self, chance):
        return self.random.random() < chance

    def some_labels(self):
        return {label: self.random.choice("12") for label in LABELS if self.pick(0.6)}

    def put_node(self, name):
        labels = {HOST: name} if self.pick(0.9) else {}
        labels |= {key: self.random.choice("abc") for key in (ZONE, "rack") if self.pick(0.85)}
        self.nodes[name] = node(name, labels, [TAINT] if self.pick(0.2) else [])
        self.cluster.nodes.put_node(self.nodes[name])

    def remove_node(self):
        name = self.random.choice(list(self.nodes))
        del self.nodes[name]
        self.cluster.nodes.remove_node(name)

    def put_pod(self):
        self.made += 1
        on = self.random.choice([*self.nodes, "unknown"])
        made = placed(f"p{self.made}", on, self.some_labels(), self.random.choice(NAMESPACES), self.pick(0.1))
        self.see(made)

    def see(self, seen):
        self.pods[seen["metadata"]["uid"]] = seen
        self.cluster.saw_bound(seen)

    def change_pod(self):
        old = self.random.choice(list(self.pods.values()))
        metadata = old["metadata"] | (
            {"deletionTimestamp": "2024-01-01T00:00:00Z"} if self.pick(0.5) else {"labels": self.some_labels()}
        )
        self.see(old | {"metadata": metadata})

    def remove_pod(self):
        uid = self.random.choice(list(self.pods))
        del self.pods[uid]
        self.cluster.remove(uid)

    def change_service(self):
        if self.service:
            self.cluster.workloads.remove(SERVICES, self.service)
        self.service = {"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": self.some_labels()}}
        self.cluster.workloads.put(SERVICES, self.service)

    def step(self):
        actions = [self.put_pod] * 6
        if self.pods:
            actions += [self.change_pod, self.change_pod, self.remove_pod]
        if self.pick(0.2):
            actions = [self.change_service, lambda: self.put_node(f"n{self.random.randrange(10)}")]
            actions += [self.remove_node] if len(self.nodes) > 3 else []
        self.random.choice(actions)()

    def new_pod(self):
        constraints = [self.some_constraint() for _ in range(self.random.randrange(4))]
        selector = {"nodeSelector": {"rack": self.random.choice("abc")}} if self.pick(0.3) else {}
        tolerations = {"tolerations": [{"operator": "Exists"}]} if self.pick(0.3) else {}
        return pod(self.some_labels(), *constraints, **selector, **tolerations)

    def some_constraint(self):
        r, fields = self.random, {}
        if self.pick(0.4):
            fields["nodeAffinityPolicy"] = r.choice(["Honor", "Ignore"])
        if self.pick(0.4):
            fields["nodeTaintsPolicy"] = r.choice(["Honor", "Ignore"])
        if self.pick(0.3):
            fields["matchLabelKeys"] = [r.choice(LABELS)]
        labels = r.sample(LABELS, r.randrange(3))
        key = r.choice([HOST, ZONE, "rack"])
        if self.pick(0.5):
            return soft(r.randint(1, 3), key, *labels, **fields)
        if self.pick(0.3):
            fields["minDomains"] = r.randint(1, 4)
        return hard(r.randint(1, 3), key, *labels, **fields)


class Slow:
    """What Kubernetes documents, for one pod and one node at a time."""

    def __init__(self, world, new):
        self.nodes, self.pods, self.new = world.nodes, list(world.pods.values()), new
        own = new["spec"]["topologySpreadConstraints"]
        self.require_all = bool(own)
        self.constraints = own or self.defaults(world.service)
        self.hard = [c for c in self.constraints if c["whenUnsatisfiable"] == "DoNotSchedule"]
        self.soft = [c for c in self.constraints if c["whenUnsatisfiable"] == "ScheduleAnyway"]

    def defaults(self, service):
        selector = (service or {"spec": {"selector": {}}})["spec"]["selector"]
        labels = self.new["metadata"]["labels"]
        if not selector or any(labels.get(key) != value for key, value in selector.items()):
            return []
        terms = [{"key": key, "operator": "In", "values": [value]} for key, value in selector.items()]
        made = [soft(3, HOST), soft(5, ZONE)]
        return [c | {"labelSelector": {"matchExpressions": terms}} for c in made]

    def selected(self, c, labels):
        if c.get("labelSelector") is None:
            return False
        own = self.new["metadata"]["labels"]
        for term in c["labelSelector"]["matchExpressions"]:
            if term["key"] not in labels or labels[term["key"]] not in term.get("values", [labels[term["key"]]]):
                return False
        return all(labels.get(key) == own[key] for key in c.get("matchLabelKeys", []) if key in own)

    def count(self, c, name):
        return sum(
            p["spec"]["nodeName"] == name
            and p["metadata"]["namespace"] == "default"
            and "deletionTimestamp" not in p["metadata"]
            and self.selected(c, p["metadata"]["labels"])
            for p in self.pods
        )

    def has_keys(self, name, constraints):
        return all(c["topologyKey"] in self.labels(name) for c in constraints)

    def labels(self, name):
        return self.nodes[name]["metadata"]["labels"]

    def included(self, c, name):
        spec = self.new["spec"]
        wanted = spec.get("nodeSelector", {})
        honours = c.get("nodeAffinityPolicy", "Honor") == "Honor"
        if honours and any(self.labels(name).get(key) != value for key, value in wanted.items()):
            return False
        honours = c.get("nodeTaintsPolicy", "Ignore") == "Honor"
        return not (honours and self.nodes[name]["spec"]["taints"] and not spec.get("tolerations"))

    def fits(self, name):
        for c in self.hard:
            key = c["topologyKey"]
            if key not in self.labels(name):
                return False
            counts = {}
            for other in self.nodes:
                if self.has_keys(other, self.hard) and self.included(c, other):
                    domain = self.labels(other)[key]
                    counts[domain] = counts.get(domain, 0) + self.count(c, other)
            least = 0 if len(counts) < c.get("minDomains", 1) else min(counts.values())
            own = self.selected(c, self.new["metadata"]["labels"])
            if counts.get(self.labels(name)[key], 0) + own - least > c["maxSkew"]:
                return False
        return True

    def scores(self, feasible):
        scored = [n for n in feasible if not self.require_all or self.has_keys(n, self.soft)]
        raw = {name: self.raw(name, scored) for name in scored}
        most, least = max(raw.values(), default=0), min(raw.values(), default=0)
        return [0 if n not in raw else 100 * (most + least - raw[n]) // most if most else 100 for n in feasible]

    def raw(self, name, scored):
        total = 0.0
        for c in self.soft:
            key = c["topologyKey"]
            domain = self.labels(name).get(key)
            if domain is None:
                continue
            if key == HOST:
                size, count = len(scored), self.count(c, name)
            else:
                size = len({self.labels(other).get(key) for other in scored})
                count = sum(
                    self.count(c, other)
                    for other in self.nodes
                    if self.labels(other).get(key) == domain
                    and self.included(c, other)
                    and (not self.require_all or self.has_keys(other, self.soft))
                )
            total += count * math.log(size + 2) + (c["maxSkew"] - 1)
        return math.floor(total + 0.5)


def check(world, new):
    made, columns = signature(new), world.cluster.nodes
    slow = Slow(world, new)
    if not PLUGIN.relation.concerns(world.cluster, made):
        assert not slow.constraints
        return
    state = world.engine.state(PLUGIN, made)
    names = list(world.nodes)
    rows = np.array([columns.row_of[name] for name in names])
    mask = state.mask(rows)
    fits = [slow.fits(name) for name in names]
    assert (fits if mask is None else mask.tolist()) == fits
    everything = state.mask(slice(0, columns.size))
    assert everything is None or everything[rows].tolist() == fits
    feasible = [name for name in names if world.pick(0.8)]
    score = state.score(np.array([columns.row_of[name] for name in feasible], np.int64))
    assert (None if score is None else score.tolist()) == (slow.scores(feasible) if slow.soft else None)


@pytest.mark.parametrize("kept_bytes", [0, 150, 1 << 20])
@pytest.mark.parametrize("seed", range(10))
def test_counts_kept_pod_by_pod_are_those_made_anew(seed, kept_bytes):
    world = World(seed)
    index_of(world.cluster).kept_bytes = kept_bytes
    kinds = [world.new_pod() for _ in range(4)]
    for i in range(120):
        world.step()
        if i % 3 == 0:
            check(world, world.random.choice(kinds))
        if i % 10 == 0:
            check(world, world.new_pod())
