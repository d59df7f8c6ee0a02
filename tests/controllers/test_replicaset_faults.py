"""ReplicaSets whose controller is killed, answered unclearly or kept behind, at every one of its writes and events."""

import pytest
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, unclear_at_every_write
from replicas import ALWAYS, owner_of, start
from sampan_api import meta
from sampan_api.client import PODS, REPLICASETS, REPLICATIONCONTROLLERS
from thorough import thorough


async def end(cluster):
    """Of each set its status; of all pods how many there are of each owner, label and state, and the names of those
    whose names are not generated."""
    sets = await cluster.list(REPLICASETS) + await cluster.list(REPLICATIONCONTROLLERS)
    owners = {meta.uid(one): meta.name(one) for one in sets}
    pods = [
        (
            owners.get(owner_of(pod), ""),
            sorted(meta.labels(pod).items()),
            meta.is_deleting(pod),
            "" if pod["metadata"].get("generateName") else meta.name(pod),
        )
        for pod in await cluster.pods()
    ]
    return {meta.name(one): one["status"] for one in sets}, sorted(pods)


def scaled(replicas, resource=REPLICASETS):
    async def step(cluster):
        await cluster.client.patch(resource, "web", {"spec": {"replicas": replicas}}, "default")

    return step


def made(replicas, **spec):
    async def step(cluster):
        await cluster.replica_set("web", replicas, **spec)

    return step


async def own_pods(cluster):
    """Oldest first."""
    return sorted((p for p in await cluster.pods() if owner_of(p)), key=meta.resource_version)


async def a_pod_is_labelled_otherwise(cluster):
    pod = (await own_pods(cluster))[0]
    await cluster.client.patch(PODS, meta.name(pod), {"metadata": {"labels": {"app": "debug"}}}, "default")


async def it_is_labelled_back(cluster):
    pod = next(p for p in await cluster.pods() if meta.labels(p) == {"app": "debug"})
    await cluster.client.patch(PODS, meta.name(pod), {"metadata": {"labels": {"app": "web"}}}, "default")


async def orphans_and_others(cluster):
    for name in ("orphan-1", "orphan-2", "orphan-3"):
        await cluster.pod(name, labels={"app": "web"})
    await cluster.pod("stranger", labels={"app": "other"})
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j-uid", "controller": True}
    await cluster.pod("foreign", labels={"app": "web"}, owners=[reference])


async def pods_become_ready(cluster):
    for pod in await own_pods(cluster):
        await cluster.set_ready(pod)


async def two_pods_die_and_two_fewer_are_wanted(cluster):
    for pod in (await own_pods(cluster))[:2]:
        await cluster.client.delete(PODS, meta.name(pod), "default")
    await scaled(3)(cluster)


async def a_replication_controller(cluster):
    await cluster.replication_controller("web", 3)


def scenario(*steps, **more):
    return Scenario(start=start, steps=steps, end=end, always=ALWAYS, **more)


SCENARIOS = {
    "few": scenario(made(2)),
    "scale": scenario(made(4), scaled(1)),
    "adopt": scenario(made(2), given=orphans_and_others),
    "release": scenario(made(2), a_pod_is_labelled_otherwise, it_is_labelled_back),
    "status": scenario(made(2, minReadySeconds=30), pods_become_ready),
    "die": scenario(made(5), two_pods_die_and_two_fewer_are_wanted),
    "controller": scenario(a_replication_controller, scaled(1, REPLICATIONCONTROLLERS)),
}
every_scenario = pytest.mark.parametrize(
    "name", [name if name in ("scale", "adopt", "die") else pytest.param(name, marks=thorough) for name in SCENARIOS]
)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_killed_before_and_after_every_write(name):
    assert await killed_at_every_write(SCENARIOS[name]) >= 3


@pytest.mark.parametrize(
    "name", ["die", pytest.param("scale", marks=thorough), pytest.param("controller", marks=thorough)]
)
async def test_killed_and_away_while_more_is_asked_for(name):
    await killed_at_every_write(SCENARIOS[name], late=True)


@every_scenario
async def test_every_answer_in_turn_is_unclear(name):
    await unclear_at_every_write(SCENARIOS[name])


@pytest.mark.parametrize("name", ["few", pytest.param("scale", marks=thorough), pytest.param("die", marks=thorough)])
async def test_every_answer_in_turn_is_unclear_and_the_caches_lag(name):
    await unclear_at_every_write(SCENARIOS[name], lag={PODS: 3})


@pytest.mark.parametrize("resource", [PODS, REPLICASETS], ids=["pods", "sets"])
@every_scenario
async def test_a_cache_that_lags(name, resource):
    await behind(SCENARIOS[name], resource, 3)


@thorough
@every_scenario
async def test_caches_that_lag_far(name):
    for resource in (PODS, REPLICASETS, REPLICATIONCONTROLLERS):
        await behind(SCENARIOS[name], resource, 12)


@pytest.mark.parametrize("expired", [False, True], ids=["resumed", "expired"])
@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("scale", PODS),
        ("die", REPLICASETS),
        pytest.param("release", PODS, marks=thorough),
        pytest.param("die", PODS, marks=thorough),
    ],
    ids=lambda value: getattr(value, "plural", value),
)
async def test_a_watch_that_breaks(name, resource, expired):
    assert await cut_at_every_event(SCENARIOS[name], resource, expired=expired) >= 3
