"""The reference on affinity between pods: cases of Kubernetes' documentation and unit tests."""

import pytest
import reference
from reference import inter_pod_affinity
from sample_objects import exists, is_, node, pod, pods, preferred, required, term, world

NODES = {
    "a": {"region": "china", "az": "az1", "host": "a"},
    "b": {"region": "china", "az": "az2", "host": "b"},
    "c": {"region": "india", "az": "az3", "host": "c"},
}
AFFINITY = "node(s) didn't match pod affinity rules"
ANTI = "node(s) didn't match pod anti-affinity rules"
EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules"


def nodes(**labels):
    return [node(name, of) for name, of in (labels or NODES).items()]


def near(*terms):
    return {"podAffinity": required(*terms)}


def away(*terms):
    return {"podAntiAffinity": required(*terms)}


def security(value, **more):
    return term("region", is_(security=value), **more)


def texts(made, wanted):
    return {name: "".join(r.text for r in found) for name, found in reference.reasons(made, wanted).items()}


def test_affinity_holds_in_the_whole_domain_of_a_matching_pod():
    made = world(nodes(), {"a": pods(1, labels={"security": "S1"})})
    wanted = pod(affinity=near(security("S1")))
    assert texts(made, wanted) == {"a": "", "b": "", "c": AFFINITY}
    assert not reference.reasons(made, wanted)["c"][0].eviction_may_help


def test_all_terms_must_select_the_same_pod():
    other = pods(1, labels={"security": "S1"}) + pods(1, labels={"tier": "x"})
    both = pod(affinity=near(security("S1"), term("region", exists("tier"))))
    assert texts(world(nodes(), {"a": other}), both)["a"] == AFFINITY
    made = world(nodes(), {"a": pods(1, labels={"security": "S1", "tier": "x"})})
    assert texts(made, both)["a"] == ""


def test_terms_may_hold_by_different_pods_in_their_own_domains():
    labels = {"security": "S1"}
    both = pod(affinity=near(security("S1"), term("az", is_(security="S1"))))
    made = world(nodes(), {"a": pods(1, labels=labels)})
    assert texts(made, both) == {"a": "", "b": AFFINITY, "c": AFFINITY}


def test_the_first_pod_of_a_group_may_go_anywhere_that_has_the_keys():
    wanted = pod(labels={"security": "S1"}, affinity=near(security("S1")))
    made = world([*nodes(), node("d")])
    assert texts(made, wanted) == {"a": "", "b": "", "c": "", "d": AFFINITY}
    assert texts(made, pod(labels={"security": "S2"}, affinity=near(security("S1"))))["a"] == AFFINITY
    made["placed"]["c"] = pods(1, labels={"security": "S1"})
    assert texts(made, wanted) == {"a": AFFINITY, "b": AFFINITY, "c": "", "d": AFFINITY}


def test_a_matching_pod_outside_every_domain_does_not_count_as_the_first():
    wanted = pod(labels={"security": "S1"}, affinity=near(security("S1")))
    made = world([*nodes(), node("d")], {"d": pods(1, labels={"security": "S1"})})
    assert texts(made, wanted)["a"] == ""


def test_anti_affinity_refuses_the_domain_and_eviction_may_help():
    made = world(nodes(), {"a": pods(1, labels={"security": "S1"})})
    wanted = pod(affinity=away(security("S1")))
    assert texts(made, wanted) == {"a": ANTI, "b": ANTI, "c": ""}
    assert reference.reasons(made, wanted)["a"][0].eviction_may_help
    assert texts(made, pod(affinity=away(term("absent", is_(security="S1")))))["a"] == ""


def test_any_anti_affinity_term_is_enough():
    made = world(nodes(), {"a": pods(1, labels={"security": "S1"})})
    wanted = pod(affinity=away(term("az", exists("nothing")), term("az", is_(security="S1"))))
    assert texts(made, wanted) == {"a": ANTI, "b": "", "c": ""}


def test_the_anti_affinity_of_pods_that_are_there_holds_for_the_new_one():
    made = world(nodes(), {"a": [pod(affinity=away(security("S2")))]})
    assert texts(made, pod(labels={"security": "S2"})) == {"a": EXISTING, "b": EXISTING, "c": ""}
    assert texts(made, pod(labels={"security": "S1"})) == {"a": "", "b": "", "c": ""}


def test_own_anti_affinity_is_told_before_that_of_others():
    made = world(nodes(), {"a": [pod(labels={"security": "S1"}, affinity=away(security("S1")))]})
    wanted = pod(labels={"security": "S1"}, affinity=away(security("S1")))
    assert texts(made, wanted)["a"] == ANTI


TEAMS = {"default": {}, "one": {"team": "1"}, "two": {"team": "2"}, "bare": {}}


@pytest.mark.parametrize(
    ("where", "seen"),
    [
        ({}, {"default"}),
        ({"namespaces": ["one"]}, {"one"}),
        ({"namespaceSelector": is_(team="1")}, {"one"}),
        ({"namespaceSelector": {}}, set(TEAMS)),
        ({"namespaceSelector": is_(team="1"), "namespaces": ["default"]}, {"one", "default"}),
        ({"namespaceSelector": is_(team="9")}, set()),
    ],
)
def test_terms_look_at_their_namespaces(where, seen):
    wanted = pod(affinity=away(security("S1", **where)))
    theirs = pod(affinity=away(security("S1", **where)))
    for namespace in TEAMS:
        made = world(nodes(), {"a": pods(1, labels={"security": "S1"}, namespace=namespace)}, TEAMS)
        assert (texts(made, wanted)["a"] == ANTI) == (namespace in seen)
        made = world(nodes(), {"a": [theirs]}, TEAMS)
        incoming = pod(labels={"security": "S1"}, namespace=namespace)
        assert (texts(made, incoming)["a"] == EXISTING) == (namespace in seen)


def test_without_a_label_selector_a_term_selects_no_pod_and_an_empty_one_all():
    made = world(nodes(), {"a": pods(1, labels={"security": "S1"})})
    assert texts(made, pod(affinity=away(term("region", None))))["a"] == ""
    assert texts(made, pod(affinity=away(term("region", {}))))["a"] == ANTI


def test_label_keys_say_nothing_beside_the_selector():
    made = world(nodes(), {"a": pods(1, labels={"security": "S1", "rev": "1"})})
    for field in ("matchLabelKeys", "mismatchLabelKeys"):
        asked = away(security("S1", **{field: ["rev"]}))
        assert [texts(made, pod(labels={"rev": rev}, affinity=asked))["a"] for rev in "12"] == [ANTI, ANTI]


def scores(made, wanted):
    every = list(made["nodes"].values())
    raw = {n["metadata"]["name"]: inter_pod_affinity.score(made, wanted, n, every) for n in every}
    return list(inter_pod_affinity.normalise(made, wanted, every, raw).values())


CHINA, INDIA, AZ1, AZ2 = {"region": "china"}, {"region": "india"}, {"az": "az1"}, {"az": "az2"}
S1, S2 = {"security": "S1"}, {"security": "S2"}
STAY_WITH_S1 = {"podAffinity": preferred((5, security("S1")))}
STAY_WITH_S2 = {"podAffinity": preferred((6, security("S2")))}
AWAY_FROM_S1 = {"podAntiAffinity": preferred((5, term("az", is_(security="S1"))))}
AWAY_FROM_S2 = {"podAntiAffinity": preferred((5, term("az", is_(security="S2"))))}


def placed(**of):
    return {name: [pod(labels=labels, affinity=affinity) for labels, affinity in there] for name, there in of.items()}


def test_preferred_affinity_scores_the_domain_of_matching_pods():
    made = world(nodes(a=CHINA, b=INDIA, c=AZ1), placed(a=[(S1, {})], b=[(S2, {})], c=[(S1, {})]))
    assert scores(made, pod(affinity=STAY_WITH_S1)) == [100, 0, 0]
    made = world(nodes(a=CHINA, b=CHINA | AZ1, c=INDIA), placed(a=[(S1, {})]))
    assert scores(made, pod(affinity=STAY_WITH_S1)) == [100, 100, 0]


def test_the_region_with_more_matching_pods_wins():
    where = placed(a=[(S2, {})] * 2, b=[(S2, {})], c=[(S2, {})], d=[(S2, {})], e=[(S2, {})])
    made = world(nodes(a=CHINA, b=INDIA, c=CHINA, d=CHINA, e=INDIA), where)
    assert scores(made, pod(affinity=STAY_WITH_S2)) == [100, 0, 100, 100, 0]


def test_weights_and_operators_of_several_terms():
    s1_and_s2 = {"matchExpressions": [{"key": "security", "operator": "In", "values": ["S1"]}]}
    many = {
        "podAffinity": preferred(
            (2, term("region", s1_and_s2)),
            (8, term("region", {"matchExpressions": [{"key": "security", "operator": "NotIn", "values": ["S1"]}]})),
        )
    }
    made = world(nodes(a=CHINA, b=INDIA, c=AZ1), placed(a=[(S1, {})], b=[(S2, {})], c=[(S1, {})]))
    assert scores(made, pod(affinity=many)) == [25, 100, 0]


def test_preferences_of_pods_that_are_there_count_for_the_new_one():
    made = world(nodes(a=CHINA, b=INDIA, c=AZ1), placed(a=[(S1, STAY_WITH_S1)], b=[(S2, STAY_WITH_S2)]))
    assert scores(made, pod(labels=S2)) == [0, 100, 0]
    made["config"]["ignorePreferredTermsOfExistingPods"] = True
    assert scores(made, pod(labels=S2)) == [0, 0, 0]


def test_required_affinity_of_pods_that_are_there_counts_with_its_weight():
    hard = near(security("S1"))
    made = world(nodes(a=CHINA, b=INDIA, c=AZ1), placed(a=[(S1, hard)], b=[(S2, hard)]))
    assert scores(made, pod(labels=S1)) == [100, 100, 0]
    made["config"]["hardPodAffinityWeight"] = 0
    assert scores(made, pod(labels=S1)) == [0, 0, 0]


def test_preferred_anti_affinity_in_both_directions():
    made = world(nodes(a=AZ1, b=CHINA), placed(a=[(S1, {})], b=[(S1, {})]))
    assert scores(made, pod(labels=S1, affinity=AWAY_FROM_S1)) == [0, 100]
    made = world(nodes(a=AZ1, b=AZ2), placed(a=[(S1, AWAY_FROM_S2)], b=[(S2, AWAY_FROM_S1)]))
    assert scores(made, pod(labels=S2)) == [0, 100]


def test_namespace_selectors_of_pods_that_are_there():
    team = {"podAffinity": preferred((5, security("S1", namespaceSelector=is_(team="1"))))}
    made = world(nodes(a=CHINA, b=INDIA, c=AZ1), placed(a=[(S1, team)], b=[(S2, STAY_WITH_S2)]), TEAMS)
    assert scores(made, pod(labels=S1, namespace="one")) == [100, 0, 0]
    assert scores(made, pod(labels=S1, namespace="two")) == [0, 0, 0]
