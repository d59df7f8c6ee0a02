"""Simulated nodes on the real registry, in memory and with a clock that stands still until it is advanced."""

import pytest
from sampan_api import meta
from sampan_api.client import EVENTS, LEASES, NODES, PODS, DeleteOptions, PatchType
from sampan_api.errors import ServiceUnavailable
from sampan_sim.config import read
from sampan_sim.errors import NameTaken
from sampan_sim.simulator import Simulator


class Simulation:
    """Simulators that are started and stopped in one cluster, as processes would be."""

    def __init__(self, cluster):
        self.cluster = cluster

    async def start(self, said=None, nodes=1, prefix="sim", client=None):
        self.simulator = Simulator(client or self.cluster.client, self.cluster.clock, read(said or {}), prefix, nodes)
        self.task = self.cluster.spawn(self.simulator.run(workers=4))
        await self.settled()
        assert not self.task.done(), self.task.exception()
        return self.simulator

    async def crash(self):
        await self.cluster.end(self.task)

    async def settled(self):
        for _ in range(20):
            await self.cluster.clock.advance(0)

    async def after(self, seconds):
        await self.cluster.clock.advance(seconds)
        await self.settled()

    async def pod(self, name, node="sim-0", **spec):
        await self.cluster.pod(name, node=node, **spec)
        await self.settled()
        return await self.get(name)

    async def get(self, name):
        return await self.cluster.client.get(PODS, name, "default")


@pytest.fixture
def sim(timeless):
    return Simulation(timeless)


def container(pod):
    return pod["status"]["containerStatuses"][0]


def ready(pod):
    return meta.condition(pod, "Ready")["status"]


async def test_nodes_come_with_labels_zones_taints_and_leases(sim):
    said = {
        "nodes": [
            {"name": "big", "count": 1, "capacity": {"cpu": 64, "memory": "256Gi", "pods": 200}, "zones": ["a", "b"]},
            {"name": "small", "count": 2, "taints": [{"key": "only", "value": "x", "effect": "NoSchedule"}]},
        ]
    }
    await sim.start(said, nodes=6)
    nodes = {meta.name(node): node for node in await sim.cluster.list(NODES)}
    assert sorted(nodes) == ["sim-big-0", "sim-big-1", "sim-small-0", "sim-small-1", "sim-small-2", "sim-small-3"]
    big = nodes["sim-big-1"]
    assert meta.labels(big)["topology.kubernetes.io/zone"] == "b"
    assert big["status"]["allocatable"] == {"cpu": "64", "memory": "256Gi", "pods": "200"}
    assert ready(big) == "True"
    assert {"key": "only", "value": "x", "effect": "NoSchedule"} in nodes["sim-small-0"]["spec"]["taints"]
    ranges = {node["spec"]["podCIDR"] for node in nodes.values()}
    assert len(ranges) == 6
    leases = await sim.cluster.list(LEASES, "kube-node-lease")
    assert {meta.name(one) for one in leases} == set(nodes)
    assert {meta.owner_references(one)[0]["uid"] for one in leases} == {meta.uid(node) for node in nodes.values()}


async def test_a_pod_runs_at_once_with_an_address_of_its_node(sim):
    await sim.start()
    pod = await sim.pod("one")
    node = await sim.cluster.client.get(NODES, "sim-0")
    assert pod["status"]["phase"] == "Running"
    assert ready(pod) == "True"
    assert pod["status"]["podIP"].rpartition(".")[0] == node["spec"]["podCIDR"].rpartition(".")[0]
    assert pod["status"]["hostIP"] == node["status"]["addresses"][0]["address"]
    assert container(pod)["state"]["running"]["startedAt"]
    assert container(pod)["started"] is True
    other = await sim.pod("two")
    assert other["status"]["podIP"] != pod["status"]["podIP"]


async def test_states_that_follow_each_other_at_once_are_one_write(sim):
    simulator = await sim.start()
    for number in range(10):
        await sim.cluster.pod(f"pod-{number}", node="sim-0")
    await sim.settled()
    assert simulator.counters.status_writes == 10


async def test_pods_of_other_nodes_are_left_alone(sim):
    await sim.start()
    await sim.cluster.node("real")
    pod = await sim.pod("one", node="real")
    assert "containerStatuses" not in pod["status"]


async def test_a_slow_start_is_told_and_ended(sim):
    await sim.start({"pods": [{"start": "10s", "ready": "5s"}]})
    pod = await sim.pod("one")
    assert container(pod)["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert pod["status"]["phase"] == "Pending"
    await sim.after(10)
    pod = await sim.get("one")
    assert (pod["status"]["phase"], ready(pod)) == ("Running", "False")
    assert meta.condition(pod, "Ready")["message"] == "containers with unready status: [c]"
    await sim.after(5)
    pod = await sim.get("one")
    assert ready(pod) == "True"
    assert "message" not in meta.condition(pod, "Ready")


async def test_a_run_ends_as_the_restart_policy_says(sim):
    await sim.start({"pods": [{"run": "30s"}]})
    await sim.pod("ends", restartPolicy="Never")
    await sim.pod("again")
    await sim.after(30)
    ended, again = await sim.get("ends"), await sim.get("again")
    assert ended["status"]["phase"] == "Succeeded"
    assert container(ended)["state"]["terminated"]["reason"] == "Completed"
    assert meta.condition(ended, "Ready")["reason"] == "PodCompleted"
    assert again["status"]["phase"] == "Running"
    assert container(again)["restartCount"] == 1
    assert container(again)["lastState"]["terminated"]["exitCode"] == 0


async def test_a_pod_that_fails_loops_with_growing_pauses(sim):
    await sim.start({"pods": [{"failure": {"rate": 1, "after": "2s", "exitCodes": [3]}}]})
    await sim.pod("one")
    await sim.after(2)
    assert container(await sim.get("one"))["restartCount"] == 1
    await sim.after(2)
    pod = await sim.get("one")
    waiting = container(pod)["state"]["waiting"]
    whole = f"one_default({meta.uid(pod)})"
    assert waiting == {
        "reason": "CrashLoopBackOff",
        "message": f"back-off 10s restarting failed container=c pod={whole}",
    }
    assert container(pod)["lastState"]["terminated"]["exitCode"] == 3
    await sim.after(10 + 2)
    assert "back-off 20s" in container(await sim.get("one"))["state"]["waiting"]["message"]
    assert container(await sim.get("one"))["restartCount"] == 2


async def test_never_and_failure_is_a_failed_pod(sim):
    await sim.start({"pods": [{"failure": {"rate": 1, "reason": "OOMKilled", "exitCodes": [137]}}]})
    await sim.pod("one", restartPolicy="Never")
    await sim.after(1)
    pod = await sim.get("one")
    assert pod["status"]["phase"] == "Failed"
    assert container(pod)["state"]["terminated"]["reason"] == "OOMKilled"


async def test_a_deletion_is_graceful(sim):
    await sim.start({"pods": [{"stop": "3s"}]})
    await sim.pod("one")
    deleted = await sim.cluster.client.delete(PODS, "one", "default")
    assert meta.is_deleting(deleted)
    await sim.after(2)
    assert ready(await sim.get("one")) == "True"
    await sim.after(1)
    assert await sim.cluster.pods() == []


async def test_a_pod_is_killed_when_its_grace_is_over(sim):
    await sim.start({"pods": [{"stop": "60s"}]})
    pod = await sim.pod("one")
    pod["metadata"]["finalizers"] = ["example.com/wait"]
    await sim.cluster.client.update(PODS, pod)
    await sim.cluster.client.delete(PODS, "one", "default", DeleteOptions(grace_seconds=5))
    await sim.after(5)
    pod = await sim.get("one")
    assert container(pod)["state"]["terminated"]["exitCode"] == 137
    assert pod["status"]["phase"] == "Failed"
    await sim.cluster.client.patch(PODS, "one", {"metadata": {"finalizers": None}}, "default")
    assert await sim.cluster.pods() == []


async def test_the_next_process_goes_on_where_the_last_one_was_killed(sim):
    said = {"pods": [{"run": "100s", "failure": {"rate": 0}}]}
    await sim.start(said, nodes=2)
    pod = await sim.pod("one", restartPolicy="Never")
    await sim.pod("doomed")
    await sim.after(40)
    await sim.crash()
    await sim.cluster.client.delete(PODS, "doomed", "default")
    await sim.after(30)
    await sim.start(said, nodes=2)
    again = await sim.get("one")
    assert [meta.name(one) for one in await sim.cluster.pods()] == ["one"]
    assert again["status"] == pod["status"]
    await sim.after(30)
    assert (await sim.get("one"))["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    "garbled",
    [
        {"state": {"waiting": {"reason": "Strange"}}, "lastState": {}},
        {"state": {"running": {}}},
        {"state": {"terminated": {"exitCode": 3}}},
        {"containerID": "sampan-sim://" + "x" * 64},
    ],
    ids=["waiting", "running", "terminated", "id"],
)
async def test_a_status_that_somebody_else_has_garbled_ends_no_simulation(sim, garbled):
    await sim.start()
    await sim.pod("one")
    await sim.crash()
    said = await sim.get("one")
    said["status"]["containerStatuses"][0] |= garbled
    await sim.cluster.client.update(PODS, said, "status")
    await sim.start()
    await sim.after(20)
    assert ready(await sim.get("one")) == "True"
    assert ready(await sim.pod("two")) == "True"


async def test_a_crash_loop_is_taken_over(sim):
    said = {"pods": [{"failure": {"rate": 1, "after": "2s"}}]}
    await sim.start(said)
    await sim.pod("one")
    await sim.after(4)
    assert "back-off 10s" in container(await sim.get("one"))["state"]["waiting"]["message"]
    await sim.crash()
    await sim.after(4)
    await sim.start(said)
    assert container(await sim.get("one"))["restartCount"] == 1
    await sim.after(6)
    assert container(await sim.get("one"))["restartCount"] == 2
    await sim.after(2)
    assert "back-off 20s" in container(await sim.get("one"))["state"]["waiting"]["message"]


async def outcomes(cluster, seed):
    sim = Simulation(cluster)
    await sim.start({"seed": seed, "pods": [{"failure": {"rate": 0.5}, "run": {"min": "1s", "max": "20s"}}]})
    for number in range(24):
        await sim.cluster.pod(f"pod-{number}", node="sim-0", restartPolicy="Never")
    await sim.after(10)
    phases = {meta.name(pod): pod["status"]["phase"] for pod in await sim.cluster.pods()}
    for pod in phases:
        await sim.cluster.client.delete(PODS, pod, "default", DeleteOptions(grace_seconds=0))
    await sim.crash()
    return phases


async def test_the_same_seed_gives_the_same_lives(timeless):
    first = await outcomes(timeless, 1)
    assert len(set(first.values())) == 3
    assert await outcomes(timeless, 1) == first
    assert await outcomes(timeless, 2) != first


async def test_generated_pods_draw_by_their_number_and_keep_it(sim):
    said = {"pods": [{"failure": {"rate": 0.5, "after": "3500ms"}, "run": "1h"}]}
    await sim.start(said)

    async def generate():
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "g-", "namespace": "default"}}
        body["spec"] = {"nodeName": "sim-0", "containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}
        made = await sim.cluster.client.create(PODS, body, "default")
        await sim.after(1)
        return meta.name(made)

    names = [await generate() for _ in range(12)]
    await sim.after(4)
    failed = [number for number, name in enumerate(names) if (await sim.get(name))["status"]["phase"] == "Failed"]
    assert 0 < len(failed) < 12
    for name in names:
        await sim.cluster.client.delete(PODS, name, "default", DeleteOptions(grace_seconds=0))
    await sim.crash()
    await sim.start(said)
    names = [await generate() for _ in range(6)]
    await sim.crash()
    await sim.start(said)
    names += [await generate() for _ in range(6)]
    await sim.after(4)
    again = [number for number, name in enumerate(names) if (await sim.get(name))["status"]["phase"] == "Failed"]
    assert again == failed


async def test_leases_are_renewed_evenly(sim):
    await sim.start(nodes=20)
    moments = set()
    for _ in range(20):
        await sim.after(0.5)
        moments |= {one["spec"]["renewTime"] for one in await sim.cluster.list(LEASES, "kube-node-lease")}
    assert len(moments) > 15
    assert sim.simulator.counters.lease_renewals >= 19


async def test_a_node_said_to_be_silent_speaks_at_once(sim):
    await sim.start()
    unknown = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]
    await sim.cluster.client.patch(NODES, "sim-0", {"status": {"conditions": unknown}}, subresource="status")
    await sim.settled()
    assert ready(await sim.cluster.client.get(NODES, "sim-0")) == "True"


async def test_a_deleted_node_is_simulated_no_more(sim):
    simulator = await sim.start(nodes=2)
    await sim.pod("one")
    await sim.cluster.client.delete(NODES, "sim-0")
    await sim.settled()
    assert list(simulator.nodes) == ["sim-1"]
    assert len(simulator.pods) == 0


async def test_what_is_not_asked_for_any_more_is_removed(sim):
    await sim.start(nodes=3)
    await sim.pod("one", node="sim-2")
    await sim.crash()
    await sim.start(nodes=2)
    assert {meta.name(node) for node in await sim.cluster.list(NODES)} == {"sim-0", "sim-1"}
    assert await sim.cluster.pods() == []
    await sim.crash()
    await sim.simulator.remove()
    assert await sim.cluster.list(NODES) == []
    assert await sim.cluster.list(LEASES, "kube-node-lease") == []


async def test_what_is_on_other_nodes_stays_when_ours_are_removed(sim):
    await sim.start(nodes=2)
    await sim.cluster.node("real")
    for name, node in (("kept", "real"), ("one", "sim-0")):
        await sim.pod(name, node=node)
    await sim.cluster.pod("waiting")
    await sim.crash()
    await sim.simulator.remove()
    assert {meta.name(node) for node in await sim.cluster.list(NODES)} == {"real"}
    assert {meta.name(pod) for pod in await sim.cluster.pods()} == {"kept", "waiting"}
    assert {meta.name(one) for one in await sim.cluster.list(LEASES, "kube-node-lease")} == {"real"}


async def test_a_node_that_is_taken_over_gets_what_the_file_says_now_and_keeps_what_others_wrote(sim):
    taint = {"key": "only", "value": "x", "effect": "NoSchedule"}
    await sim.start()
    theirs = {"key": "theirs", "effect": "NoSchedule"}
    change = {"metadata": {"labels": {"theirs": "1"}}, "spec": {"taints": [theirs]}}
    before = await sim.cluster.client.patch(NODES, "sim-0", change)
    await sim.crash()
    for _ in range(2):
        await sim.start({"nodes": [{"name": "n", "zones": ["a"], "taints": [taint]}]})
        node = await sim.cluster.client.get(NODES, "sim-0")
        assert node["spec"]["taints"] == [theirs, taint]
        assert meta.labels(node)["theirs"] == "1"
        assert meta.labels(node)["topology.kubernetes.io/zone"] == "a"
        assert node["spec"]["podCIDR"] == before["spec"]["podCIDR"]
        await sim.crash()


async def test_a_node_without_a_zone_has_no_label_of_one(sim):
    await sim.start()
    node = await sim.cluster.client.get(NODES, "sim-0")
    assert "topology.kubernetes.io/zone" not in meta.labels(node)
    assert node["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}


async def test_reports_move_the_heartbeat_and_not_the_transition(sim):
    await sim.start({"nodeStatus": "60s"})
    first = meta.condition(await sim.cluster.client.get(NODES, "sim-0"), "Ready")
    await sim.after(61)
    later = meta.condition(await sim.cluster.client.get(NODES, "sim-0"), "Ready")
    assert later["lastHeartbeatTime"] > first["lastHeartbeatTime"]
    assert later["lastTransitionTime"] == first["lastTransitionTime"]
    unknown = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]
    await sim.cluster.client.patch(NODES, "sim-0", {"status": {"conditions": unknown}}, subresource="status")
    await sim.settled()
    back = meta.condition(await sim.cluster.client.get(NODES, "sim-0"), "Ready")
    assert back["lastTransitionTime"] > first["lastTransitionTime"]


async def test_a_node_that_is_well_is_reported_once_a_period_and_not_for_each_news_of_it(sim):
    simulator = await sim.start()
    before = simulator.counters.node_reports
    for number in range(5):
        await sim.cluster.client.patch(NODES, "sim-0", {"metadata": {"labels": {"news": str(number)}}})
    await sim.settled()
    assert simulator.counters.node_reports == before


async def test_a_lease_that_somebody_has_deleted_comes_back(sim):
    await sim.start()
    await sim.cluster.client.delete(LEASES, "sim-0", "kube-node-lease")
    await sim.after(21)
    (lease,) = await sim.cluster.list(LEASES, "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "sim-0"


async def test_a_status_shows_what_a_container_was_granted_and_mounts(sim):
    await sim.start()
    mounts = [{"name": "v", "mountPath": "/v", "readOnly": True}, {"name": "v", "mountPath": "/w"}]
    resources = {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}
    one = {"name": "c", "image": "x", "resources": resources, "volumeMounts": mounts}
    told = container(await sim.pod("one", containers=[one], volumes=[{"name": "v", "emptyDir": {}}]))
    assert told["allocatedResources"] == {"cpu": "1"}
    assert told["resources"] == resources
    by_path = {mount["mountPath"]: mount for mount in told["volumeMounts"]}
    assert by_path["/v"] == {"name": "v", "mountPath": "/v", "readOnly": True, "recursiveReadOnly": "Disabled"}
    assert by_path["/w"] == {"name": "v", "mountPath": "/w"}
    assert "resources" not in container(await sim.pod("two"))


async def test_addresses_of_pods_that_are_deleted_at_once_are_free_again(sim):
    await sim.start({"nodes": [{"name": "n", "capacity": {"cpu": 1, "memory": "1Gi", "pods": 1}}]})
    addresses = sim.simulator.nodes["sim-0"].addresses
    first = await sim.pod("one")
    while addresses.take():
        pass
    await sim.cluster.client.delete(PODS, "one", "default", DeleteOptions(grace_seconds=0))
    await sim.settled()
    assert addresses.take() == first["status"]["podIP"]
    assert addresses.take() == ""


async def test_a_name_that_somebody_else_has_is_refused(sim):
    await sim.cluster.node("sim-0")
    simulator = Simulator(sim.cluster.client, sim.cluster.clock, read({}), "sim", 1)
    with pytest.raises(NameTaken, match="choose another --prefix"):
        await simulator.run(1)


class Flaky:
    """A client whose writes of status fail until it is told otherwise."""

    def __init__(self, client):
        self._client, self.down = client, True

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def patch(self, resource, *args, **options):
        if self.down and resource is PODS:
            raise ServiceUnavailable("the server is away")
        return await self._client.patch(resource, *args, **options)


async def test_a_write_that_failed_is_repeated(sim):
    client = Flaky(sim.cluster.client)
    await sim.start(client=client)
    await sim.pod("one")
    await sim.after(1.5)
    client.down = False
    assert "containerStatuses" not in (await sim.get("one"))["status"]
    await sim.after(3)
    assert ready(await sim.get("one")) == "True"
    assert sim.simulator.counters.retries >= 2


async def test_a_pod_of_a_full_range_waits_and_says_so(sim):
    await sim.start({"nodes": [{"name": "n", "capacity": {"cpu": 1, "memory": "1Gi", "pods": 1}}]})
    addresses = sim.simulator.nodes["sim-0"].addresses
    while held := addresses.take():
        last = held
    pod = await sim.pod("one")
    assert pod["status"].get("phase") == "Pending"
    addresses.give_back(last)
    await sim.after(10)
    assert (await sim.get("one"))["status"]["podIP"] == last


async def test_the_address_of_a_pod_that_had_ended_is_not_given_back_a_second_time_when_it_is_deleted(sim):
    await sim.start({"pods": [{"matchLabels": {"short": "yes"}, "run": "1s"}]})
    await sim.pod("job", labels={"short": "yes"}, restartPolicy="Never")
    held = {"metadata": {"finalizers": ["batch.kubernetes.io/job-tracking"]}}
    await sim.cluster.client.patch(PODS, "job", held, "default")
    await sim.after(5)
    job = await sim.get("job")
    assert job["status"]["phase"] == "Succeeded"
    for number in range(253):
        await sim.cluster.pod(f"pod-{number}", node="sim-0")
    await sim.after(5)
    addresses = {pod["status"]["podIP"] for pod in await sim.cluster.pods()}
    assert job["status"]["podIP"] in addresses
    assert len(addresses) == 253
    await sim.cluster.client.delete(PODS, "job", "default")
    await sim.after(5)
    late = await sim.pod("late")
    assert "podIP" not in late["status"]


async def test_pods_that_are_gone_leave_nothing_behind(sim):
    simulator = await sim.start()
    for number in range(30):
        await sim.cluster.pod(f"pod-{number}", node="sim-0")
    await sim.settled()
    for number in range(30):
        await sim.cluster.client.delete(PODS, f"pod-{number}", "default")
    await sim.settled()
    assert await sim.cluster.pods() == []
    assert (len(simulator.pods), len(simulator.pods.timers), len(simulator.pods.outbox)) == (0, 0, 0)


async def test_init_containers_have_ended_and_sidecars_run(sim):
    await sim.start({"pods": [{"start": "5s", "run": "20s"}]})
    inits = [{"name": "i", "image": "x"}, {"name": "side", "image": "x", "restartPolicy": "Always"}]
    pod = await sim.pod("one", initContainers=inits, restartPolicy="Never")
    assert container(pod)["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert meta.condition(pod, "Initialized")["message"] == "containers with incomplete status: [i side]"
    await sim.after(5)
    pod = await sim.get("one")
    init, sidecar = pod["status"]["initContainerStatuses"]
    assert init["state"]["terminated"]["reason"] == "Completed"
    assert "running" in sidecar["state"]
    assert (init["ready"], sidecar["ready"], meta.condition(pod, "Initialized")["status"]) == (True, True, "True")
    await sim.after(20)
    pod = await sim.get("one")
    assert pod["status"]["phase"] == "Succeeded"
    assert "terminated" in pod["status"]["initContainerStatuses"][1]["state"]


async def test_a_readiness_gate_holds_a_pod_back(sim):
    await sim.start()
    pod = await sim.pod("one", readinessGates=[{"conditionType": "example.com/lb"}])
    assert meta.condition(pod, "ContainersReady")["status"] == "True"
    assert meta.condition(pod, "Ready")["reason"] == "ReadinessGatesNotReady"
    opened = {"status": {"conditions": [{"type": "example.com/lb", "status": "True"}]}}
    strategic = {"type": PatchType.STRATEGIC, "subresource": "status"}
    await sim.cluster.client.patch(PODS, "one", opened, "default", **strategic)
    await sim.settled()
    assert ready(await sim.get("one")) == "True"


async def test_a_deadline_fails_the_pod(sim):
    await sim.start()
    await sim.pod("one", activeDeadlineSeconds=7)
    await sim.after(7)
    status = (await sim.get("one"))["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


async def test_a_pod_on_the_host_network_has_its_nodes_address(sim):
    await sim.start()
    status = (await sim.pod("one", hostNetwork=True))["status"]
    assert status["podIP"] == status["hostIP"]


async def test_events_are_told_when_they_are_asked_for(sim):
    await sim.start({"events": True, "pods": [{"stop": "1s"}]})
    await sim.pod("one")
    await sim.cluster.client.delete(PODS, "one", "default")
    await sim.after(1)
    told = [(one["reason"], one["source"]["component"]) for one in await sim.cluster.list(EVENTS, "default")]
    assert sorted(told) == [(reason, "kubelet") for reason in ("Created", "Killing", "Pulled", "Started")]
