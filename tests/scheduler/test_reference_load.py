"""The reference on what a pod asks of a node's free room: cases of Kubernetes' documentation and unit tests."""

import pytest
import reference
from reference import amounts, balanced_allocation, image_locality, node_resources_fit
from sample_objects import node, pod, pods, world

MB = 1024 * 1024


def texts(made, wanted):
    return {name: [r.text for r in found] for name, found in reference.reasons(made, wanted).items()}


def scores(plugin, made, wanted):
    nodes = list(made["nodes"].values())
    return {n["metadata"]["name"]: plugin.score(made, wanted, n, nodes) for n in nodes}


def container(restart=None, **requests):
    made = {"name": "c", "resources": {"requests": requests}}
    return made | ({"restartPolicy": restart} if restart else {})


def asks(containers, inits=(), **more):
    return amounts.requests(pod(containers=containers, initContainers=list(inits), **more))


def test_requests_of_containers_add_up_and_init_containers_count_by_the_greatest():
    assert asks(
        [container(cpu="2", memory="1"), container(cpu="1", memory="1")],
        [container(cpu="2", memory="1"), container(cpu="2", memory="3")],
    ) == {"cpu": 3000, "memory": 3}


@pytest.mark.parametrize(
    ("inits", "cpu"),
    [
        ([("Always", "1"), (None, "4")], 5),  # a sidecar before the init container runs beside it
        ([(None, "4"), ("Always", "1")], 4),  # one after it does not; 1 + 2 main are less
        ([("Always", "1"), ("Always", "2")], 5),  # both run beside the main container
        ([("Always", "1"), (None, "3"), ("Always", "3")], 6),
    ],
)
def test_sidecars_run_beside_what_starts_after_them(inits, cpu):
    assert asks([container(cpu="2")], [container(restart, cpu=c) for restart, c in inits]) == {"cpu": cpu * 1000}


def test_overhead_comes_on_top_and_pod_level_requests_take_the_containers_place():
    level = {"requests": {"cpu": "500m", "example.com/gpu": "9"}}
    assert asks([container(cpu="2", memory="5")], resources=level, overhead={"cpu": "10m"}) == {"cpu": 510, "memory": 5}


def test_scoring_takes_a_usual_amount_for_containers_that_name_none():
    one = pod(containers=[container(), container(cpu="0", memory="1")])
    assert amounts.requests_for_scoring(one) == {"cpu": 100, "memory": 200 * MB + 1}


def test_each_resource_that_is_short_is_named():
    made = world([node("a", cpu="10m", memory="20")], {"a": [pod(requests={"cpu": "10m", "memory": "20"})]})
    assert texts(made, pod(requests={"cpu": "1m", "memory": "1"})) == {"a": ["Insufficient cpu", "Insufficient memory"]}
    assert texts(made, pod(requests={"cpu": "0"})) == {"a": []}


def test_eviction_may_help_only_where_the_empty_node_is_large_enough():
    made = world([node("a", cpu="10m", memory="20")], {"a": [pod(requests={"cpu": "8m"})]})
    assert reference.reasons(made, pod(requests={"cpu": "10m"}))["a"] == [reference.Reason("Insufficient cpu")]
    assert not reference.reasons(made, pod(requests={"cpu": "11m"}))["a"][0].eviction_may_help


def test_a_node_takes_so_many_pods():
    made = world([node("a", pods="1")], {"a": pods(1)})
    assert reference.reasons(made, pod()) == {"a": [reference.Reason("Too many pods")]}


def test_extended_resources_must_be_there_unless_ignored():
    made = world([node("a", **{"example.com/foo": "1"}), node("b")])
    wanted = pod(requests={"example.com/foo": "1"})
    assert texts(made, wanted) == {"a": [], "b": ["Insufficient example.com/foo"]}
    for ignored in ({"ignoredResources": ["example.com/foo"]}, {"ignoredResourceGroups": ["example.com"]}):
        assert texts(world([node("b")], **ignored), wanted) == {"b": []}


LEAST = {"type": "LeastAllocated", "resources": ({"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1})}


@pytest.mark.parametrize(
    ("strategy", "memory_weight", "expected"),
    [
        ("LeastAllocated", 1, {"a": 37, "b": 50}),  # 25 and 50; 50 and 50
        ("LeastAllocated", 2, {"a": 41, "b": 50}),
        ("MostAllocated", 1, {"a": 62, "b": 50}),
        ("MostAllocated", 2, {"a": 58, "b": 50}),
    ],
)
def test_least_and_most_allocated(strategy, memory_weight, expected):
    resources = ({"name": "cpu", "weight": 1}, {"name": "memory", "weight": memory_weight})
    made = world(
        [node("a", cpu="4000m", memory="10000"), node("b", cpu="6000m", memory="10000")],
        scoringStrategy={"type": strategy, "resources": resources},
    )
    wanted = pod(containers=[container(cpu="1000m", memory="2000"), container(cpu="2000m", memory="3000")])
    assert scores(node_resources_fit, made, wanted) == expected


def test_what_is_more_than_full_scores_nothing_or_everything():
    made = world([node("a", cpu="100m", memory=str(400 * MB))], {"a": pods(1)})
    assert scores(node_resources_fit, made, pod()) == {"a": 0}
    made["config"]["scoringStrategy"] = LEAST | {"type": "MostAllocated"}
    assert scores(node_resources_fit, made, pod()) == {"a": 100}


def test_a_resource_that_the_node_lacks_does_not_count():
    made = world([node("a", cpu="1", memory="0")])
    assert scores(node_resources_fit, made, pod(requests={"cpu": "250m", "memory": "0"})) == {"a": 75}


def ratio(points, *resources):
    shape = [{"utilization": x, "score": y} for x, y in points]
    return {
        "type": "RequestedToCapacityRatio",
        "resources": [{"name": name, "weight": weight} for name, weight in resources],
        "requestedToCapacityRatio": {"shape": shape},
    }


def test_requested_to_capacity_ratio_that_falls():
    falling = ratio([(0, 10), (100, 0)], ("cpu", 1), ("memory", 1))
    made = world(
        [node("a", cpu="4000", memory="10000"), node("b", cpu="6000", memory="10000")], scoringStrategy=falling
    )
    wanted = pod(containers=[container(cpu="1000", memory="2000"), container(cpu="2000", memory="3000")])
    assert scores(node_resources_fit, made, wanted) == {"a": 38, "b": 50}


@pytest.mark.parametrize(
    ("points", "answers"),
    [
        ([(10, 1), (90, 9)], {0: 10, 9: 10, 10: 10, 20: 20, 89: 89, 90: 90, 99: 90, 100: 90, 110: 90}),
        ([(0, 2), (40, 10), (100, 0)], {0: 20, 20: 60, 30: 80, 40: 100, 70: 50, 100: 0, 110: 0}),
        ([(0, 10), (3, 0)], {0: 100, 1: 67, 2: 34, 3: 0}),  # slopes downwards are cut towards zero
    ],
)
def test_the_shape_is_a_line_through_its_points(points, answers):
    strategy = ratio(points, ("cpu", 1))
    got = {}
    for used in answers:
        made = world([node("a", cpu="100m")], scoringStrategy=strategy)
        got[used] = scores(node_resources_fit, made, pod(requests={"cpu": f"{used}m"}))["a"]
    assert got == answers


def test_extended_resources_are_packed_by_weight():
    packing = ratio([(0, 0), (100, 1)], ("intel.com/foo", 3), ("intel.com/bar", 5))
    nodes = [
        node("a", **{"intel.com/foo": "8", "intel.com/bar": "4"}),
        node("b", **{"intel.com/foo": "4", "intel.com/bar": "8"}),
    ]
    two = pod(requests={"intel.com/foo": "2", "intel.com/bar": "2"})
    assert scores(node_resources_fit, world(nodes, scoringStrategy=packing), pod()) == {"a": 0, "b": 0}
    assert scores(node_resources_fit, world(nodes, scoringStrategy=packing), two) == {"a": 4, "b": 3}
    busy = world(nodes, {"b": [pod(requests={"intel.com/foo": "2", "intel.com/bar": "2"})]}, scoringStrategy=packing)
    assert scores(node_resources_fit, busy, two) == {"a": 4, "b": 7}


CPU_ONLY = {"cpu": "3000m", "memory": "0"}
BOTH = {"cpu": "3000m", "memory": "5000"}


def test_balanced_nodes_score_higher():
    made = world(
        [node("a", cpu="10000m", memory="20000"), node("b", cpu="10000m", memory="50000")],
        {"a": [pod(requests=CPU_ONLY)], "b": [pod(requests=BOTH)]},
    )
    assert scores(balanced_allocation, made, pod(requests=BOTH)) == {"a": 82, "b": 80}


def test_balance_at_capacity_and_beyond_it():
    nodes = [
        node("a", cpu="6000m", memory="10000"),
        node("b", cpu="6000m", memory="10000"),
        node("c", cpu="3000m", memory="0"),
    ]
    made = world(nodes, {"a": [pod(requests=CPU_ONLY)], "b": [pod(requests=BOTH)], "c": [pod(requests=CPU_ONLY)]})
    assert scores(balanced_allocation, made, pod(requests=CPU_ONLY)) == {"a": 50, "b": 75, "c": 100}


def test_balance_of_three_resources_counts_the_extended_one_where_it_is_asked_for():
    gpu = "nvidia.com/gpu"
    balanced = ({"name": "cpu"}, {"name": "memory"}, {"name": gpu})
    nodes = [node(n, cpu="3500m", memory="40000", **{gpu: "8"}) for n in ("a", "b")]
    placed = {"a": [pod(requests=BOTH | {gpu: "3"})], "b": [pod(requests=BOTH)]}
    made = world(nodes, placed, balancedResources=balanced)
    assert scores(balanced_allocation, made, pod(requests={"memory": "0", gpu: "1"})) == {"a": 70, "b": 65}
    alone = world([nodes[0], node("c", cpu="3500m", memory="40000")], balancedResources=balanced)
    assert scores(balanced_allocation, alone, pod(requests=BOTH)) == {"a": 63, "c": 63}


def test_a_pod_without_requests_is_not_balanced():
    assert scores(balanced_allocation, world([node("a")]), pod()) == {"a": 0}


def ports(*wanted):
    made = [
        {"containerPort": 80, "hostPort": port, "hostIP": ip, "protocol": protocol} for protocol, ip, port in wanted
    ]
    return pod(containers=[{"name": "c", "ports": made}])


@pytest.mark.parametrize(
    ("wanted", "held", "fits"),
    [
        (("UDP", "127.0.0.1", 8080), ("UDP", "127.0.0.1", 9090), True),
        (("UDP", "127.0.0.1", 8080), ("UDP", "127.0.0.1", 8080), False),
        (("UDP", "127.0.0.1", 8080), ("TCP", "127.0.0.1", 8080), True),
        (("TCP", "127.0.0.1", 8001), ("TCP", "127.0.0.2", 8001), True),
        (("TCP", "0.0.0.0", 8001), ("TCP", "127.0.0.1", 8001), False),
        (("TCP", "10.0.10.10", 8001), ("TCP", "0.0.0.0", 8001), False),
        (("TCP", "127.0.0.1", 8001), ("TCP", "", 8001), False),
        (("", "127.0.0.1", 8001), ("TCP", "127.0.0.1", 8001), False),
        (("TCP", "0.0.0.0", 8001), ("UDP", "0.0.0.0", 8001), True),
        (("TCP", "", 0), ("TCP", "", 0), True),
    ],
)
def test_host_ports_collide_by_protocol_and_address(wanted, held, fits):
    made = world([node("a")], {"a": [ports(held)]})
    expected = [] if fits else ["node(s) didn't have free ports for the requested pod ports"]
    assert texts(made, ports(wanted)) == {"a": expected}


def test_sidecars_hold_ports_and_init_containers_do_not():
    port = {"containerPort": 80, "hostPort": 80}
    for restart, free in (("Always", False), (None, True)):
        init = {"name": "i", "ports": [port]} | ({"restartPolicy": restart} if restart else {})
        made = world([node("a")], {"a": [pod(initContainers=[init])]})
        assert (texts(made, ports(("TCP", "", 80)))["a"] == []) is free


@pytest.mark.parametrize(
    ("images", "nodes", "expected"),
    [
        (["gcr.io/40", "gcr.io/250"], 2, {"a": 0, "b": 5}),
        (["gcr.io/40", "gcr.io/300"], 2, {"a": 7, "b": 0}),
        (["gcr.io/10", "gcr.io/2000"], 2, {"a": 49, "b": 0}),
        (["gcr.io/10", "gcr.io/2000"], 3, {"a": 32, "b": 0, "c": 0}),
        (["gcr.io/40", "gcr.io/300:v1"], 2, {"a": 0, "b": 0}),
    ],
)
def test_images_score_by_size_and_spread(images, nodes, expected):
    on_a = {"gcr.io/40:latest": 40 * MB, "gcr.io/300:latest": 300 * MB, "gcr.io/2000:latest": 2000 * MB}
    on_b = {"gcr.io/250:latest": 250 * MB, "gcr.io/10:latest": 10 * MB}
    made = world([node("a", images=on_a), node("b", images=on_b), node("c")][:nodes])
    wanted = pod(containers=[{"name": "c", "image": image} for image in images])
    assert scores(image_locality, made, wanted) == expected


def test_images_of_init_containers_and_of_volumes_count():
    made = world([node("a", images={"data:1": 1000 * MB}), node("b")])
    inits = [{"name": "i", "image": "data:1"}]
    volumes = [{"name": "v", "image": {"reference": "data:1"}}]
    one = pod(initContainers=inits, containers=[{"name": "c", "image": "none"}])
    assert scores(image_locality, made, one) == {"a": 24, "b": 0}
    both = pod(initContainers=inits, containers=[{"name": "c", "image": "none"}], volumes=volumes)
    assert scores(image_locality, made, both) == {"a": 32, "b": 0}
