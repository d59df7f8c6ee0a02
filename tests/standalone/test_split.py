"""A control plane in pieces: a master that is only the API, on a real etcd, and schedulers and controllers as
processes of their own, over HTTPS. Each is ended by its pid."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from contextlib import ExitStack, aclosing, suppress
from pathlib import Path

import pytest
from etcd_server import EtcdServer, free_port
from master_process import Process
from sampan_api.client import LEASES, NODES, PODS, REPLICASETS, DeleteOptions, Selection
from sampan_api.clock import RealClock
from sampan_api.errors import NotFound
from sampan_api.https import HttpsClient
from sampan_api.kubeconfig import load
from sampan_master.data_dir import identity

pytestmark = pytest.mark.etcd

SAMPAN = Path(sys.prefix) / "bin" / "sampan"
KUBECTL = Path(sys.prefix) / "share" / "sampan" / "bin" / "kubectl"
TERMS = ("--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=200ms")
PODS_WANTED, NODE_COUNT, PODS_PER_NODE = 300, 10, 32


class Part:
    """`sampan scheduler` or `sampan controllers`."""

    def __init__(self, verb, kubeconfig, *options):
        self.port = free_port()
        argv = [SAMPAN, verb, "--kubeconfig", kubeconfig, "--port", str(self.port), *TERMS, *options]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return answer.read().decode()

    def metric(self, line):
        """The value of the metric with these labels, None where there is none or nobody answers yet."""
        with suppress(urllib.error.URLError, ConnectionError):
            for told in self.get("/metrics").splitlines():
                if told.rpartition(" ")[0] == line:
                    return float(told.rpartition(" ")[2])
        return None

    @property
    def leads(self):
        return self.metric('leader_election_master_status{name="kube-scheduler"}') == 1

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def close(self):
        self.kill()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def master(stack, tmp_path_factory):
    """The API alone."""
    directory = tmp_path_factory.mktemp("split")
    etcd = EtcdServer(directory / "etcd")
    etcd.start()
    stack.callback(etcd.kill)
    process = Process(directory / "master", "--etcd", etcd.endpoint, "--components", "none")
    stack.callback(process.close)
    process.wait_until_ready()
    process.etcd = etcd.endpoint
    return process


@pytest.fixture
def kubeconfig(master):
    return master.directory / "admin.kubeconfig"


@pytest.fixture
def start(kubeconfig):
    with ExitStack() as stack:

        def begin(verb, *options):
            part = Part(verb, kubeconfig, *options)
            stack.callback(part.close)
            return part

        yield begin


@pytest.fixture
async def client(kubeconfig):
    async with HttpsClient(load(str(kubeconfig)), RealClock(), "tester") as one:
        yield one


async def eventually(check, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (value := await check() if asyncio.iscoroutinefunction(check) else check()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.05)
    return value


def node(name):
    room = {"cpu": str(PODS_PER_NODE), "memory": "64Gi", "pods": "110"}
    ready = {"type": "Ready", "status": "True"}
    status = {"capacity": room, "allocatable": room, "conditions": [ready]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


def pod(name):
    container = {"name": "c", "image": "x", "resources": {"requests": {"cpu": "1"}}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}


class Witness:
    """Follows the pods and notes every node that each was ever bound to, in order."""

    def __init__(self, client, revision):
        self.nodes = defaultdict(list)
        self.task = asyncio.create_task(self._follow(client, revision))

    async def _follow(self, client, revision):
        async with aclosing(client.watch(PODS, revision, Selection("default"))) as events:
            async for event in events:
                bound = event.object.get("spec", {}).get("nodeName")
                if bound and bound not in self.nodes[event.object["metadata"]["uid"]]:
                    self.nodes[event.object["metadata"]["uid"]].append(bound)

    @property
    def count(self):
        assert not self.task.done(), self.task
        return sum(map(bool, self.nodes.values()))

    async def stop(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_killed_scheduler_is_followed_by_the_other_and_nothing_is_bound_twice(start, client, kubeconfig):
    for number in range(NODE_COUNT):
        await client.create(NODES, node(f"n{number}"))
        # A new node is tainted as not ready, and here is no controller that would see that it is.
        await client.patch(NODES, f"n{number}", {"spec": {"taints": None}})
    witness = Witness(client, (await client.list(PODS)).resource_version)
    schedulers = [start("scheduler"), start("scheduler")]
    leader = (await eventually(lambda: [s for s in schedulers if s.leads]))[0]
    (other,) = [s for s in schedulers if s is not leader]
    first, second = (
        [client.create(PODS, pod(f"p{n}"), "default") for n in range(start, PODS_WANTED, 2)] for start in (0, 1)
    )
    creating = asyncio.gather(*first)
    await eventually(lambda: witness.count >= 20)
    leader.kill()
    await asyncio.gather(creating, *second)
    await eventually(lambda: witness.count == PODS_WANTED)
    await eventually(lambda: other.leads)
    assert {len(nodes) for nodes in witness.nodes.values()} == {1}
    load_of = defaultdict(int)
    for (bound,) in witness.nodes.values():
        load_of[bound] += 1
    assert max(load_of.values()) <= PODS_PER_NODE
    await witness.stop()

    command = [KUBECTL, "--kubeconfig", kubeconfig, "get", "lease", "kube-scheduler", "-n", "kube-system", "-o", "json"]
    spec = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["spec"]
    assert spec["leaseDurationSeconds"] == 3
    assert spec["leaseTransitions"] >= 1
    assert spec["acquireTime"] <= spec["renewTime"]
    assert other.get("/healthz") == other.get("/livez") == "ok"
    assert "[+]leaderElection ok\n[+]informer-sync ok" in other.get("/readyz?verbose")
    assert other.metric('scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"}') >= 150
    assert other.metric('scheduler_cache_size{type="pods"}') == PODS_WANTED
    assert other.metric('scheduler_pending_pods{queue="active"}') == 0
    assert other.stop() == 0
    lease = await client.get(LEASES, "kube-scheduler", "kube-system")
    assert not lease["spec"].get("holderIdentity")


async def test_masters_that_share_a_store_share_the_work(stack, master, client, tmp_path):
    """Both serve; one schedules, and when it is killed the other."""

    def begin(name):
        one = Process(tmp_path / name, "--etcd", master.etcd, *TERMS)
        stack.callback(one.close)
        one.wait_until_ready()
        return one

    async def holder():
        with suppress(NotFound):
            lease = await client.get(LEASES, "kube-scheduler", "kube-system")
            return lease["spec"].get("holderIdentity")

    masters = {}
    for name in ("a", "b"):
        one = begin(name)
        masters[identity(one.directory)] = one
    assert len(masters) == 2
    first = await eventually(holder)
    before = (await client.get(LEASES, "kube-scheduler", "kube-system"))["spec"]["leaseTransitions"]
    masters[first].close()

    async def other():
        return (await holder()) not in (first, None, "")

    await eventually(other)
    late = pod("late")
    # The node has no kubelet, which the controllers come to see.
    late["spec"]["tolerations"] = [{"operator": "Exists"}]
    await client.create(NODES, node("shared"))
    await client.create(PODS, late, "default")

    async def bound():
        return (await client.get(PODS, "late", "default"))["spec"].get("nodeName")

    await eventually(bound)
    spec = (await client.get(LEASES, "kube-scheduler", "kube-system"))["spec"]
    assert spec["holderIdentity"] in masters.keys() - {first}
    assert spec["leaseTransitions"] > before
    await client.delete(PODS, "late", "default", DeleteOptions(grace_seconds=0))
    assert masters[spec["holderIdentity"]].terminate() == 0


async def test_controllers_work_over_https(start, client):
    controllers = start("controllers")
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    await client.create(REPLICASETS, {"metadata": {"name": "web"}, "spec": spec}, "default")

    async def replicas():
        found = await client.get(REPLICASETS, "web", "default")
        return found["status"].get("replicas") == 3

    await eventually(replicas)
    owned = (await client.list(PODS, Selection("default", "app=web"))).items
    assert {entry["manager"] for one in owned for entry in one["metadata"]["managedFields"]} == {
        "kube-controller-manager"
    }
    assert "[+]informer-sync ok" in controllers.get("/readyz?verbose")
    await client.delete(REPLICASETS, "web", "default")

    async def gone():
        return not (await client.list(PODS, Selection("default", "app=web"))).items

    await eventually(gone)
    assert controllers.stop() == 0
