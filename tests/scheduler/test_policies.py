"""Policies filter and score like plug-ins, and nothing they do stops scheduling."""

import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from cluster import eventually
from sampan_api.client import EVENTS
from sampan_master.scheduler import read_config, run
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.engine import INFEASIBLE, Engine
from sampan_master.scheduler.metrics import SchedulerMetrics
from sampan_master.scheduler.planner import Bind, Planner, Refuse
from sampan_master.scheduler.signature import signature

HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
PAGE = Path(__file__).parents[2] / "docs" / "scheduling-policy.md"


def node(name, labels=None, **allocatable):
    room = {"cpu": "8", "memory": "16Gi", "pods": "10"} | allocatable
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {}, "status": {"allocatable": room}}


def pod(name, labels=None, cpu="1", **spec):
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": labels or {}}
    metadata["creationTimestamp"] = "2024-01-01T00:00:00Z"
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    return {"metadata": metadata, "spec": {"containers": [container], "schedulerName": "default-scheduler", **spec}}


@pytest.fixture
def configured(tmp_path):
    def configured(*codes, **of_policy):
        entries = []
        for i, code in enumerate(codes):
            (tmp_path / f"own{i}.py").write_text(code)
            entries.append({"path": f"own{i}.py", "timeoutSeconds": 60} | of_policy)
        path = tmp_path / "scheduler.yaml"
        path.write_text(yaml.safe_dump(HEAD | {"profiles": [{"sampan": {"policies": entries}}]}))
        return read_config(path)

    return configured


class World:
    def __init__(self, config, *nodes):
        self.profile = config.profiles[0]
        self.cluster = Cluster()
        self.engine = Engine(self.cluster, self.profile, 0)
        for each in nodes:
            self.cluster.nodes.put_node(each)

    def feasible(self, a_pod):
        totals = self.engine.totals(signature(a_pod))
        return [self.cluster.nodes.names[row] for row in np.flatnonzero(totals != INFEASIBLE)]

    def best(self, a_pod):
        return self.cluster.nodes.names[self.engine.choose(signature(a_pod))]

    def failures(self):
        return [failure for policy in self.profile.policies for failure in policy.guard.untold()]


def test_the_example_of_the_documentation(configured, tmp_path):
    """The page's own code and configuration, as they stand there."""
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL))
    assert len([line for line in blocks["python"].splitlines() if line.strip()]) <= 10
    (tmp_path / "batch.py").write_text(blocks["python"])
    (tmp_path / "scheduler.yaml").write_text(blocks["yaml"])
    gpu = node("gpu", {"lifecycle": "spot"}, **{"example.com/gpu": "1"})
    world = World(read_config(tmp_path / "scheduler.yaml"), gpu, node("spot", {"lifecycle": "spot"}), node("dear"))
    batch, web = pod("b", {"tier": "batch"}), pod("w", {"tier": "web"})
    assert world.feasible(batch) == ["spot", "dear"]
    assert world.feasible(web) == ["gpu", "spot", "dear"]
    assert world.best(batch) == "spot"
    (refusal,) = world.engine.refusals(signature(batch))
    assert refusal.reason == "node(s) were kept for pods that need a GPU"
    assert world.failures() == []


def test_what_nodes_and_pods_look_like(configured):
    seen = configured(
        """
import numpy as np
def score_look(nodes, pod):
    global names, seen
    names = list(nodes.names)
    seen = {
        "zone": list(nodes.label("zone")), "has": list(nodes.has_label("zone")), "taint": list(nodes.has_taint("k")),
        "cpu": list(nodes.allocatable("cpu")), "used": list(nodes.requested("cpu")), "free": list(nodes.free("memory")),
        "none": list(nodes.free("example.com/gpu")), "pods": list(nodes.pods), "off": list(nodes.unschedulable),
        "object": [o["metadata"]["name"] for o in nodes.objects],
        "pod": (pod.namespace, pod.labels, pod.requests("cpu"), pod.requests("x"), pod.images, pod.controller),
        "locked": not nodes.free("cpu").flags.writeable,
    }
    return np.zeros(len(nodes))
"""
    )
    tainted = node("b")
    tainted["spec"]["taints"] = [{"key": "k", "effect": "PreferNoSchedule"}]
    world = World(seen, node("a", {"zone": "z"}), tainted)
    there = pod("there", cpu="500m")
    world.cluster.assume(there, signature(there), 0)
    world.best(pod("p", {"app": "x"}, cpu="1500m"))
    assert world.failures() == []
    module = sys.modules["sampan_policy_own0"]
    assert module.names == ["a", "b"]
    assert module.seen == {
        "zone": ["z", ""],
        "has": [True, False],
        "taint": [False, True],
        "cpu": [8.0, 8.0],
        "used": [0.5, 0.0],
        "free": [16 * 2**30] * 2,
        "none": [0.0, 0.0],
        "pods": [1, 0],
        "off": [False, False],
        "object": ["a", "b"],
        "pod": ("default", {"app": "x"}, 1.5, 0.0, ("i",), ("", "")),
        "locked": True,
    }


def test_filters_follow_what_happens_on_nodes_and_tell_pods_apart_by_labels(configured):
    code = "def filter_few(nodes, pod):\n    return (nodes.pods < 2) | (pod.labels.get('app') == 'free')\n"
    world = World(configured(code), node("a"), node("b"))
    for i in range(4):
        one = pod(f"p{i}")
        world.cluster.assume(one, signature(one), world.engine.choose(signature(one)))
    assert world.feasible(pod("x")) == []
    assert world.feasible(pod("y", {"app": "free"})) == ["a", "b"]
    world.cluster.remove("uid-p0")
    assert len(world.feasible(pod("x"))) == 1


def test_scores_are_stretched_and_weighted(configured):
    code = "def score_name(nodes, pod):\n    return [{'a': -7, 'b': 3, 'c': 8}[n] for n in nodes.names]\n"
    config = configured(code, weight=2)
    plain, own = World(configured(), *map(node, "abc")), World(config, *map(node, "abc"))
    difference = own.engine.totals(signature(pod("p"))) - plain.engine.totals(signature(pod("p")))
    assert difference.tolist() == [0, 2 * 67, 2 * 100]
    assert own.best(pod("p")) == "c"


def test_preemption_asks_filters_about_nodes_as_they_would_be(configured):
    code = "def filter_one(nodes, pod):\n    return nodes.pods < 1\n"
    config = configured(code)
    planner = Planner(config)
    planner.put_node(node("a"))
    planner.put_pod(pod("low", nodeName="a", priority=0), 0.0)
    planner.put_pod(pod("high", priority=5), 0.0)
    decision = planner.next(0.0)
    assert [victim.uid for victim in decision.victims] == ["uid-low"]


def test_permit_has_the_last_word(configured):
    code = "def permit_big(nodes, pod):\n    return bool(pod.requests('cpu') < 2)\n"
    planner = Planner(configured(code))
    planner.put_node(node("a"))
    planner.put_pod(pod("small"), 0.0)
    assert isinstance(planner.next(0.0), Bind)
    planner.put_pod(pod("big", cpu="3"), 0.0)
    refused = planner.next(0.0)
    assert isinstance(refused, Refuse)
    assert refused.message == "own0.permit_big does not permit node a"
    assert planner.next(0.0) is None


BAD = {
    "raise ValueError('broken')": r"ValueError: broken \(own0.py, line 4\)",
    "import sys; sys.exit(3)": r"SystemExit: 3 \(own0.py, line 4\)",
    "while True: pass": r"took longer than 0.2 s \(own0.py, line 4\)",
    "time.sleep(60)": r"took longer than 0.2 s \(own0.py, line 4\)",
    "return None": r"answered with NoneType None, not with one \w+ for each of 2 nodes",
    "return np.ones(3, ANSWER)": r"answered with an array of \w+ of shape \(3,\), not with one \w+ for each of 2 nodes",
    "return np.array(['a'] * 2)": r"answered with an array of <U1 of shape \(2,\), not",
    "nodes.free('cpu')[0] = 1": r"ValueError: assignment destination is read-only",
    "return nodes.fre('cpu')": r"AttributeError: 'Nodes' object has no attribute 'fre'",
}


@pytest.mark.parametrize("kind", ["filter", "score"])
@pytest.mark.parametrize("body", BAD)
def test_a_bad_function_is_told_left_out_and_after_three_failures_switched_off(configured, caplog, kind, body):
    answer = {"filter": "bool", "score": "float"}[kind]
    code = f"import time\nimport numpy as np\ndef {kind}_bad(nodes, pod):\n    {body}\n".replace("ANSWER", answer)
    config = configured(code, **({"timeoutSeconds": 0.2} if "took longer" in BAD[body] else {}))
    world = World(config, node("a"), node("b"))
    for i in range(6):
        assert world.feasible(pod(f"p{i}")) == ["a", "b"]
        world.best(pod(f"p{i}"))
    failures = world.failures()
    assert [failure.off for failure in failures] == [False, False, True]
    assert {(failure.policy, failure.function) for failure in failures} == {("own0", f"{kind}_bad")}
    assert re.search(BAD[body], failures[0].message)
    assert "is switched off until the scheduler starts again" in caplog.text


@pytest.mark.parametrize("value", ["np.nan", "np.inf"])
def test_scores_must_be_numbers_that_compare(configured, value):
    code = f"import numpy as np\ndef score_bad(nodes, pod):\n    return np.full(len(nodes), {value})\n"
    world = World(configured(code), node("a"), node("b"))
    world.best(pod("p"))
    assert "answered with NaN or infinity for 2 nodes" in world.failures()[0].message


def test_a_loop_that_catches_exceptions_is_broken_all_the_same(configured):
    code = """
def score_stubborn(nodes, pod):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass
"""
    world = World(configured(code, timeoutSeconds=0.2), node("a"))
    assert world.best(pod("p")) == "a"
    assert "took longer" in world.failures()[0].message


def test_a_failure_now_and_then_does_not_switch_off_and_leaves_no_trace(configured):
    """What a failing filter let pass is asked about again."""
    code = """
calls = 0
def filter_sometimes(nodes, pod):
    global calls
    calls += 1
    if calls % 2:
        raise RuntimeError("odd")
    return nodes.label("ok") == "yes"
"""
    world = World(configured(code), node("a", {"ok": "yes"}), node("b"))
    for i in range(4):
        assert world.feasible(pod("p")) == ["a", "b"]
        assert world.feasible(pod("p")) == ["a"]
        world.cluster.nodes.put_node(node("b", {"round": str(i)}))
        world.cluster.nodes.put_node(node("a", {"ok": "yes", "round": str(i)}))
    assert [failure.off for failure in world.failures()] == [False] * 4


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def filter_a(nodes, pod)\n", "SyntaxError"),
        ("import no_such_module\n", "No module named 'no_such_module' (own0.py, line 1)"),
        ("def other(): pass\n", "has no function whose name begins with filter_, score_ or permit_"),
        ("raise SystemExit\n", "SystemExit (own0.py, line 1)"),
        (None, "FileNotFoundError"),
    ],
)
def test_a_file_that_cannot_be_used_is_left_out_and_the_others_work(configured, tmp_path, code, said):
    good = "def filter_b(nodes, pod):\n    return nodes.names == 'b'\n"
    if code is None:
        config = configured(good)
        path = tmp_path / "scheduler.yaml"
        given = yaml.safe_load(path.read_text())
        given["profiles"][0]["sampan"]["policies"].append({"path": "absent.py"})
        path.write_text(yaml.safe_dump(given))
        config = read_config(path)
    else:
        config = configured(code, good)
    world = World(config, node("a"), node("b"))
    assert world.feasible(pod("p")) == ["b"]
    (failure,) = world.failures()
    assert said in failure.message


async def test_pods_are_bound_beside_a_failing_policy_and_an_event_tells_of_it(cluster, configured):
    await cluster.node("n1")
    config = configured("def filter_bad(nodes, pod):\n    return 1 / 0\n")
    metrics = SchedulerMetrics()
    cluster.spawn(run(cluster.client, cluster.clock, config, metrics))
    await cluster.pod("web")

    async def bound_and_told():
        pods = [p for p in await cluster.pods() if p["spec"].get("nodeName")]
        return pods and [e for e in await cluster.list(EVENTS, "default") if e["reason"] == "PolicyFailed"]

    event = (await eventually(bound_and_told))[0]
    assert "own0.filter_bad: ZeroDivisionError: division by zero (own0.py, line 2)" in event["message"]
    assert (event["involvedObject"]["name"], event["type"]) == ("web", "Warning")
    counted = 'sampan_scheduler_policy_failures_total{function="filter_bad",policy="own0"} '
    assert any(line.startswith(counted) for line in metrics.lines())


def test_functions_of_other_names_are_the_files_own(configured):
    """A helper beside the policy's functions is not asked, and alone it is no policy."""
    helper = "def is_small(nodes, pod):\n    raise ValueError\n"
    world = World(
        configured(helper + "def filter_a(nodes, pod):\n    return nodes.names == 'a'\n"), node("a"), node("b")
    )
    assert world.feasible(pod("p")) == ["a"]
    assert world.failures() == []
    (failure,) = World(configured(helper), node("a")).failures()
    assert "has no function whose name begins with" in failure.message


def test_a_function_whose_name_was_mistyped_is_told(configured, caplog):
    right, wrong = (f"def {name}(nodes, pod):\n    return nodes.names == 'a'\n" for name in ("filter_a", "fliter_b"))
    configured(right + wrong)
    assert "scheduling policy own0: nobody calls fliter_b, did you mean filter_b?" in caplog.messages
    caplog.clear()
    configured(right + "def is_small(nodes, pod):\n    raise ValueError\n")
    assert caplog.messages == []


def test_a_policy_knows_its_file_and_what_the_pod_selects(configured):
    code = """
import pathlib
import numpy as np
def score_look(nodes, pod):
    assert pathlib.Path(__file__).name == "own0.py"
    assert pod.node_selector == {"zone": "z"}
    return np.zeros(len(nodes))
"""
    world = World(configured(code), node("a", {"zone": "z"}), node("b", {"zone": "z"}))
    world.best(pod("p", nodeSelector={"zone": "z"}))
    assert world.failures() == []


def test_the_processs_timer_is_left_as_it_was(configured):
    def mine(_signal, _frame):
        raise AssertionError("nobody asked for an alarm")

    before = signal.signal(signal.SIGALRM, mine)
    try:
        world = World(configured("def filter_a(nodes, pod):\n    return nodes.names == 'a'\n"), node("a"))
        assert world.feasible(pod("p")) == ["a"]
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) is mine
    finally:
        signal.signal(signal.SIGALRM, before)
