"""A KubeSchedulerConfiguration is read as kube-scheduler reads it: same names, defaults, merging and refusals."""

import logging

import pytest
import yaml
from following import Disagreement, Follower
from sampan_master.scheduler import ConfigError, read_config
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.planner import Planner, Refuse
from sampan_master.scheduler.profile import Candidates, Profile
from worlds import Scenario

HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}


@pytest.fixture
def read(tmp_path):
    def read(text="", **fields):
        path = tmp_path / "scheduler.yaml"
        path.write_text(text or yaml.safe_dump(HEAD | fields))
        return read_config(path, standalone=True)

    return read


@pytest.fixture
def wrong(read, tmp_path):
    """The complaints, without the file's name."""

    def wrong(text="", **fields):
        with pytest.raises(ConfigError) as caught:
            read(text, **fields)
        return [line.removeprefix(f"{tmp_path / 'scheduler.yaml'}: ") for line in str(caught.value).split("\n")]

    return wrong


def one(**fields):
    return [fields]


def args(name, **given):
    return {"pluginConfig": [{"name": name, "args": given}]}


def names(profile):
    return [plugin.name for plugin in profile.plugins]


def filtering(profile):
    return [p.name for p in profile.plugins if p.filter is not None]


def enabled(*plugins):
    return {"enabled": [{"name": name} for name in plugins]}


def disabled(*plugins):
    return {"disabled": [{"name": name} for name in plugins]}


def test_without_a_word_it_is_the_default_profile(read):
    default, config = Profile(), read()
    assert [profile.scheduler_name for profile in config.profiles] == ["default-scheduler"]
    assert names(config.profiles[0]) == names(default)
    assert dict(config.profiles[0].weights) == dict(default.weights)
    assert config.profiles[0].preemption == default.preemption
    assert (config.initial_backoff_seconds, config.max_backoff_seconds, config.process) == (1, 10, {})


def test_the_documentation_s_example_of_two_profiles(read):
    config = read(
        profiles=[
            {"schedulerName": "default-scheduler"},
            {
                "schedulerName": "no-scoring-scheduler",
                "plugins": {"preScore": disabled("*"), "score": disabled("*")},
            },
        ]
    )
    assert [p.scheduler_name for p in config.profiles] == ["default-scheduler", "no-scoring-scheduler"]
    assert dict(config.profiles[1].weights) == {}
    assert filtering(config.profiles[1]) == filtering(config.profiles[0])


def test_a_plug_in_loses_one_extension_point_and_keeps_the_others(read):
    (profile,) = read(profiles=one(plugins={"filter": disabled("TaintToleration", "PodTopologySpread")})).profiles
    assert "TaintToleration" not in filtering(profile)
    assert profile.weights["TaintToleration"] == 3
    assert profile.weights["PodTopologySpread"] == 2
    (spread,) = [p for p in profile.plugins if p.name == "PodTopologySpread"]
    assert spread.relation is not None


def test_multi_point_reaches_all_points(read):
    (profile,) = read(profiles=one(plugins={"multiPoint": disabled("NodeAffinity", "NodePorts")})).profiles
    assert not {"NodeAffinity", "NodePorts"} & ({*names(profile)} | profile.weights.keys())


def test_weights_by_point_before_multi_point_and_a_weight_not_given_is_one(read):
    plugins = {
        "multiPoint": {"enabled": [{"name": "NodeAffinity", "weight": 7}, {"name": "ImageLocality"}]},
        "score": {"enabled": [{"name": "NodeAffinity", "weight": 9}, {"name": "TaintToleration"}]},
    }
    weights = read(profiles=one(plugins=plugins)).profiles[0].weights
    assert (weights["NodeAffinity"], weights["ImageLocality"], weights["TaintToleration"]) == (9, 1, 1)
    assert weights["InterPodAffinity"] == 2


def test_the_order_of_filters(read):
    """Named at the point comes first in multiPoint's order, then the rest of multiPoint, then what is there alone."""
    plugins = {
        "multiPoint": disabled("NodeName"),
        "filter": enabled("NodeName", "NodePorts", "NodeUnschedulable"),
    }
    (profile,) = read(profiles=one(plugins=plugins)).profiles
    order = [name for name in filtering(profile) if name != "NodeAffinity"]
    assert order[:3] == ["NodeUnschedulable", "NodePorts", "TaintToleration"]
    assert order[-1] == "NodeName"


def test_everything_off_and_a_few_on(read):
    plugins = {
        "multiPoint": disabled("*")
        | enabled("PrioritySort", "DefaultBinder", "SchedulingGates", "NodeResourcesFit", "NodeName")
    }
    (profile,) = read(profiles=one(plugins=plugins)).profiles
    assert names(profile) == ["NodeResourcesFit", "NodeName"]
    assert dict(profile.weights) == {"NodeResourcesFit": 1}
    assert profile.preemption is None


def test_pods_are_placed_by_the_profile_their_scheduler_name_says(read):
    pack = {"scoringStrategy": {"type": "MostAllocated"}}
    plugins = {"score": disabled("*") | enabled("NodeResourcesFit")}
    packer = {"schedulerName": "packer", "plugins": plugins, **args("NodeResourcesFit", **pack)}
    planner = Planner(read(profiles=[{"schedulerName": "default-scheduler"}, packer]))
    for name in ("full", "empty"):
        room = {"cpu": "4", "memory": "4Gi", "pods": "9"}
        planner.put_node({"metadata": {"name": name}, "spec": {}, "status": {"allocatable": room}})

    def pod(name, scheduler, node=""):
        containers = [{"name": "c", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]
        metadata = {"name": name, "namespace": "d", "uid": name, "creationTimestamp": "2024-01-01T00:00:00Z"}
        return {"metadata": metadata, "spec": {"containers": containers, "schedulerName": scheduler, "nodeName": node}}

    planner.put_pod(pod("there", "default-scheduler", "full"), 0.0)
    chosen = {}
    for scheduler in ("packer", "default-scheduler", "nobody"):
        planner.put_pod(pod(scheduler, scheduler), 0.0)
        while (decision := planner.next(0.0)) is not None:
            chosen[scheduler] = decision.node
    assert chosen == {"packer": "full", "default-scheduler": "empty"}


def test_without_preemption_nobody_is_evicted(read):
    config = read(profiles=one(plugins={"postFilter": disabled("DefaultPreemption")}))

    def decision(config):
        planner = Planner(config)
        planner.put_node(
            {
                "metadata": {"name": "n"},
                "spec": {},
                "status": {"allocatable": {"cpu": "1", "pods": "9", "memory": "1Gi"}},
            }
        )
        planner.put_pod(pod("low", 0, "n"), 0.0)
        planner.put_pod(pod("high", 10), 0.0)
        return planner.next(0.0)

    def pod(name, priority, node=""):
        spec = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}], "priority": priority}
        metadata = {"name": name, "namespace": "d", "uid": name, "creationTimestamp": "2024-01-01T00:00:00Z"}
        return {"metadata": metadata, "spec": spec | {"schedulerName": "default-scheduler", "nodeName": node}}

    assert [victim.uid for victim in decision(SchedulerConfig()).victims] == ["low"]
    refused = decision(config)
    assert isinstance(refused, Refuse)
    assert refused.message == "0/1 nodes are available: 1 Insufficient cpu."


def test_how_many_nodes_preemption_tries(read):
    given = args("DefaultPreemption", minCandidateNodesPercentage=5, minCandidateNodesAbsolute=7)
    assert read(profiles=one(**given)).profiles[0].preemption == Candidates(5, 7)


def test_what_the_file_says_of_the_process(read):
    config = read(
        podInitialBackoffSeconds=2,
        podMaxBackoffSeconds=60,
        clientConnection={"kubeconfig": "/etc/kube"},
        leaderElection={
            "leaderElect": False,
            "leaseDuration": "1m30s",
            "renewDeadline": "1m",
            "retryPeriod": "500ms",
            "resourceName": "mine",
        },
        sampan={"seed": 7, "bindsInFlight": 3},
    )
    assert (config.initial_backoff_seconds, config.max_backoff_seconds) == (2, 60)
    assert (config.seed, config.binds_in_flight) == (7, 3)
    assert {flag: str(value) for flag, value in config.process.items()} == {
        "kubeconfig": "/etc/kube",
        "leader_elect": "False",
        "leader_elect_lease_duration": "90.0",
        "leader_elect_renew_deadline": "60.0",
        "leader_elect_retry_period": "0.5",
        "leader_elect_resource_name": "mine",
    }


def test_null_is_as_absent(read):
    assert names(read(profiles=one(plugins=None, pluginConfig=None)).profiles[0]) == names(Profile())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"apiVersion": "kubescheduler.config.k8s.io/v1beta3"}, "apiVersion: must be 'kubescheduler.config.k8s.io/v1'"),
        ({"kind": "Policy"}, "kind: must be 'KubeSchedulerConfiguration', not \"Policy\""),
        ({"profile": []}, 'profile: unknown field, did you mean "profiles"?'),
        ({"healthzBindAddress": ":1"}, "healthzBindAddress: unknown field: known are apiVersion, kind"),
        ({"parallelism": 0}, "parallelism: must be at least 1, not 0"),
        ({"parallelism": "16"}, 'parallelism: must be a whole number, not "16"'),
        ({"percentageOfNodesToScore": 101}, "percentageOfNodesToScore: must be at most 100, not 101"),
        ({"podInitialBackoffSeconds": 0}, "podInitialBackoffSeconds: must be at least 1, not 0"),
        (
            {"podInitialBackoffSeconds": 20},
            "podMaxBackoffSeconds: must be greater than or equal to podInitialBackoffSeconds",
        ),
        ({"extenders": [{"urlPrefix": "http://x"}]}, "extenders: are not served: write a policy instead"),
        ({"leaderElection": {"resourceLock": "endpoints"}}, "leaderElection.resourceLock: must be 'leases'"),
        ({"leaderElection": {"resourceNamespace": "x"}}, "leaderElection.resourceNamespace: must be kube-system"),
        ({"leaderElection": {"leaseDuration": 15}}, "leaderElection.leaseDuration: must be a duration such as 15s"),
        ({"clientConnection": {"qps": "1"}}, 'clientConnection.qps: must be a number, not "1"'),
        ({"profiles": {}}, "profiles: must be a list, not a mapping"),
        ({"profiles": ["x"]}, 'profiles[0]: must be a mapping, not "x"'),
        ({"profiles": [{"schedulerName": "a"}, {}]}, "profiles[1].schedulerName: Required value"),
        (
            {"profiles": [{"schedulerName": "a"}, {"schedulerName": "a"}]},
            'profiles[1].schedulerName: "a" is that of profiles[0] already',
        ),
        (
            {"profiles": one(plugins={"score": {"enabled": [{"name": "NodeAffinity", "wieght": 2}]}})},
            'profiles[0].plugins.score.enabled[0].wieght: unknown field, did you mean "weight"?',
        ),
        (
            {"profiles": one(plugins={"score": {"enabled": [{"weight": 2}]}})},
            "profiles[0].plugins.score.enabled[0].name: Required value",
        ),
        (
            {"profiles": one(plugins={"filter": enabled("Gpus")})},
            'profiles[0].plugins.filter.enabled[0].name: plugin "Gpus" does not exist: must be one of DefaultBinder',
        ),
        (
            {"profiles": one(plugins={"filter": enabled("NodePort")})},
            'profiles[0].plugins.filter.enabled[0].name: plugin "NodePort" does not exist: did you mean "NodePorts"?',
        ),
        (
            {"profiles": one(plugins={"filter": disabled("Gpus")})},
            'profiles[0].plugins.filter.disabled[0].name: plugin "Gpus" does not exist: must be one of *, Def',
        ),
        (
            {"profiles": one(plugins={"score": enabled("NodeName")})},
            'profiles[0].plugins.score.enabled[0]: plugin "NodeName" does not extend score, but filter',
        ),
        (
            {"profiles": one(plugins={"filter": enabled("NodeName", "NodeName")})},
            'profiles[0].plugins.filter.enabled[1]: plugin "NodeName" is already enabled at filter',
        ),
        (
            {"profiles": one(plugins={"queueSort": disabled("*")})},
            "profiles[0].plugins.queueSort: one queue sort plugin is required: enable PrioritySort",
        ),
        (
            {"profiles": one(plugins={"bind": disabled("*")})},
            "profiles[0].plugins.bind: at least one bind plugin is needed: enable DefaultBinder",
        ),
        (
            {"profiles": one(pluginConfig=[{"name": "NodeFit"}])},
            'profiles[0].pluginConfig[0].name: plugin "NodeFit" does not exist',
        ),
        (
            {"profiles": one(pluginConfig=[{"name": "NodeAffinity"}, {"name": "NodeAffinity"}])},
            'profiles[0].pluginConfig[1]: repeated config for plugin "NodeAffinity"',
        ),
        (
            {"profiles": one(**args("NodeName", x=1))},
            "profiles[0].pluginConfig[0].args.x: unknown field: known are apiVersion, kind",
        ),
        (
            {"profiles": one(**args("NodeResourcesFit", kind="NodeAffinityArgs"))},
            'profiles[0].pluginConfig[0].args.kind: must be "NodeResourcesFitArgs", not "NodeAffinityArgs"',
        ),
        (
            {"profiles": one(**args("InterPodAffinity", hardPodAffinityWeight=101))},
            "profiles[0].pluginConfig[0].args.hardPodAffinityWeight: must be at most 100, not 101",
        ),
        (
            {"profiles": one(**args("DefaultPreemption", minCandidateNodesPercentage=0, minCandidateNodesAbsolute=0))},
            "profiles[0].pluginConfig[0].args: minCandidateNodesPercentage and minCandidateNodesAbsolute cannot both",
        ),
        (
            {"profiles": one(**args("NodeResourcesFit", ignoredResourceGroups=["a/b"]))},
            "profiles[0].pluginConfig[0].args.ignoredResourceGroups[0]: resource group name can't contain '/'",
        ),
        (
            {"profiles": one(**args("NodeResourcesFit", scoringStrategy={"type": "Most"}))},
            "profiles[0].pluginConfig[0].args.scoringStrategy.type: must be 'LeastAllocated', 'MostAllocated' or",
        ),
        (
            {"profiles": one(**args("NodeResourcesFit", scoringStrategy={"type": "RequestedToCapacityRatio"}))},
            "profiles[0].pluginConfig[0].args.scoringStrategy.requestedToCapacityRatio: Required value",
        ),
        (
            {
                "profiles": one(
                    **args(
                        "NodeResourcesFit",
                        scoringStrategy={
                            "requestedToCapacityRatio": {
                                "shape": [{"utilization": 50, "score": 1}, {"utilization": 10, "score": 1}]
                            }
                        },
                    )
                )
            },
            "profiles[0].pluginConfig[0].args.scoringStrategy.requestedToCapacityRatio.shape: utilization values must",
        ),
        (
            {"profiles": one(**args("NodeResourcesBalancedAllocation", resources=[{"name": "cpu", "weight": 2}]))},
            "profiles[0].pluginConfig[0].args.resources: weight of resource cpu must be 1",
        ),
        (
            {"profiles": one(**args("NodeAffinity", addedAffinity={"required": {}}))},
            "profiles[0].pluginConfig[0].args.addedAffinity.required: unknown field",
        ),
        (
            {"profiles": one(**args("PodTopologySpread", defaultingType="Sometimes"))},
            'profiles[0].pluginConfig[0].args.defaultingType: unsupported value "Sometimes"',
        ),
        (
            {"profiles": one(sampan={"policies": [{"path": "a/b c.py"}]})},
            "profiles[0].sampan.policies[0].path: must be a Python file called by letters",
        ),
        (
            {"profiles": one(sampan={"policies": [{"path": "NodeName.py"}]})},
            'profiles[0].sampan.policies[0].path: "NodeName" is the name of another policy or plugin',
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_path(wrong, fields, said):
    (line,) = wrong(**fields)
    assert line.startswith(said)


def test_all_that_is_wrong_is_told_at_once(wrong):
    found = wrong(profiles=one(plugins={"filter": enabled("A"), "score": enabled("B")}, **args("C")))
    assert [line.partition(":")[0] for line in found] == [
        "profiles[0].plugins.filter.enabled[0].name",
        "profiles[0].plugins.score.enabled[0].name",
        "profiles[0].pluginConfig[0].name",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be a mapping"),
        ("- a", "must be a mapping"),
        ("apiVersion: a\napiVersion: b\n", 'key "apiVersion" already set'),
        ("a: [", "line 1"),
        ("profiles: []", "apiVersion: Required value"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path, text, said):
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"f\.yaml: ") as caught:
        read_config(path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"percentageOfNodesToScore": 50}, "percentageOfNodesToScore: has no effect: all nodes are always looked at"),
        ({"parallelism": 8}, "parallelism: has no effect"),
        ({"enableProfiling": True}, "enableProfiling: has no effect"),
        ({"clientConnection": {"qps": 50}}, "clientConnection.qps: has no effect"),
        ({"clientConnection": {"contentType": "application/vnd.kubernetes.protobuf"}}, "contentType: has no effect"),
        ({"profiles": one(percentageOfNodesToScore=5)}, "profiles[0].percentageOfNodesToScore: has no effect"),
        ({"profiles": one(plugins={"filter": enabled("VolumeZone")})}, "plugin VolumeZone has no effect"),
        ({"profiles": one(**args("VolumeBinding", bindTimeoutSeconds=5))}, "plugin VolumeBinding has no effect"),
        ({"profiles": one(plugins={"preEnqueue": disabled("*")})}, "SchedulingGates cannot be switched off"),
        ({"profiles": one(plugins={"preFilter": disabled("NodePorts")})}, "preFilter: NodePorts cannot be without it"),
        (
            {"profiles": one(plugins={"multiPoint": disabled("NodeAffinity")}, **args("NodeAffinity"))},
            "pluginConfig: plugin NodeAffinity is enabled nowhere",
        ),
        (
            {"profiles": one(plugins={"filter": {"enabled": [{"name": "NodeName", "weight": 3}]}})},
            "profiles[0].plugins.filter.enabled[0].weight: has no effect there",
        ),
    ],
)
def test_what_changes_nothing_here_is_warned_about(read, caplog, fields, said):
    with caplog.at_level(logging.WARNING):
        read(**fields)
    assert any(said in record.message for record in caplog.records)


def test_the_master_has_flags_of_its_own_for_election(tmp_path, caplog):
    path = tmp_path / "f.yaml"
    path.write_text(yaml.safe_dump(HEAD | {"leaderElection": {"leaderElect": False}}))
    read_config(path)
    assert "leaderElection, clientConnection: have no effect in the master" in caplog.text


GPU, EPHEMERAL = "example.com/gpu", "ephemeral-storage"
MIXED = [{"name": "cpu", "weight": 3}, {"name": EPHEMERAL, "weight": 1}, {"name": GPU, "weight": 5}]
SHAPE = [{"utilization": 0, "score": 2}, {"utilization": 30, "score": 10}, {"utilization": 90, "score": 0}]
ADDED = {
    "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["hdd"]}]}]
    },
    "preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 7, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
    ],
}


def strategy(kind, resources=MIXED, **more):
    return {"type": kind, "resources": resources, **more}


@pytest.mark.parametrize(
    ("name", "given", "config"),
    [
        ("NodeResourcesFit", {"scoringStrategy": strategy("LeastAllocated")}, {}),
        ("NodeResourcesFit", {"scoringStrategy": strategy("MostAllocated")}, {}),
        (
            "NodeResourcesFit",
            {"scoringStrategy": strategy("RequestedToCapacityRatio", requestedToCapacityRatio={"shape": SHAPE})},
            {},
        ),
        ("NodeResourcesFit", {"ignoredResources": [GPU]}, {"ignoredResources": [GPU]}),
        ("NodeResourcesFit", {"ignoredResourceGroups": ["example.com"]}, {"ignoredResourceGroups": ["example.com"]}),
        (
            "NodeResourcesBalancedAllocation",
            {"resources": [{"name": "cpu"}, {"name": "memory"}, {"name": GPU}, {"name": EPHEMERAL}]},
            {"balancedResources": [{"name": "cpu"}, {"name": "memory"}, {"name": GPU}, {"name": EPHEMERAL}]},
        ),
        ("NodeResourcesBalancedAllocation", {"resources": [{"name": GPU}, {"name": "cpu"}]}, None),
        ("NodeAffinity", {"addedAffinity": ADDED}, {"addedAffinity": ADDED}),
        (
            "InterPodAffinity",
            {"hardPodAffinityWeight": 9, "ignorePreferredTermsOfExistingPods": True},
            {"hardPodAffinityWeight": 9, "ignorePreferredTermsOfExistingPods": True},
        ),
    ],
)
@pytest.mark.parametrize("seed", range(2))
def test_configured_plug_ins_do_what_the_reference_says(read, name, given, config, seed):
    if config is None:
        config = {"balancedResources": given["resources"]}
    configured = read(profiles=one(**args(name, **given)), sampan={"seed": 1})
    scenario = Scenario(1000 + seed, frozenset({"affinity"}), **(config or given))
    follower = Follower(scenario)
    follower.planner = Planner(configured)
    for event in scenario.start():
        follower.follow(event)
    for step in range(15):
        for event in scenario.happen():
            follower.follow(event)
        try:
            follower.ask(scenario.pending())
        except Disagreement as found:
            pytest.fail(f"seed {seed}, step {step}: {found}", pytrace=False)
