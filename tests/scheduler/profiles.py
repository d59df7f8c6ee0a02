"""Random profiles: what a KubeSchedulerConfiguration says, and the same for the reference."""

from pod_templates import PREFERRED, REQUIRED

KIND = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
SCORING = (
    "TaintToleration",
    "NodeAffinity",
    "NodeResourcesFit",
    "PodTopologySpread",
    "InterPodAffinity",
    "NodeResourcesBalancedAllocation",
    "ImageLocality",
)
"""In the order of the default profile."""


class Profiles:
    def __init__(self, random):
        self.random = random

    def draw(self):
        """(the file's content, the reference's config); half of them are the default profile."""
        r = self.random
        if r.random() < 0.5:
            return KIND | {"sampan": {"seed": 1}}, {}
        args, config, plugins = {}, {}, {}
        for part in (self.fit, self.balanced, self.affinity, self.node_affinity, self.spread):
            if r.random() < 0.5:
                part(args, config)
        if r.random() < 0.5:
            plugins = self.weights(config)
        given = [{"name": name, "args": {"kind": f"{name}Args"} | of} for name, of in args.items()]
        profile = {"schedulerName": "default-scheduler", "plugins": plugins, "pluginConfig": given}
        return KIND | {"profiles": [profile], "sampan": {"seed": 1}}, config

    def resources(self, *, weights):
        r = self.random
        names = r.sample(["cpu", "memory", "example.com/gpu", "ephemeral-storage"], r.randint(1, 4))
        return [{"name": name, "weight": r.choice([1, 1, 2, 5]) if weights else 1} for name in names]

    def fit(self, args, config):
        r = self.random
        kind = r.choice(["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"])
        strategy = {"type": kind, "resources": self.resources(weights=True)}
        if kind == "RequestedToCapacityRatio":
            utilizations = sorted(r.sample(range(101), r.randint(1, 4)))
            shape = [{"utilization": u, "score": r.randint(0, 10)} for u in utilizations]
            strategy["requestedToCapacityRatio"] = {"shape": shape}
        made = {"scoringStrategy": strategy}
        if r.random() < 0.2:
            made["ignoredResources"] = ["example.com/gpu"]
        elif r.random() < 0.2:
            made["ignoredResourceGroups"] = ["example.com"]
        args["NodeResourcesFit"] = made
        config |= made

    def balanced(self, args, config):
        config["balancedResources"] = self.resources(weights=False)
        args["NodeResourcesBalancedAllocation"] = {"resources": config["balancedResources"]}

    def affinity(self, args, config):
        r = self.random
        made = {
            "hardPodAffinityWeight": r.choice([0, 1, 50]),
            "ignorePreferredTermsOfExistingPods": r.random() < 0.3,
        }
        args["InterPodAffinity"] = made
        config |= made

    def node_affinity(self, args, config):
        r = self.random
        added = {}
        if r.random() < 0.5:
            term = {"matchExpressions": [{"key": "gen", "operator": "In", "values": r.choice([["1"], ["1", "7"]])}]}
            added[REQUIRED] = {"nodeSelectorTerms": [term]}
        if r.random() < 0.7:
            term = {"matchExpressions": [{"key": "disk", "operator": r.choice(["Exists", "DoesNotExist"])}]}
            added[PREFERRED] = [{"weight": r.randint(1, 100), "preference": term}]
        if added:
            args["NodeAffinity"] = {"addedAffinity": added}
            config["addedAffinity"] = added

    def spread(self, args, config):
        r = self.random
        constraints = [
            {"maxSkew": r.choice([1, 1, 2]), "topologyKey": key, "whenUnsatisfiable": action}
            for key in ("zone", "kubernetes.io/hostname", "disk")
            for action in ("DoNotSchedule", "ScheduleAnyway")
            if r.random() < 0.3
        ]
        made = {"defaultingType": "List", "defaultConstraints": constraints}
        args["PodTopologySpread"] = made
        config |= made

    def weights(self, config):
        r = self.random
        config["weights"] = {name: r.choice([1, 2, 3, 10]) for name in SCORING if r.random() < 0.8}
        enabled = [{"name": name, "weight": weight} for name, weight in config["weights"].items()]
        return {"score": {"disabled": [{"name": "*"}], "enabled": enabled}}
