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
        ({"nodes": []}, "nodes: Tuple should have at least 1 item"),
        ({"nodes": [{}]}, "nodes[0].name: is required"),
        ({"nodes": [{"name": "A_"}]}, 'nodes[0].name: "A_" is no name: small letters, digits and dashes'),
        ({"nodes": [NODE | {"count": 0}]}, "nodes[0].count: Input should be greater than or equal to 1"),
        ({"nodes": [NODE, NODE]}, 'nodes: two groups are called "n"'),
        ({"nodes": [NODE | {"capacity": {"cpu": "x"}}]}, 'nodes[0].capacity: cpu: "x" is no quantity'),
        ({"nodes": [NODE | {"capacity": {"cpu": 1}}]}, "nodes[0]: capacity: memory is missing"),
        ({"nodes": [NODE | {"allocatable": {"cpu": 2}}]}, "allocatable: cpu 2 is more than capacity 1"),
        ({"nodes": [NODE | {"allocatable": {"gpu": 2}}]}, "allocatable: gpu is not in capacity"),
        ({"nodes": [NODE | {"taints": [{"key": "k", "effect": "No"}]}]}, "nodes[0].taints[0].effect: Input should be"),
        ({"pods": [{"start": "5"}]}, "pods[0].start: '5' is not a duration: write it with units"),
        ({"pods": [{"failure": {"exitCode": 1}}]}, "pods[0].failure.exitCode: there is no such field; did you mean"),
        ({"pods": [{"failure": {"rate": 1.5}}]}, "pods[0].failure.rate: Input should be less than or equal to 1"),
        ({"pods": [{"failure": {"exitCodes": [0]}}]}, "pods[0].failure.exitCodes[0]: Input should be greater"),
        ({"lease": {"duration": "1s"}}, "lease.duration: Input should be greater than or equal to 4"),
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
    (tmp_path / "empty.yaml").write_text("")
    assert load(tmp_path / "empty.yaml") == read({})


def names(counts, total):
    groups = [NODE | {"name": name, "count": count} for name, count in counts.items()]
    return [plan.group.name for plan in plans(read({"nodes": groups}), "sim", total)]


def test_a_total_is_shared_out_in_proportion():
    shared = names({"a": 2, "b": 1, "c": 1}, 10)
    assert [shared.count(name) for name in "abc"] == [5, 3, 2]
    assert len(names({"a": 1, "b": 1, "c": 1}, 1)) == 1
    assert len(names({"a": 2, "b": 1}, None)) == 3
