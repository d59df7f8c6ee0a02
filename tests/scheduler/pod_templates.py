"""Random pods: every field the scheduler looks at, from few enough values that pods meet."""

from itertools import count

from sample_objects import HOSTNAME, ZONE

KEYS = ("zone", "disk", "gen")
VALUES = {"zone": "abc", "disk": ("ssd", "hdd"), "gen": "17"}
TOPOLOGIES = ("zone", ZONE, HOSTNAME, HOSTNAME, "disk", "absent")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class PodTemplates:
    def __init__(self, random, features):
        self.random, self.features, self.numbers = random, features, count(1)

    def chance(self, share):
        return self.random.random() < share

    def pod(self):
        r, number = self.random, next(self.numbers)
        spec = {"schedulerName": "default-scheduler"}
        spec["containers"] = [self.container() for _ in range(r.choice([1, 1, 1, 2]))]
        for field, share, make in (
            ("initContainers", 0.15, self.init_containers),
            ("overhead", 0.1, lambda: {"cpu": "50m"}),
            ("resources", 0.05, lambda: {"requests": {"cpu": "300m"}}),
            ("nodeSelector", 0.15, self.node_selector),
            ("tolerations", 0.3, lambda: [self.toleration() for _ in range(r.randint(1, 2))]),
            ("affinity", 0.5, self.affinity),
        ):
            if self.chance(share):
                spec[field] = make()
        if "spread" in self.features and self.chance(0.5):
            spec["topologySpreadConstraints"] = [self.spread() for _ in range(r.choice([1, 1, 2, 3]))]
        if "preemption" in self.features:
            spec["priority"] = r.choice([0, 0, 0, 5, 10])
            if self.chance(0.05):
                spec["preemptionPolicy"] = "Never"
        if self.chance(0.03):
            spec["schedulingGates"] = [{"name": "example.com/wait"}]
        namespace = r.choice(["red", "red", "blue", "bare"])
        metadata = {"name": f"p{number}", "namespace": namespace, "uid": f"u{number}", "generation": 1}
        metadata["labels"] = self.labels()
        if "defaults" in self.features and self.chance(0.5):
            kind = r.choice(["ReplicaSet", "ReplicaSet", "StatefulSet", "ReplicationController", "Job"])
            metadata["ownerReferences"] = [{"kind": kind, "name": "set", "uid": "o", "controller": True}]
        return {"metadata": metadata, "spec": spec, "status": {}}

    def twin(self, pod):
        """Another pod of the same template."""
        number = next(self.numbers)
        return pod | {"metadata": pod["metadata"] | {"name": f"p{number}", "uid": f"u{number}"}, "status": {}}

    def labels(self):
        r = self.random
        labels = {"app": r.choice("xyz"), "tier": r.choice("12"), "rev": r.choice("12")}
        return {key: value for key, value in labels.items() if self.chance(0.7)}

    def container(self):
        r, asked = self.random, {}
        if self.chance(0.6):
            asked["cpu"] = r.choice(["0", "100m", "300m", "700m", "1"])
        if self.chance(0.5):
            asked["memory"] = r.choice(["64Mi", "500M", "2Gi"])
        if self.chance(0.06):
            asked["example.com/gpu"] = "1"
        if self.chance(0.04):
            asked["ephemeral-storage"] = "4Gi"
        made = {"name": "c", "image": r.choice(["web:1", "db", "job:1", "none"]), "resources": {"requests": asked}}
        if "ports" in self.features and self.chance(0.15):
            port = {"containerPort": 80, "hostPort": r.choice([80, 80, 443])}
            optional = {
                "hostIP": r.choice(["", "0.0.0.0", "10.0.0.1", "10.0.0.2"]),
                "protocol": r.choice(["TCP", "UDP"]),
            }
            made["ports"] = [port | {k: v for k, v in optional.items() if self.chance(0.5)}]
        return made

    def init_containers(self):
        always = {"restartPolicy": "Always"}
        return [self.container() | (always if self.chance(0.5) else {}) for _ in range(self.random.randint(1, 3))]

    def node_selector(self):
        key = self.random.choice(KEYS)
        return {key: self.random.choice(VALUES[key])}

    def toleration(self):
        r = self.random
        if self.chance(0.2):
            return {"operator": "Exists"}
        made = {"key": r.choice(["zone", "disk", "node.kubernetes.io/unschedulable"]), "operator": "Exists"}
        if self.chance(0.5):
            made = {"key": r.choice(["zone", "disk"]), "value": r.choice("12")}
        return made | ({"effect": r.choice(["NoSchedule", "PreferNoSchedule"])} if self.chance(0.4) else {})

    def affinity(self):
        made = {}
        if self.chance(0.4):
            made["nodeAffinity"] = self.node_affinity()
        if "affinity" in self.features:
            if self.chance(0.5):
                made["podAffinity"] = self.pod_affinity(0.3)
            if self.chance(0.5):
                made["podAntiAffinity"] = self.pod_affinity(0.5)
        return made

    def node_affinity(self):
        r, made = self.random, {}
        if self.chance(0.5):
            terms = [self.node_term() for _ in range(r.randint(1, 2))]
            if any("matchFields" in term for term in terms):
                terms = [term for term in terms if term]
            made[REQUIRED] = {"nodeSelectorTerms": terms}
        if self.chance(0.6):
            made[PREFERRED] = [{"weight": r.randint(1, 100), "preference": self.node_term()} for _ in range(2)]
        return made

    def node_term(self):
        r, made = self.random, {}
        if self.chance(0.07):
            return made
        if self.chance(0.12):
            operator = r.choice(["In", "In", "NotIn"])
            made["matchFields"] = [{"key": "metadata.name", "operator": operator, "values": [f"n{r.randrange(10)}"]}]
            if self.chance(0.6):
                return made
        made["matchExpressions"] = [self.node_requirement() for _ in range(r.randint(1, 2))]
        return made

    def node_requirement(self):
        r = self.random
        operator = r.choice(["In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])
        key = "gen" if operator in ("Gt", "Lt") else r.choice(KEYS)
        made = {"key": key, "operator": operator}
        if operator in ("In", "NotIn"):
            made["values"] = r.sample(list(VALUES[key]), r.randint(1, 2))
        elif operator in ("Gt", "Lt"):
            made["values"] = [str(r.randrange(9))]
        return made

    def label_selector(self):
        """None, {} or something small over the labels pods have."""
        r = self.random
        kind = r.random()
        if kind < 0.06:
            return None if kind < 0.03 else {}
        if kind < 0.5:
            return {"matchLabels": {"app": r.choice("xyz")}}
        key = r.choice(["app", "tier", "rev"])
        operator = r.choice(["In", "NotIn", "Exists", "DoesNotExist"])
        made = {"key": key, "operator": operator}
        if operator in ("In", "NotIn"):
            made["values"] = r.sample("xyz" if key == "app" else "12", r.randint(1, 2))
        return {"matchExpressions": [made]}

    def spread(self):
        r = self.random
        hard = self.chance(0.5)
        made = {
            "maxSkew": r.choice([1, 1, 2, 3]),
            "topologyKey": r.choice(TOPOLOGIES if self.chance(0.3) else TOPOLOGIES[:4]),
            "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
            "labelSelector": self.label_selector(),
        }
        if hard and self.chance(0.3):
            made["minDomains"] = r.randint(1, 4)
        if self.chance(0.3):
            made["nodeAffinityPolicy"] = r.choice(["Honor", "Ignore"])
        if self.chance(0.3):
            made["nodeTaintsPolicy"] = r.choice(["Honor", "Ignore"])
        if made["labelSelector"] is not None and self.chance(0.2):
            made["matchLabelKeys"] = ["rev"]
        return made

    def pod_affinity(self, required):
        r, made = self.random, {}
        if self.chance(required):
            made[REQUIRED] = [self.pod_term() for _ in range(r.choice([1, 1, 2]))]
        if self.chance(0.5):
            made[PREFERRED] = [
                {"weight": r.choice([1, 10, 100]), "podAffinityTerm": self.pod_term()} for _ in range(r.choice([1, 2]))
            ]
        return made

    def pod_term(self):
        r = self.random
        made = {
            "topologyKey": r.choice(TOPOLOGIES if self.chance(0.3) else TOPOLOGIES[:4]),
            "labelSelector": self.label_selector(),
        }
        if made["labelSelector"] is not None and self.chance(0.15):
            made[r.choice(["matchLabelKeys", "mismatchLabelKeys"])] = ["rev"]
        if self.chance(0.2):
            made["namespaces"] = r.sample(["red", "blue", "bare"], r.randint(1, 2))
        if self.chance(0.25):
            made["namespaceSelector"] = r.choice(
                [
                    {},
                    {"matchLabels": {"team": r.choice("ab")}},
                    {"matchExpressions": [{"key": "env", "operator": "DoesNotExist"}]},
                ]
            )
        return made
