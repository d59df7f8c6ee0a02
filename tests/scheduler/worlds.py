"""Random clusters and what happens to them, from a seed.

A `Scenario` holds a world as the reference sees it (`reference/world.py`), hands out pending pods and changes the
world one event at a time. There are few label keys and values and few sizes, so that things collide: nodes fill up,
selectors select, taints refuse. Whoever follows a scenario is told of each event:

    ("node", Node)          new or changed                ("node gone", name)
    ("pod", Pod)            bound, new or changed         ("pod gone", Pod)
    ("namespace", name, labels or None)
    ("budgets", before, after)   lists of PodDisruptionBudgets
    ("nominated", Pod, node name)                         ("withdrawn", uid)
    ("owners", before, after)    each {"services": [...], "replicasets": [...], ...}
"""

import random

from pod_templates import PodTemplates
from profiles import Profiles
from reference import new_world
from sample_objects import HOSTNAME, ZONE

NODE_NAMES = tuple(f"n{i}" for i in range(10))
NAMESPACES = ("red", "blue", "bare")
TEAMS = ({}, {"team": "a"}, {"team": "b"}, {"team": "a", "env": "x"})
IMAGES = {"web:1": 900, "db:latest": 2500, "job:1": 30}
EVERYTHING = frozenset({"ports", "images", "spread", "affinity", "preemption", "defaults", "profiles"})


class Scenario:
    def __init__(self, seed, features=EVERYTHING, **config):
        self.random = r = random.Random(seed)
        if r.random() < 0.3:
            features -= {"spread", "affinity"}  # what eviction costs is kept only where no pod minds others
        self.features = features
        self.configuration, drawn = Profiles(r).draw() if "profiles" in features else ({}, {})
        self.world = new_world(**drawn | config)
        self.templates = PodTemplates(r, features)
        self.asked = []
        self.unplaced = []
        """Pods that no node could take at once; told by whoever follows."""
        self.ticks = 0
        self.crowded = r.random() < 0.4
        """Nodes so small that much of the time no pod fits: the case for reasons and preemption."""

    def start(self):
        """The events that make the first cluster."""
        for name in NAMESPACES:
            yield self.put_namespace(name)
        for name in NODE_NAMES[: self.random.randint(2, 8)]:
            yield self.put_node(name)
        if "defaults" in self.features:
            yield self.change_owners()
        for _ in range(self.random.randint(0, 30)):
            yield from self.bind_somewhere()

    def pending(self):
        """A new pod, often of a kind that was asked about before, so that what is kept of kinds is used; or one that
        preempted others and is tried again."""
        waiting = [(pod, node) for node, there in self.world["nominated"].items() for pod in there]
        if waiting and self.random.random() < 0.2:
            pod, node = self.random.choice(waiting)
            return pod | {"status": {"nominatedNodeName": node}}
        known = self.unplaced[-3:] or self.asked[-3:] if self.random.random() < 0.6 else self.asked[-3:]
        if known and self.random.random() < 0.6:
            return self.templates.twin(self.random.choice(known))
        self.asked.append(self.templates.pod())
        return self.asked[-1]

    def happen(self):
        """One random event."""
        r = self.random
        kinds = {
            self.put_some_node: 5,
            self.remove_some_node: 2,
            self.bind_somewhere: 8,
            self.remove_some_pod: 8,
            self.relabel_some_pod: 3,
            self.terminate_some_pod: 3,
            self.start_some_pods: 2,
            self.change_some_namespace: 3,
        }
        if "defaults" in self.features:
            kinds[self.change_some_owners] = 1
        if "preemption" in self.features:
            kinds |= {self.change_budgets: 2, self.nominate_some_pod: 2, self.withdraw_some_pod: 2}
        (kind,) = r.choices(list(kinds), list(kinds.values()))
        yield from kind()

    def time(self):
        """Later than all before; seconds are never equal, so that no two pods started at once."""
        self.ticks += 1
        return f"2026-01-01T{self.ticks // 3600:02}:{self.ticks // 60 % 60:02}:{self.ticks % 60:02}Z"

    def put_some_node(self):
        yield self.put_node(self.random.choice(NODE_NAMES))

    def put_node(self, name):
        r, known = self.random, self.world["nodes"].get(name)
        made = self.new_node(name) if known is None or r.random() < 0.5 else self.change_node(known)
        self.world["nodes"][name] = made
        self.world["placed"].setdefault(name, [])
        return "node", made

    def new_node(self, name):
        r = self.random
        labels = {
            "zone": r.choice("abc"),
            ZONE: r.choice("xy"),
            "disk": r.choice(["ssd", "hdd"]),
            "gen": r.choice("17"),
        }
        labels = {key: value for key, value in labels.items() if r.random() < 0.9}
        if r.random() < 0.9:
            labels[HOSTNAME] = name
        return {
            "metadata": {"name": name, "labels": labels},
            "spec": {"unschedulable": r.random() < 0.05, "taints": self.some_taints()},
            "status": {"allocatable": self.some_room(), "images": self.some_images()},
        }

    def change_node(self, known):
        """One field of the node as if drawn anew."""
        fresh = self.new_node(known["metadata"]["name"])
        part, field = self.random.choice(
            [
                ("metadata", "labels"),
                ("spec", "taints"),
                ("spec", "unschedulable"),
                ("status", "allocatable"),
                ("status", "images"),
            ]
        )
        return known | {part: known[part] | {field: fresh[part][field]}}

    def some_room(self):
        r = self.random
        room = {"cpu": r.choice(["3500m", "8", "32"]), "memory": r.choice(["8G", "64Gi"]), "pods": "110"}
        if self.crowded:
            room = {"cpu": r.choice(["0", "500m", "1", "2"]), "memory": r.choice(["1Gi", "3G", "8G"])}
            room["pods"] = str(r.choice([0, 2, 5, 110, 110]))
        room["ephemeral-storage"] = "10Gi"
        if r.random() < 0.3:
            room["example.com/gpu"] = r.choice("12")
        return room

    def some_taints(self):
        r = self.random
        effects = ("NoSchedule", "NoExecute", "PreferNoSchedule", "PreferNoSchedule")
        return [
            {"key": k, "value": r.choice("12"), "effect": r.choice(effects)}
            for k in ("zone", "disk")
            if r.random() < 0.15
        ]

    def some_images(self):
        if "images" not in self.features:
            return []
        return [{"names": [name], "sizeBytes": mb << 20} for name, mb in IMAGES.items() if self.random.random() < 0.5]

    def remove_some_node(self):
        if self.world["nodes"]:
            name = self.random.choice(sorted(self.world["nodes"]))
            del self.world["nodes"][name]
            yield "node gone", name

    def bind_somewhere(self):
        """A pod that was bound by someone else: it asks nobody whether it fits, nor whether its node is known."""
        node = self.random.choice(sorted(self.world["nodes"]) or NODE_NAMES)
        if self.random.random() < 0.03:
            node = self.random.choice(NODE_NAMES)
        others = self.world["placed"].get(node, [])
        alone = all("startTime" in (pod.get("status") or {}) for pod in others)
        yield self.place(self.templates.pod(), node, started=not alone or self.random.random() < 0.7)

    def place(self, pod, node, started=True):
        """The pod as bound to the node; it uses it from now on."""
        bound = pod | {"spec": pod["spec"] | {"nodeName": node}}
        if started:
            bound["status"] = (pod.get("status") or {}) | {"startTime": self.time()}
        self.world["placed"].setdefault(node, []).append(bound)
        self.forget_nomination(pod["metadata"]["uid"])
        return "pod", bound

    def bound(self, uid):
        return next(p for there in self.world["placed"].values() for p in there if p["metadata"]["uid"] == uid)

    def remove(self, uid):
        pod = self.bound(uid)
        self.world["placed"][pod["spec"]["nodeName"]].remove(pod)
        return "pod gone", pod

    def some_pod(self):
        pods = [pod for there in self.world["placed"].values() for pod in there]
        return self.random.choice(pods) if pods else None

    def replace(self, pod, **metadata):
        """The bound pod with other metadata; generation stands for changes of the spec and stays."""
        changed = pod | {"metadata": pod["metadata"] | metadata}
        there = self.world["placed"][pod["spec"]["nodeName"]]
        there[there.index(pod)] = changed
        return "pod", changed

    def remove_some_pod(self):
        pod = self.some_pod()
        if pod is not None:
            yield self.remove(pod["metadata"]["uid"])

    def relabel_some_pod(self):
        pod = self.some_pod()
        if pod is not None:
            yield self.replace(pod, labels=self.templates.labels())

    def terminate_some_pod(self):
        pod = self.some_pod()
        if pod is not None:
            yield self.terminate(pod, for_preemptor=self.random.random() < 0.5)

    def terminate(self, pod, for_preemptor):
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
        if for_preemptor:
            there = self.world["placed"][pod["spec"]["nodeName"]]
            changed = pod | {"status": (pod.get("status") or {}) | {"conditions": [condition]}}
            there[there.index(pod)] = pod = changed
        return self.replace(pod, deletionTimestamp=self.time())

    def start_some_pods(self):
        """Most of those that were bound and have not run yet; on each node that is one at most, so that which of two
        started later is always known."""
        for there in self.world["placed"].values():
            for i, pod in enumerate(there):
                if "startTime" not in (pod.get("status") or {}) and self.random.random() < 0.7:
                    there[i] = pod | {"status": (pod.get("status") or {}) | {"startTime": self.time()}}
                    yield "pod", there[i]

    def change_some_namespace(self):
        yield self.put_namespace(self.random.choice(NAMESPACES))

    def put_namespace(self, name):
        labels = dict(self.random.choice(TEAMS))
        self.world["namespaces"][name] = labels
        return "namespace", name, labels

    def change_budgets(self):
        r, before = self.random, self.world["budgets"]
        self.world["budgets"] = [
            {
                "metadata": {"name": f"b{i}", "namespace": r.choice(NAMESPACES)},
                "spec": {"selector": self.templates.label_selector()},
                "status": {"disruptionsAllowed": r.randint(0, 2)},
            }
            for i in range(r.randint(0, 3))
        ]
        yield "budgets", before, self.world["budgets"]

    def nominate_some_pod(self):
        """A pending pod that preempted others waits for its room."""
        if self.world["nodes"]:
            pod = self.templates.pod()
            yield self.nominate(pod, self.random.choice(sorted(self.world["nodes"])))

    def nominate(self, pod, node):
        self.forget_nomination(pod["metadata"]["uid"])
        self.world["nominated"].setdefault(node, []).append(pod)
        return "nominated", pod, node

    def withdraw_some_pod(self):
        waiting = [pod for there in self.world["nominated"].values() for pod in there]
        if waiting:
            uid = self.random.choice(waiting)["metadata"]["uid"]
            self.forget_nomination(uid)
            yield "withdrawn", uid

    def forget_nomination(self, uid):
        for node, there in self.world["nominated"].items():
            self.world["nominated"][node] = [pod for pod in there if pod["metadata"]["uid"] != uid]

    def change_some_owners(self):
        yield self.change_owners()

    def change_owners(self):
        r = self.random
        owners = {"services": [], "replicasets": [], "statefulsets": [], "replicationcontrollers": []}
        for i, namespace in enumerate(NAMESPACES):
            if r.random() < 0.5:
                selector = r.choice([None, {"app": r.choice("xyz")}, {"tier": r.choice("12")}])
                owners["services"].append(_owned(f"s{i}", namespace, {"selector": selector}))
            if r.random() < 0.5:
                kind = r.choice(["replicasets", "statefulsets"])
                owners[kind].append(_owned("set", namespace, {"selector": {"matchLabels": {"app": r.choice("xyz")}}}))
            if r.random() < 0.3:
                owners["replicationcontrollers"].append(
                    _owned("set", namespace, {"selector": {"app": r.choice("xyz")}})
                )
        before = {kind: self.world[kind] for kind in owners}
        self.world |= owners
        return "owners", before, owners


def _owned(name, namespace, spec):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}
