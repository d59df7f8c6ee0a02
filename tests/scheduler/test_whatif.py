"""What would happen if: on a copy of the planner, which is left as it was."""

from __future__ import annotations

import pytest
from sampan_api.client import SERVICES
from sampan_api.errors import BadRequest, ServiceUnavailable
from sampan_master.scheduler.answers import Answers
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.planner import Planner
from sample_objects import HOSTNAME, host, is_, node, pod, required

SCHEDULER = "default-scheduler"


def small(name, cpu="4"):
    return node(name, cpu=cpu, memory="8Gi", pods="10")


def waiting(name, cpu, priority=0, **spec):
    made = pod(name, requests={"cpu": cpu}, schedulerName=SCHEDULER, priority=priority, **spec)
    return {**made, "apiVersion": "v1", "kind": "Pod"}


def placed(name, on, cpu, priority=0):
    return pod(name, requests={"cpu": cpu}, nodeName=on, priority=priority)


def planner_of(*objects):
    made = Planner(SchedulerConfig())
    for obj in objects:
        if "containers" in obj["spec"]:
            made.put_pod(obj, 0.0)
        else:
            made.put_node(obj)
    return made


async def draft(obj):
    """A creation that has nothing to add."""
    return {**obj, "spec": obj.get("spec") or {}}


async def ask(planner, *objects):
    answers = Answers()
    with answers.at_work(planner, SchedulerConfig()):
        return await answers.whatif(list(objects), draft)


def fates(answer):
    return [(p["name"], p["node"], [v["name"] for v in p["evicts"]]) for p in answer["pods"]]


def of(kind, name, count, template, **spec):
    template = {"metadata": {"labels": {"app": name}}, "spec": template["spec"]}
    amount = {"parallelism": count} if kind == "Job" else {"replicas": count}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {**amount, "template": template, **spec},
    }


async def test_replicas_fill_the_room_there_is_and_the_rest_says_why_not():
    answer = await ask(planner_of(small("a", "2"), small("b", "2")), of("ReplicaSet", "web", 5, waiting("t", "1")))
    assert sorted(p["node"] for p in answer["pods"]) == ["", "a", "a", "b", "b"]
    assert {p["from"] for p in answer["pods"]} == {"ReplicaSet/web"}
    stays = next(p for p in answer["pods"] if not p["node"])
    assert stays["message"].startswith("0/2 nodes are available: 2 Insufficient cpu.")
    assert stays["nearest"]["changes"][0]["plugin"] == "NodeResourcesFit"


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (of("Deployment", "w", 2, waiting("t", "1")), 2),
        (of("StatefulSet", "w", 2, waiting("t", "1")), 2),
        (of("ReplicationController", "w", 2, waiting("t", "1")), 2),
        (of("Job", "w", 3, waiting("t", "1"), completions=2), 2),
        (of("ReplicaSet", "w", 0, waiting("t", "1")), 0),
        (
            {**of("CronJob", "w", 1, waiting("t", "1")), "spec": {"jobTemplate": of("Job", "w", 1, waiting("t", "1"))}},
            1,
        ),
    ],
    ids=lambda given: given["kind"] if isinstance(given, dict) else "",
)
async def test_every_kind_that_makes_pods_is_worked_out(given, count):
    answer = await ask(planner_of(small("a")), given)
    assert len(answer["pods"]) == count
    assert all(p["node"] == "a" for p in answer["pods"])


async def test_a_more_important_pod_says_whom_it_would_evict():
    planner = planner_of(small("a"), placed("low", "a", "3", 1), placed("high", "a", "1", 1000))
    assert fates(await ask(planner, waiting("new", "3", 100))) == [("new", "a", ["low"])]
    assert fates(await ask(planner, waiting("new", "4", 100))) == [("new", "", [])]


async def test_priority_classes_of_the_same_file_count():
    planner = planner_of(small("a"), placed("low", "a", "4", 1))
    vip = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "vip"}, "value": 50}
    assert fates(await ask(planner, vip, waiting("new", "4", priorityClassName="vip"))) == [("new", "a", ["low"])]
    never = {**vip, "preemptionPolicy": "Never"}
    answer = await ask(planner, never, waiting("new", "4", priorityClassName="vip"))
    assert fates(answer) == [("new", "", [])]
    assert "preemptionPolicy=Never" in answer["pods"][0]["message"]


async def test_a_node_that_came_would_take_who_waits():
    planner = planner_of(small("a", "1"), waiting("big", "4"))
    assert planner.next(0.0) is not None
    new = {**small("b"), "apiVersion": "v1", "kind": "Node"}
    answer = await ask(planner, new)
    assert fates(answer) == [("big", "b", [])]
    assert answer["pods"][0]["from"] == "waiting"


async def test_a_node_without_amounts_is_refused_by_name():
    bare = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "b"}}
    with pytest.raises(BadRequest, match=r'Node "b": status.allocatable: Required value'):
        await ask(planner_of(), bare)


async def test_room_that_is_promised_is_promised_in_the_copy_too():
    planner = planner_of(small("a"), placed("low", "a", "4"))
    planner.put_pod(waiting("first", "3", 100), 0.0)
    planner.next(0.0)
    assert planner.cluster.nominated
    assert fates(await ask(planner, waiting("second", "2", 10)))[0] == ("second", "", [])
    assert fates(await ask(planner, waiting("second", "1", 10)))[0] == ("second", "a", [])


async def test_pods_that_are_assumed_and_not_yet_seen_bound_take_their_room():
    planner = planner_of(small("a"), waiting("first", "3"))
    planner.next(0.0)
    assert fates(await ask(planner, waiting("second", "2"))) == [("second", "", [])]


async def test_gated_pods_and_pods_of_other_schedulers_stay():
    gated = waiting("g", "1", schedulingGates=[{"name": "a/b"}])
    other = waiting("o", "1")
    other["spec"]["schedulerName"] = "mine"
    answer = await ask(planner_of(small("a")), gated, other)
    assert [p["message"] for p in answer["pods"]] == [
        "held back by scheduling gates: a/b",
        'no scheduler here is called "mine"',
    ]


async def test_a_pod_that_names_its_node_is_there_and_takes_its_room():
    given = waiting("one", "3", nodeName="a"), waiting("two", "2")
    assert fates(await ask(planner_of(small("a")), *given)) == [("one", "a", []), ("two", "", [])]


async def test_the_more_important_of_the_given_pods_come_first():
    planner = planner_of(small("a"), small("b", "1"))
    vip = waiting("vip", "4", 100, schedulingGates=[])
    answer = await ask(planner, waiting("low", "4", 1), vip)
    assert fates(answer) == [("low", "", []), ("vip", "a", [])]


async def test_what_makes_no_pods_is_said_to_be_ignored():
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    answer = await ask(planner_of(), config)
    assert answer["ignored"] == [{"kind": "ConfigMap", "name": "c", "why": "makes no pods by itself"}]


async def test_more_pods_than_can_be_worked_out_are_refused():
    with pytest.raises(BadRequest, match="more than 10000 pods"):
        await ask(planner_of(small("a")), of("ReplicaSet", "web", 10_001, waiting("t", "1")))


async def test_nothing_is_answered_while_no_scheduler_is_at_work():
    answers = Answers()
    with pytest.raises(ServiceUnavailable):
        answers.why(pod(), names_pods=True)
    with pytest.raises(ServiceUnavailable):
        await answers.whatif([], draft)


async def test_the_planner_is_left_as_it_was():
    victims = [placed(f"low{i}", "a", "1") for i in range(4)]
    planner = planner_of(small("a"), small("b"), *victims, waiting("w", "9"))
    planner.next(0.0)
    cluster, nodes = planner.cluster, planner.cluster.nodes

    def state():
        return (
            nodes.requested.tolist(), nodes.allocatable.tolist(), nodes.live.tolist(), nodes.changes.position,
            cluster.moves.position, dict(cluster.groups), dict(cluster.nominated), dict(cluster.priorities),
            [(w.place, w.attempts, w.pod) for w in planner.queue.waiting()], planner.budgets.position,
            cluster.namespace_position, planner.checks_left, dict(cluster.namespaces), list(nodes.taints.values),
        )  # fmt: skip

    before, objects = state(), [str(pod) for pod in victims]
    new = {**small("c"), "apiVersion": "v1", "kind": "Node"}
    new["spec"]["taints"] = [{"key": "k", "value": "", "effect": "NoSchedule"}]
    given = of("ReplicaSet", "web", 20, waiting("t", "1", 1000))
    answer = await ask(planner, new, given, {**given, "kind": "Job"})
    assert any(p["evicts"] for p in answer["pods"])
    assert {p["node"] for p in answer["pods"]} >= {"a", "b"}
    assert state() == before
    assert [str(pod) for pod in victims] == objects


async def test_the_copy_decides_as_the_planner_itself_does():
    """Asked what if and then done: the same nodes, the same victims, since ties are drawn by the same seed."""
    objects = [small(f"n{i}") for i in range(5)] + [placed(f"p{i}", f"n{i}", f"{i}") for i in range(1, 4)]
    given = [waiting(f"w{i}", "2", 5 * (i % 2)) for i in range(6)]
    answer = await ask(planner_of(*objects), *given)
    real = planner_of(*objects, *given)
    while (decision := real.next(0.0)) is not None:
        if hasattr(decision, "node"):
            real.put_pod(
                {**decision.waiting.pod, "spec": {**decision.waiting.pod["spec"], "nodeName": decision.node}}, 0
            )
    done = {p["metadata"]["name"]: real.cluster.placed(p["metadata"]["uid"]) for p in given}
    assert {p["name"]: p["node"] for p in answer["pods"]} == {n: p.node if p else "" for n, p in done.items()}


def service(name, **selector):
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector}}


def labelled(obj, **labels):
    return {**obj, "metadata": {**obj["metadata"], "labels": labels}}


@pytest.mark.parametrize("known", [True, False], ids=["a service of the cluster", "a service of the manifests"])
async def test_pods_of_a_service_are_spread_whoever_knows_it(known):
    """Without the service the emptier node is the better one."""
    nodes = [host("a", cpu="4", memory="8Gi", pods="10"), host("b", cpu="4", memory="8Gi", pods="10")]
    there = labelled(placed("web-0", "a", "100m"), app="web")
    planner = planner_of(*nodes, there, placed("other", "b", "500m"))
    given = labelled(waiting("web-1", "100m"), app="web")
    assert fates(await ask(planner, given)) == [("web-1", "a", [])]
    if known:
        planner.cluster.workloads.put(SERVICES, service("web", app="web"))
        assert fates(await ask(planner, given)) == [("web-1", "b", [])]
    else:
        assert fates(await ask(planner, service("web", app="web"), given)) == [("web-1", "b", [])]


async def test_a_namespace_of_the_manifests_is_known_by_its_labels():
    """Affinity may ask for pods of namespaces with labels."""
    near = {"topologyKey": HOSTNAME, "labelSelector": is_(app="db"), "namespaceSelector": is_(team="x")}
    asking = waiting("web", "100m", affinity={"podAffinity": required(near)})
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data", "labels": {"team": "x"}}}
    db = labelled(waiting("db", "100m", nodeName="b"), app="db")
    db["metadata"]["namespace"] = "data"
    planner = planner_of(host("a"), host("b"))
    assert [fate[1] for fate in fates(await ask(planner, db, asking))] == ["b", ""]
    assert [fate[1] for fate in fates(await ask(planner, namespace, db, asking))] == ["b", "b"]


async def test_a_pod_that_goes_somewhere_says_nothing_of_where_it_would_not():
    (told,) = (await ask(planner_of(small("a"), small("b", "0")), waiting("w", "1")))["pods"]
    assert set(told) == {"namespace", "name", "from", "node", "scheduler", "evicts"}


async def test_after_the_scheduler_has_gone_nothing_is_answered_any_more():
    answers = Answers()
    with answers.at_work(planner_of(small("a")), SchedulerConfig()):
        assert await answers.whatif([], draft)
    with pytest.raises(ServiceUnavailable):
        await answers.whatif([], draft)


async def test_nothing_is_drafted_while_no_scheduler_is_at_work():
    async def never(obj):
        raise AssertionError(obj)

    with pytest.raises(ServiceUnavailable):
        await Answers().whatif([waiting("w", "1")], never)
