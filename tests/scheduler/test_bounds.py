"""What a scheduler holds follows from what there is in the cluster, not from all there ever was: nodes, pods, labels,
selectors, ports, resources, priorities and namespaces that are new each time leave nothing behind."""

import gc
import types
from collections import Counter

import numpy as np
import pytest
from sampan_api.client import SERVICES
from sampan_master.scheduler import signature
from sampan_master.scheduler.changelog import ChangeLog
from sampan_master.scheduler.codes import ABSENT, Codes
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.explanation import why
from sampan_master.scheduler.planner import Bind, Evict, Planner
from sample_objects import HOSTNAME, ZONE, is_, preferred, required, select_node, spread, term

STATIC_NODES = 3


def node(name, *, taints=(), **labels):
    labels = {HOSTNAME: name, ZONE: "z"} | labels
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "20", f"example.com/of-{name}": "1"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": allocatable, "images": [{"names": [f"image:{name}"], "sizeBytes": 1 << 30}]},
    }


def pod(name, i, namespace, *, cpu="1", **spec):
    container = {"name": "c", "image": f"image:{i}", "resources": {"requests": {"cpu": cpu}}}
    metadata = {"name": name, "namespace": namespace, "uid": name, "labels": {"app": f"a{i}", f"k{i}": "v"}}
    return {
        "metadata": metadata | {"generation": 1},
        "spec": {"schedulerName": "default-scheduler", "containers": [container]} | spec,
        "status": {},
    }


def pods(i, namespace):
    """Of kinds that there never were before: what goes somewhere, what fits nowhere, what must evict."""
    app, tag = is_(app=f"a{i}"), {"key": "cpu", "operator": "Exists"}
    yield pod(f"port{i}", i, namespace, containers=[{"name": "c", "image": "x", "ports": [{"hostPort": 1024 + i}]}])
    yield pod(f"spread{i}", i, namespace, topologySpreadConstraints=[spread(ZONE, 1, app), spread(HOSTNAME, 1, app)])
    yield pod(f"soft{i}", i, namespace, topologySpreadConstraints=[spread(f"zone{i}", 1, app, hard=False)])
    yield pod(f"anti{i}", i, namespace, affinity={"podAntiAffinity": required(term(HOSTNAME, app, namespaces=["n"]))})
    yield pod(f"likes{i}", i, namespace, affinity={"podAffinity": preferred((1, term(ZONE, app)))})
    yield pod(f"near{i}", i, namespace, affinity={"podAffinity": required(term(f"key{i}", app))})
    yield pod(f"label{i}", i, namespace, nodeSelector={f"absent{i}": "x"}, tolerations=[tag])
    yield pod(f"disk{i}", i, namespace, affinity=select_node((f"rack{i}", "Exists")))
    yield pod(f"more{i}", i, namespace, cpu=f"{100_000 + i}m", priority=i)
    wanted = {"requests": {"cpu": "1m", f"example.com/r{i}": "1", f"example.com/of-n{i}": "1"}}
    yield pod(f"gpu{i}", i, namespace, containers=[{"name": "c", "image": "x", "resources": wanted}])
    yield pod(f"own{i}", i, namespace, containers=[{"name": "c", "image": "x", "resources": {
        "requests": {"cpu": "10m", f"example.com/of-n{i}": "1"}}}])  # fmt: skip
    yield pod(f"top{i}", i, namespace, cpu="3500m", priority=1000 + i)


class Churn:
    def __init__(self):
        self.planner, self.now = Planner(SchedulerConfig()), 0.0
        for i in range(STATIC_NODES):
            self.planner.put_node(node(f"static{i}"))
        for i in range(2 * STATIC_NODES):
            self.planner.put_pod(pod(f"stays{i}", 0, "stays", cpu="1500m", nodeName=f"static{i // 2}"), 0.0)

    def turn(self, i):
        """Something comes that there never was; it is scheduled, asked about, and goes again."""
        planner, namespace = self.planner, f"namespace{i}"
        stamp = {"key": "DeletionCandidate", "value": str(i), "effect": "PreferNoSchedule"}
        planner.put_namespace(namespace, {"team": f"t{i}"})
        service = {"metadata": {"name": f"s{i}", "namespace": namespace}, "spec": {"selector": {"app": f"a{i}"}}}
        planner.cluster.workloads.put(SERVICES, service)
        budget = {"metadata": {"name": "b", "namespace": namespace}, "spec": {"selector": is_(app=f"a{i}")}}
        planner.budgets.put(budget)
        if i % 4 == 0:
            planner.put_node(node(f"n{i}", taints=[stamp], **{f"rack{i}": "r"}))
            planner.put_node(node("static0", taints=[stamp]))
        waiting = list(pods(i, namespace))
        for each in waiting:
            planner.put_pod(each, self.now)
        self.decide()
        for each in waiting:
            why(planner, each)
        for each in waiting:
            planner.remove_pod(each["metadata"]["uid"])
        if i % 4 == 0:
            planner.remove_node(f"n{i}")
        planner.budgets.remove(budget)
        planner.cluster.workloads.remove(SERVICES, service)
        planner.put_namespace(namespace, None)
        self.decide()

    def decide(self):
        planner = self.planner
        while True:
            self.now += 0.01
            planner.requeue(self.now)
            match planner.next(self.now):
                case Bind(waiting, where):
                    planner.bound(waiting)
                    spec = waiting.pod["spec"] | {"nodeName": where}
                    planner.put_pod(waiting.pod | {"spec": spec}, self.now)
                case Evict(_, _, victims):
                    for victim in victims:
                        if not victim.uid.startswith("stays"):
                            planner.remove_pod(victim.uid)
                case None if not planner.checks_left:
                    return

    def go_on(self, turns):
        for i in turns:
            self.turn(i)
        self.now += 1000.0
        self.decide()


def held(root):
    """How many objects of which type `root` leads to, and the bytes of its arrays."""
    gc.collect()
    ignored = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, int, float)
    seen, found, todo = set(), Counter(), [root]
    while todo:
        obj = todo.pop()
        if id(obj) in seen or isinstance(obj, ignored):
            continue
        seen.add(id(obj))
        found[type(obj).__name__] += 1
        if isinstance(obj, np.ndarray):
            found["bytes of arrays"] += obj.nbytes
        todo.extend(gc.get_referents(obj))
    return found


@pytest.fixture(scope="module")
def churn():
    made = Churn()
    made.go_on(range(1, 120))
    made.before = held(made.planner), len(signature._interned)
    made.go_on(range(120, 360))
    return made


def test_nothing_grows_with_what_there_was(churn):
    (before, interned), after = churn.before, held(churn.planner)
    grown = {name: (before[name], number) for name, number in after.items() if number > 1.1 * before[name] + 20}
    assert not grown
    assert len(signature._interned) <= 1.1 * interned + 20


def test_columns_are_those_of_what_is_there(churn):
    nodes = churn.planner.cluster.nodes
    assert not nodes.ports
    assert set(nodes._label_columns) <= {HOSTNAME, ZONE}
    assert len(nodes.resources) <= 5 + STATIC_NODES + 3
    assert len(nodes.taints.values) <= 2 * 4 + 16
    assert all(len(column.values) <= 2 * 4 + 16 for column in nodes._label_columns.values())


def test_what_is_kept_of_kinds_is_little_more_than_there_are(churn):
    planner = churn.planner
    engine, cluster = planner.engines["default-scheduler"], planner.cluster
    assert cluster.kinds_kept() == 64 + 1
    at_the_last_turn = len(list(pods(0, "")))
    for kept in (engine._placements, engine._values, engine._states):
        assert len(kept) <= 64 + 1 + at_the_last_turn
    assert len(planner._verdicts) <= 64
    assert not planner.queue.kinds
    assert not planner.queue._refused_by
    assert len(planner._preemptions["default-scheduler"]._kept) <= 4 + at_the_last_turn
    assert len(cluster.moves) <= 512


def test_a_log_remembers_as_much_as_it_must_and_at_most_twice_that():
    rows = 3000
    log = ChangeLog(lambda: rows)
    for i in range(20_000):
        log.append(i)
        assert len(log) <= 2 * rows
    assert log.position == 20_000
    assert log.since(20_000 - rows) == list(range(20_000 - rows, 20_000))
    assert log.since(0) is None
    rows = 10
    for i in range(6000):
        log.append(i)
    assert len(log) <= 2 * 256


def test_codes_of_values_that_no_row_has_are_given_to_others():
    codes = Codes(4)
    codes.put(0, "stays")
    for i in range(1000):
        codes.put(1, f"host-{i}")
        codes.put(2, f"host-{i - 5}" if i % 3 else None)
        assert len(codes.values) <= 2 * 3 + 16
        assert codes.value(0) == "stays"
        assert codes.value(1) == f"host-{i}"
        assert codes.value(2) == (f"host-{i - 5}" if i % 3 else None)
    assert list(codes.values.values()) == list(range(len(codes.values)))
    assert codes.codes[3] == ABSENT
    assert codes.look_up(np.arange(4), len, 0, np.int64).tolist() == [5, 8, 0, 0]
