"""PodTopologySpread by the facts of Kubernetes' own tables for its filter and its score."""

import re

import numpy as np
import pytest
from sampan_api.client import REPLICASETS, SERVICES
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.plugins import pod_topology_spread
from sampan_master.scheduler.plugins.pod_topology_spread import NO_LABEL, PLUGIN, REASON
from sampan_master.scheduler.plugins.pod_topology_spread.defaults import ZONE
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature
from sampan_master.scheduler.verdict import explain
from spreading import HOST, TAINT, cluster_of, hard, node, placed, pod, soft, spread, state_of, zoned

FOO, BAR, BOTH = {"foo": ""}, {"bar": ""}, {"foo": "", "bar": ""}
ABXY = zoned("a", "b", "x", "y")
NODES = [node(name, {"node": name}) for name in "abc"]
CHOSEN = [node(name, {"node": name} | ({} if name == "y" else FOO)) for name in "abxy"]
IGNORE_AFFINITY, HONOR_TAINTS = {"nodeAffinityPolicy": "Ignore"}, {"nodeTaintsPolicy": "Honor"}
UNEQUAL = spread(FOO, a=2, b=1, y=3)


def node_affinity(operator, key, *values):
    requirement = {"key": key, "operator": operator, "values": list(values)}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


FILTERED = {
    "no existing pods": (pod(FOO, hard(1, "zone", "foo")), ABXY, [], "abxy"),
    "pods of other namespaces do not count": (
        pod(FOO, hard(1, "zone", "foo")),
        ABXY,
        [placed("1", "a", FOO, "ns1"), placed("2", "a", FOO, "ns2"), *spread(FOO, x=1, y=1)],
        "ab",
    ),
    "an absent selector selects nothing": (pod(FOO, hard(1, "zone")), ABXY, spread(FOO, x=1, y=1), "abxy"),
    "zones 3/3": (pod(FOO, hard(1, "zone", "foo")), ABXY, spread(FOO, a=2, b=1, y=3), "abxy"),
    "a node without the label neither fits nor counts": (
        pod(FOO, hard(1, "zone", "foo")),
        [ABXY[0], node("b", {"zon": "zone1", "node": "b"}), *ABXY[2:]],
        spread(FOO, a=1, b=1, x=1, y=1),
        "a",
    ),
    "no node has the label": (pod(FOO, hard(1, "rack", "foo")), ABXY, [], ""),
    "nodes 2/1/0/3": (pod(FOO, hard(1, "node", "foo")), ABXY, UNEQUAL, "x"),
    "nodes 2/1/0/3, maxSkew 2": (pod(FOO, hard(2, "node", "foo")), ABXY, UNEQUAL, "bx"),
    "a pod that does not select itself": (pod(BAR, hard(1, "node", "foo")), ABXY, UNEQUAL, "bx"),
    "node affinity, nodes 2/~1~/~0~/3": (
        pod(FOO, hard(1, "node", "foo"), affinity=node_affinity("In", "node", "a", "y")),
        ABXY,
        UNEQUAL,
        "abx",
    ),
    "node affinity, zones 0/~2~ and 0/1": (
        pod(FOO, hard(1, "zone", "foo"), affinity=node_affinity("NotIn", "node", "b")),
        ABXY,
        spread(FOO, b=2, y=1),
        "ab",
    ),
    "terminating pods do not count": (
        pod(FOO, hard(1, "node", "foo")),
        NODES[:2],
        [placed("1", "a", FOO, terminating=True), placed("2", "b", FOO)],
        "a",
    ),
    "fewer domains than minDomains": (
        pod(FOO, hard(2, "node", "foo", minDomains=4)),
        NODES,
        spread(FOO, a=2, b=2, c=1),
        "c",
    ),
    "more domains than minDomains": (
        pod(FOO, hard(2, "node", "foo", minDomains=2)),
        NODES,
        spread(FOO, a=2, b=2, c=1),
        "abc",
    ),
    "fewer zones than minDomains": (
        pod(FOO, hard(2, "zone", "foo", minDomains=3)),
        ABXY,
        spread(FOO, a=1, b=1, y=1),
        "xy",
    ),
    "affinity honoured, a node it excludes is no domain": (
        pod(FOO, hard(1, "node", "foo"), nodeSelector=FOO),
        CHOSEN,
        spread(FOO, a=1, b=1, y=1),
        "xy",
    ),
    "affinity ignored": (
        pod(FOO, hard(1, "node", "foo", **IGNORE_AFFINITY), nodeSelector=FOO),
        CHOSEN,
        spread(FOO, a=1, b=1, y=1),
        "x",
    ),
    "taints honoured": (
        pod(FOO, hard(1, "node", "foo", **HONOR_TAINTS)),
        [*CHOSEN[:3], node("y", {"node": "y"}, [TAINT])],
        spread(FOO, a=1, b=1, y=1),
        "xy",
    ),
    "taints ignored": (
        pod(FOO, hard(1, "node", "foo")),
        [*CHOSEN[:3], node("y", {"node": "y"}, [TAINT])],
        spread(FOO, a=1, b=1, y=1),
        "x",
    ),
    "zone and node, 3/3 and 2/1/0/3": (
        pod(FOO, hard(1, "zone", "foo"), hard(1, "node", "foo")),
        ABXY,
        UNEQUAL,
        "x",
    ),
    "zone and node, 3/4 and 2/1/0/4": (
        pod(FOO, hard(1, "zone", "foo"), hard(1, "node", "foo")),
        ABXY,
        spread(FOO, a=2, b=1, y=4),
        "",
    ),
    "two selectors, 1/0 and 0/0/0/1": (
        pod(BOTH, hard(1, "zone", "foo"), hard(1, "node", "bar")),
        ABXY,
        spread(FOO, a=1) + spread(BAR, y=1),
        "x",
    ),
    "two selectors, 2/3 and 1/0/0/1": (
        pod(BOTH, hard(1, "zone", "foo"), hard(1, "node", "bar")),
        ABXY,
        [
            *spread(FOO, a=1, y=2),
            placed("a2", "a", BOTH),
            placed("y3", "y", BOTH),
        ],
        "b",
    ),
    "the pod is not selected by its first constraint": (
        pod(BAR, hard(1, "zone", "foo"), hard(1, "node", "bar")),
        ABXY,
        spread(FOO, a=1) + spread(BAR, x=1, y=1),
        "ab",
    ),
    "the second key is missing on one node": (
        pod(FOO, hard(1, "zone", "foo"), hard(1, "node", "foo")),
        [*ABXY[:2], node("x", {"zone": "zone2"}), ABXY[3]],
        spread(FOO, a=1, y=1),
        "b",
    ),
    "two constraints on one key, 3/3 and 2/1": (
        pod(BOTH, hard(1, "zone", "bar"), hard(1, "zone", "foo")),
        ABXY,
        [
            placed("a1", "a", BOTH),
            placed("a2", "a", FOO),
            placed("b1", "b", BOTH),
            placed("y1", "y", FOO),
            placed("y2", "y", BOTH),
            placed("y3", "y", FOO),
        ],
        "xy",
    ),
    "matchLabelKeys narrow the selector": (
        pod({"foo": "", "version": "2"}, hard(1, "node", "foo", matchLabelKeys=["version"])),
        NODES[:2],
        [placed("a", "a", {"foo": "", "version": "1"}), placed("b", "b", {"foo": "", "version": "2"})],
        "a",
    ),
    "an empty selector counts nobody": (
        pod(FOO, {**hard(1, "node"), "labelSelector": {}}),
        NODES[:2],
        spread(FOO, a=3),
        "ab",
    ),
}


@pytest.mark.parametrize("case", FILTERED)
def test_filter(case):
    new, nodes, pods, fits = FILTERED[case]
    cluster = cluster_of(nodes, pods)
    state = state_of(PLUGIN, cluster, new)
    rows = np.arange(cluster.nodes.size)
    mask = state.mask(rows)
    assert "".join(cluster.nodes.names[row] for row in rows[mask]) == fits
    refused = np.concatenate([refusal.rows for refusal in state.refuse(rows[~mask])] or [rows[:0]])
    assert sorted(refused) == sorted(rows[~mask])


HOSTS = [node(name, {HOST: name}) for name in "abcd"]
IN_ZONES = zoned("a", "b", "x", "y", key=HOST)
SCORED = {
    "no existing pods": (pod(FOO, soft(1, HOST, "foo")), HOSTS[:2], [], {"a": 100, "b": 100}),
    "one candidate": (pod(FOO, soft(1, HOST, "foo")), HOSTS[:2], spread(FOO, a=2, b=1), {"a": 100}),
    "as many everywhere": (pod(FOO, soft(1, HOST, "foo")), HOSTS[:2], spread(FOO, a=1, b=1), {"a": 100, "b": 100}),
    "2/1/0/3": (
        pod(FOO, soft(1, HOST, "foo")),
        HOSTS,
        spread(FOO, a=2, b=1, d=3),
        {"a": 20, "b": 60, "c": 100, "d": 0},
    ),
    "2/1/0/3, maxSkew 2": (
        pod(FOO, soft(2, HOST, "foo")),
        HOSTS,
        spread(FOO, a=2, b=1, d=3),
        {"a": 33, "b": 66, "c": 100, "d": 16},
    ),
    "4/3/2/1, maxSkew 3": (
        pod(FOO, soft(3, HOST, "foo")),
        HOSTS,
        spread(FOO, a=4, b=3, c=2, d=1),
        {"a": 44, "b": 66, "c": 77, "d": 100},
    ),
    "no selector": (
        pod(FOO, soft(1, HOST)),
        HOSTS,
        spread(FOO, a=2, b=1, d=3),
        {"a": 100, "b": 100, "c": 100, "d": 100},
    ),
    "4/2/1/~3~": (
        pod(FOO, soft(1, HOST, "foo")),
        HOSTS,
        spread(FOO, a=4, b=2, c=1, d=3),
        {"a": 33, "b": 83, "c": 100},
    ),
    "a candidate without the label": (
        pod(FOO, soft(1, HOST, "foo")),
        [HOSTS[0], node("b", {"n": "b"}), *HOSTS[2:]],
        spread(FOO, a=4, b=2, c=1, d=3),
        {"a": 16, "b": 0, "c": 100},
    ),
    "zones, 4/2/1/~3~": (
        pod(FOO, soft(1, "zone", "foo")),
        IN_ZONES,
        spread(FOO, a=4, b=2, x=1, y=3),
        {"a": 75, "b": 75, "x": 100},
    ),
    "zone and host, 2/~1~/2/~4~": (
        pod(FOO, soft(1, "zone", "foo"), soft(1, HOST, "foo")),
        IN_ZONES,
        spread(FOO, a=2, b=1, x=2, y=4),
        {"a": 100, "x": 63},
    ),
    "two selectors": (
        pod(BOTH, soft(1, "zone", "foo"), soft(1, HOST, "bar")),
        IN_ZONES,
        [placed("1", "a", FOO), placed("2", "b", BOTH), placed("3", "y", FOO), placed("4", "y", BAR)],
        {"a": 60, "b": 20, "x": 100, "y": 60},
    ),
    "two selectors, some nodes empty": (
        pod(BOTH, soft(1, "zone", "foo"), soft(1, HOST, "bar")),
        IN_ZONES,
        [placed("1", "b", BAR), placed("2", "x", FOO), placed("3", "y", BOTH)],
        {"a": 100, "b": 60, "x": 40, "y": 0},
    ),
    "two selectors, three candidates": (
        pod(BOTH, soft(1, "zone", "foo"), soft(1, HOST, "bar")),
        IN_ZONES,
        [placed("1", "a", FOO), placed("2", "b", BOTH), placed("3", "y", FOO), placed("4", "y", BAR)],
        {"a": 50, "b": 25, "x": 100},
    ),
    "other namespaces": (
        pod(FOO, soft(1, HOST, "foo")),
        HOSTS[:2],
        [placed("1", "a", FOO, "ns1"), *spread(FOO, a=1, b=2)],
        {"a": 100, "b": 33},
    ),
    "terminating pods": (
        pod(FOO, soft(1, HOST, "foo")),
        HOSTS[:2],
        [placed("1", "a", FOO, terminating=True), placed("2", "b", FOO)],
        {"a": 100, "b": 0},
    ),
    "affinity honoured": (
        pod(FOO, soft(1, "node", "foo"), nodeSelector=FOO),
        [node("a", {"node": "a", **FOO}), node("b", {"node": "b", **FOO}), node("c", {"node": "c"})],
        spread(FOO, a=2, b=1, c=1),
        {"a": 0, "b": 33, "c": 100},
    ),
    "affinity ignored": (
        pod(FOO, soft(1, "node", "foo", **IGNORE_AFFINITY), nodeSelector=FOO),
        [node("a", {"node": "a", **FOO}), node("b", {"node": "b", **FOO}), node("c", {"node": "c"})],
        spread(FOO, a=2, b=1, c=1),
        {"a": 66, "b": 100, "c": 100},
    ),
    "taints honoured": (
        pod(FOO, soft(1, "node", "foo", **HONOR_TAINTS)),
        [*NODES[:2], node("c", {"node": "c"}, [TAINT])],
        spread(FOO, a=2, b=1, c=1),
        {"a": 0, "b": 33, "c": 100},
    ),
}


def scores(plugin, cluster, new, candidates):
    rows = np.array([cluster.nodes.row_of[name] for name in candidates])
    given = state_of(plugin, cluster, new).score(rows)
    return None if given is None else dict(zip(candidates, given.tolist(), strict=True))


@pytest.mark.parametrize("case", SCORED)
def test_score(case):
    new, nodes, pods, want = SCORED[case]
    assert scores(PLUGIN, cluster_of(nodes, pods), new, list(want)) == want


def test_a_pod_that_begins_to_terminate_leaves_the_counts():
    cluster = cluster_of(NODES[:2], [placed("1", "a", FOO)])
    engine, new = Engine(cluster, Profile(), 0), signature(pod(FOO, hard(1, "node", "foo")))
    assert engine.totals(new).tolist()[0] == -1
    assert cluster.saw_bound(placed("1", "a", FOO, terminating=True))
    assert engine.totals(new).tolist()[0] != -1
    assert not cluster.saw_bound(placed("1", "a", FOO, terminating=True))


def test_the_reasons_say_what_is_asked_and_what_is_there():
    cluster = cluster_of([*ABXY[:2], node("y", {"node": "y"})], spread(FOO, a=2, b=1))
    verdict = explain(Engine(cluster, Profile(), 0), signature(pod(FOO, hard(1, "zone", "foo", minDomains=3))))
    crowded, unlabelled = sorted(verdict.refusals, key=lambda refusal: refusal.reason)
    assert crowded.need == "zone: at most 1 more than the least, 0 while there are fewer than 3 domains"
    assert [crowded.words[have] for have in crowded.have] == ["zone zone1 has 3"] * 2
    assert not crowded.hopeless.any()
    assert (unlabelled.need, unlabelled.words) == ("a label zone", ("no label zone",))
    assert unlabelled.hopeless.all()
    assert verdict.message() == f"0/3 nodes are available: 1 {NO_LABEL}, 2 {REASON}."


def test_a_row_is_refused_by_the_first_constraint_it_does_not_meet():
    cluster = cluster_of([ABXY[0], node("x", {"zone": "zone2"})], spread(FOO, x=1))
    state = state_of(PLUGIN, cluster, pod(FOO, hard(1, "zone", "foo"), hard(1, "node", "foo")))
    assert [(r.reason, r.rows.tolist()) for r in state.refuse(np.array([1]))] == [(NO_LABEL, [1])]


LIST = {"defaultingType": "List"}
SERVICE = {"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": {"foo": ""}}}
OWNED = {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "controller": True}]}
REPLICASET = {"metadata": {"name": "r", "namespace": "default"}, "spec": {"selector": {"matchLabels": {"foo": ""}}}}


def listed(*constraints):
    return pod_topology_spread.plugin(LIST | {"defaultConstraints": list(constraints)})


def test_system_defaults_spread_the_pods_of_a_service_also_over_nodes_without_a_zone():
    cluster = cluster_of(HOSTS, spread(FOO, a=4, b=3, c=2, d=1))
    cluster.workloads.put(SERVICES, SERVICE)
    assert scores(PLUGIN, cluster, pod(FOO), "abcd") == {"a": 44, "b": 66, "c": 77, "d": 100}


def test_system_defaults_count_nodes_without_a_zone_as_one_more():
    nodes = [node(name, {HOST: name} | ({} if name == "b" else {ZONE: "mars"})) for name in "abd"]
    cluster = cluster_of(nodes, spread(FOO, a=2))
    cluster.workloads.put(SERVICES, SERVICE)
    # hosts: log(3 + 2) * (2, 0, 0) + 2; zones: log(2 + 2) * (2, -, 2) + 4, where b has no part: 12, 2 and 9 together.
    assert scores(PLUGIN, cluster, pod(FOO), "abd") == {"a": 16, "b": 100, "d": 41}


def test_defaults_are_for_the_pods_of_controllers_too():
    cluster = cluster_of(HOSTS, spread(FOO, a=1, b=1, c=1) + spread(BAR, d=3))
    new = pod(FOO)
    new["metadata"] |= OWNED
    assert not PLUGIN.relation.concerns(cluster, signature(new))
    cluster.workloads.put(REPLICASETS, REPLICASET)
    assert PLUGIN.relation.concerns(cluster, signature(new))
    assert max(scores(PLUGIN, cluster, new, "abcd").items(), key=lambda pair: pair[1])[0] == "d"


def test_a_controller_that_does_not_own_the_pod_says_nothing_of_it():
    cluster = cluster_of(HOSTS, [])
    cluster.workloads.put(REPLICASETS, REPLICASET)
    assert not PLUGIN.relation.concerns(cluster, signature(pod(FOO)))


def test_a_state_is_made_again_when_the_deduced_selector_changes():
    cluster = cluster_of(HOSTS[:2], spread(FOO, a=1) + spread(BAR, b=1))
    engine, new = Engine(cluster, Profile(), 0), pod(BOTH)
    cluster.workloads.put(SERVICES, SERVICE)
    assert cluster.nodes.names[engine.choose(signature(new))] == "b"
    changed = {**SERVICE, "spec": {"selector": {"bar": ""}}}
    cluster.workloads.put(SERVICES, changed)
    assert cluster.nodes.names[engine.choose(signature(new))] == "a"
    cluster.workloads.remove(SERVICES, changed)
    assert not PLUGIN.relation.concerns(cluster, signature(new))


def test_listed_defaults_may_be_hard_and_give_way_to_the_pods_own():
    action = {"maxSkew": 1, "topologyKey": "node", "whenUnsatisfiable": "DoNotSchedule"}
    plugin = listed(action)
    cluster = cluster_of(NODES[:2], spread(FOO, a=1))
    cluster.workloads.put(SERVICES, SERVICE)
    assert state_of(plugin, cluster, pod(FOO)).mask(slice(0, 2)).tolist() == [False, True]
    own = state_of(plugin, cluster, pod(FOO, soft(1, "node", "foo")))
    assert own.mask(slice(0, 2)) is None
    assert not own.filters


def test_listed_defaults_do_not_score_nodes_that_lack_a_key():
    plugin = listed({"maxSkew": 1, "topologyKey": "planet", "whenUnsatisfiable": "ScheduleAnyway"})
    cluster = cluster_of([node("a", {"planet": "mars"}), node("b", {})], [])
    cluster.workloads.put(SERVICES, SERVICE)
    assert scores(plugin, cluster, pod(FOO), "ab") == {"a": 100, "b": 0}


def test_no_own_constraints_and_no_defaults_concern_nobody():
    cluster = cluster_of(HOSTS, [])
    cluster.workloads.put(SERVICES, SERVICE)
    assert not pod_topology_spread.plugin(LIST).relation.concerns(cluster, signature(pod(FOO)))


GOOD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
WRONG = {
    "defaultingType: unsupported value": {"defaultingType": "Both"},
    "defaultingType: must be List": {"defaultConstraints": [GOOD]},
    "defaultConstraint: unknown field": {"defaultConstraint": []},
    "defaultConstraints: must be a list": LIST | {"defaultConstraints": GOOD},
    "[0]: must be a mapping": LIST | {"defaultConstraints": ["zone"]},
    "[0].maxSkew: must be": LIST | {"defaultConstraints": [GOOD | {"maxSkew": 0}]},
    "[0].topologyKey: must be": LIST | {"defaultConstraints": [GOOD | {"topologyKey": ""}]},
    "[0].topologyKey: ": LIST | {"defaultConstraints": [GOOD | {"topologyKey": "no good"}]},
    "[0].whenUnsatisfiable: must be": LIST | {"defaultConstraints": [GOOD | {"whenUnsatisfiable": "Never"}]},
    "[0].labelSelector: must not be set": LIST | {"defaultConstraints": [GOOD | {"labelSelector": {}}]},
    "[0].minDomains: must be": LIST | {"defaultConstraints": [GOOD | {"minDomains": 0}]},
    "[0].minDomains: can only": LIST
    | {"defaultConstraints": [GOOD | {"minDomains": 2, "whenUnsatisfiable": "ScheduleAnyway"}]},
    "[0].nodeTaintsPolicy: must be": LIST | {"defaultConstraints": [GOOD | {"nodeTaintsPolicy": "Maybe"}]},
    "[1]: topologyKey zone with": LIST | {"defaultConstraints": [GOOD, GOOD]},
}


@pytest.mark.parametrize("problem", WRONG)
def test_wrong_arguments_are_named(problem):
    with pytest.raises(ValueError, match=re.escape(problem)):
        pod_topology_spread.plugin(WRONG[problem])
