from pathlib import Path

import pytest
from sampan_sim.config import load, read
from sampan_sim.durations import Exponential, Uniform
from sampan_sim.errors import ConfigError
from sampan_sim.nodes import plans

EXAMPLE = Path(__file__).parents[2] / "manifests" / "sim.yaml"
NODE = {"name": "n", "capacity": {"cpu": 1, "memory": "1Gi", "pods": 10}}


def test_the_example_says_what_its_comments_say():
    config = load(EXAMPLE)
    assert [group.count for group in config.nodes] == [30, 10, 4]
    assert config.nodes[1].allocatable == {"cpu": "63", "memory": "250Gi"}
    batch = config.behaviour("any", {"workload": "batch", "more": "labels"})
    assert batch.run == Exponential(20, 120)
    assert batch.failure.after == Uniform(1, 10)
    assert config.behaviour("default", {"workload": "flaky"}).name == "flaky"
    assert config.behaviour("elsewhere", {"workload": "flaky"}).name == "others"
    defaults = read({})
    for field in ("lease", "node_status", "back_off", "merge", "events", "pod_cidr", "node_cidr"):
        assert getattr(config, field) == getattr(defaults, field), field


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "the file: must be a mapping of fields to values"),
        ({"node": []}, "node: there is no such field; did you mean nodes?"),
        ({"nodes": []}, "nodes: must have at least 1 item"),
        ({"nodes": [{}]}, "nodes[0].name: is required"),
        ({"nodes": [{"name": "A_"}]}, 'nodes[0].name: "A_" is no name: small letters, digits and dashes'),
        ({"nodes": [NODE | {"count": 0}]}, "nodes[0].count: must be greater than or equal to 1"),
        ({"nodes": [NODE, NODE]}, 'nodes: two groups are called "n"'),
        ({"nodes": [NODE | {"capacity": {"cpu": "x"}}]}, 'nodes[0].capacity: cpu: "x" is no quantity'),
        ({"nodes": [NODE | {"capacity": {"cpu": 1}}]}, "nodes[0]: capacity: memory is missing"),
        ({"nodes": [NODE | {"allocatable": {"cpu": 2}}]}, "allocatable: cpu 2 is more than capacity 1"),
        ({"nodes": [NODE | {"allocatable": {"gpu": 2}}]}, "allocatable: gpu is not in capacity"),
        (
            {"nodes": [NODE | {"taints": [{"key": "k", "effect": "No"}]}]},
            "nodes[0].taints[0].effect: must be 'NoSchedule', ",
        ),
        ({"pods": [{"start": "5"}]}, "pods[0].start: '5' is not a duration: write it with units"),
        ({"pods": [{"failure": {"exitCode": 1}}]}, "pods[0].failure.exitCode: there is no such field; did you mean"),
        ({"pods": [{"failure": {"rate": 1.5}}]}, "pods[0].failure.rate: must be less than or equal to 1"),
        ({"pods": [{"failure": {"exitCodes": [0]}}]}, "pods[0].failure.exitCodes[0]: must be greater"),
        ({"lease": {"duration": "1s"}}, "lease.duration: must be greater than or equal to 4"),
        ({"nodes": {"name": "n"}}, "nodes: must be a list, such as [a, b]"),
        ({"nodes": [NODE | {"name": None}]}, "nodes[0].name: must be text, and null is none without quotes"),
        ({"nodes": [NODE | {"name": "n" * 64}]}, "is no name: small letters, digits and dashes, at most 63"),
        ({"nodes": [NODE | {"count": 10**9}]}, "nodes[0].count: must be less than or equal to 1000000"),
        ({"nodes": [NODE | {"count": 1.5}]}, "nodes[0].count: must be a whole number"),
        ({"nodes": [NODE | {"capacity": {"cpu": -1}}]}, "nodes[0].capacity: cpu: -1 is less than 0"),
        ({"nodes": [NODE | {"capacity": {"pods": 1.5}}]}, "nodes[0].capacity: pods: 1.5 is no whole number"),
        ({"nodes": [NODE | {"capacity": {"a b": 1}}]}, 'nodes[0].capacity: "a b" is no name such as example.com/gpu'),
        ({"nodes": [NODE | {"labels": {"a": 1}}]}, "nodes[0].labels.a: must be text, and 1 is none without quotes"),
        ({"nodes": [NODE | {"labels": {"a b": ""}}]}, 'nodes[0].labels.a b: "a b" is no name such as'),
        ({"nodes": [NODE | {"zones": ["a b"]}]}, 'nodes[0].zones[0]: "a b" is no value of a label'),
        ({"pods": [{"failure": {"rate": "50%"}}]}, "pods[0].failure.rate: must be a number, such as 0.1"),
        (
            {"pods": [{"failure": {"reason": "oom killed"}}]},
            'pods[0].failure.reason: "oom killed" is no reason such as',
        ),
        ({"pods": [{"run": "9999999h"}]}, "pods[0].run: 9999999h is longer than a hundred years"),
        ({"pods": [{"run": "1" + "0" * 400 + "s"}]}, "is longer than a hundred years"),
        ({"backOff": {"base": "5s", "max": "1s"}}, "backOff: max (1s) is less than base (5s)"),
        ({"podCIDR": "10.0.0.1/8"}, 'podCIDR: "10.0.0.1/8" is no IPv4 network such as'),
        ({"podCIDR": "198.18.0.0/16"}, "podCIDR 198.18.0.0/16 and nodeCIDR 198.18.0.0/15 overlap"),
    ],
)
def test_a_mistake_is_told_by_its_field(said, told):
    with pytest.raises(ConfigError) as refused:
        read(said)
    assert told in str(refused.value)


def test_every_mistake_is_told():
    with pytest.raises(ConfigError) as refused:
        read({"seed": "x", "pods": [{"run": 3, "ready": "4"}], "nods": []})
    assert len(str(refused.value).splitlines()) == 4


def test_a_file_that_is_not_there_or_no_yaml(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="is no YAML"):
        load(tmp_path / "bad.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is no YAML"):
        load(tmp_path / "bad.yaml")
    (tmp_path / "twice.yaml").write_text("seed: 1\nlease: {}\nseed: 2\n")
    with pytest.raises(ConfigError, match='line 3: key "seed" already set in map'):
        load(tmp_path / "twice.yaml")
    (tmp_path / "two.yaml").write_text("seed: 1\n---\nseed: 2\n")
    with pytest.raises(ConfigError, match="there are 2 documents in it"):
        load(tmp_path / "two.yaml")
    (tmp_path / "empty.yaml").write_text("")
    assert load(tmp_path / "empty.yaml") == read({})


def names(counts, total):
    groups = [NODE | {"name": name, "count": count} for name, count in counts.items()]
    return [plan.group.name for plan in plans(read({"nodes": groups}), "sim", total)]


def test_a_name_that_no_node_can_have_is_told_before_anything_is_done():
    with pytest.raises(ConfigError, match=r'"sim-n+-0" is too long for the name of a node'):
        names({"n" * 60: 1, "m": 1}, None)


def test_a_total_is_shared_out_in_proportion():
    shared = names({"a": 2, "b": 1, "c": 1}, 10)
    assert [shared.count(name) for name in "abc"] == [5, 3, 2]
    assert len(names({"a": 1, "b": 1, "c": 1}, 1)) == 1
    assert len(names({"a": 2, "b": 1}, None)) == 3
