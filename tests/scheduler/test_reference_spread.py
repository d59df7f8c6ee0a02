"""The reference on topology spread: cases of Kubernetes' documentation and unit tests, numbers included."""

import pytest
import reference
from reference import pod_topology_spread
from sample_objects import HOSTNAME, ZONE, exists, host, is_, node, pod, pods, select_node, spread, world

FOO, BAR = exists("foo"), exists("bar")
NOT_MATCHED = "node(s) didn't match pod topology spread constraints"


def foo(number):
    return pods(number, labels={"foo": ""})


def fits(made, wanted):
    """The names of the feasible nodes, as one word."""
    return "".join(n["metadata"]["name"] for n in reference.feasible(made, wanted))


def zoned(a=0, b=0, x=0, y=0):
    """Nodes a and b in zone1, x and y in zone2, with so many foo pods."""
    nodes = [host("a", "zone1"), host("b", "zone1"), host("x", "zone2"), host("y", "zone2")]
    return world(nodes, {"a": foo(a), "b": foo(b), "x": foo(x), "y": foo(y)})


def wants(*constraints, labels=("foo",), **more):
    return pod(labels=dict.fromkeys(labels, ""), topologySpreadConstraints=list(constraints), **more)


def test_no_pods_yet_fit_everywhere():
    assert fits(zoned(), wants(spread("zone", 1, FOO))) == "abxy"


def test_the_fuller_zone_is_refused_until_the_skew_is_small_enough():
    assert fits(zoned(a=2, b=1, x=2), wants(spread("zone", 1, FOO))) == "xy"
    assert fits(zoned(a=2, b=1, x=2), wants(spread("zone", 2, FOO))) == "abxy"


def test_hostnames_are_domains_of_one_node():
    assert fits(zoned(a=2, b=1, x=0, y=3), wants(spread(HOSTNAME, 1, FOO))) == "x"
    assert fits(zoned(a=2, b=1, x=0, y=3), wants(spread(HOSTNAME, 2, FOO))) == "bx"


def test_every_constraint_must_hold():
    made = zoned(a=2, b=1, x=0, y=3)
    assert fits(made, wants(spread("zone", 1, FOO), spread(HOSTNAME, 1, FOO))) == "x"


def test_a_pod_that_does_not_match_itself_may_go_where_the_skew_is_full():
    assert fits(zoned(a=1), wants(spread("zone", 1, FOO), labels=())) == "abxy"
    assert fits(zoned(a=1), wants(spread("zone", 1, FOO))) == "xy"


def test_a_node_without_the_key_is_refused_for_good():
    made = zoned(a=1)
    del made["nodes"]["b"]["metadata"]["labels"]["zone"]
    found = reference.reasons(made, wants(spread("zone", 1, FOO)))
    assert found["b"] == [reference.Reason(NOT_MATCHED + " (missing required label)", eviction_may_help=False)]
    assert found["a"] == [reference.Reason(NOT_MATCHED)]


def test_a_node_that_lacks_any_key_is_no_domain():
    made = zoned(a=1, b=1)
    for name in "xy":
        del made["nodes"][name]["metadata"]["labels"][HOSTNAME]
    assert fits(made, wants(spread("zone", 1, FOO), spread(HOSTNAME, 5, FOO))) == "ab"


def test_other_namespaces_and_terminating_pods_do_not_count():
    made = zoned()
    made["placed"]["a"] = pods(3, labels={"foo": ""}, namespace="other")
    made["placed"]["b"] = foo(2)
    for going in made["placed"]["b"]:
        going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert fits(made, wants(spread("zone", 1, FOO))) == "abxy"


def test_an_empty_selector_matches_the_pod_but_counts_none_and_a_missing_one_matches_nothing():
    assert fits(zoned(a=5), wants(spread("zone", 1, {}))) == "abxy"
    assert fits(zoned(a=5), wants(spread("zone", 1, None))) == "abxy"
    assert fits(zoned(a=5), wants(spread("zone", 1, {}, minDomains=3))) == "abxy"


@pytest.mark.parametrize(("domains", "expected"), [(2, "xy"), (3, ""), (None, "xy")])
def test_with_fewer_domains_than_min_domains_the_emptiest_counts_as_empty(domains, expected):
    made = zoned(a=2, x=1)
    assert fits(made, wants(spread("zone", 1, FOO, minDomains=domains))) == expected


def test_nodes_that_the_affinity_excludes_are_no_domains_unless_the_policy_ignores_it():
    made = zoned(a=1)
    for name in "ab":
        made["nodes"][name]["metadata"]["labels"]["pool"] = "p"
    inside = {"affinity": select_node(("pool", "Exists"))}
    assert fits(made, wants(spread("zone", 1, FOO), **inside)) == "ab"
    assert fits(made, wants(spread("zone", 1, FOO, nodeAffinityPolicy="Ignore"), **inside)) == ""


def test_tainted_nodes_are_domains_unless_the_policy_honours_taints():
    made = zoned(a=1)
    for name in "xy":
        made["nodes"][name]["spec"]["taints"] = [{"key": "k", "effect": "NoSchedule"}]
    assert fits(made, wants(spread("zone", 1, FOO))) == ""
    assert fits(made, wants(spread("zone", 1, FOO, nodeTaintsPolicy="Honor"))) == "ab"


def test_match_label_keys_count_only_pods_with_the_same_values():
    made = zoned()
    made["placed"]["a"] = pods(2, labels={"foo": "", "rev": "1"})
    constraint = spread("zone", 1, FOO, matchLabelKeys=["rev", "absent"])
    for revision, expected in (("1", "xy"), ("2", "abxy")):
        wanted = pod(labels={"foo": "", "rev": revision}, topologySpreadConstraints=[constraint])
        assert fits(made, wanted) == expected


def scores(made, wanted, *candidates):
    nodes = [made["nodes"][name] for name in candidates or made["nodes"]]
    return list(pod_topology_spread.scores(made, wanted, nodes).values())


def hosts(**counts):
    return world([host(name) for name in counts], {name: foo(number) for name, number in counts.items()})


@pytest.mark.parametrize(
    ("counts", "max_skew", "expected"),
    [
        ({"a": 0, "b": 0}, 1, [100, 100]),
        ({"a": 1, "b": 1}, 1, [100, 100]),
        ({"a": 2, "b": 1, "c": 0, "d": 3}, 1, [20, 60, 100, 0]),
        ({"a": 2, "b": 1, "c": 0, "d": 3}, 2, [33, 66, 100, 16]),
        ({"a": 4, "b": 3, "c": 2, "d": 1}, 3, [44, 66, 77, 100]),
    ],
)
def test_hosts_with_fewer_matching_pods_score_higher(counts, max_skew, expected):
    assert scores(hosts(**counts), wants(spread(HOSTNAME, max_skew, FOO, hard=False))) == expected


def test_without_a_selector_all_score_alike():
    made = hosts(a=2, b=1, d=3)
    assert scores(made, wants(spread(HOSTNAME, 1, None, hard=False))) == [100, 100, 100]


def test_only_candidates_are_scored():
    made = hosts(a=4, b=2, x=1, y=3)
    soft = wants(spread(HOSTNAME, 1, FOO, hard=False))
    assert scores(made, soft, "a", "b", "x") == [33, 83, 100]
    assert scores(made, soft, "a") == [100]


def test_a_candidate_without_the_key_scores_nothing():
    made = hosts(a=4, b=2, x=1, y=3)
    made["nodes"]["b"]["metadata"]["labels"] = {"n": "b"}
    assert scores(made, wants(spread(HOSTNAME, 1, FOO, hard=False)), "a", "b", "x") == [16, 0, 100]


def test_a_zone_counts_its_pods_on_nodes_that_are_no_candidates_too():
    made = zoned(a=4, b=2, x=1, y=3)
    assert scores(made, wants(spread("zone", 1, FOO, hard=False)), "a", "b", "x") == [75, 75, 100]


def test_two_constraints_add_up():
    made = zoned(a=2, b=1, x=2, y=4)
    both = wants(spread("zone", 1, FOO, hard=False), spread(HOSTNAME, 1, FOO, hard=False))
    assert scores(made, both, "a", "x") == [100, 63]


def test_two_constraints_with_their_own_selectors():
    both = wants(spread("zone", 1, FOO, hard=False), spread(HOSTNAME, 1, BAR, hard=False), labels=("foo", "bar"))
    made = zoned(a=1, y=1)
    made["placed"]["b"] = pods(1, labels={"foo": "", "bar": ""})
    made["placed"]["y"] += pods(1, labels={"bar": ""})
    assert scores(made, both) == [60, 20, 100, 60]
    assert scores(made, both, "a", "b", "x") == [50, 25, 100]
    emptier = zoned(x=1)
    emptier["placed"] |= {"b": pods(1, labels={"bar": ""}), "y": pods(1, labels={"foo": "", "bar": ""})}
    assert scores(emptier, both) == [100, 60, 40, 0]


def test_pods_of_another_namespace_and_terminating_ones_do_not_count_in_scores():
    made = hosts(a=1, b=2)
    made["placed"]["a"] += pods(1, labels={"foo": ""}, namespace="other")
    soft = wants(spread(HOSTNAME, 1, FOO, hard=False))
    assert scores(made, soft) == [100, 33]
    made = hosts(a=1, b=1)
    made["placed"]["a"][0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert scores(made, soft) == [100, 0]


def service(**selector):
    return {"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": selector or None}}


def test_pods_of_a_service_are_spread_by_the_systems_defaults_even_without_zones():
    made = hosts(a=4, b=3, c=2, d=1)
    made["services"] = [service(foo=""), service()]
    assert scores(made, pod(labels={"foo": ""})) == [44, 66, 77, 100]
    assert scores(made, pod(labels={"bar": ""})) == []
    assert scores(made, wants(spread(HOSTNAME, 1, FOO))) == []  # constraints of its own: no defaults


def test_the_controllers_selector_is_added_to_the_services():
    made = hosts(a=1, b=1)
    made["placed"]["b"][0]["metadata"]["labels"]["rs"] = "1"
    made["services"] = [service(foo="")]
    made["replicasets"] = [{"metadata": {"name": "r", "namespace": "default"}, "spec": {"selector": is_(rs="1")}}]
    wanted = pod(labels={"foo": "", "rs": "1"})
    wanted["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}]
    assert scores(made, wanted) == [100, 66]
    made["services"] = []
    assert scores(made, wanted) == [100, 66]
    made["replicasets"] = []
    assert scores(made, wanted) == []


def test_default_constraints_of_the_profile_replace_the_systems():
    made = zoned(a=2)
    made["services"] = [service(foo="")]
    made["config"] |= {"defaultingType": "List", "defaultConstraints": [spread("zone", 1)]}
    assert fits(made, pod(labels={"foo": ""})) == "xy"
    made["config"]["defaultConstraints"] = [spread("zone", 1, hard=False)]
    assert scores(made, pod(labels={"foo": ""})) == [0, 0, 100, 100]


def test_zones_by_default_count_under_no_name_where_nodes_have_none():
    made = world([node("a", {ZONE: "z"}), node("b", {ZONE: "z"}), node("c")], {"a": foo(3)})
    made["services"] = [service(foo="")]
    # No hosts' names. Zones z and "" are 2 domains: 3 * ln 4 + 4 = 8.16; c has no zone and scores 0 raw.
    assert scores(made, pod(labels={"foo": ""})) == [0, 0, 100]
