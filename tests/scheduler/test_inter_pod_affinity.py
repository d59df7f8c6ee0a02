"""InterPodAffinity: the facts of upstream's unit tables, and a comparison with a count by hand on random clusters."""

import random

import numpy as np
import pytest
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.engine import INFEASIBLE, Engine
from sampan_master.scheduler.hypothesis import Hypothesis
from sampan_master.scheduler.plugins.affinity_index import AffinityIndex
from sampan_master.scheduler.plugins.affinity_refusals import FORBIDDEN, IN_THE_WAY, LACKING
from sampan_master.scheduler.plugins.inter_pod_affinity import NAME, InterPodAffinityArgs, plugin
from sampan_master.scheduler.pod_terms import AffinityTerm, LabelRequirement
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def expression(key, operator, *values):
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def term(topology_key, *expressions, **more):
    return {"topologyKey": topology_key, "labelSelector": {"matchExpressions": list(expressions)}, **more}


def weighted(weight, a_term):
    return {"weight": weight, "podAffinityTerm": a_term}


def near(*terms):
    return {"podAffinity": {REQUIRED: list(terms)}}


def away(*terms):
    return {"podAntiAffinity": {REQUIRED: list(terms)}}


def likes(*terms):
    return {"podAffinity": {PREFERRED: list(terms)}}


def dislikes(*terms):
    return {"podAntiAffinity": {PREFERRED: list(terms)}}


class World:
    """Nodes by name and labels, and this plug-in alone."""

    def __init__(self, nodes=None, args=None):
        self.cluster, self.made = Cluster(), 0
        profile = Profile(plugins=(plugin(args or InterPodAffinityArgs()),), weights={NAME: 1})
        self.engine = Engine(self.cluster, profile, 0)
        for name, labels in (nodes or {}).items():
            self.node(name, labels)

    def node(self, name, labels):
        self.cluster.nodes.put_node({"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {}})

    def pod(self, labels=None, affinity=None, namespace="d"):
        self.made += 1
        metadata = {"name": f"p{self.made}", "uid": f"u{self.made}", "namespace": namespace, "labels": labels or {}}
        return {"metadata": metadata, "spec": {"containers": [{}], "affinity": affinity or {}}}

    def place(self, node, *args, **more):
        pod = self.pod(*args, **more)
        pod["spec"]["nodeName"] = node
        self.cluster.saw_bound(pod)
        return pod

    def answer(self, *args, **more):
        """By node: the reason it is refused for, else its score."""
        pod = signature(self.pod(*args, **more))
        totals, names = self.engine.totals(pod), self.cluster.nodes.names
        found = {names[row]: int(totals[row]) for row in np.flatnonzero(totals != INFEASIBLE)}
        for refusal in self.engine.refusals(pod):
            for row, hopeless in zip(refusal.rows.tolist(), refusal.hopeless.tolist(), strict=True):
                assert names[row] not in found
                assert hopeless == (refusal.reason == LACKING)
                found[names[row]] = refusal.reason
        return found

    def words(self, *args, **more):
        pod = signature(self.pod(*args, **more))
        names = self.cluster.nodes.names
        return {
            names[row]: (refusal.need, refusal.words[have])
            for refusal in self.engine.refusals(pod)
            for row, have in zip(refusal.rows.tolist(), refusal.have.tolist(), strict=True)
        }


SCAN, S1 = {"service": "securityscan"}, {"security": "S1"}
SERVICE = expression("service", "In", "securityscan", "value2")
ONE = {"machine1": {"region": "r1", "zone": "z11"}}


@pytest.mark.parametrize(
    ("labels", "affinity", "existing", "expected"),
    [
        pytest.param({}, None, None, 0, id="no rules"),
        pytest.param(S1, near(term("region", SERVICE)), None, 0, id="In"),
        pytest.param(S1, near(term("region", expression("service", "NotIn", "x"))), None, 0, id="NotIn"),
        pytest.param(S1, near(term("region", SERVICE, namespaces=["other"])), None, LACKING, id="another namespace"),
        pytest.param(SCAN, near(term("region", expression("service", "In", "x"))), None, LACKING, id="no match"),
        pytest.param(S1, near(term("rack", SERVICE)), None, LACKING, id="a node without the topology"),
        pytest.param(
            S1,
            near(
                term("region", expression("service", "Exists"), expression("wrong", "DoesNotExist")),
                term("region", SERVICE, expression("service", "NotIn", "Wrong")),
            ),
            None,
            0,
            id="several terms and operators",
        ),
        pytest.param(
            S1,
            near(term("region", expression("service", "Exists")), term("region", expression("service", "In", "x"))),
            None,
            LACKING,
            id="the pod must be selected by every term",
        ),
        pytest.param(
            S1,
            near(term("region", SERVICE)) | away(term("node", expression("service", "In", "antivirusscan"))),
            None,
            0,
            id="affinity and anti-affinity",
        ),
        pytest.param(
            S1,
            near(term("region", SERVICE)) | away(term("zone", SERVICE)),
            None,
            IN_THE_WAY,
            id="affinity holds, anti-affinity does not",
        ),
        pytest.param(SCAN, near(term("region", SERVICE)), away(term("zone", SERVICE)), FORBIDDEN, id="symmetry"),
        pytest.param(SCAN, None, away(term("zone", SERVICE)), FORBIDDEN, id="symmetry for a pod without rules"),
        pytest.param(
            SCAN,
            None,
            away(term("zone", expression("service", "NotIn", "securityscan", "value2"))),
            0,
            id="symmetry that does not select the pod",
        ),
        pytest.param(
            SCAN,
            away(
                term("region", expression("service", "Exists")),
                term("region", expression("security", "Exists")),
            ),
            None,
            IN_THE_WAY,
            id="one anti-affinity term is enough",
        ),
        pytest.param(
            SCAN,
            near(term("region", SERVICE)) | away(term("region", SERVICE)),
            away(term("region", SERVICE)),
            IN_THE_WAY,
            id="the pod's own rules are told first",
        ),
        pytest.param(SCAN, {"podAntiAffinity": {REQUIRED: [{"topologyKey": "zone"}]}}, None, 0, id="no selector"),
        pytest.param(SCAN, away(term("zone")), None, IN_THE_WAY, id="an empty selector selects all"),
    ],
)
def test_one_node_with_one_pod(labels, affinity, existing, expected):
    world = World(ONE)
    world.place("machine1", SCAN, existing)
    assert world.answer(labels, affinity) == {"machine1": expected}


def test_the_first_of_a_group_needs_nobody_but_the_topology():
    world = World({"a": {"zone": "z"}, "b": {}})
    affinity = near(term("zone", SERVICE))
    assert world.answer(SCAN, affinity) == {"a": 0, "b": LACKING}
    assert world.answer(S1, affinity) == {"a": LACKING, "b": LACKING}
    # A pod that is selected but in no domain is nobody's company, and makes no group either.
    world.place("b", SCAN)
    assert world.answer(SCAN, affinity) == {"a": 0, "b": LACKING}
    world.node("c", {"zone": "y"})
    world.place("c", SCAN)
    assert world.answer(SCAN, affinity) == {"a": LACKING, "b": LACKING, "c": 0}


def test_the_first_of_a_group_must_be_selected_by_all_its_terms():
    world = World({"a": {"zone": "z", "region": "r"}})
    terms = term("zone", SERVICE), term("region", expression("security", "In", "S1"))
    assert world.answer(SCAN, near(*terms)) == {"a": LACKING}
    assert world.answer(SCAN | S1, near(*terms)) == {"a": 0}


def test_affinity_reaches_as_far_as_its_topology():
    world = World({"a": {"region": "China"}, "b": {"region": "China", "az": "1"}, "c": {"region": "India"}})
    world.place("a", {"foo": "bar"})
    foo = expression("foo", "In", "bar")
    assert world.answer({}, near(term("region", foo))) == {"a": 0, "b": 0, "c": LACKING}
    assert world.answer({}, away(term("region", foo))) == {"a": IN_THE_WAY, "b": IN_THE_WAY, "c": 0}
    assert world.answer({}, away(term("az", foo))) == {"a": 0, "b": 0, "c": 0}


def test_a_pod_on_a_node_that_is_gone_counts_nowhere():
    world = World({"a": {"zone": "z"}, "b": {"zone": "z"}})
    placed = world.place("a", SCAN)
    assert world.answer(S1, away(term("zone", SERVICE))) == {"a": IN_THE_WAY, "b": IN_THE_WAY}
    world.cluster.nodes.remove_node("a")
    assert world.answer(S1, away(term("zone", SERVICE))) == {"b": 0}
    world.node("a", {"zone": "z"})
    assert world.answer(S1, away(term("zone", SERVICE))) == {"a": IN_THE_WAY, "b": IN_THE_WAY}
    world.cluster.remove(placed["metadata"]["uid"])
    assert world.answer(S1, away(term("zone", SERVICE))) == {"a": 0, "b": 0}


S2 = {"security": "S2"}
CHINA, INDIA, AZ1, AZ2 = {"region": "China"}, {"region": "India"}, {"az": "az1"}, {"az": "az2"}
IS_S1, IS_S2 = expression("security", "In", "S1"), expression("security", "In", "S2")
WITH_S1, WITH_S2 = likes(weighted(5, term("region", IS_S1))), likes(weighted(6, term("region", IS_S2)))
NOT_S1, NOT_S2 = dislikes(weighted(5, term("az", IS_S1))), dislikes(weighted(5, term("az", IS_S2)))
WITH_S1_NOT_S2 = likes(weighted(8, term("region", IS_S1))) | NOT_S2
MANY = likes(
    weighted(8, term("region", expression("security", "NotIn", "S1"), IS_S2)),
    weighted(2, term("region", expression("security", "Exists"), expression("wrongkey", "DoesNotExist"))),
)
HARD = near(
    term("region", expression("security", "In", "S1", "value2")),
    term("region", expression("security", "Exists"), expression("wrongkey", "DoesNotExist")),
)


@pytest.mark.parametrize(
    ("nodes", "existing", "labels", "affinity", "scores"),
    [
        ([CHINA, INDIA, AZ1], [], S1, None, [0, 0, 0]),
        ([CHINA, INDIA, AZ1], [(0, S1), (1, S2), (2, S1)], S1, WITH_S1, [100, 0, 0]),
        ([CHINA, CHINA | AZ1, INDIA], [(0, S1)], {}, WITH_S1, [100, 100, 0]),
        (
            [CHINA, INDIA, CHINA, CHINA, INDIA],
            [(0, S2), (0, S2), (1, S2), (2, S2), (3, S2), (4, S2)],
            S1,
            WITH_S2,
            [100, 0, 100, 100, 0],
        ),
        ([CHINA, INDIA, AZ1], [(0, S1), (1, S2), (2, S1)], S1, MANY, [20, 100, 0]),
        ([CHINA, INDIA, AZ1], [(0, S1, WITH_S1), (1, S2, WITH_S2)], S2, None, [0, 100, 0]),
        ([CHINA, INDIA, AZ1], [(0, S1, HARD), (1, S2, HARD)], S1, None, [100, 100, 0]),
        ([AZ1, CHINA], [(0, S1), (1, S2)], S1, NOT_S1, [0, 100]),
        ([AZ1, CHINA], [(0, S1), (1, S1)], S1, NOT_S1, [0, 100]),
        ([AZ1, INDIA], [(0, S1), (0, S1), (1, S2)], S1, NOT_S1, [0, 100]),
        ([AZ1, AZ2], [(0, S1, NOT_S2), (1, S2, NOT_S1)], S2, None, [0, 100]),
        ([CHINA, AZ1], [(0, S1), (1, S1)], S1, WITH_S1_NOT_S2, [100, 0]),
        (
            [CHINA, AZ1, INDIA, AZ2],
            [(0, S1), (1, S2), (2, {}, WITH_S1_NOT_S2), (3, {}, NOT_S1)],
            S1,
            WITH_S1_NOT_S2,
            [100, 0, 100, 0],
        ),
        ([CHINA, CHINA], [(0, S1), (1, {}, WITH_S1_NOT_S2)], S1, None, [0, 0]),
    ],
)
def test_preferences_score_both_ways(nodes, existing, labels, affinity, scores):
    world = World({f"n{i}": labels for i, labels in enumerate(nodes)})
    for node, *pod in existing:
        world.place(f"n{node}", *pod)
    assert world.answer(labels, affinity) == {f"n{i}": score for i, score in enumerate(scores)}


def test_required_affinity_of_existing_pods_scores_with_its_weight():
    def scores(weight):
        world = World({"a": CHINA, "b": INDIA}, InterPodAffinityArgs(hard_pod_affinity_weight=weight))
        world.place("a", S1, HARD)
        world.place("b", {}, likes(weighted(6, term("region", IS_S1))))
        return world.answer(S1)

    # Two terms of weight 1 against one of weight 6, and so on.
    assert scores(1) == {"a": 0, "b": 100}
    assert scores(50) == {"a": 100, "b": 0}
    assert scores(3) == {"a": 0, "b": 0}


def test_what_existing_pods_prefer_can_be_ignored_for_pods_that_prefer_nothing():
    world = World({"a": CHINA, "b": INDIA}, InterPodAffinityArgs(ignore_preferred_terms_of_existing_pods=True))
    world.place("a", S1, WITH_S1 | HARD)
    assert world.answer(S1) == {"a": 0, "b": 0}
    assert world.answer(S1, WITH_S2) == {"a": 100, "b": 0}


TEAM1, TEAM2 = {"team": "team1"}, {"team": "team2"}
SELECTED = {"matchLabels": TEAM1}


def teams(nodes):
    world = World(nodes)
    for name, labels in {"a.1": TEAM1, "b.1": TEAM1, "a.2": TEAM2, "b.2": TEAM2}.items():
        world.cluster.put_namespace(name, labels)
    return world


@pytest.mark.parametrize(
    ("of_term", "namespace", "selected"),
    [
        ({}, "a.1", True),
        ({}, "b.1", False),
        ({"namespaces": ["b.2"]}, "b.2", True),
        ({"namespaces": ["b.2"]}, "a.1", False),
        ({"namespaceSelector": SELECTED}, "b.1", True),
        ({"namespaceSelector": SELECTED}, "a.2", False),
        ({"namespaces": ["b.2"], "namespaceSelector": SELECTED}, "b.2", True),
        ({"namespaces": ["b.2"], "namespaceSelector": SELECTED}, "b.1", True),
        ({"namespaces": ["b.2"], "namespaceSelector": SELECTED}, "a.2", False),
        ({"namespaceSelector": {}}, "a.2", True),
        ({"namespaceSelector": {}}, "unknown", True),
    ],
)
def test_namespaces_of_a_term_both_ways(of_term, namespace, selected):
    own = teams({"a": CHINA})
    own.place("a", S1, namespace=namespace)
    rule = away(term("region", IS_S1, **of_term))
    assert own.answer({}, rule, namespace="a.1") == {"a": IN_THE_WAY if selected else 0}
    theirs = teams({"a": CHINA})
    theirs.place("a", {}, rule, namespace="a.1")
    assert theirs.answer(S1, namespace=namespace) == {"a": FORBIDDEN if selected else 0}


def test_an_unknown_namespace_has_no_labels_for_others_and_is_not_there_for_the_pod_itself():
    no_team = {"namespaceSelector": {"matchExpressions": [expression("team", "DoesNotExist")]}}
    rule = away(term("region", IS_S1, **no_team))
    own, theirs = teams({"a": CHINA}), teams({"a": CHINA})
    own.place("a", S1, namespace="unknown")
    theirs.place("a", {}, rule, namespace="a.1")
    assert own.answer({}, rule, namespace="a.1") == {"a": 0}
    assert theirs.answer(S1, namespace="unknown") == {"a": FORBIDDEN}


def test_a_namespace_that_changes_its_labels_is_looked_at_anew():
    world = teams({"a": CHINA})
    rule = away(term("region", IS_S1, namespaceSelector=SELECTED))
    world.place("a", S1, rule, namespace="a.2")
    assert world.answer({}, rule, namespace="a.1") == {"a": 0}
    world.cluster.put_namespace("a.2", TEAM1)
    assert world.answer({}, rule, namespace="a.1") == {"a": IN_THE_WAY}
    assert world.answer(S1, namespace="b.1") == {"a": FORBIDDEN}
    world.cluster.put_namespace("b.1", None)
    assert world.answer(S1, namespace="b.1") == {"a": 0}


def test_label_keys_are_as_the_selector_has_them_though_the_pod_s_labels_have_changed():
    world = World({"a": CHINA, "b": INDIA})
    world.place("a", {"app": "web", "version": "1"})
    world.place("b", {"app": "web", "version": "2"})
    changed = {"app": "web", "version": "2"}
    same = away(term("region", expression("version", "In", "1"), matchLabelKeys=["version"]))
    other = away(term("region", expression("version", "NotIn", "1"), mismatchLabelKeys=["version"]))
    assert world.answer(changed, same) == {"a": IN_THE_WAY, "b": 0}
    assert world.answer(changed, other) == {"a": 0, "b": IN_THE_WAY}


def test_refusals_say_what_is_missing_and_who_is_in_the_way():
    world = World({"a": {"zone": "z1"}, "b": {"zone": "z2"}, "c": {}})
    world.place("a", {"app": "db"}, away(term("zone", expression("app", "In", "web"))))
    db, web = expression("app", "In", "db"), {"app": "web"}
    assert world.words(web, near(term("zone", db, namespaces=["data"]))) == {
        "a": ("a pod with app=db of namespace data in its zone", "no such pod in zone=z1"),
        "b": ("a pod with app=db of namespace data in its zone", "no such pod in zone=z2"),
        "c": ("a pod with app=db of namespace data in its zone", "no label zone"),
    }
    assert world.words({}, away(term("zone", db))) == {
        "a": ("no pod with app=db in its zone", "pod d/p1 is in zone=z1")
    }
    assert world.words(web) == {
        "a": ("no pod in its zone whose anti-affinity forbids this one", "pod d/p1 forbids it in zone=z1")
    }


def test_words_do_not_grow_with_the_cluster():
    world = World({f"n{i}": {"host": f"h{i}"} for i in range(300)})
    for i in range(300):
        world.place(f"n{i}", {"app": "db"})
    words = world.words({}, away(term("host", expression("app", "In", "db"))))
    assert len(words) == 300
    assert len({have for _, have in words.values()}) == 65


def test_the_eviction_of_who_is_in_the_way_can_be_supposed():
    world = World({"a": {"zone": "z"}, "b": {"zone": "z"}, "c": {"zone": "y"}})
    web = expression("app", "In", "web")
    in_the_way = signature(world.place("a", {"app": "web"}))
    pod = signature(world.pod({"app": "web"}, away(term("zone", web))))
    supposed = Hypothesis(world.engine, pod, np.array([0, 1, 2]))
    assert supposed.mask().tolist() == [False, False, True]
    supposed.move(0, in_the_way, -1)
    assert supposed.mask().tolist() == [True, False, True]
    world.cluster.nominate(world.pod({"app": "web"}, {}), in_the_way, "c")
    supposed = world.engine.with_promises(pod, np.array([0, 1, 2]), "", 0)
    supposed.move(0, in_the_way, -1)
    assert supposed.mask().tolist() == [True, False, False]
    assert sorted((r.reason, r.rows.tolist()) for r in supposed.refusals()) == [(IN_THE_WAY, [1]), (IN_THE_WAY, [2])]
    world.cluster.withdraw(next(iter(world.cluster.nominated)))
    # Nothing of it has happened.
    assert world.answer({"app": "web"}, away(term("zone", web))) == {"a": IN_THE_WAY, "b": IN_THE_WAY, "c": 0}


class Slow:
    """The documented rules, pod by pod and node by node, from the objects alone."""

    def __init__(self, nodes, namespaces, placed):
        self.nodes, self.namespaces, self.placed = nodes, namespaces, placed

    def selector(self, selector, labels):
        if selector is None:
            return False
        required = [expression(k, "In", v) for k, v in selector.get("matchLabels", {}).items()]
        for r in required + selector.get("matchExpressions", []):
            value, operator, values = labels.get(r["key"]), r["operator"], r.get("values", [])
            holds = {
                "In": value in values,
                "NotIn": value not in values,
                "Exists": value is not None,
                "DoesNotExist": value is None,
            }
            if not holds[operator]:
                return False
        return True

    def selects(self, owner, a_term, other, *, incoming):
        namespace, spaces = other["metadata"]["namespace"], a_term.get("namespaces") or []
        wanted = a_term.get("namespaceSelector")
        if not spaces and wanted is None:
            spaces = [owner["metadata"]["namespace"]]
        everything = wanted is not None and not any(wanted.values())
        known = namespace in self.namespaces or not incoming or everything
        in_space = namespace in spaces or (known and self.selector(wanted, self.namespaces.get(namespace, {})))
        return in_space and self.selector(a_term.get("labelSelector"), other["metadata"]["labels"])

    def terms(self, pod, side, kind):
        return pod["spec"]["affinity"].get(side, {}).get(kind, [])

    def together(self, a_term, node, other_node):
        key = a_term["topologyKey"]
        return key in self.nodes[node] and self.nodes[node][key] == self.nodes.get(other_node, {}).get(key)

    def reason(self, pod, node):
        near_terms = self.terms(pod, "podAffinity", REQUIRED)
        company = [
            n for p, n in self.placed if all(self.selects(pod, t, p, incoming=True) for t in near_terms) and near_terms
        ]
        somewhere = any(t["topologyKey"] in self.nodes.get(n, {}) for t in near_terms for n in company)
        first = not somewhere and all(self.selects(pod, t, pod, incoming=True) for t in near_terms)
        for t in near_terms:
            if t["topologyKey"] not in self.nodes[node]:
                return LACKING
            if not first and not any(self.together(t, node, n) for n in company):
                return LACKING
        for t in self.terms(pod, "podAntiAffinity", REQUIRED):
            if any(self.together(t, node, n) and self.selects(pod, t, p, incoming=True) for p, n in self.placed):
                return IN_THE_WAY
        for p, n in self.placed:
            for t in self.terms(p, "podAntiAffinity", REQUIRED):
                if self.together(t, node, n) and self.selects(p, t, pod, incoming=False):
                    return FORBIDDEN
        return None

    def raw(self, pod, node, args):
        total = 0
        prefers = any(self.terms(pod, side, PREFERRED) for side in ("podAffinity", "podAntiAffinity"))
        for p, n in self.placed:
            for side, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
                for w in self.terms(pod, side, PREFERRED):
                    t = w["podAffinityTerm"]
                    total += sign * w["weight"] * (self.together(t, node, n) and self.selects(pod, t, p, incoming=True))
                if args.ignore_preferred_terms_of_existing_pods and not prefers:
                    continue
                for w in self.terms(p, side, PREFERRED):
                    t = w["podAffinityTerm"]
                    holds = self.together(t, node, n) and self.selects(p, t, pod, incoming=False)
                    total += sign * w["weight"] * holds
                if side == "podAffinity":
                    for t in self.terms(p, side, REQUIRED):
                        holds = self.together(t, node, n) and self.selects(p, t, pod, incoming=False)
                        total += args.hard_pod_affinity_weight * holds
        return total

    def answer(self, pod, args):
        reasons = {node: self.reason(pod, node) for node in self.nodes}
        raw = {node: self.raw(pod, node, args) for node, reason in reasons.items() if reason is None}
        low, high = min(raw.values(), default=0), max(raw.values(), default=0)
        span = high - low
        return {n: r if r else int(100 * ((raw[n] - low) / span)) if span else 0 for n, r in reasons.items()}


class Random:
    """A random history, told to the engine and kept in plain lists."""

    KEYS, VALUES, SPACES = ("app", "tier"), ("a", "b"), ("d", "e", "f")

    def __init__(self, seed):
        r = self.random = random.Random(seed)
        self.args = InterPodAffinityArgs(r.choice([0, 1, 7]), r.random() < 0.3)
        self.world, self.nodes, self.namespaces, self.placed = World(args=self.args), {}, {}, []

    def some(self, options, chance=0.6):
        return {key: self.random.choice(self.VALUES) for key in options if self.random.random() < chance}

    def selector(self, keys):
        r = self.random
        if r.random() < 0.1:
            return None
        found = [self.expression(r.choice(keys)) for _ in range(r.choice([0, 1, 1, 2]))]
        return {"matchLabels": self.some(keys, 0.3), "matchExpressions": found}

    def expression(self, key):
        operator = self.random.choice(["In", "NotIn", "Exists", "DoesNotExist"])
        values = self.random.choices(self.VALUES, k=2) if operator in ("In", "NotIn") else ()
        return expression(key, operator, *values)

    def term(self):
        r, made = self.random, {"topologyKey": self.random.choice(["host", "zone", "rack"])}
        if (selector := self.selector(self.KEYS)) is not None:
            made["labelSelector"] = selector
        if r.random() < 0.3:
            made["namespaces"] = r.sample(self.SPACES, r.choice([1, 2]))
        if r.random() < 0.3:
            made["namespaceSelector"] = r.choice([{}, self.selector(["team"]) or {}])
        return made

    def affinity(self):
        r, made = self.random, {}
        for side in ("podAffinity", "podAntiAffinity"):
            if r.random() < 0.35:
                made.setdefault(side, {})[REQUIRED] = [self.term() for _ in range(r.choice([1, 1, 2]))]
            if r.random() < 0.35:
                terms = [weighted(r.randint(1, 100), self.term()) for _ in range(r.choice([1, 2]))]
                made.setdefault(side, {})[PREFERRED] = terms
        return made

    def step(self):
        r, event = self.random, self.random.random()
        if event < 0.12 or not self.nodes:
            name = f"n{r.randrange(6)}"
            self.nodes[name] = self.some(["zone", "rack"], 0.8) | ({"host": name} if r.random() < 0.9 else {})
            self.world.node(name, self.nodes[name])
        elif event < 0.16:
            name = r.choice(list(self.nodes))
            del self.nodes[name]
            self.world.cluster.nodes.remove_node(name)
        elif event < 0.24:
            name = r.choice(self.SPACES)
            labels = None if name in self.namespaces and r.random() < 0.3 else self.some(["team"], 0.8)
            self.namespaces = {n: v for n, v in (self.namespaces | {name: labels}).items() if v is not None}
            self.world.cluster.put_namespace(name, labels)
        elif event < 0.4 and self.placed:
            pod, _ = self.placed.pop(r.randrange(len(self.placed)))
            self.world.cluster.remove(pod["metadata"]["uid"])
        else:
            affinity = self.affinity() if r.random() < 0.6 else {}
            node = r.choice([*self.nodes, "unknown"] if r.random() < 0.1 else list(self.nodes))
            self.placed.append((self.world.place(node, self.some(self.KEYS), affinity, r.choice(self.SPACES)), node))

    def check(self):
        affinity = self.affinity() if self.random.random() < 0.7 else {}
        asked = (self.some(self.KEYS), affinity, self.random.choice(self.SPACES))
        expected = Slow(self.nodes, self.namespaces, self.placed).answer(self.world.pod(*asked), self.args)
        for _ in range(3):
            assert self.world.answer(*asked) == expected
            self.step()
            expected = Slow(self.nodes, self.namespaces, self.placed).answer(self.world.pod(*asked), self.args)
        assert self.world.answer(*asked) == expected


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_a_slow_count_whatever_moves(seed):
    history = Random(seed)
    for _ in range(30):
        history.step()
        history.check()


def test_many_pods_of_many_labels_are_counted_as_few_are():
    """Counts that grew from a dict to a column are the same counts."""
    world = World({f"n{i}": {"host": f"h{i}"} for i in range(200)})
    db = expression("app", "In", "db")
    pods = [world.place(f"n{i}", {"app": "db", "index": str(i)}, away(term("host", db))) for i in range(150)]
    expected = {f"n{i}": IN_THE_WAY if i < 150 else 0 for i in range(200)}
    assert world.answer({}, away(term("host", db))) == expected
    assert world.answer({"app": "db"}) == {n: FORBIDDEN if r else 0 for n, r in expected.items()}
    for pod in pods[10:]:
        world.cluster.remove(pod["metadata"]["uid"])
    assert world.answer({}, away(term("host", db))) == {f"n{i}": IN_THE_WAY if i < 10 else 0 for i in range(200)}


def test_an_index_that_forgets_answers_alike():
    world, index = World(), AffinityIndex(remembered=3)
    asked = [AffinityTerm("", (LabelRequirement("n", "In", (str(i),)),), frozenset("d"), None) for i in range(5)]
    for i in range(30):
        world.place(f"n{i}", {"n": str(i % 5)}, dislikes(weighted(1 + i % 5, term("host", IS_S1))))
        for n, a_term in enumerate(asked):
            rows, counts = index.selected(world.cluster, (a_term,)).arrays()
            assert sorted(rows.tolist()) == [row for row in range(i + 1) if row % 5 == n]
            assert set(counts.tolist()) <= {1}
        for n in range(5):
            holding = index.holding(world.cluster, signature(world.pod(S1 | {"n": str(n)})).relations)
            assert sorted(held.weight for held, _ in holding) == list(range(-min(5, i + 1), 0))
