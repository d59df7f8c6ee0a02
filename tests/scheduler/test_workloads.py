"""Which pods belong together by the Services and controllers that select them."""

import pytest
from sampan_api.client import REPLICASETS, REPLICATIONCONTROLLERS, SERVICES, STATEFULSETS
from sampan_master.scheduler.pod_terms import LabelRequirement
from sampan_master.scheduler.signature import signature
from sampan_master.scheduler.workloads import Workloads


def named(name, selector, namespace="default"):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": selector}}


def group(labels, owner=None, namespace="default"):
    metadata = {"name": "p", "namespace": namespace, "uid": "u", "labels": labels}
    if owner:
        kind, name = owner
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": kind, "name": name, "controller": True}]
    return signature({"metadata": metadata, "spec": {"containers": [{}]}}).relations


def asks(**labels):
    return tuple(LabelRequirement(key, "In", (value,)) for key, value in sorted(labels.items()))


def told(*workloads):
    made = Workloads()
    for resource, obj in workloads:
        made.put(resource, obj)
    return made


def test_all_services_that_select_the_pod_are_joined():
    workloads = told(
        (SERVICES, named("one", {"app": "web"})),
        (SERVICES, named("two", {"tier": "front"})),
        (SERVICES, named("same", {"app": "web"})),
        (SERVICES, named("other", {"app": "db"})),
        (SERVICES, named("elsewhere", {"env": "x"}, "far")),
        (SERVICES, named("headless", None)),
        (SERVICES, named("empty", {})),
    )
    assert workloads.selector(group({"app": "web", "tier": "front", "env": "x"})) == asks(app="web", tier="front")
    assert workloads.selector(group({"app": "db"})) == asks(app="db")
    assert workloads.selector(group({"env": "x"})) == ()
    assert workloads.selector(group({"env": "x"}, namespace="nowhere")) == ()


@pytest.mark.parametrize(
    ("resource", "selector"),
    [
        (REPLICATIONCONTROLLERS, {"app": "web"}),
        (REPLICASETS, {"matchLabels": {"app": "web"}}),
        (STATEFULSETS, {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}),
    ],
)
def test_the_owner_adds_its_selector(resource, selector):
    workloads = told((resource, named("mine", selector)), (SERVICES, named("s", {"tier": "front"})))
    labels = {"app": "web", "tier": "front"}
    assert workloads.selector(group(labels, (resource.kind, "mine"))) == asks(app="web", tier="front")
    assert workloads.selector(group(labels, (resource.kind, "other"))) == asks(tier="front")
    assert workloads.selector(group(labels, ("Job", "mine"))) == asks(tier="front")


def test_changes_and_removals_count_at_once():
    stays = (SERVICES, named("stays", {"app": "another"}))
    workloads, pod = told((SERVICES, named("s", {"app": "web"})), stays), group({"app": "web", "tier": "front"})
    assert workloads.selector(pod) == asks(app="web")
    workloads.put(SERVICES, named("s", {"tier": "front"}))
    assert workloads.selector(pod) == asks(tier="front")
    workloads.put(SERVICES, named("s", None))
    assert workloads.selector(pod) == ()
    workloads.put(SERVICES, named("s", {"app": "web"}))
    workloads.remove(SERVICES, named("s", {"app": "web"}))
    workloads.remove(SERVICES, named("s", {"app": "web"}))
    assert workloads.selector(pod) == ()


def test_a_copy_is_on_its_own():
    first, second = told((SERVICES, named("s", {"app": "web"}))), Workloads()
    second.take_over(first)
    first.remove(SERVICES, named("s", {"app": "web"}))
    assert second.selector(group({"app": "web"})) == asks(app="web")
    assert first.selector(group({"app": "web"})) == ()


def test_namespaces_without_workloads_are_not_kept():
    workloads = told(*((SERVICES, named("s", {"app": "web"}, f"n{i}")) for i in range(50)))
    for i in range(100):
        workloads.selector(group({"app": "web"}, namespace=f"n{i}"))
    for i in range(50):
        workloads.remove(SERVICES, named("s", {}, f"n{i}"))
    assert not workloads._namespaces
